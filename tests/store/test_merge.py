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


def make_runs(
    root: Path, seeds: tuple[int, ...], methods: str = "darts", search: Any = Walk, suite: str = "mine"
) -> Path:
    for job in jobs(methods, seeds):
        execute(job, Store(root, suite), ON_CPU, search)
    return root


def files(root: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_every_run_is_taken_once(tmp_path: Path) -> None:
    first, second = make_runs(tmp_path / "a", (0, 1), "darts,ostr"), make_runs(tmp_path / "b", (1, 2), "darts,ostr")
    before = files(first), files(second)
    merger = merge([first, second / "mine"], tmp_path / "c")
    assert (merger.runs, merger.new, merger.same, merger.conflicts, merger.left) == (8, 6, 2, [], [])
    frame = store.read(tmp_path / "c")
    assert sorted(zip(frame["method"], frame["seed"], strict=True)) == [
        (m, s) for m in ("darts", "ostr") for s in range(3)
    ]
    assert set(frame["status"]) == {"done"}
    assert examine(tmp_path / "c").findings == ()
    assert (files(first), files(second)) == before, "the sources stay as they are"
    second_merger = merge([first, second], tmp_path / "c")
    assert (second_merger.new, second_merger.same) == (0, 8)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_what_was_trained_besides_a_table_comes_along(tmp_path: Path) -> None:
    root, other_root = make_runs(tmp_path / "a", (0,)), make_runs(tmp_path / "b", (1,))
    first, second = Training(0, 0, 50.0, 51.0, 9.0), Training(1, 0, None, 61.0, 9.0)
    relative = Path("mine", ground_truth.FOLDER, "pets-0123456789abcdef.jsonl")
    ground_truth.add_trainings(root / relative, [first])
    ground_truth.add_trainings(other_root / relative, [second, replace(first, test=40.0)])
    merge([root, other_root / "mine"], tmp_path / "c")
    assert ground_truth.read_trainings(tmp_path / "c" / relative) == [first, second], (
        "of two trainings of one cell the first"
    )
    assert examine(tmp_path / "c").findings == ()


def test_equal_results_of_another_source_pass(tmp_path: Path) -> None:
    first, second = make_runs(tmp_path / "a", (0,)), make_runs(tmp_path / "b", (0,))
    for path in second.rglob("record.json"):
        record = json.loads(path.read_text())
        assert record.pop("package_sha256")
        record.pop("sha256", None)
        path.write_text(json.dumps(record))
    assert merge([first, second], tmp_path / "c").same == 1


def test_the_doctor_and_the_report_tell_sources_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_runs(tmp_path / "a", (0,))
    source = environment.source_sha256()
    monkeypatch.setattr(environment, "source_sha256", lambda: "ab" * 32)
    root = make_runs(tmp_path / "a", (0, 1, 2))
    assert examine(root).sources == {source: 1, "ab" * 32: 2}
    assert main(["doctor", str(root)]) == 0
    assert (
        f"2 sources of benchharness (sha256): 1 with {source[:16]}, 2 with abababababababab" in capsys.readouterr().out
    )
    (sentence,) = sources(store.read(root)["record"])
    assert sentence.endswith(f"abababababababab (2 runs) and {source[:16]} (1 run)")


def test_a_conflict_is_named_and_kept_with_all_that_hangs_on_it(tmp_path: Path) -> None:
    """The reading, which the first folder lacks, was made with the supernet that is set aside."""
    first, second = make_runs(tmp_path / "a", (0, 1)), make_runs(tmp_path / "b", (0, 2), "darts,ostr", Other)
    merger = merge([first, second], tmp_path / "c")
    assert (merger.new, merger.same) == (4, 0)
    supernet, reading = merger.conflicts
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
    assert len(merge([first, second], tmp_path / "c").conflicts) == 2, "given again it says the same"


def test_of_unfinished_runs_the_furthest_is_taken(tmp_path: Path) -> None:
    (job,) = jobs("darts")
    roots = [tmp_path / name for name in ("a", "b", "d")]
    for epochs, root in zip((1, 3, 2), roots, strict=True):
        with Store(root, "mine").claim(job.base) as run:
            assert run is not None
            for epoch in range(epochs):
                run.log({"epoch": epoch + 1, "valid_accuracy_pct": 1.0, "seconds": 1.0, "peak_memory_bytes": 1})
    merger = merge(roots, tmp_path / "c")
    assert (merger.new, merger.shorter) == (2, 1)
    (trace,) = (tmp_path / "c").rglob("trace.jsonl")
    assert len(trace.read_text().splitlines()) == 3
    merger = merge([make_runs(tmp_path / "e", (0,)), roots[0]], tmp_path / "c")
    assert (merger.new, merger.shorter) == (1, 1)
    assert store.read(tmp_path / "c")["status"].tolist() == ["done"]


def test_what_no_reader_counts_and_what_is_worked_on_is_named_and_left(tmp_path: Path) -> None:
    source = make_runs(tmp_path / "a", (0, 1, 2))
    zero, first, second = (store.read(source).sort_values("seed"))["path"]
    shutil.copytree(zero, zero.with_name(zero.name + " copy"))
    (first / "spec.json").write_text("{")
    (job,) = jobs("darts", (3,))
    with Store(source, "mine").claim(job.base):
        merger = merge([source], tmp_path / "c")
    assert (merger.new, len(merger.left)) == (2, 3)
    for problem in (
        "the folder is not named after that run",
        "spec.json is missing or damaged",
        "somebody is working on it",
    ):
        assert any(problem in line for line in merger.left), problem
    assert sorted(store.read(tmp_path / "c")["path"].map(lambda path: path.name)) == sorted([zero.name, second.name])


def test_suites_stay_apart_and_links_are_followed(tmp_path: Path) -> None:
    first, second = make_runs(tmp_path / "a", (0,)), make_runs(tmp_path / "b", (0,), suite="other")
    (tmp_path / "linked").symlink_to(first)
    merger = merge([tmp_path / "linked", second], tmp_path / "c")
    assert merger.new == 2
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["mine", "other"]
    assert not (tmp_path / "c" / "mine").is_symlink()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make_runs(tmp_path / "a", (0,)), make_runs(tmp_path / "b", (0,), search=Other)
    out = str(tmp_path / "c")
    assert main(["merge", str(first), "--out", out]) == 0
    assert main(["merge", str(first), str(second), "--out", out]) == 1
    assert "of 2 runs 0 are new there, 1 were there with equal results" in capsys.readouterr().out
    assert main(["merge", str(first), "--out", str(first / "c")]) == 2
    assert "lie in each other" in capsys.readouterr().err
    with pytest.raises(UserError, match="no results folder"):
        merge([tmp_path / "nowhere"], tmp_path / "c")
