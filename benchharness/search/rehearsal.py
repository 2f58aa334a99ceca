"""Estimates how long a search takes: a few of its steps and evaluations are timed, and all others are only counted."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Final, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from benchharness.methods._updates import StepContext
from benchharness.models.shared_evaluation import Candidate, logits
from benchharness.records import RunSpec
from benchharness.search import diagnostics
from benchharness.search.evaluation import Evaluation, Score
from benchharness.search.loop import Search
from benchharness.space import Arch

T = TypeVar("T")

STEPS: Final = 3
"""Number of training steps that are timed, after one warm-up step."""
ROWS: Final = 2
"""Number of rows of a Hessian that are timed, after the first."""
IMAGES: Final = 250
"""Most images on which an evaluation is timed."""
FEW: Final = 64
"""Most images on which an evaluation is timed if a training step takes over a second."""
SAMPLES: Final = 2
"""Number of candidates timed if several are evaluated together."""
PATIENCE: Final = 4.0
"""Seconds after which no further measurements of the same kind are made."""
_ANY: Final = (1,) * 6


class Rehearsal(Search):
    """A search that is only timed: it estimates how long the real search takes on this machine, uncompiled.

    Not included: an update rule's work at the end of an epoch, and checkpoints.
    """

    def epoch_seconds(self) -> float:
        """Seconds of an average epoch: its steps, averaged over stages, and its share of the Hessian's eigenvalues."""
        if not self.epochs:
            return 0.0
        with self._arithmetic(), self._random("draws", 0):
            steps = [self._step_seconds(partial) for partial in self.stages]
            return self.stream.steps * fmean(steps) + self._eigenvalues() * self._eigenvalue_seconds() / self.epochs

    def reading_seconds(self, spec: RunSpec, epoch_seconds: float, file: Path | None = None) -> float:
        """Seconds to derive the cell of `spec`, if an epoch of tuning takes `epoch_seconds`.

        `file` is the user's file whose selection it is, if the supernet is that of another method.
        """
        evaluation = Counted(self.net, self.stream)
        evaluation.images = FEW if epoch_seconds > self.stream.steps else IMAGES
        rule = self._selection(spec, file)
        with self._arithmetic(), self._random("selection", spec.method):
            own_seconds = evaluation.own_seconds(lambda: rule(self.method, evaluation))
            self._measures(evaluation, _ANY)
            if spec.run_id == self.spec.run_id:
                self._ranking(evaluation)
        return own_seconds + evaluation.seconds + evaluation.tuned * epoch_seconds

    def _step_seconds(self, partial: int) -> float:
        """Seconds of one step on weights and alpha, in the middle of the search."""
        if partial != self.net.partial:
            self._hold(self._supernet(partial))
        assert self.update is not None
        self.net.train()
        context = StepContext(0.5, alpha=self.method.moves_alpha(0.5))
        durations = list[float]()
        for train, valid in self.stream.epoch(0):
            start = perf_counter()
            self.update.step(train, valid, context).tolist()  # sync
            durations.append(perf_counter() - start)
            if len(durations) > STEPS or (len(durations) > 1 and sum(durations) > PATIENCE):
                break
        return fmean(durations[1:] or durations)

    def _eigenvalues(self) -> int:
        every = self._eigenvalue_every
        return self.epochs // every + (self.epochs % every > 0) if every else 0

    def _eigenvalue_seconds(self) -> float:
        if not self._eigenvalues():
            return 0.0
        rows = diagnostics.hessian_rows(self.method, self.net, self.stream, self.settings.bn_eval)
        durations = list[float]()
        for _ in range(1 + ROWS):
            start = perf_counter()
            next(rows).tolist()  # sync
            durations.append(perf_counter() - start)
        return durations[0] + (self.method.alpha.numel() - 1) * fmean(durations[1:])


class _Enough(Exception):  # noqa: N818
    """Raised to end a selection that has been timed for long enough."""


class Counted(Evaluation):
    """An evaluation that measures only a little, and adds up the seconds that the whole evaluation would take.

    Its scores are invented: among candidates measured together the third is worst and the fourth best, so that neither
    operation strength nor pruning chooses `none`, which would leave an edge fewer to score.
    """

    seconds: float = 0.0
    """Estimated seconds of all evaluations requested so far."""
    images: int = IMAGES
    tuned: int = 0
    """Number of epochs of tuning requested so far."""
    _made: float = 0.0
    """Seconds spent on timing."""
    _until: float = float("inf")

    def own_seconds(self, select: Callable[[], object]) -> float:
        """Seconds that `select` takes besides evaluations; a long one is ended and extrapolated from its steps."""
        start = perf_counter()
        self._until = start + PATIENCE
        share = 1.0
        try:
            select()
        except _Enough:
            share = self._steps / max(self._steps, self._total)
        self._until = float("inf")
        self.seconds /= share
        return (perf_counter() - start - self._made) / share

    def step(self) -> None:
        """Count a step; raises `_Enough` once the selection has been timed for long enough."""
        super().step()
        if perf_counter() > self._until:
            raise _Enough

    def tune(self, decided: Mapping[int, int], epochs: int, alpha: bool) -> None:  # noqa: ARG002
        """Count `epochs` of tuning."""
        self.tuned += epochs

    def judged(self, cells: Sequence[Arch], batches: int = 1, bn: str = "batch") -> list[Score]:
        """Count the evaluation of `cells`, and return invented scores."""
        if not self.stream.settings.cell_batch:
            return self.cells(cells, "valid", batches, bn)
        few = cells[:SAMPLES]
        self._count(lambda: Evaluation.judged(self, few, batches, bn), len(cells) / len(few))
        return _scores(len(cells))

    def gradient(
        self, weights: Float[Tensor, "edges ops"], data: str = "valid", batches: int = 0, bn: str = "batch"
    ) -> Float[Tensor, "edges ops"]:
        """The gradient on the first batch; counts the seconds of the gradient on all batches."""
        chunks = self._images(data, batches) / min(self._images(data, 0), self.stream.settings.eval_batch)
        return self._count(lambda: Evaluation.gradient(self, weights, data, 1, bn), chunks)

    @torch.no_grad()
    def _measured(
        self, candidates: Sequence[Candidate], data: str, batches: int, bn: str, augmented: bool = False
    ) -> list[Score]:
        few = candidates[:: -(-len(candidates) // SAMPLES)]
        size = self.stream.settings.batch if augmented else self.stream.settings.eval_batch
        batch = next(self.stream.fixed(data, 1, min(self.images, size)))

        def measure() -> None:
            """Evaluate one candidate on the first images."""
            with self.net.evaluating(bn):
                for outputs in logits(self.net, batch.images, few):
                    outputs.argmax(1).tolist()  # sync

        factor = self._images(data, batches, size) / len(batch.images)
        self._count(measure, factor * len(candidates) / len(few))
        return _scores(len(candidates))

    def _images(self, data: str, batches: int, size: int = 0) -> int:
        """Number of images in `batches` batches of a half; the whole half for 0."""
        half = len(self.stream.valid if data == "valid" else self.stream.train)
        return min(half, batches * (size or self.stream.settings.eval_batch)) if batches else half

    def _count(self, work: Callable[[], T], times: float) -> T:
        """Execute `work`, and count its seconds `times` times."""
        start = perf_counter()
        result = work()
        seconds = perf_counter() - start
        self._made += seconds
        self.seconds += times * seconds
        return result


def _scores(count: int) -> list[Score]:
    return [Score(1.0 + (index == 2) - (index == 3), 50.0 - (index == 2) + (index == 3)) for index in range(count)]
