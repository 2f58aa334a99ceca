"""Mean edge weights over a search's epochs, minus the uniform weight: a heat map, a row per edge and operation."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from benchharness.plots.style import canvas, styled
from benchharness.space import EDGE_NAMES

_NORM: Final = SymLogNorm(linthresh=0.01, vmin=-0.8, vmax=0.8, base=10)
"""Linear up to 0.01 and logarithmic above, so that small differences are visible beside decided edges."""


class Weights(NamedTuple):
    """Expected weights by epoch, mean over seeds; those of an edge sum to 1."""

    title: str
    weights: Float[np.ndarray, "epochs edges ops"]


def data(expected: list[Float[np.ndarray, "epochs edges ops"]], title: str = "") -> Weights:
    """From the `expected` arrays of one method's runs, cut to the shortest of them.

    Weights are divided by their sum on the edge, which PC-DARTS scales by the edge's own weight.
    """
    shortest = min(len(weights) for weights in expected)
    totals = [weights[:shortest].sum(-1, keepdims=True) for weights in expected]
    shares = [
        weights[:shortest] / np.where(total > 0, total, 1) for weights, total in zip(expected, totals, strict=True)
    ]
    return Weights(title, np.mean(shares, axis=0))


def figure(infos: Sequence[Weights], columns: int = 5) -> Figure:
    """A panel per method on one scale of colours; within each edge from top to bottom: none, skip, 1x1, 3x3, pool."""
    columns = min(columns, len(infos))
    rows = -(-len(infos) // columns)
    size = (2.1, 2.5) if len(infos) > 4 else (3.4, 4.2)
    with styled():
        drawing, axes = canvas(size[0] * columns + 1.0, size[1] * rows, rows, columns)
        for index, (info, ax) in enumerate(zip(infos, axes, strict=False)):
            image = _map(info, ax)
            edges, ops = info.weights.shape[1:]
            labels = EDGE_NAMES if index % columns == 0 else [""] * edges
            ax.set_yticks([edge * ops + (ops - 1) / 2 for edge in range(edges)], labels, fontsize=8)
            ax.tick_params(labelsize=8)
            ax.set_title(info.title, fontsize=9)
        for ax in axes[len(infos) :]:
            ax.set_axis_off()
        drawing.supxlabel("epoch", fontsize=10)
        drawing.supylabel("edge; within it none, skip, 1x1, 3x3, pool", fontsize=10)
        bar = drawing.colorbar(image, ax=axes, shrink=0.6, label="expected weight minus uniform", pad=0.01)
        bar.set_ticks([-0.5, -0.1, -0.01, 0, 0.01, 0.1, 0.5], labels=["-.5", "-.1", "-.01", "0", ".01", ".1", ".5"])
    return drawing


def _map(info: Weights, ax: Axes) -> AxesImage:
    epochs, edges, ops = info.weights.shape
    rows = (info.weights - 1 / ops).transpose(1, 2, 0).reshape(edges * ops, epochs)
    image = ax.imshow(
        rows, aspect="auto", cmap="RdBu_r", norm=_NORM, extent=(0.5, epochs + 0.5, edges * ops - 0.5, -0.5),
        interpolation="nearest",
    )  # fmt: skip
    for edge in range(1, edges):
        ax.axhline(edge * ops - 0.5, color="#444444", linewidth=0.8)
    lead = info.weights[-1].argmax(-1) + ops * np.arange(edges)
    ax.plot(np.full(edges, epochs), lead, "o", color="#E69F00", markeredgecolor="black", markersize=4, clip_on=False)
    ax.grid(visible=False)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    return image
