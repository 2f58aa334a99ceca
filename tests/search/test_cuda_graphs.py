"""Recorded steps: a search whose steps are replayed is, bit for bit, the one whose steps are not."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchharness import methods
from benchharness.cli import main
from benchharness.config import protocol
from benchharness.methods import Method
from benchharness.records import RunSpec
from benchharness.runs import worker
from benchharness.runs.options import RunOptions
from benchharness.search import cuda_graphs
from benchharness.search.cuda_graphs import NotRecorded, RecordedSteps, Recorder
from benchharness.search.loop import Search
from tests.support.emulated import ON_THE_HOST, TRAINED, Emulated, adam_on_the_device
from tests.support.gpu import gpu, recorder
from tests.support.sets import small_images

CHEAP = {"enas": {"controller_steps": 1, "controller_samples": 2}, "sdarts-adv": {"attack_steps": 2}}
STEPS = 4
"""Of an epoch; the last one has fewer images."""
REPLAYED = {
    "drnas-progressive": [2, 2],  # a new stage has a new supernet
    **{name: [0, 0] for name in ON_THE_HOST},
}


@pytest.fixture(autouse=True)
def counting_on_the_device() -> Iterator[None]:
    with adam_on_the_device():
        yield


def search_of(method: str, recorder: Recorder | None = None, device: str = "cpu", **changes: Any) -> Search:
    """A search of two epochs; its Adam counts steps in a tensor either way, which has other last bits."""
    settings = protocol("drnas", {"epochs": 2, "channels": 4, "cells": 1, "batch": 30, "eval_batch": 100, **changes})
    kind = methods.load(method)
    options = CHEAP.get(method, {})
    spec = RunSpec(method, kind.trains_as or method, kind.selection, "cifar10", 0, asdict(settings), options, options)
    search = Search(spec, small_images(200), torch.device(device), recorder=recorder)
    for group in search.alpha_optimizer.param_groups:
        group["capturable"] = True
    return search


def tensors_of(search: Search) -> list[Tensor]:
    """All that a search learns, and the momentum by which it does."""
    optimizers = (search.weight_optimizer, search.alpha_optimizer)
    optimizer_state = [
        value for optimizer in optimizers for state in optimizer.state.values() for value in state.values()
    ]
    return [*search.net.state_dict().values(), *search.method.state_dict().values(), *optimizer_state]


def are_equal(first: Search, second: Search) -> bool:
    pairs = zip(tensors_of(first), tensors_of(second), strict=True)
    return all(torch.equal(*pair) if torch.is_tensor(pair[0]) else pair[0] == pair[1] for pair in pairs)


def with_recorder(search: Search) -> RecordedSteps:
    assert isinstance(search.steps, RecordedSteps)
    return search.steps


def stored_state(search: Search) -> dict[str, Any]:
    """The search's state, out of a file."""
    file = BytesIO()
    torch.save(search.state(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def losses(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key.endswith(("_loss", "_pct", "arch", "entropy"))}


@pytest.mark.parametrize("method", TRAINED)
def test_replayed_steps_do_what_steps_do(method: str) -> None:
    replayed, stepped = search_of(method, Emulated()), search_of(method)
    lines = [(replayed.run_epoch(), stepped.run_epoch()) for _ in range(2)]
    assert all(losses(first) == losses(second) for first, second in lines)
    assert are_equal(replayed, stepped)
    assert [first["replayed_steps"] for first, _ in lines] == REPLAYED.get(method, [2, 3])
    assert all(("not_recorded" in first) == (method in ON_THE_HOST) for first, _ in lines)
    assert not any("replayed_steps" in second for _, second in lines)


@pytest.mark.parametrize(
    "changes",
    [{"numerics": "bf16"}, {"order": "weights-first", "nesterov": True, "clip": 0.0}, {"partial": 2}],
    ids=lambda changes: next(iter(changes)),
)
def test_replayed_steps_by_other_protocols(changes: dict[str, Any]) -> None:
    replayed, stepped = search_of("drnas", Emulated(), **changes), search_of("drnas", **changes)
    for search in (replayed, stepped, replayed, stepped):
        search.run_epoch()
    assert are_equal(replayed, stepped)
    assert with_recorder(replayed).replayed == STEPS - 1


@pytest.mark.parametrize(("method", "times"), [("darts", 1), ("pc-darts", 1), ("snas", 2), ("beta-darts", 2)])
def test_a_step_is_recorded_anew_where_the_method_has_a_schedule(method: str, times: int) -> None:
    recorder = Emulated()
    search = search_of(method, recorder)
    for _ in range(2):
        search.run_epoch()
    assert recorder.count == times


def test_a_recorded_search_goes_on_from_its_checkpoint() -> None:
    undisturbed, partial, resumed_search = (search_of("snas", Emulated()) for _ in range(3))
    for search in (undisturbed, undisturbed, partial):
        search.run_epoch()
    resumed_search.load(stored_state(partial))
    resumed_search.run_epoch()
    assert are_equal(undisturbed, resumed_search)


def test_going_back_to_a_checkpoint_records_anew() -> None:
    """What was recorded would change tensors that are no longer the search's."""
    recorder = Emulated()
    search, other = search_of("darts", recorder), search_of("darts")
    state = other.state()
    search.run_epoch()
    search.load(state)
    search.run_epoch()
    other.run_epoch()
    assert are_equal(search, other)
    assert recorder.count == 2


def test_a_checkpoint_of_recorded_steps_goes_on_without_recording() -> None:
    """On a device where Adam cannot count its steps in a tensor, too."""
    search, unrecorded = search_of("darts", Emulated()), search_of("darts")
    for group in unrecorded.alpha_optimizer.param_groups:
        group["capturable"] = False
    search.run_epoch()
    unrecorded.load(stored_state(search))
    assert [group["capturable"] for group in unrecorded.alpha_optimizer.param_groups] == [False]
    assert unrecorded.run_epoch()["train_loss"] == pytest.approx(search.run_epoch()["train_loss"], rel=1e-5)


def test_tuning_with_decided_edges_is_recorded_too() -> None:
    replayed, stepped = search_of("darts-pt", Emulated(), epochs=1), search_of("darts-pt", epochs=1)
    for search in (replayed, stepped):
        search.run_epoch()
        for decided in ({}, {0: 3}, {0: 3, 4: 1}):
            search._tune(decided, 1, alpha=False)
    assert are_equal(replayed, stepped)
    assert with_recorder(replayed).replayed > 0


class Counting(Method):
    """Draws by how often it has drawn."""

    drawn = 0

    def draw(self, progress: float) -> Tensor:
        self.drawn += 1
        return (self.alpha * self.drawn).softmax(-1)


class Dicing(Method):
    """Draws with Python's dice."""

    def draw(self, progress: float) -> Tensor:
        return (self.alpha * random.random()).softmax(-1)


class Replacing(Method):
    """Keeps its last draw, in another place every time."""

    last: Tensor | None = None

    def draw(self, progress: float) -> Tensor:
        weights = self.alpha.softmax(-1)
        weights = weights if self.last is None else (weights + self.last) / 2
        self.last = weights.detach()
        return weights


class Judging(Method):
    """Looks at what it holds."""

    def draw(self, progress: float) -> Tensor:
        return (self.alpha * (2 if self.alpha.sum() > 0 else 1)).softmax(-1)


@pytest.mark.parametrize("kind", [Counting, Dicing, Replacing, Judging])
def test_steps_in_which_python_decides_are_done_as_ever(kind: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "load", lambda name: kind)
    recorder = Emulated()
    replayed, stepped = search_of("darts", recorder), search_of("darts")
    for search in (replayed, stepped, replayed, stepped):
        search.run_epoch()
    assert are_equal(replayed, stepped)
    assert with_recorder(replayed).deciding
    assert recorder.count == with_recorder(replayed).replayed == 0


def test_what_reads_only_later_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(Method):
        def draw(self, progress: float) -> Tensor:
            momentum = search.weight_optimizer.state
            return (self.alpha * (float(self.alpha.sum()) if momentum else 1.0)).softmax(-1)

    monkeypatch.setattr(methods, "load", lambda name: Late)
    search = search_of("darts", Emulated())
    with pytest.raises(NotRecorded, match="no CUDA graph can hold a step of Late"):
        search.run_epoch()


def test_a_device_without_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    recorder = Emulated()
    monkeypatch.setattr(recorder, "record", full)
    with pytest.raises(torch.OutOfMemoryError):
        search_of("darts", recorder).run_epoch()


def test_graphs_are_refused_without_cuda(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cuda_graphs.check_device(True, "cuda:1")
    cuda_graphs.check_device(False, "cpu")
    command = ["run", "--graphs", "--device", "cpu", "--dataset", "digits", "--seeds", "0", "--out", str(tmp_path)]
    assert main(command) == 2
    assert "--graphs records CUDA graphs, and device 'cpu' is not a CUDA device" in capsys.readouterr().err


class Begun:
    """A run as its folder tells of it."""

    def __init__(self, **options: Any) -> None:
        self.spec = search_of("darts").spec
        self.told = options

    def machine(self) -> dict[str, Any]:
        return {"attempts": [self.told]} if self.told else {}


@pytest.mark.parametrize("first_graphs", [True, False])
def test_a_run_goes_on_as_it_was_begun(first_graphs: bool, tmp_path: Path) -> None:
    options = RunOptions(device="cuda:0", graphs=not first_graphs)
    run: Any = Begun(threads=1, **({"graphs": True} if first_graphs else {}))
    assert worker._as_begun(run, options).graphs is first_graphs
    assert worker._as_begun(run, options._replace(device="cpu")).graphs is False
    new_search: Any = Begun()
    assert worker._as_begun(new_search, options).graphs is not first_graphs
    assert options.speedups() == ({} if first_graphs else {"graphs": True})


@pytest.mark.gpu
@pytest.mark.parametrize("method", TRAINED)
def test_cuda_graphs_do_what_steps_do(method: str) -> None:
    device = gpu()
    replayed, stepped = search_of(method, recorder(device), device.type), search_of(method, None, device.type)
    lines = [(replayed.run_epoch(), stepped.run_epoch()) for _ in range(2)]
    for first, second in lines:
        assert first["train_loss"] == pytest.approx(second["train_loss"], rel=1e-3)
    torch.testing.assert_close(replayed.method.alpha, stepped.method.alpha, rtol=1e-2, atol=1e-4)
    assert [first["replayed_steps"] for first, _ in lines] == REPLAYED.get(method, [2, 3])
