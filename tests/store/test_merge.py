"""Results folders put together: every run once, and nothing lost where two disagree."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchharness import store
from benchharness.cli import main
from benchharness.compute import environment
from benchharness.errors import UserError
from benchharness.io import ground_truth
from benchharness.io.ground_truth import Training
from benchharness.report.sections.provenance import sources
from benchharness.runs.worker import execute
from benchharness.store import Store
from benchharness.store.doctor import examine
from benchharness.store.merge import merge
from tests.support.tiny import ON_CPU, Walk, jobs


class Other(Walk):
    """The same search on a machine that rounds otherwise."""

    def run_epoch(self) -> dict[str, Any]:
        line = super().run_epoch()
        self.alphas[-1] = self.alphas[-1] + 0.001
        return line


def made(root: Path, seeds: tuple[int, ...], methods: str = "darts", search: Any = Walk, suite: str = "mine") -> Path:
    for job in jobs(methods, seeds):
        execute(job, Store(root, suite), ON_CPU, search)
    return root


def files(root: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_every_run_is_taken_once(tmp_path: Path) -> None:
    one, other = made(tmp_path / "a", (0, 1), "darts,ostr"), made(tmp_path / "b", (1, 2), "darts,ostr")
    before = files(one), files(other)
    found = merge([one, other / "mine"], tmp_path / "c")
    assert (found.runs, found.new, found.same, found.conflicts, found.left) == (8, 6, 2, [], [])
    frame = store.read(tmp_path / "c")
    assert sorted(zip(frame["method"], frame["seed"], strict=True)) == [
        (m, s) for m in ("darts", "ostr") for s in range(3)
    ]
    assert set(frame["status"]) == {"done"}
    assert examine(tmp_path / "c").findings == ()
    assert (files(one), files(other)) == before, "the sources stay as they are"
    again = merge([one, other], tmp_path / "c")
    assert (again.new, again.same) == (0, 8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_what_was_trained_besides_a_table_comes_along(tmp_path: Path) -> None:
    one, other = made(tmp_path / "a", (0,)), made(tmp_path / "b", (1,))
    first, second = Training(0, 0, 50.0, 51.0, 9.0), Training(1, 0, None, 61.0, 9.0)
    place = Path("mine", ground_truth.FOLDER, "pets-0123456789abcdef.jsonl")
    ground_truth.keep(one / place, [first])
    ground_truth.keep(other / place, [second, replace(first, test=40.0)])
    merge([one, other / "mine"], tmp_path / "c")
    assert ground_truth.read_trainings(tmp_path / "c" / place) == [first, second], (
        "of two trainings of one cell the first"
    )
    assert examine(tmp_path / "c").findings == ()


def test_equal_results_of_another_source_pass(tmp_path: Path) -> None:
    one, other = made(tmp_path / "a", (0,)), made(tmp_path / "b", (0,))
    for path in other.rglob("record.json"):
        record = json.loads(path.read_text())
        assert record.pop("package_sha256")
        record.pop("sha256", None)
        path.write_text(json.dumps(record))
    assert merge([one, other], tmp_path / "c").same == 1


def test_the_doctor_and_the_report_tell_sources_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path / "a", (0,))
    here = environment.source_sha256()
    monkeypatch.setattr(environment, "source_sha256", lambda: "ab" * 32)
    root = made(tmp_path / "a", (0, 1, 2))
    assert examine(root).sources == {here: 1, "ab" * 32: 2}
    assert main(["doctor", str(root)]) == 0
    assert f"2 sources of benchharness (sha256): 1 with {here[:16]}, 2 with abababababababab" in capsys.readouterr().out
    (said,) = sources(store.read(root)["record"])
    assert said.endswith(f"abababababababab (2 runs) and {here[:16]} (1 run)")


def test_a_conflict_is_named_and_kept_with_all_that_hangs_on_it(tmp_path: Path) -> None:
    """The reading, which the first folder lacks, was made with the supernet that is set aside."""
    one, other = made(tmp_path / "a", (0, 1)), made(tmp_path / "b", (0, 2), "darts,ostr", Other)
    found = merge([one, other], tmp_path / "c")
    assert (found.new, found.same) == (4, 0)
    supernet, reading = found.conflicts
    assert supernet.startswith("darts seed 0: ")
    assert "alphas: differs by up to 0.00" in supernet
    assert reading.startswith("ostr seed 0: ")
    assert "of which there are two" in reading
    frame = store.read(tmp_path / "c")
    assert sorted(zip(frame["method"], frame["seed"], strict=True)) == [
        *(("darts", seed) for seed in range(3)),
        ("ostr", 2),
    ]
    aside = store.read(tmp_path / "c.conflicts" / "2")
    assert sorted(aside["method"]) == ["darts", "ostr"]
    assert examine(tmp_path / "c.conflicts" / "2").findings == ()
    assert len(merge([one, other], tmp_path / "c").conflicts) == 2, "given again it says the same"


def test_of_unfinished_runs_the_furthest_is_taken(tmp_path: Path) -> None:
    (job,) = jobs("darts")
    roots = [tmp_path / name for name in ("a", "b", "d")]
    for epochs, root in zip((1, 3, 2), roots, strict=True):
        with Store(root, "mine").claim(job.base) as run:
            assert run is not None
            for epoch in range(epochs):
                run.log({"epoch": epoch + 1, "valid_accuracy_pct": 1.0, "seconds": 1.0, "peak_memory_bytes": 1})
    found = merge(roots, tmp_path / "c")
    assert (found.new, found.shorter) == (2, 1)
    (trace,) = (tmp_path / "c").rglob("trace.jsonl")
    assert len(trace.read_text().splitlines()) == 3
    found = merge([made(tmp_path / "e", (0,)), roots[0]], tmp_path / "c")
    assert (found.new, found.shorter) == (1, 1)
    assert store.read(tmp_path / "c")["status"].tolist() == ["done"]


def test_what_no_reader_counts_and_what_is_worked_on_is_named_and_left(tmp_path: Path) -> None:
    one = made(tmp_path / "a", (0, 1, 2))
    zero, first, second = (store.read(one).sort_values("seed"))["path"]
    shutil.copytree(zero, zero.with_name(zero.name + " copy"))
    (first / "spec.json").write_text("{")
    (job,) = jobs("darts", (3,))
    with Store(one, "mine").claim(job.base):
        found = merge([one], tmp_path / "c")
    assert (found.new, len(found.left)) == (2, 3)
    for said in (
        "after which the folder is not called",
        "spec.json is missing or damaged",
        "somebody is working on it",
    ):
        assert any(said in line for line in found.left), said
    assert sorted(store.read(tmp_path / "c")["path"].map(lambda path: path.name)) == sorted([zero.name, second.name])


def test_suites_stay_apart_and_links_are_followed(tmp_path: Path) -> None:
    one, other = made(tmp_path / "a", (0,)), made(tmp_path / "b", (0,), suite="other")
    (tmp_path / "linked").symlink_to(one)
    found = merge([tmp_path / "linked", other], tmp_path / "c")
    assert found.new == 2
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["mine", "other"]
    assert not (tmp_path / "c" / "mine").is_symlink()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = made(tmp_path / "a", (0,)), made(tmp_path / "b", (0,), search=Other)
    out = str(tmp_path / "c")
    assert main(["merge", str(one), "--out", out]) == 0
    assert main(["merge", str(one), str(other), "--out", out]) == 1
    assert "of 2 runs 0 are new there, 1 were there with equal results" in capsys.readouterr().out
    assert main(["merge", str(one), "--out", str(one / "c")]) == 2
    assert "lie in each other" in capsys.readouterr().err
    with pytest.raises(UserError, match="no results folder"):
        merge([tmp_path / "nowhere"], tmp_path / "c")
