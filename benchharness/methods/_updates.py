"""Update rules: how one step changes the supernet's weights and alpha (first order, second order, or single level).

A method names its rule (`update = "second"`) or gives a class of its own: a subclass of `Update` or of one of these.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count
from typing import ClassVar, Final, NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from benchharness.data.device_images import Batch
from benchharness.data.loader import Stream
from benchharness.errors import unknown
from benchharness.models.supernet import Supernet
from benchharness.space import EDGES, NONE, Arch

Weights = Float[Tensor, "edges ops"]
Loss = Callable[[Weights], Float[Tensor, ""]]
"""Training loss of the current batch as a function of the edge weights, in evaluation mode (running statistics)."""


class Distribution(Protocol):
    """The part of a method's interface that updates use: see `Method`."""

    def draw(self, progress: float) -> Weights:
        """See `Method.draw`."""

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:
        """See `Method.draw_for_weights`."""

    def penalty(self, drawn: Weights, progress: float) -> Float[Tensor, ""]:
        """See `Method.penalty`."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """The parameters, alpha among them."""


class Parts(NamedTuple):
    """The objects that an update works on: supernet, method, their optimisers and the images."""

    net: Supernet
    method: Distribution
    weight_optimizer: torch.optim.Optimizer
    alpha_optimizer: torch.optim.Optimizer
    stream: Stream


class StepContext(NamedTuple):
    """Context of one step: progress in [0, 1], the edges already decided, and whether alpha is updated."""

    progress: float
    """0 in the first epoch, 1 in the last."""
    decided: Mapping[int, int] = {}
    """Decided operation by edge, for edges that the selection has decided."""
    alpha: bool = True
    """Whether the step updates alpha too."""


Tally = Float[Tensor, "3"]
Tallies = Float[Tensor, "2 3"]
"""Summed loss, number of correct answers and of images; rows: training batch, validation batch; zeros if unused."""


class Update:
    """Base class of all update rules: how one step changes the weights and alpha."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.net, self.method = parts, parts.net, parts.method
        self.settings = parts.stream.settings

    def step(self, train: Batch, valid: Batch, context: StepContext) -> Tallies:
        """Update weights and alpha once; returns the tallies of both batches, measured before the update."""
        raise NotImplementedError

    def finish(self, context: StepContext) -> None:
        """Called once at the end of every epoch; does nothing by default."""

    def alphas(self) -> list[nn.Parameter]:
        """The method's parameters that require a gradient."""
        return [parameter for parameter in self.method.parameters() if parameter.requires_grad]

    def drawn(self, context: StepContext) -> Weights:
        """Edge weights for the update of alpha, differentiable in alpha."""
        return with_decided(self.method.draw(context.progress), context.decided)

    def step_weights(self, batch: Batch, context: StepContext) -> Tally:
        """One optimiser step on the supernet's weights, at the edge weights or cell from `draw_for_weights`."""
        with torch.no_grad():
            drawn = self.method.draw_for_weights(context.progress, self._loss(batch))
        if isinstance(drawn, tuple):
            logits = self.net.one_hot(batch.images, self._cells(drawn, batch, context))
        else:
            logits = self.net(batch.images, with_decided(drawn, context.decided))
        self.parts.weight_optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits, batch.labels).backward()
        self.descend()
        return tally(logits, batch)

    def _cells(self, first: Arch, batch: Batch, context: StepContext) -> Arch | list[Arch]:
        """The cell to train; with the protocol's `cells_apart`, one cell for each cell of the network."""
        if not self.settings.cells_apart:
            return _as_decided(first, context)
        draws = chain([first], (self.method.draw_for_weights(context.progress, self._loss(batch)) for _ in count()))
        cells_fed = (cell for cell in draws if isinstance(cell, tuple) and not _starves(cell))
        return [_as_decided(cell, context) for _, cell in zip(self.net.mixed_cells(), cells_fed, strict=False)]

    def descend(self) -> None:
        """Clip the weights' gradient and step. Weights that a sampled cell does not use move by decay and momentum."""
        for weight in self.net.parameters():
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.settings.clip)
        self.parts.weight_optimizer.step()

    def _loss(self, batch: Batch) -> Loss:
        def at(weights: Weights) -> Float[Tensor, ""]:
            """The training loss of `batch` at these edge weights."""
            with self.net.evaluating():
                return F.cross_entropy(self.net(batch.images, weights), batch.labels)

        return at


