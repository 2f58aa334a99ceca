"""DARTS-ES: early stopping by the Hessian's largest eigenvalue (Zela et al., ICLR 2020, section 4.3)."""

from collections.abc import Sequence

from benchharness.methods.darts import Darts


class DartsEs(Darts):
    """DARTS-ES: DARTS that stops when the largest eigenvalue of alpha's Hessian grows too fast, with earlier alphas.

    The eigenvalue is averaged over `window` epochs. If the average of `window` epochs ago is below `ratio` times the
    present one, the search ends with the alphas of `window` epochs ago. The supernet's weights do not go back.
    """

    watches_eigenvalue = True
    window = 5
    ratio = 0.75

    def stop(self, eigenvalues: Sequence[float]) -> int | None:
        """The epoch `window` epochs ago if the eigenvalue grew too fast, else None."""
        if len(eigenvalues) < 2 * self.window:
            return None
        recent_sum = sum(eigenvalues[-self.window :])
        before = sum(eigenvalues[-2 * self.window : -self.window])
        return len(eigenvalues) - self.window if before < self.ratio * recent_sum else None
