"""DARTS-ES: early stopping by the Hessian's largest eigenvalue (Zela et al., ICLR 2020, section 4.3)."""

from collections.abc import Sequence
from statistics import fmean

from benchharness.methods.darts import Darts


class DartsEs(Darts):
    """DARTS-ES: DARTS that stops when the largest eigenvalue of alpha's Hessian grows too fast, with earlier alphas.

    The eigenvalue is measured every `every` epochs and averaged over the `window` measurements around each. If the
    average `back` measurements ago is below `ratio` times the present one, the search ends with the alphas of that
    earlier epoch, unless it is before `earliest`. The supernet's weights do not go back. The defaults are the paper's.
    The authors' code has `every=2,back=4,ratio=0.7692,earliest=11` (a growth by 1.3), and measures on the last batch of
    an epoch, augmented, in training mode; here it is always the same validation batch, as in every other figure.
    """

    version = 2
    watches_eigenvalue = True
    window = 5
    back = 5
    ratio = 0.75
    every = 1
    earliest = 1

    def stop(self, eigenvalues: Sequence[float]) -> int | None:
        """The epoch to go back to if the eigenvalue grew too fast, else None; epochs count from 1."""
        measured = eigenvalues[:: self.every]
        if (len(eigenvalues) - 1) % self.every or len(measured) < self.window + self.back:
            return None
        before, present = (
            fmean(measured[end - self.window : end]) for end in (len(measured) - self.back, len(measured))
        )
        epoch = 1 + self.every * (len(measured) - self.back - 1 - self.window // 2)
        return epoch if epoch >= self.earliest and before < self.ratio * present else None
