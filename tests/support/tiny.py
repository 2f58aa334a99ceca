"""Searches small enough for tests: random images, a protocol of seconds, and a search that trains nothing at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchharness.config import protocol
from benchharness.data.image_set import build_image_set
from benchharness.data.kinds import Part
from benchharness.records import RunRecord, RunSpec
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job, make_plan, parse_methods
from benchharness.space import from_code, to_string
from benchharness.store import Store

ON_CPU = RunOptions(device="cpu")

SETTINGS: Mapping[str, Any] = {
    "epochs": 3,
    "images": 64,
    "channels": 2,
    "cells": 1,
    "batch": 16,
    "eval_batch": 16,
    "ranking": 4,
    "eigenvalue_every": 0,
}


def install_images(data_folder: Path) -> None:
    """Put 96 random 'CIFAR-10' images where a data folder has its own."""
    rng = np.random.default_rng(0)
    splits = [Part(rng.integers(0, 255, (n, 3, 32, 32), np.uint8), np.arange(n) % 10) for n in (96, 16)]
    (data_folder / "images").mkdir(parents=True)
    build_image_set("cifar10", *splits).save(data_folder / "images" / "cifar10.npz")


def jobs(methods: str = "darts", seeds: tuple[int, ...] = (0,), **changes: Any) -> list[Job]:
    return make_plan(parse_methods(methods), seeds, "cifar10", protocol("cpu", {**SETTINGS, **changes}))


class Walk:
    """A search without a supernet: alphas walk at random, reproducibly. `broken` names an epoch that fails."""

    def __init__(self, job: Job, device: torch.device, broken: int = -1, images: str = "a" * 64) -> None:
        self.spec, self.broken, self.images = job.base, broken, images
        self.alphas: list[torch.Tensor] = []

    @property
    def epoch(self) -> int:
        return len(self.alphas)

    @property
    def images_sha256(self) -> str:
        return self.images

    @property
    def finished(self) -> bool:
        return self.epoch >= self.spec.protocol["epochs"]

    def run_epoch(self) -> dict[str, Any]:
        if self.epoch + 1 == self.broken:
            raise RuntimeError("diverged")
        generator = torch.Generator().manual_seed(100 * self.spec.seed + self.epoch)
        last = self.alphas[-1] if self.alphas else torch.zeros(6, 5)
        self.alphas.append(last + torch.randn(6, 5, generator=generator))
        return {"epoch": self.epoch, "valid_accuracy_pct": 10.0 * self.epoch, "seconds": 0.5, "peak_memory_bytes": 7}

    def state(self) -> dict[str, Any]:
        return {"alphas": self.alphas}

    def load(self, state: Mapping[str, Any]) -> None:
        self.alphas = list(state["alphas"])

    def arrays(self) -> dict[str, np.ndarray]:
        alphas = torch.stack(self.alphas).numpy() if self.alphas else np.zeros((0, 6, 5), np.float32)
        return {"alphas": alphas, "expected": alphas}

    def read_out(self, spec: RunSpec, file: Path | None = None) -> tuple[RunRecord, dict[str, np.ndarray]]:
        arch = to_string(from_code(int(abs(self.alphas[-1].sum()) * 100)))
        self.alphas.append(torch.full((6, 5), 99.0))  # reading out may spoil the search, and must not matter
        values = {"mixed_batch_accuracy_pct": 50.0, "derived_batch_accuracy_pct": 40.0}
        measures = {**values, "mixed_batch_loss": 1.0, "derived_batch_loss": 2.0}
        data = {"label": "CIFAR-10 (random)", "split": "halves", "sha256": self.images}
        scores = np.full((6, 5), float(len(spec.method)))
        return RunRecord(spec.run_id, arch, self.spec.run_id, measures, data), {"scores": scores}


def results_of(suite_store: Store, job: Job) -> dict[str, bytes]:
    """The files that may not depend on when and how often the run was interrupted."""
    names = ("spec.json", "trace.npz", "record.json")
    return {
        f"{spec.method}/{name}": (suite_store.folder(spec) / name).read_bytes() for spec in job.specs for name in names
    }
