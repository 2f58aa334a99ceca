"""Small results folders, written file by file as the store lays them out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchharness import space
from benchharness.config import protocol
from benchharness.records import RunRecord, RunSpec

EPOCHS = 6
ALL_SKIP = (space.SKIP,) * 6
GOOD = (space.CONV3, space.CONV3, space.CONV3, space.SKIP, space.CONV3, space.CONV3)
DATA = {
    "label": "CIFAR-10 (JPEG)",
    "sha256": "ab" * 32,
    "train_images": 2500,
    "valid_images": 2500,
    "split": "halves",
}
MACHINE = {
    "train_seconds": 60.0,
    "selection_seconds": 5.0,
    "peak_memory_bytes": 2**28,
    "device": "cpu",
    "environment": {"python": "3.11", "processor": "test", "cores": 2, "gpus": [], "packages": {"numpy": "2.0"}},
}


def spec(method: str, seed: int, dataset: str = "cifar10", preset: str = "cpu", **changes: Any) -> RunSpec:
    trains, _, selection = method.partition("+")
    trains, selection = ("darts", "strength") if method == "ostr" else (trains, selection or "magnitude")
    selection = {"random": "uniform", "ostr": "strength"}.get(method.rpartition("+")[2], selection)
    settings = asdict(protocol(preset, {"epochs": EPOCHS, **changes}))
    return RunSpec(method, trains, selection, dataset, seed, settings)


def leaning(arch: Sequence[int], epochs: int = EPOCHS) -> np.ndarray:
    """Expected weights (epochs, edges, ops) that start undecided and lean ever more towards `arch`."""
    logits = np.eye(5)[list(arch)][None] * np.linspace(0.1, 2, epochs)[:, None, None] + 0.01 * np.arange(5)
    weights = np.exp(logits)
    return weights / weights.sum(-1, keepdims=True)


def add(
    root: Path,
    run: RunSpec,
    arch: Sequence[int] | None,
    supernet: RunSpec | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
    failure: str = "",
) -> Path:
    """One run's folder; unfinished where `arch` is None, with half a trace."""
    folder = root / run.dataset / run.label / f"seed-{run.seed:03d}-{run.run_id}"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(run.to_json())
    if supernet is None and run.selection != "uniform":
        _trace(folder, ALL_SKIP if arch is None else arch, EPOCHS // 2 if arch is None else EPOCHS)
    if failure:
        (folder / "failure.json").write_text(json.dumps({"type": "Diverged", "message": failure, "traceback": ""}))
    if arch is not None:
        _finish(folder, run, arch, supernet or run, arrays or {})
    return folder


def suite(
    root: Path,
    seeds: Sequence[int] = (0, 1, 2),
    dataset: str = "cifar10",
    probes: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """darts collapsed to all-skip in every seed, ostr reads good cells out of the same supernets, random is random.

    Supernets were probed where `probes` has what the probe found.
    """
    rng = np.random.default_rng(0)
    for seed in seeds:
        darts = spec("darts", seed, dataset)
        add(root, darts, ALL_SKIP, arrays=probes)
        scores = rng.normal(size=(6, 5)) + 2 * np.eye(5)[list(GOOD)]
        scores[5] = np.nan if seed == 1 else scores[5]
        good = (*GOOD[:5], int(rng.integers(2, 4)))
        add(root, spec("ostr", seed, dataset), good, darts, {"scores": scores, "order": np.arange(6)})
        add(root, spec("random", seed, dataset), rng.integers(0, 5, 6))
    return root


def _trace(folder: Path, arch: Sequence[int], epochs: int) -> None:
    expected = leaning(arch, EPOCHS)
    lines = []
    for epoch, weights in enumerate(expected[:epochs], start=1):
        argmax_arch = space.to_string(tuple(int(op) for op in weights.argmax(-1)))
        entropy = float(-(weights * np.log(weights)).sum(-1).mean())
        lines.append({"epoch": epoch, "valid_accuracy_pct": 30.0 + epoch, "entropy": entropy, "arch": argmax_arch})
    (folder / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _finish(folder: Path, run: RunSpec, arch: Sequence[int], supernet: RunSpec, arrays: Mapping[str, Any]) -> None:
    expected = leaning(arch if supernet is run else ALL_SKIP)
    trace_arrays = (
        {"alphas": np.log(expected), "expected": expected} if supernet is run and run.selection != "uniform" else {}
    )
    score_arrays = {"scores": expected[-1], "magnitude": expected[-1], "order": np.arange(6)}
    np.savez(folder / "trace.npz", **{**trace_arrays, **score_arrays, **arrays})
    string = space.to_string(tuple(int(op) for op in arch))
    measures = {"mixed_batch_accuracy_pct": 60.0 + run.seed, "derived_batch_accuracy_pct": 40.0}
    record = RunRecord(run.run_id, string, supernet.run_id, measures, DATA, {})
    (folder / "machine.json").write_text(json.dumps(MACHINE))
    (folder / "record.json").write_text(record.to_json())
