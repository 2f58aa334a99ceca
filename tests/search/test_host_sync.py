"""No step of a search reads a number back or sends one: on a GPU that would wait for all work given before it."""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Dirichlet

from benchharness import methods
from benchharness.config import protocol
from benchharness.methods import Method
from benchharness.methods._updates import StepContext
from benchharness.records import RunSpec
from benchharness.search.host_sync import Reads, no_sync
from benchharness.search.loop import Search
from tests.support.emulated import ON_THE_HOST, TRAINED
from tests.support.gpu import gpu
from tests.support.sets import small_images


def search_of(method: str, device: torch.device, batch: int = 50) -> Search:
    changes = {"epochs": 2, "channels": 4, "cells": 1, "batch": batch, "eval_batch": 100}
    kind = methods.load(method)
    spec = RunSpec(method, kind.trains_as or method, kind.selection, "cifar10", 0, asdict(protocol("drnas", changes)))
    return Search(spec, small_images(), device)


def outside_optimisers(reads: Reads) -> list[str]:
    """Reads but for those of counters that torch's optimisers keep on the CPU."""
    return [
        f"{host_read.name} at {host_read.file}:{host_read.line}"
        for host_read in reads.found
        if "optim" not in Path(host_read.file).parts
    ]


@pytest.mark.parametrize("method", TRAINED)
def test_a_step_reads_nothing_back_and_sends_nothing(method: str) -> None:
    search = search_of(method, torch.device("cpu"))
    assert search.update is not None
    search.net.train()
    steps, context = search.stream.epoch(0), StepContext(0.5, alpha=search.method.moves_alpha(0.5))
    search.update.step(*next(steps), context)
    with Reads() as reads:
        search.update.step(*next(steps), context)
    read_places = outside_optimisers(reads)
    assert bool(read_places) == (method in ON_THE_HOST), read_places


def test_a_step_with_decided_edges_sends_nothing() -> None:
    search = search_of("darts-pt", torch.device("cpu"))
    assert search.update is not None
    with Reads() as reads:
        search.update.step(*next(search.stream.epoch(0)), StepContext(1.0, {0: 3, 4: 0}))
    assert not outside_optimisers(reads)


@pytest.mark.parametrize("method", [name for name in TRAINED if name not in ("enas", "gdas")])
def test_an_epoch_on_a_device_without_numbers(method: str, numberless: torch.device) -> None:
    """Whatever reads a number raises there, in Python and in torch's kernels, and so does a mixture of devices."""
    search = search_of(method, numberless, batch=100)
    search.net.train()
    assert search.update is not None
    sums, steps, context = (
        torch.zeros(2, 3, device=numberless),
        0,
        StepContext(0.5, alpha=search.method.moves_alpha(0.5)),
    )
    for train, valid in search.stream.epoch(0):
        sums, steps = sums + search.update.step(train, valid, context), steps + 1
    assert steps == search.stream.steps
    assert {tensor.device for tensor in (sums, *search.net.state_dict().values())} == {numberless}


@pytest.fixture
def numberless(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """torch's device of shapes alone, with what it lacks: fused steps of SGD, and Dirichlet draws."""

    class Sgd(torch.optim.SGD):
        def __init__(self, *args: Any, fused: bool, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(torch.optim, "SGD", Sgd)
    monkeypatch.setattr(Dirichlet, "rsample", lambda self: self.concentration + 0.0)
    return torch.device("meta")


def test_what_is_read_is_seen_with_its_place() -> None:
    class Careless(Method):
        def draw(self, progress: float) -> torch.Tensor:
            return self.alpha.softmax(-1) if self.alpha.sum() > progress else self.expected()

    with Reads() as reads:
        Careless(6, 5).draw(0.5)
    assert [(host_read.name, Path(host_read.file).name) for host_read in reads.found] == [
        ("__bool__", Path(__file__).name)
    ]


def test_what_is_sent_is_seen() -> None:
    weights = torch.rand(6, 5)
    with Reads() as reads:
        weights[[0, 1, 3]].sum() * torch.tensor(2.0) + weights[weights > 0.5].sum() + weights[2:, 1].sum()
        weights[2:, 1] = weights[2:, 2]
        weights[2].zero_()
        weights[2, 1] = 1
        weights[3] = 0.0
    assert [host_read.name for host_read in reads.found] == [
        "__getitem__",
        "tensor",
        "__getitem__",
        "__setitem__",
        "__setitem__",
    ]


@pytest.mark.gpu
@pytest.mark.parametrize("method", [name for name in TRAINED if name not in ON_THE_HOST])
def test_an_epoch_waits_for_no_gpu(method: str) -> None:
    search = search_of(method, gpu())
    search.run_epoch()
    assert search.update is not None
    search.net.train()
    steps, context = search.stream.epoch(1), StepContext(1.0, alpha=search.method.moves_alpha(1.0))
    first = next(steps)
    with no_sync() if gpu().type == "cuda" else nullcontext():
        search.update.step(*first, context)
        for train, valid in steps:
            search.update.step(train, valid, context)
