"""The access of selections to a trained supernet: loss and accuracy at given edge weights, and further training."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from benchharness.data.loader import Stream
from benchharness.methods._updates import judging, tally
from benchharness.models.shared_evaluation import Candidate, logits
from benchharness.models.supernet import Supernet
from benchharness.space import Arch


class Score(NamedTuple):
    """Mean cross-entropy in nats, and accuracy in percent."""

    loss: float
    accuracy_pct: float


class Evaluation:
    """Measures a supernet on one half of the images, in fixed order and without augmentation.

    In all functions `data` is the half (`train` or `valid`), `batches` the number of its first evaluation batches (0
    for all), and `bn` the batch normalisation as in the protocol's `bn_eval`. One call for several candidates costs
    less than one call each, and gives the same bits.
    """

    def __init__(
        self,
        net: Supernet,
        stream: Stream,
        tune: Callable[[Mapping[int, int], int, bool], None] | None = None,
        tell: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.net, self.stream = net, stream
        self._tune, self._tell = tune, tell
        self._steps, self._total = 0, 0

    def expect(self, steps: int) -> None:
        """Set the number of steps (edges, epochs or cells) of the derivation, for its progress; see `step`."""
        self._steps, self._total = 0, steps

    def step(self) -> None:
        """Report that one of the expected steps of the derivation is done."""
        self._steps += 1
        self._tell(min(1.0, self._steps / max(1, self._total)))

    def mixed(
        self, weights: Float[Tensor, "edges ops"], data: str = "valid", batches: int = 0, bn: str = "running"
    ) -> Score:
        """Loss and accuracy with every cell mixed by `weights`."""
        return self.mixes([weights], data, batches, bn)[0]

    def mixes(
        self,
        weights: Sequence[Float[Tensor, "edges ops"]],
        data: str = "valid",
        batches: int = 0,
        bn: str = "running",
        augmented: bool = False,
    ) -> list[Score]:
        """`mixed` for each of several edge weights.

        With `augmented`, each is measured on its own augmented and shuffled batches of the training's size.
        """
        if not augmented:
            return self._measured(weights, data, batches, bn)
        return [self._measured([mix], data, batches, bn, augmented)[0] for mix in weights]

    def one_hot(self, cell: Sequence[int], data: str = "valid", batches: int = 0, bn: str = "running") -> Score:
        """Loss and accuracy of one architecture with inherited weights."""
        return self.cells([tuple(cell)], data, batches, bn)[0]

    def cells(self, cells: Sequence[Arch], data: str = "valid", batches: int = 0, bn: str = "running") -> list[Score]:
        """`one_hot` for each of several architectures."""
        distinct = list(dict.fromkeys(cells))
        scores = dict(zip(distinct, self._measured(distinct, data, batches, bn), strict=True))
        return [scores[cell] for cell in cells]

    def judged(self, cells: Sequence[Arch], batches: int = 1, bn: str = "batch") -> list[Score]:
        """Loss and accuracy of sampled cells with inherited weights.

        The protocol decides whether all use the same `batches`, or each cell a batch of its own (`cell_batch`).
        """
        if not self.stream.settings.cell_batch:
            return self.cells(cells, "valid", batches, bn)
        with judging(self.net, self.stream) as judge:
            sums = torch.stack([self._stepped(judge(cell)) for cell in cells]).tolist()  # sync: once
        return [Score(loss / count, 100 * correct / count) for loss, correct, count in sums]

    def _stepped(self, sums: Tensor) -> Tensor:
        self.step()
        return sums

    def gradient(
        self, weights: Float[Tensor, "edges ops"], data: str = "valid", batches: int = 0, bn: str = "batch"
    ) -> Float[Tensor, "edges ops"]:
        """The derivative of the mean loss with respect to the edge weights."""
        at = weights.detach().clone().requires_grad_()
        total, count = torch.zeros_like(at), 0
        with self.net.evaluating(bn):
            for images, labels in self.stream.fixed(data, batches):
                loss = F.cross_entropy(self.net(images, at), labels, reduction="sum")
                total += torch.autograd.grad(loss, at)[0]
                count += len(labels)
        return total / count

    def tune(self, decided: Mapping[int, int], epochs: int, alpha: bool) -> None:
        """Continue training for `epochs` epochs with the edges in `decided` discrete; `alpha`: update alpha, too.

        Raises `RuntimeError` if the evaluation was made without a training function.
        """
        if self._tune is None:
            raise RuntimeError("this evaluation was made without a training function")
        for _ in range(epochs):
            self._tune(decided, 1, alpha)
            self.step()

    @torch.no_grad()
    def _measured(
        self, candidates: Sequence[Candidate], data: str, batches: int, bn: str, augmented: bool = False
    ) -> list[Score]:
        sums = torch.zeros(len(candidates), 3, dtype=torch.float64, device=self.stream.valid.device)
        with self.net.evaluating(bn):
            batches_of_half = self.stream.shuffled(data) if augmented else self.stream.fixed(data, batches)
            for batch in islice(batches_of_half, batches or None):
                for total, outputs in zip(sums, logits(self.net, batch.images, candidates), strict=True):
                    total += tally(outputs, batch)
        means = [(loss / count, 100 * correct / count) for loss, correct, count in sums.tolist()]  # sync: once
        return [Score(*mean) for mean in means]
