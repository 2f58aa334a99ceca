"""PC-DARTS: partial channel connections and edge normalisation (Xu et al., ICLR 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchharness.methods._base import Method, Weights
from benchharness.space import EDGES


class PcDarts(Method):
    """PC-DARTS: 1/k of the channels pass through the softmax mix; the edges into a node have softmax weights, too.

    The mixed channels are the first ones, shuffled after each node, as in the authors' code. `warmup` is the share of
    the search before alpha is first updated: 0 here, 15 of 50 epochs in the paper's own space, where alpha's rate is
    6e-4. The figures published for NAS-Bench-201 stem from DrNAS's code, whose partial channels have no edge weights:
    `weigh_edges=no`.
    """

    weighs_bypass = True
    k = 4
    weigh_edges = True
    warmup = 0.0
    siblings: Tensor

    def __init__(self, edges: int, ops: int) -> None:
        super().__init__(edges, ops)
        self.beta = nn.Parameter(1e-3 * torch.randn(edges), requires_grad=self.weigh_edges)
        targets = torch.tensor([target for target, _ in EDGES[:edges]])
        self.register_buffer("siblings", targets == targets.unsqueeze(1), persistent=False)

    def edge_weights(self) -> Float[Tensor, " edges"]:
        """The softmax of beta over the edges that enter the same node (equation 4)."""
        return self.beta.where(self.siblings, -torch.inf).softmax(-1).diagonal()

    def expected(self) -> Weights:
        """Operation weights times their edge's weight, if edges have weights; a row sums to the edge's weight."""
        return self.probabilities() * self.edge_weights().unsqueeze(-1) if self.weigh_edges else self.probabilities()

    def probabilities(self) -> Weights:
        """softmax(alpha) per edge."""
        return self.alpha.softmax(-1)

    def moves_alpha(self, progress: float) -> bool:
        """True after the warm-up."""
        return progress >= self.warmup

    def partials(self) -> tuple[int, ...]:
        """One stage, with the method's own k."""
        return (self.k,)
