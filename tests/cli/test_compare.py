import re
from pathlib import Path

import pytest

from benchharness.cli import main
from benchharness.runs.runner import plan_of
from benchharness.runs.suite import Suite
from benchharness.store import read
from tests.support.report_folder import ALL_SKIP, GOOD, add, spec
from tests.support.tiny import install_images


@pytest.fixture
def suite(tmp_path: Path, own_home: Path) -> Path:
    """A finished cifar10-cpu suite of `darts` and `random`, so that comparing them trains nothing."""
    folder = tmp_path / "results" / "cifar10-cpu"
    for seed in range(3):
        for methods, arch in (("darts", ALL_SKIP), ("random", GOOD)):
            (job,) = plan_of(Suite(methods=methods, seeds=str(seed), dataset="cifar10"))
            add(folder, job.base, arch)
    return folder


def test_a_method_against_a_baseline_that_are_both_there(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(suite.parent), "--reports", str(suite.parent / "told")]
    assert main(["compare", "--method", "random", "--baselines", "darts", "--dataset", "cifar10", *out]) == 0
    streams = capsys.readouterr()
    assert "6 done" in streams.out
    assert "random and darts share no finished seed" in streams.out, "without a table there is nothing to compare"
    assert "without the accuracies of cells" in streams.err
    assert (suite.parent / "told" / "report.md").read_text().startswith("# random against darts")


def test_all_seeds_that_both_have_are_taken(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3, 8):
        for methods, arch in (("darts", ALL_SKIP), ("random", GOOD)):
            if (methods, seed) != ("random", 7):
                (job,) = plan_of(Suite(methods=methods, seeds=str(seed), dataset="cifar10"))
                add(suite, job.base, arch)
    command = ["compare", "--method", "random", "--baselines", "darts", "--dataset", "cifar10", "--dry-run"]
    assert main([*command, "--out", str(suite.parent)]) == 0
    assert "14 runs from 14 supernets (14 done)" in capsys.readouterr().out
    assert main([*command, "--out", str(suite.parent), "--seeds", "0"]) == 0
    assert "2 runs from 2 supernets (2 done)" in capsys.readouterr().out


def test_files_of_one_name_are_compared_with_each_other(
    tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, paths = tmp_path / "results" / "cifar10-cpu", [tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"]
    for path, arch, tau in zip(paths, (ALL_SKIP, GOOD), (0.5, 2.0), strict=True):
        path.parent.mkdir()
        path.write_text(f"from benchharness import Method\nclass Mine(Method):\n    tau = {tau}\n")
        for job in plan_of(Suite(methods=str(path), seeds="0-2", dataset="cifar10")):
            add(folder, job.base, arch)
    command = ["compare", "--method", str(paths[0]), "--dataset", "cifar10", "--out", str(folder.parent)]
    assert main([*command, "--baselines", str(paths[1])]) == 0
    output = capsys.readouterr().out
    names = sorted({row["method"] for row in read(folder).to_dict("records")})
    assert all(name.startswith("mine@") for name in names)
    assert set(names) == set(re.search(r"(mine@\w{6}) and (mine@\w{6}) share", output).groups())  # type: ignore[union-attr]
    assert main(["export", str(folder), "--out", str(tmp_path / "runs.csv")]) == 0
    assert all(name in (tmp_path / "runs.csv").read_text() for name in names)
    paths[1].write_text(paths[0].read_text())
    assert main([*command, "--baselines", str(paths[1])]) == 2
    assert "are one method, of the same content and options" in capsys.readouterr().err
    assert main(["compare", "--method", "darts", "--baselines", "snas,darts"]) == 2


def test_two_folders(suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = tmp_path / "newer" / "newer"
    add(newer, spec("random", 0), GOOD)
    assert main(["compare", str(suite), str(newer)]) == 0
    assert "random (cifar10-cpu) and random (newer)" in capsys.readouterr().out
    assert (tmp_path / "reports" / "cifar10-cpu-against-newer" / "report.html").exists()


def test_a_dry_run_says_what_is_missing(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "--method",
        "snas+ostr",
        "--baselines",
        "darts",
        "--dataset",
        "cifar10",
        "--dry-run",
        "--out",
        str(suite.parent),
    ]
    assert main(["compare", *command]) == 2
    streams = capsys.readouterr()
    assert "15 absent" in streams.out
    assert "no images 'cifar10'" in streams.err, "which the run would refuse too"
    install_images(suite.parents[1])
    monkeypatch.setenv("BENCHHARNESS_DATA", str(suite.parents[1]))
    monkeypatch.setattr("benchharness.runs.estimate.PATIENCE", 0)
    assert main(["compare", *command]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "takes --method and --baselines, or two results folders"),
        (["one"], "takes two results folders and no method, not 1 folders"),
        (["--method", "dart"], "did you mean 'darts'"),
        (["--method", "darts", "--methods", "snas"], "takes --method and --baselines"),
        (["here", "there"], "no results folder 'here'"),
    ],
)
def test_bad_requests_are_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *arguments]) == 2
    message = capsys.readouterr().err
    assert sentence in message.splitlines()[-1]
    assert "Traceback" not in message


def test_a_read_out_is_called_by_its_own_name(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        (job,) = plan_of(Suite(methods="ostr", seeds=str(seed), dataset="cifar10"))
        add(suite, job.specs[-1], GOOD, supernet=job.base)
    request: list[object] = []
    monkeypatch.setattr("benchharness.report.against", lambda *args: request.extend(args) or ["said"])
    assert main(["compare", "--method", "ostr", "--dataset", "cifar10", "--out", str(suite.parent)]) == 0
    assert request[3:5] == ["ostr", ["darts"]]
    assert "said" in capsys.readouterr().out
