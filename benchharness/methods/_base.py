"""The base class of all methods. A method owns alpha, draws edge weights and regularises them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchharness.config import SearchConfig
from benchharness.methods._updates import Loss, Update, Weights
from benchharness.space import Arch

__all__ = ["Arch", "Loss", "Method", "Weights", "uniform_cell"]


class Method(nn.Module):
    """A search method: how it draws and regularises edge weights, and how a cell is derived.

    A method is one file in this folder, or a file elsewhere that the user names by its path; the file's name is the
    method's name. Lower-case class attributes that are numbers, strings or bools are its options
    (`--methods mine:width=3`).
    """

    version: ClassVar[int] = 1
    """Increase it whenever the method's search changes; it is part of the run id, so that old runs are not reused."""
    update: ClassVar[str | type[Update]] = "first"
    """How a step updates weights and alpha: `first` or `second` (order), `single` (level), `none` (trains nothing), or
    a subclass of `Update`."""
    selection: ClassVar[str | type] = "magnitude"
    """How a cell is derived: a name in `selection`, or a subclass of `Selection`."""
    selection_options: ClassVar[Mapping[str, Any]] = {}
    """Options of that selection that differ from its defaults."""
    main_option: ClassVar[str] = ""
    """The option, of the method or of its selection, whose name may be left out: `proxy:synflow`."""
    trains_as: ClassVar[str | None] = None
    """The method whose supernet this one derives its cell from, if it trains none of its own."""
    alpha_weight_decay: float | None = None
    """Weight decay on alpha; None for the protocol's."""
    weighs_bypass: ClassVar[bool] = False
    """With partial channels: whether bypassed channels are scaled by the sum of an edge's weights, as PC-DARTS does."""
    watches_eigenvalue: ClassVar[bool] = False
    """Whether the Hessian's largest eigenvalue is measured after every epoch, for `stop` to judge by."""
    search_epochs: int = 0
    """Number of epochs of the search, set by the search; 0 for a method that is used outside of a search."""

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(1e-3 * torch.randn(edges, ops))

    def draw(self, progress: float) -> Weights:  # noqa: ARG002
        """Edge weights for one forward pass, differentiable in alpha; `progress` runs from 0 to 1 over the search."""
        return self.expected()

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """Edge weights, or one cell, for the step that updates the supernet's weights; by default those of `draw`.

        `loss` gives the current batch's training loss at any edge weights, for methods that train at adversarial ones.
        """
        return self.draw(progress)

    def expected(self) -> Weights:
        """The mean of `draw`, used by selections and plots; rows are non-negative and sum to 1.

        If edges have weights of their own (`weighs_bypass`), a row sums to its edge's weight instead.
        """
        return self.alpha.softmax(-1)

    def probabilities(self) -> Weights:
        """Each edge's distribution over its operations; rows sum to 1."""
        return self.expected()

    def penalty(self, drawn: Weights, progress: float) -> Float[Tensor, ""]:  # noqa: ARG002
        """A term added only to the loss that updates alpha; `drawn` are the edge weights from `draw` for that loss."""
        return self.alpha.new_zeros(())

    def moves_alpha(self, progress: float) -> bool:  # noqa: ARG002
        """Whether alpha is updated at this point of the search."""
        return True

    def optimizer(self, settings: SearchConfig) -> torch.optim.Optimizer:
        """The optimiser of alpha: Adam with the protocol's settings."""
        decay = settings.alpha_weight_decay if self.alpha_weight_decay is None else self.alpha_weight_decay
        betas = (settings.alpha_beta1, settings.alpha_beta2)
        return torch.optim.Adam(self.parameters(), settings.alpha_learning_rate, betas, weight_decay=decay)

    def partials(self) -> tuple[int, ...]:
        """The partial channels k of each stage, all equally long; empty for a single stage with the protocol's k."""
        return ()

    def narrow(self) -> None:
        """Prune operations; called at the start of every stage except the first."""

    def restarts_rate(self) -> bool:
        """Whether each stage restarts the learning rate at its first value, followed by a scaled cosine."""
        return False

    def stop(self, eigenvalues: Sequence[float]) -> int | None:  # noqa: ARG002
        """The epoch (counted from 1) to whose alphas the search returns and stops, given one eigenvalue per epoch.

        None to go on.
        """
        return None

    def sample(self) -> Arch:
        """One cell drawn from the distribution, with torch's global generator."""
        return tuple(torch.multinomial(self.probabilities().detach().cpu(), 1).flatten().tolist())


def uniform_cell(edges: int, ops: int) -> Arch:
    """A uniformly random cell, drawn on the CPU, so that no GPU synchronisation is needed."""
    return tuple(torch.randint(ops, (edges,)).tolist())
