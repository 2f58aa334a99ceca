"""beta-DARTS (Ye et al., CVPR 2022): DARTS with a penalty on the logsumexp of alpha."""

from jaxtyping import Float
from torch import Tensor

from benchharness.methods._base import Weights
from benchharness.methods.darts import Darts


class BetaDarts(Darts):
    """beta-DARTS: DARTS whose alpha loss adds lambda times the mean of logsumexp(alpha); lambda grows linearly.

    The protocol's weight decay on alpha remains in force.
    """

    lambda_max = 50.0

    def penalty(self, drawn: Weights, progress: float) -> Float[Tensor, ""]:  # noqa: ARG002
        """lambda(progress) times the mean over edges of logsumexp(alpha) (equation 14)."""
        return self.lambda_max * progress * self.alpha.logsumexp(-1).mean()
