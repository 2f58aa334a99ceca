"""Suites from files and from the command line, and the names of their folders."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness.errors import UserError
from benchharness.runs import suite
from benchharness.runs.runner import plan_of
from benchharness.runs.suite import Suite
from tests.support.tiny import install_images

SHIPPED = Path(__file__).parents[2] / "suites"


def write_suite(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_suites_can_be_planned(path: Path) -> None:
    assert plan_of(suite.load_suite(path))


def test_the_default_comparison_is_the_default_request() -> None:
    shipped, default = suite.load_suite(SHIPPED / "cpu.toml"), Suite(dataset="cifar10")
    seeds, plan = [{job.base.seed for job in plan_of(request)} for request in (shipped, default)], plan_of(default)
    assert seeds == [set(range(6))] * 2
    assert plan_of(shipped) == plan
    assert [spec.method for job in plan[:3] for spec in job.specs] == ["darts", "ostr", "snas", "drnas"]


def test_a_file_gives_every_part(tmp_path: Path) -> None:
    path = write_suite(tmp_path, 'methods=["darts"]\nseeds=[0, 3]\ndataset="cifar100"\n[settings]\nepochs=2\n')
    assert suite.load_suite(path) == Suite("darts", "0,3", "cifar100", "auto", {"epochs": 2}, "mine")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("methds = []", "did you mean 'methods'"),
        ("methods = [", "is no suite file"),
        ("seeds = true", "seeds is a string"),
        ("methods = []", "methods is a string"),
        ("settings = 3", "settings is a table"),
        ("[settings]\nepochs = [1]", "settings is a table"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        suite.load_suite(write_suite(tmp_path, text))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no suite file"):
        suite.load_suite(tmp_path / "none.toml")


def test_a_results_folder_as_suite_file_is_told_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match=f"mine is no regular file but a folder; .* --suite mine --out {tmp_path}$"):
        suite.load_suite(tmp_path / "mine")


def test_changed_protocols_have_folders_of_their_own() -> None:
    preset = Suite(dataset="cifar10", protocol="cpu")
    assert preset.name == "cifar10-cpu"
    assert replace(preset, settings={"images": 64, "epochs": 2}).name == "cifar10-cpu+epochs=2+images=64"
    named_suite = Suite(given_name="mine")
    assert named_suite.changed({}, methods="snas", seeds="4").name == "mine"
    assert named_suite.changed({"epochs": 2}, protocol="drnas").name == "mine+epochs=2+protocol=drnas"
    assert named_suite.changed({}, protocol="auto", dataset=None).name == "mine"


def test_without_the_benchmark_the_embedded_images_are_taken_and_it_says_why(own_home: Path) -> None:
    request, reason = Suite().resolved()
    assert (request.dataset, request.protocol, request.name) == ("digits", "small", "digits-small")
    assert "the image set 'cifar10' and the table 'nas-bench-201' are not installed" in reason
    assert plan_of(Suite()) == plan_of(request)


def test_images_without_a_table_are_not_enough(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    install_images(own_home / "data")
    request, reason = Suite().resolved()
    assert request.dataset == "digits"
    assert "since the table 'nas-bench-201' is not installed" in reason


def test_where_images_and_table_are_installed_cifar10_is_taken(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    request, reason = Suite().resolved()
    assert (request.dataset, request.protocol) == ("cifar10", "cpu")
    assert "installed" in reason


def test_what_is_asked_for_needs_no_reason(own_home: Path) -> None:
    request, reason = Suite(dataset="cifar10", protocol="drnas").resolved()
    assert (request.dataset, request.protocol, reason) == ("cifar10", "drnas", "")
    assert Suite(dataset="cifar100").resolved()[0].protocol == "cpu"
    assert Suite(dataset="mine").resolved()[0].protocol == "small"


def test_long_names_are_cut_and_stay_apart() -> None:
    first, second = (Suite(settings={"x" * 200: value}).name for value in (1, 2))
    assert first != second
    assert len(first) == len(second) == 100


@given(st.text(max_size=150))
def test_a_suites_name_never_leaves_its_folder(text: str) -> None:
    try:
        name = suite.with_name(Suite(), text).name
    except UserError:
        return
    assert name == Path(name).name
    assert name not in ("", ".", "..")


def test_settings_from_the_command_line() -> None:
    assert suite.parse_settings(["epochs=2", "order=alpha-first"]) == {"epochs": "2", "order": "alpha-first"}
    for bad in ("epochs", "=2", "epochs="):
        with pytest.raises(UserError, match="write --set key=value"):
            suite.parse_settings([bad])
