"""A run id counts once, whatever copies and links lie about, and for readers as for the doctor."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchharness.runs.runner import execute
from benchharness.store import Store, read
from benchharness.store.doctor import examine
from benchharness.store.listing import run_folders
from benchharness.store.run_folder import find_run
from tests.support.tiny import ON_CPU, Walk, jobs

(JOB,) = jobs("darts,ostr")
OURS = sorted(spec.run_id for spec in JOB.specs)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """darts and ostr, both done, in the suite `mine`."""
    execute(JOB, Store(tmp_path / "results", "mine"), ON_CPU, Walk)
    return tmp_path / "results"


def folder(results: Path) -> Path:
    return Store(results, "mine").folder(JOB.base)


def data_set(results: Path, method: str = "") -> Path:
    return results / "mine" / "cifar10" / method


def run_ids(root: Path) -> list[str]:
    return sorted(read(root)["run_id"])


def copy_beside(results: Path, name: str) -> None:
    shutil.copytree(folder(results), folder(results).with_name(name))


COPIES: dict[str, Callable[[Path], object]] = {
    "a file manager's": lambda results: copy_beside(results, f"{folder(results).name} copy 1"),
    "one with a suffix": lambda results: copy_beside(results, f"{folder(results).name}.bak"),
    "another seed's name": lambda results: copy_beside(results, f"seed-001-{JOB.base.run_id}"),
    "another run's name": lambda results: copy_beside(results, f"seed-000-{'0' * 16}"),
    "a method's folder": lambda results: shutil.copytree(folder(results).parent, data_set(results, "darts-backup")),
    "a method's that sorts first": lambda results: shutil.copytree(
        folder(results).parent, results / "mine/cifar10/Old"
    ),
    "a data set's folder": lambda results: shutil.copytree(results / "mine/cifar10", results / "mine/cifar10 (1)"),
    "a suite within the suite": lambda results: shutil.copytree(results / "mine", results / "mine/a-backup/mine"),
    "a data set's within the suite": lambda results: shutil.copytree(
        results / "mine/cifar10", results / "mine/b/cifar10"
    ),
    "a link to a method": lambda results: (results / "mine/cifar10/link").symlink_to(folder(results).parent),
    "a link to the suite within it": lambda results: (results / "mine/again").symlink_to(results / "mine"),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_counts_no_second_time_and_the_doctor_names_it(results: Path, name: str) -> None:
    before = read(results / "mine").drop(columns="path")
    COPIES[name](results)
    for root in (results, results / "mine"):
        assert run_ids(root) == OURS
        problems = [str(finding) for finding in examine(root).findings]
        if name != "a link to the suite within it":
            assert problems
            assert all("so that no report counts it; delete" in line for line in problems)
    assert read(results / "mine").drop(columns="path").equals(before)
    assert set(read(results)["path"]) == {Store(results, "mine").folder(spec) for spec in JOB.specs}
    assert find_run(results, JOB.base.run_id) == folder(results)


def test_suites_side_by_side_each_count(results: Path) -> None:
    shutil.copytree(results / "mine", results / "theirs")
    assert run_ids(results) == sorted(OURS * 2)
    assert sorted(set(read(results)["suite"])) == ["mine", "theirs"]
    assert examine(results).findings == ()


def test_a_spec_of_another_run_makes_no_run_of_it(results: Path) -> None:
    (other,) = jobs("darts", (1,))
    (folder(results) / "spec.json").write_text(other.base.to_json())
    assert run_ids(results) == sorted(spec.run_id for spec in JOB.readouts)
    (finding,) = examine(results).findings
    assert f"its spec.json belongs to run {other.base.run_id}" in finding.problem
    assert finding.remedy.startswith("delete spec.json there; the command that made it, given again")
    suite_store = Store(results, "mine")
    assert [outcome.state for outcome in execute(JOB, suite_store, ON_CPU, Walk)] == ["done", "done"]
    assert run_ids(results) == OURS


@pytest.mark.parametrize("level", range(4))
def test_linked_folders_are_read_alike_by_all(results: Path, tmp_path: Path, level: int) -> None:
    """A run's folder, or one above it, on another disk."""
    target = [folder(results), *folder(results).parents][level]
    target.rename(tmp_path / "elsewhere")
    target.symlink_to(tmp_path / "elsewhere")
    assert run_ids(results) == OURS
    assert examine(results)[:2] == (2, ())
    assert find_run(results, JOB.base.run_id) == folder(results)


def test_links_in_a_circle_end(results: Path) -> None:
    for link, target in (
        ("mine/up", ""),
        ("mine/cifar10/root", "/"),
        ("mine/self", "mine/self"),
        ("a", "b"),
        ("b", "a"),
    ):
        (results / link).symlink_to(results / target)
    for name, other_name in (("c", "d"), ("d", "c")):
        (results / name).mkdir()
        (results / name / "link").symlink_to(results / other_name)
    assert run_ids(results) == OURS
    assert len(run_folders(results)) == 2


def test_a_run_is_read_from_within_and_near_the_root(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder(results))
    assert run_ids(Path()) == [JOB.base.run_id]
    assert read(Path())["arch"].notna().all()
    monkeypatch.chdir(Store(results, "mine").folder(JOB.readouts[0]))
    assert examine(Path())[:2] == (1, ())
