"""SETN: one-shot search by a self-evaluated template network (Dong & Yang, ICCV 2019)."""

from typing import Any, ClassVar

from benchharness.methods._base import Arch, Loss, Method, Weights, uniform_cell


class Setn(Method):
    """SETN: weights learn on random cells, alpha on the softmax mix; the best of the 100 likeliest cells is derived."""

    selection = "best"
    selection_options: ClassVar[dict[str, Any]] = {"pool": "likely"}

    def draw_for_weights(self, progress: float, loss: Loss) -> Weights | Arch:  # noqa: ARG002
        """A uniformly random cell."""
        return uniform_cell(*self.alpha.shape)
