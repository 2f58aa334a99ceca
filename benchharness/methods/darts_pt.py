"""DARTS-PT: architecture selection by perturbation (Wang, Cheng, Chen, Tang & Hsieh, ICLR 2021)."""

from typing import Any, ClassVar

from benchharness.methods.darts import Darts


class DartsPt(Darts):
    """DARTS-PT: the DARTS supernet; per edge, in random order, the operation whose removal hurts accuracy most stays.

    Five epochs of training at a tenth of the learning rate, with SGD begun anew, follow every decision but the last.
    An edge that decided ones cut off is decided by magnitude.
    """

    trains_as: ClassVar[str | None] = "darts"
    selection = "prune"
    selection_options: ClassVar[dict[str, Any]] = {"metric": "accuracy", "order": "random", "tuning": 5}
