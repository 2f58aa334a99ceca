"""Records whole steps of a search as CUDA graphs: a step is recorded once, and then replayed with a single launch.

A step of the full-size supernet launches thousands of small kernels, and Python may launch them more slowly than a fast
GPU executes them. A replayed step repeats the recorded kernels in the same memory, with the numbers that Python
computed during recording. If one of these numbers changes, the step is recorded again; the learning rate is a tensor,
so its change needs no new recording. Steps in which Python makes decisions, such as which cell to run, cannot be
recorded; they are detected and run normally.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from benchharness.compute.memory import ran_out
from benchharness.data.device_images import Batch
from benchharness.errors import SpeedupError, UserError
from benchharness.methods import Method, _updates
from benchharness.methods._updates import StepContext, Update
from benchharness.search.host_sync import Reads
from benchharness.seeding import seeded

Step = Callable[[Batch, Batch], None]

_KNOWN: Final = frozenset(_updates.UPDATES.values())
_PLAIN: Final = (bool, int, float, str)
_HOLDING: Final = (list, tuple, dict, set)


class NotRecorded(SpeedupError):  # noqa: N818
    """Recording failed; the device may be unusable in this process afterwards."""

    option, note = "--graphs", "not_recorded"


def check_device(requested: bool, device: str) -> None:
    """Raise `UserError` if CUDA graphs are `requested` on a `device` that is not a CUDA device."""
    if requested and not device.startswith("cuda"):
        raise UserError(f"--graphs records CUDA graphs, and device {device!r} is not a CUDA device; leave --graphs out")


class Recorder(Protocol):
    """Interface of an object that records the work that a step launches on a device."""

    def lane(self) -> AbstractContextManager[None]:
        """A `with` block in which work may be recorded."""
        ...

    def record(self, act: Callable[[], None]) -> Callable[[], None]:
        """Record `act` without executing it; returns a function that executes it."""
        ...


class CudaRecorder:
    """Records CUDA graphs on a stream of its own; all graphs share one memory pool."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)
        self.graph: torch.cuda.CUDAGraph | None = None

    @contextmanager
    def lane(self) -> Iterator[None]:
        """A `with` block whose work runs on that stream: after work launched before, and before work launched later."""
        outer_stream = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(outer_stream)
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            outer_stream.wait_stream(self.stream)

    def record(self, act: Callable[[], None]) -> Callable[[], None]:
        """A function that replays the graph of `act`; raises `RuntimeError` if a graph cannot contain its work."""
        graph, pool = torch.cuda.CUDAGraph(), self.graph.pool() if self.graph else None
        with torch.cuda.graph(graph, pool=pool, stream=self.stream, capture_error_mode="thread_local"):
            act()
        self.graph = graph
        return graph.replay


class Recorded(NamedTuple):
    """A recorded step, which can be replayed on other batches."""

    context: StepContext
    places: tuple[int, ...]
    """Memory addresses of all tensors that the step changes."""
    batches: tuple[Batch, Batch]
    """The batches that the step reads; new batches are copied into them before a replay."""
    again: Callable[[], None]


