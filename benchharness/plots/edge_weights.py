"""The expected edge weights over a search's epochs: a heat map with a row per edge and operation."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from benchharness.plots.style import labelled
from benchharness.space import EDGE_NAMES, OPS

# Light to dark without change of direction, so that it reads the same in grey.
_INK = LinearSegmentedColormap.from_list("ink", ["#FFFFFF", "#9ECAE1", "#2171B5", "#08172E"])


class Weights(NamedTuple):
    """Expected weights by epoch, mean over seeds."""

    title: str
    weights: Float[np.ndarray, "epochs edges ops"]


def data(expected: list[Float[np.ndarray, "epochs edges ops"]], title: str = "") -> Weights:
    """From the `expected` arrays of one method's runs, cut to the shortest of them."""
    shortest = min(len(weights) for weights in expected)
    return Weights(title, np.mean([weights[:shortest] for weights in expected], axis=0))


def draw(info: Weights, ax: Axes) -> Axes:
    """Rows are grouped by edge, dark is a large weight; a dot marks the operation that leads at the end."""
    epochs, edges, ops = info.weights.shape
    rows, top = info.weights.reshape(epochs, edges * ops).T, max(info.weights.max(), 0.4)
    image = ax.imshow(
        rows, aspect="auto", cmap=_INK, vmin=0, vmax=top,
        extent=(0.5, epochs + 0.5, edges * ops - 0.5, -0.5), interpolation="nearest",
    )  # fmt: skip
    ax.figure.colorbar(image, ax=ax, label="expected weight", pad=0.02)
    for edge in range(1, edges):
        ax.axhline(edge * ops - 0.5, color="#444444", linewidth=1.2)
    lead = info.weights[-1].argmax(-1) + ops * np.arange(edges)
    ax.plot(np.full(edges, epochs), lead, "o", color="#E69F00", markeredgecolor="black", markersize=6, clip_on=False)
    names = [f"{EDGE_NAMES[edge]}  {OPS[op]}" for edge in range(edges) for op in range(ops)]
    ax.set_yticks(range(edges * ops), names, fontsize=8)
    ax.grid(visible=False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return labelled(ax, "epoch", title=info.title)