class FirstOrder(Update):
    """First order: weights follow the training batch's loss, alpha the validation batch's, in the protocol's order."""

    def step(self, train: Batch, valid: Batch, context: StepContext) -> Tallies:
        """One step on weights and one on alpha; the second of the two sees the result of the first."""
        tallies = [unmet(train), unmet(valid)]
        for turn in (1, 0) if self.settings.order == "alpha-first" else (0, 1):
            if turn == 0:
                tallies[0] = self.step_weights(train, context)
            elif context.alpha:
                tallies[1] = self.step_alpha(train, valid, context)
        return torch.stack(tallies)

    def step_alpha(self, train: Batch, valid: Batch, context: StepContext) -> Tally:  # noqa: ARG002
        """One step on alpha along the gradient of validation loss plus penalty; the weights do not change."""
        drawn = self.drawn(context)
        with self.net.holding_weights():
            logits = self.logits(valid, drawn)
        loss = F.cross_entropy(logits, valid.labels) + self.method.penalty(drawn, context.progress)
        self.follow(loss)
        return tally(logits, valid)

    def logits(self, batch: Batch, drawn: Weights) -> Float[Tensor, "batch classes"]:
        """The supernet's logits at the edge weights drawn for the update of alpha."""
        return self.net(batch.images, drawn)

    def follow(self, loss: Float[Tensor, ""]) -> None:
        """One optimiser step on alpha to reduce `loss`."""
        alphas = self.alphas()
        for alpha, slope in zip(alphas, torch.autograd.grad(loss, alphas, allow_unused=True), strict=True):
            alpha.grad = slope
        self.parts.alpha_optimizer.step()


class SecondOrder(FirstOrder):
    """DARTS, second order (Liu et al., ICLR 2019, equations 6 to 8): alpha's gradient looks one weight step ahead.

    Alpha moves before the weights in the paper and in NAS-Bench-201, after them in NATS-Bench's code.
    w' = w - lr (momentum * buffer + gradient of the training loss + decay * w), without clipping or Nesterov's
    correction, as in the authors' code. Unlike theirs, the extra passes do not change running statistics.
    The finite difference crosses the kinks of ReLU: at the paper's radius its error was 16 to 70 % of the exact
    derivative on untrained supernets of 4 and 8 channels in float64 (n = 5), and 0.06 % with smooth activations.
    """

    radius: ClassVar[float] = 1e-2
    """Length of the finite difference's step in weight space, whatever its direction."""

    def step_alpha(self, train: Batch, valid: Batch, context: StepContext) -> Tally:
        """One step on alpha along the implicit gradient."""
        drawn = self.drawn(context)
        slope, logits = self.implicit(train, valid, drawn.detach())
        self.follow((drawn * slope).sum() + self.method.penalty(drawn, context.progress))
        return tally(logits, valid)

    def implicit(self, train: Batch, valid: Batch, at: Weights) -> tuple[Weights, Float[Tensor, "batch classes"]]:
        """The gradient, in the edge weights, of the validation loss after one step of the weights; and the logits."""
        at = at.clone().requires_grad_()
        weights = {name: weight.detach() for name, weight in self.net.named_parameters()}
        rate = self.parts.weight_optimizer.param_groups[0]["lr"]
        ahead = self._ahead(train, weights, at.detach(), rate)
        logits = self._logits(valid, ahead, at)
        direct, *slopes = torch.autograd.grad(F.cross_entropy(logits, valid.labels), [at, *ahead.values()])
        step = self.radius / torch.stack([slope.norm() for slope in slopes]).norm()
        sides = []
        for sign in (1, -1):
            shifted_weights = {
                name: weights[name] + sign * step * slope for name, slope in zip(weights, slopes, strict=True)
            }
            loss = F.cross_entropy(self._logits(train, shifted_weights, at), train.labels)
            sides.append(torch.autograd.grad(loss, at)[0])
        return direct - rate * (sides[0] - sides[1]) / (2 * step), logits

    def _ahead(self, train: Batch, weights: Mapping[str, Tensor], at: Weights, rate: float) -> dict[str, Tensor]:
        leaves = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
        slopes = torch.autograd.grad(
            F.cross_entropy(self._logits(train, leaves, at), train.labels), list(leaves.values())
        )
        settings, states = self.settings, self.parts.weight_optimizer.state
        ahead = {}
        for (name, parameter), slope in zip(self.net.named_parameters(), slopes, strict=True):
            buffer = states[parameter].get("momentum_buffer") if parameter in states else None
            pull = slope + settings.weight_decay * weights[name]
            pull = pull if buffer is None else pull + settings.momentum * buffer
            ahead[name] = (weights[name] - rate * pull).requires_grad_()
        return ahead

    def _logits(self, batch: Batch, weights: Mapping[str, Tensor], at: Weights) -> Float[Tensor, "batch classes"]:
        spare = {name: buffer.clone() for name, buffer in self.net.named_buffers()}
        return functional_call(self.net, {**weights, **spare}, (batch.images, at))