class Steps:
    """Runs the steps of a search and sums their tallies."""

    def __init__(self, update: Update, device: torch.device) -> None:
        self.update = update
        self.sums = torch.zeros(2, 3, dtype=torch.float64, device=device)
        """Sum of the tallies of the epoch's steps so far."""

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the weights."""
        for group in self.update.parts.weight_optimizer.param_groups:
            group["lr"] = rate

    @contextmanager
    def epoch(self, context: StepContext) -> Iterator[Step]:
        """Within a `with` block, a function that runs one step of the new epoch."""
        self.sums.zero_()
        yield lambda train, valid: self._take(train, valid, context)

    def trace_fields(self) -> dict[str, Any]:
        """Fields of the trace's line that tell how the last epoch's steps were run."""
        return {}

    def _take(self, train: Batch, valid: Batch, context: StepContext) -> None:
        self.sums += self.update.step(train, valid, context)


class RecordedSteps(Steps):
    """Among steps with the same work, runs the first normally, records the second, and replays it for all others."""

    def __init__(self, update: Update, device: torch.device, recorder: Recorder) -> None:
        super().__init__(update, device)
        self.recorder = recorder
        self.rate = torch.zeros((), device=device)
        self.recorded: Recorded | None = None
        self.sizes: tuple[torch.Size, torch.Size] | None = None
        """Shapes of both batches of the step that was run normally; steps with other shapes are run normally, too."""
        self.deciding = ""
        """The decision of Python that prevents recording; empty if there is none."""
        self.replayed = 0
        """Number of the last epoch's steps that were replayed."""
        for group in update.parts.alpha_optimizer.param_groups:
            group.update({"capturable": True} if "capturable" in group else {})

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the weights, in recorded steps, too."""
        super().set_rate(self.rate.fill_(rate))  # type: ignore[arg-type]

    @contextmanager
    def epoch(self, context: StepContext) -> Iterator[Step]:
        """Within a `with` block, a function that runs one step; it raises `NotRecorded` if recording fails."""
        self.replayed = 0
        if not (self.recorded and self._fits(self.recorded, context)):
            self.recorded = self.sizes = None
        elif not alike(self.update, self.recorded.context.progress, context.progress):
            self.recorded = None
        with self.recorder.lane():
            self.sums.zero_()
            yield lambda train, valid: self._step(train, valid, context)

    def trace_fields(self) -> dict[str, Any]:
        """The number of steps that the last epoch replayed, and the decision, if any, that prevents recording."""
        return {"replayed_steps": self.replayed, **({"not_recorded": self.deciding} if self.deciding else {})}

    def _step(self, train: Batch, valid: Batch, context: StepContext) -> None:
        sizes = (train.images.shape, valid.images.shape)
        if not self.deciding and self.sizes is None:
            self._watched(train, valid, context)
            self.sizes = sizes
        elif not self.deciding and self.sizes == sizes:
            self.recorded = self.recorded or self._record((train, valid), context)
            self._replay(self.recorded, (train, valid))
        else:
            self._take(train, valid, context)

    def _watched(self, train: Batch, valid: Batch, context: StepContext) -> None:
        """Run one step normally and find out whether Python makes a decision in it."""
        before = _decided(self.update)
        with Reads() as reads:
            self._take(train, valid, context)
        if reads.found:
            name, file, line = reads.found[0]
            self.deciding = f"{name} in line {line} of {Path(file).name}"
        elif _decided(self.update) != before:
            self.deciding = "random numbers of the CPU's, or attributes of the method that change"

    def _record(self, batches: tuple[Batch, Batch], context: StepContext) -> Recorded:
        train, valid = (Batch(*(tensor.clone() for tensor in batch)) for batch in batches)
        addresses = self._places()
        try:
            replay = self.recorder.record(lambda: self._take(train, valid, context))
        except RuntimeError as error:
            if ran_out(error) or isinstance(error, SpeedupError):
                raise
            name = type(self.update.method).__name__
            raise NotRecorded(f"no CUDA graph can hold a step of {name} ({error})") from error
        return Recorded(context, addresses, (train, valid), replay)

    def _replay(self, recorded: Recorded, batches: tuple[Batch, Batch]) -> None:
        for batch, recorded_batch in zip(batches, recorded.batches, strict=True):
            recorded_batch.images.copy_(batch.images)
            recorded_batch.labels.copy_(batch.labels)
        recorded.again()
        self.replayed += 1

    def _fits(self, recorded: Recorded, context: StepContext) -> bool:
        """Whether a normal step would change the same tensors and do the same work as the recorded step."""
        return recorded.context._replace(progress=context.progress) == context and recorded.places == self._places()

    def _places(self) -> tuple[int, ...]:
        parts = self.update.parts
        optimizers = (parts.weight_optimizer, parts.alpha_optimizer)
        optimizer_state = [
            value for optimizer in optimizers for state in optimizer.state.values() for value in state.values()
        ]
        module_state = [*parts.net.state_dict().values(), *_tensors(_method(self.update))]
        return tuple(tensor.data_ptr() for tensor in (*module_state, *optimizer_state) if torch.is_tensor(tensor))


def steps(update: Update, device: torch.device, recorder: Recorder | None) -> Steps:
    """The runner of `update`'s steps; records them if there is a `recorder`."""
    return RecordedSteps(update, device, recorder) if recorder else Steps(update, device)


def alike(update: Update, first: float, second: float) -> bool:
    """Whether a step does the same at two values of progress: equal draws, penalties and gradients.

    A method's own `draw_for_weights` and a user's own update rule are not compared.
    """
    if first == second:
        return True
    if type(_method(update)).draw_for_weights is not Method.draw_for_weights or type(update) not in _KNOWN:
        return False
    return all(
        torch.equal(*pair)
        for pair in zip(_draw_with_slopes(update, first), _draw_with_slopes(update, second), strict=True)
    )


def _draw_with_slopes(update: Update, progress: float) -> list[Tensor]:
    """A draw, a penalty, and the gradients of a function of both; always with the same random numbers."""
    with seeded("alike"):
        weights = update.method.draw(progress)
        penalty = update.method.penalty(weights, progress)
    value = (weights * torch.linspace(-1, 1, weights.numel()).view_as(weights).to(weights)).sum() + penalty
    slopes = torch.autograd.grad(value, update.alphas(), allow_unused=True) if value.requires_grad else ()
    return [weights.detach(), penalty.detach(), *(slope for slope in slopes if slope is not None)]


def _decided(update: Update) -> list[Any]:
    """State that only changes if Python makes a decision in a step: the CPU's random state, the method's attributes."""
    method, numbers = _method(update), np.random.get_state(legacy=False)
    states = [random.getstate(), str(numbers)]
    if method.alpha.device.type != "cpu":
        states.append(torch.get_rng_state().tolist())
    attributes = [value for module in method.modules() for value in vars(module).values()]
    plain_values = [value for value in attributes if isinstance(value, _PLAIN)]
    sizes = [len(value) for value in attributes if isinstance(value, _HOLDING)]
    return [states, plain_values, sizes, [tensor.data_ptr() for tensor in _tensors(method)]]


def _tensors(method: Method) -> list[Tensor]:
    """All tensors of a method, including those not registered with torch."""
    buffers = [value for module in method.modules() for value in vars(module).values() if torch.is_tensor(value)]
    return [*method.parameters(), *method.buffers(), *buffers]


def _method(update: Update) -> Method:
    assert isinstance(update.method, Method)
    return update.method
