"""Base class of every method, which owns alpha, draws edge weights and regularises them."""

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
    """How a differentiable search draws and regularises its edge weights, and derives a cell from them.

    A method is one file in this folder, or anywhere when named by its path; the file's name is the method's name.
    Lower-case class attributes that are numbers, strings or truth values are its options (`--methods mine:width=3`).
    """

    version: ClassVar[int] = 1
    """Raise it whenever the method starts to search differently: runs of earlier versions then have other ids."""
    update: ClassVar[str | type[Update]] = "first"
    """How a step changes weights and alpha: `first` order, `second` order, on a `single` level, a subclass of `Update`;
    `none` trains nothing."""
    selection: ClassVar[str | type] = "magnitude"
    """How a cell is derived: a name in `selection`, or a subclass of `Selection`."""
    selection_options: ClassVar[Mapping[str, Any]] = {}
    """Options of that selection where they are not its defaults."""
    main_option: ClassVar[str] = ""
    """The option, its own or its selection's, that may be given by its value alone: `proxy:synflow`."""
    trains_as: ClassVar[str | None] = None
    """The method whose supernet this one derives its cell from, if it trains none of its own."""
    alpha_weight_decay: float | None = None
    """Weight decay on alpha where it is not the protocol's."""
    weighs_bypass: ClassVar[bool] = False
    """With partial channels: whether bypassed channels are scaled by the sum of an edge's weights, as PC-DARTS does."""
    watches_eigenvalue: ClassVar[bool] = False
    """Whether the Hessian's largest eigenvalue is measured after every epoch, for `stop` to judge by."""
    search_epochs: int = 0
    """Epochs of the whole search, which a search tells its method; 0 outside of one."""

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(1e-3 * torch.randn(edges, ops))

    def draw(self, progress: float) -> Weights:  # noqa: ARG002
        """Edge weights for one forward pass, differentiable in alpha; `progress` runs from 0 to 1 over the search."""
        return self.expected()

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """Edge weights, or one cell, for the weights' own step, where they are not drawn as for alpha's.

        `loss` gives the training loss of the batch at hand at any edge weights, for methods that look for bad ones.
        """
        return self.draw(progress)

    def expected(self) -> Weights:
        """The mean of `draw`, which selections and plots read; rows are non-negative and sum to 1.

        Only where edges have weights of their own (`weighs_bypass`) does a row sum to its edge's weight.
        """
        return self.alpha.softmax(-1)

    def probabilities(self) -> Weights:
        """Each edge's distribution over its operations; rows sum to 1."""
        return self.expected()

    def penalty(self, drawn: Weights, progress: float) -> Float[Tensor, ""]:  # noqa: ARG002
        """A term added to the loss that updates alpha, and to no other; `drawn` is what `draw` gave for that loss."""
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
        """Partial channels k of each of the search's equally long stages; empty for one stage with the protocol's k."""
        return ()

    def narrow(self) -> None:
        """Called at the start of every stage but the first, for a method that then prunes its operations."""

    def restarts_rate(self) -> bool:
        """Whether a new stage begins with the first learning rate, to fall from there in the cosine's proportions."""
        return False

    def stop(self, eigenvalues: Sequence[float]) -> int | None:  # noqa: ARG002
        """The epoch (from 1) whose alphas the search goes back to and ends with, given one eigenvalue an epoch."""
        return None

    def sample(self) -> Arch:
        """One cell drawn from the distribution, with torch's global generator."""
        return tuple(torch.multinomial(self.probabilities().detach().cpu(), 1).flatten().tolist())


def uniform_cell(edges: int, ops: int) -> Arch:
    """A uniformly random cell, drawn on the CPU so that no device has to be waited for."""
    return tuple(torch.randint(ops, (edges,)).tolist())
