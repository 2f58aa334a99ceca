"""How planning, the store and the reading side grow with the number of runs.

`python benchmarks/scale.py --runs 10000`, from the repository's root: makes a folder of synthetic finished runs
and gives every command that reads it to a process of its own, for its seconds and peak memory. Needs the real table.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness import space
from benchharness.compute.environment import describe
from benchharness.records import RunRecord, RunSpec
from benchharness.runs.plan import Job
from benchharness.runs.runner import plan_of
from benchharness.runs.suite import Suite
from benchharness.store import Store

METHODS: Final = "darts,ostr,snas,drnas"
A_SEED: Final = 4
EPOCHS: Final = 20
PARTS: Final = ("start", "plan", "list", "read", "doctor", "export", "report")
DATA: Final = {
    "label": "CIFAR-10 (JPEG)",
    "sha256": "ab" * 32,
    "split": "halves",
    "train_images": 1500,
    "valid_images": 1500,
}

LAUNCH: Final = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL).returncode
wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
found = {"wall_seconds": wall, "processor_seconds": used.ru_utime + used.ru_stime}
print(json.dumps({**found, "peak_memory_mb": used.ru_maxrss / 1024, "exit_code": code}))
"""
"""Runs Python and tells what it took. Linux counts a parent's memory as its child's peak, so this one has little."""


def main() -> None:
    """Make the folder, time each part once and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="runs in the folder, four a seed")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--folder", type=Path, help="where the runs are made, or are already, to be kept")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = args.folder or Path(scratch)
        suite = Suite(METHODS, f"0-{args.runs // A_SEED - 1}", "cifar10", "cpu", given_name="scale")
        if not (root / "scale").exists():
            start = time.perf_counter()
            store_runs(Store(root, "scale"), plan_of(suite))
            print(f"made in {time.perf_counter() - start:.0f} s", flush=True)
        figures = {name: measure(*commands(root, Path(scratch), suite)[name]) for name in args.parts.split(",")}
    if args.out:
        load = {"load_average": os.getloadavg()[0]}
        report = {"runs": args.runs, "parts": figures, **load, "environment": describe()}
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def commands(root: Path, scratch: Path, suite: Suite) -> dict[str, tuple[str, list[str]]]:
    """By part: its name, and the words behind `python`."""
    ours = ["-m", "benchharness"]
    read_code = f"import benchharness.store; print(len(benchharness.store.read({str(root)!r})))"
    suite_code = f"Suite({suite.methods!r}, {suite.seeds!r}, {suite.dataset!r}, {suite.protocol!r})"
    imports = "from benchharness.runs.runner import plan_of; from benchharness.runs.suite import Suite"
    plan = f"{imports}; len(plan_of({suite_code}))"
    arguments = ["--methods", suite.methods, "--seeds", suite.seeds, "--dataset", suite.dataset]
    arguments += ["--protocol", suite.protocol, "--suite", suite.name, "--out", str(root)]
    commands_by_part = {
        "start": ["-c", "import benchharness.runs.runner, benchharness.cli.console, benchharness.report"],
        "plan": ["-c", plan],
        "list": [*ours, "run", *arguments, "--dry-run"],
        "read": ["-c", read_code],
        "doctor": [*ours, "doctor", str(root)],
        "export": [*ours, "export", str(root), "--out", str(scratch / "runs.csv")],
        "report": [*ours, "report", str(root / "scale"), "--out", str(scratch / "report")],
    }
    return {name: (name, arguments) for name, arguments in commands_by_part.items()}


def measure(part: str, words: Sequence[str]) -> dict[str, float]:
    """Wall and processor seconds and peak memory of a Python process given `words`."""
    output = subprocess.run([sys.executable, "-c", LAUNCH, *words], capture_output=True, text=True, check=True).stdout
    figures: dict[str, float] = json.loads(output)
    print(part + ": " + ", ".join(f"{name} {value:.3g}" for name, value in figures.items()), flush=True)
    return figures


def store_runs(store: Store, jobs: Sequence[Job]) -> None:
    """Write every run of `jobs` as a finished one, with drawn cells and weights."""
    rng = np.random.default_rng(0)
    machine = json.dumps({**_machine(), "environment": describe()}, indent=1)
    for job in jobs:
        expected = rng.dirichlet(np.ones(5), (EPOCHS, 6)).astype(np.float32)
        for spec in job.specs:
            folder = store.folder(spec)
            folder.mkdir(parents=True)
            arch = space.to_string(tuple(int(op) for op in rng.integers(0, 5, 6)))
            record = RunRecord(spec.run_id, arch, job.base.run_id, _measures(rng), DATA)
            is_supernet = spec is job.base
            _npz(folder / "trace.npz", {**_scores(rng, spec), **(_trained(rng, expected) if is_supernet else {})})
            if is_supernet:
                (folder / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _lines(rng, expected)))
            for name, text in {"spec": spec.to_json(), "machine": machine, "record": record.to_json()}.items():
                (folder / f"{name}.json").write_text(text + "\n")


def _scores(rng: np.random.Generator, spec: RunSpec) -> dict[str, np.ndarray]:
    order = {"order": rng.permutation(6)} if spec.selection == "strength" else {}
    return {"scores": rng.normal(size=(6, 5)), "magnitude": rng.normal(size=(6, 5)), **order}


def _trained(rng: np.random.Generator, expected: np.ndarray) -> dict[str, np.ndarray]:
    codes = rng.choice(space.SIZE, 100, replace=False)
    eigenvalue = np.where(np.arange(EPOCHS) % 5 == 4, 1.0, np.nan)
    ranking = {"ranking_codes": codes, "ranking_accuracy_pct": rng.normal(50, 5, 100)}
    return {"alphas": np.log(expected), "expected": expected, "eigenvalue": eigenvalue, **ranking}


def _lines(rng: np.random.Generator, expected: np.ndarray) -> Iterator[dict[str, object]]:
    for epoch, weights in enumerate(expected, start=1):
        arch = space.to_string(tuple(int(op) for op in weights.argmax(-1)))
        losses = dict(zip(("train_loss", "valid_loss"), rng.normal(1, 0.1, 2).tolist(), strict=True))
        shares = {"train_accuracy_pct": 30.0 + epoch, "valid_accuracy_pct": 31.0 + epoch}
        rest = {"entropy": float(rng.normal(1.2, 0.1)), "arch": arch, "seconds": 13.9, "peak_memory_bytes": 6 * 10**8}
        yield {"epoch": epoch, "learning_rate": 0.025 / epoch, **losses, **shares, **rest}


def _measures(rng: np.random.Generator) -> dict[str, float]:
    names = ("mixed_batch_accuracy_pct", "derived_batch_accuracy_pct", "mixed_batch_loss", "derived_batch_loss")
    return dict(zip(names, rng.normal(40, 5, 4).tolist(), strict=True))


def _machine() -> dict[str, object]:
    times = {"train_seconds": 277.0, "selection_seconds": 5.0, "started": "2026-01-01T00:00:00+00:00"}
    return {**times, "peak_memory_bytes": 6 * 10**8, "device": "cpu", "threads": 1}


def _npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    path.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
