"""DARTS-ES: early stopping by the Hessian's largest eigenvalue (Zela et al., ICLR 2020, section 4.3)."""

from collections.abc import Sequence

from benchharness.methods.darts import Darts


class DartsEs(Darts):
    """DARTS-ES: DARTS that stops once the largest eigenvalue of alpha's Hessian has grown too fast, and goes back.

    Averaged over `window` epochs, the eigenvalue of `window` epochs ago must not fall below `ratio` times the present
    one; otherwise the search ends with the alphas of `window` epochs ago. Only alpha goes back, not the weights.
    """

    watches_eigenvalue = True
    window = 5
    ratio = 0.75

    def stop(self, eigenvalues: Sequence[float]) -> int | None:
        """The epoch `window` epochs ago, where the eigenvalue says stop."""
        if len(eigenvalues) < 2 * self.window:
            return None
        now = sum(eigenvalues[-self.window :])
        before = sum(eigenvalues[-2 * self.window : -self.window])
        return len(eigenvalues) - self.window if before < self.ratio * now else None
