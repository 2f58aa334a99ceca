"""No step of a search reads a number back: on a GPU that would wait for all work given before it."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from benchharness import methods
from benchharness.methods import Method
from benchharness.protocols import protocol
from benchharness.reads import Reads, no_sync
from benchharness.records import RunSpec
from benchharness.search import Search
from benchharness.updates import When
from tests.sets import small_images

ON_THE_HOST = {"enas", "rsps", "setn"}
"""Methods that choose one cell a step and compute its operations alone, so that Python must know which."""
TRAINED = [name for name in methods.names() if methods.load(name).update != "none"]


def search_of(method: str, device: torch.device) -> Search:
    changes = {"epochs": 2, "channels": 4, "cells": 1, "batch": 50, "eval_batch": 100}
    kind = methods.load(method)
    spec = RunSpec(method, kind.trains_as or method, kind.selection, "cifar10", 0, asdict(protocol("drnas", changes)))
    return Search(spec, small_images(), device)


def outside_optimisers(reads: Reads) -> list[str]:
    """Reads but for those of counters that torch's optimisers keep on the CPU."""
    return [f"{read.name} at {read.file}:{read.line}" for read in reads.found if "optim" not in Path(read.file).parts]


@pytest.mark.parametrize("method", TRAINED)
def test_a_step_reads_nothing_back(method: str) -> None:
    search = search_of(method, torch.device("cpu"))
    assert search.update is not None
    search.net.train()
    steps, when = search.stream.epoch(0), When(0.5, alpha=search.method.moves_alpha(0.5))
    search.update.step(*next(steps), when)
    with Reads() as reads:
        search.update.step(*next(steps), when)
    found = outside_optimisers(reads)
    assert bool(found) == (method in ON_THE_HOST), found


def test_what_is_read_is_seen_with_its_place() -> None:
    class Careless(Method):
        def draw(self, progress: float) -> torch.Tensor:
            return self.alpha.softmax(-1) if self.alpha.sum() > progress else self.expected()

    with Reads() as reads:
        Careless(6, 5).draw(0.5)
    assert [(read.name, Path(read.file).name) for read in reads.found] == [("__bool__", "test_reads.py")]


@pytest.mark.gpu
@pytest.mark.parametrize("method", [name for name in TRAINED if name not in ON_THE_HOST])
def test_an_epoch_waits_for_no_gpu(method: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    search = search_of(method, torch.device("cuda"))
    search.run_epoch()
    assert search.update is not None
    search.net.train()
    steps, when = search.stream.epoch(1), When(1.0, alpha=search.method.moves_alpha(1.0))
    first = next(steps)
    with no_sync():
        search.update.step(*first, when)
        for train, valid in steps:
            search.update.step(train, valid, when)