class SingleLevel(Update):
    """Single level, as in SNAS: one batch, one draw, one loss and one backward pass for weights and alpha."""

    def step(self, train: Batch, valid: Batch, context: StepContext) -> Tallies:
        """One step on weights and alpha by the training batch; the validation batch is not used."""
        drawn = self.drawn(context)
        logits = self.net(train.images, drawn)
        self.parts.weight_optimizer.zero_grad(set_to_none=True)
        self.parts.alpha_optimizer.zero_grad(set_to_none=True)
        (F.cross_entropy(logits, train.labels) + self.method.penalty(drawn, context.progress)).backward()
        self.descend()
        if context.alpha:
            self.parts.alpha_optimizer.step()
        return torch.stack([tally(logits, train), unmet(valid)])


UPDATES: Final[Mapping[str, type[Update]]] = {"first": FirstOrder, "second": SecondOrder, "single": SingleLevel}


def make_update(rule: str | type[Update], parts: Parts) -> Update:
    """The update rule named `rule`, or of class `rule`, for `parts`; raises `UserError` on an unknown name."""
    if not isinstance(rule, str):
        return rule(parts)
    if rule not in UPDATES:
        raise unknown("update", rule, UPDATES)
    return UPDATES[rule](parts)


def tally(logits: Float[Tensor, "batch classes"], batch: Batch) -> Tally:
    """Summed loss, correct answers and number of images, on the device."""
    loss = F.cross_entropy(logits.detach(), batch.labels, reduction="sum")
    correct = (logits.argmax(1) == batch.labels).sum()
    return torch.stack([loss.double(), correct.double(), torch.full_like(loss, len(batch.labels)).double()])


def with_decided(weights: Weights, decided: Mapping[int, int]) -> Weights:
    """`weights` with each decided edge carrying its operation alone, at weight 1."""
    result = weights.clone()
    for edge, op in decided.items():
        result[edge].zero_()  # assigning a number would copy it from the CPU and wait for the GPU
        result[edge, op].fill_(1)
    return result


@contextmanager
def judging(net: Supernet, stream: Stream) -> Iterator[Callable[[Arch], Tally]]:
    """Within a `with` block, a function that gives a sampled cell's tally on the next validation batch.

    Batch normalisation is as the protocol says. Without the protocol's `cell_batch`, batches have the size of training
    steps, come in fixed order, and are normalised by their own statistics.
    """
    settings = stream.settings

    def batches() -> Iterator[Batch]:
        """Batches for sampled cells: augmented ones of `cell_batch` images, or those of a step in fixed order."""
        if settings.cell_batch:
            return stream.shuffled("valid", settings.cell_batch, settings.cell_augmented)
        return stream.fixed("valid", size=settings.batch)

    endless = chain.from_iterable(batches() for _ in count())

    @torch.no_grad()
    def judge(cell: Arch) -> Tally:
        """The tally of one cell on the next batch."""
        batch = next(endless)
        return tally(net.one_hot(batch.images, cell), batch)

    with net.evaluating(settings.bn_eval if settings.cell_batch else "batch"):
        yield judge


def _as_decided(cell: Arch, context: StepContext) -> Arch:
    return tuple(context.decided.get(edge, op) for edge, op in enumerate(cell))


def _starves(cell: Arch) -> bool:
    """Whether all edges into some node carry `none`."""
    return any(all(cell[edge] == NONE for edge in into) for into in _ENTERING)


_ENTERING: Final = tuple(tuple(e for e, (target, _) in enumerate(EDGES) if target == node) for node in (1, 2, 3))


def unmet(batch: Batch) -> Tally:
    """The tally of a batch that a rule does not use: zeros."""
    return torch.zeros(3, dtype=torch.float64, device=batch.images.device)
