"""Where the derived cells stand among all cells of the table."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness.plots.style import labelled, legend, looks, many


class Distribution(NamedTuple):
    """All of the table's accuracies, sorted, and by method those of the derived cells; in percent."""

    title: str
    methods: list[str]
    table: Float[np.ndarray, "archs"]
    runs: dict[str, Float[np.ndarray, "runs"]]


def data(scores: pd.DataFrame, table: Float[np.ndarray, "archs"], title: str = "") -> Distribution:
    """From a frame of accuracies with a column per method and a row per seed, and the table's column (NaN: missing)."""
    runs = {str(name): column.dropna().to_numpy() for name, column in scores.items() if column.notna().any()}
    return Distribution(title, [str(name) for name in scores], np.sort(table[np.isfinite(table)]), runs)


def draw(info: Distribution, ax: Axes) -> Axes:
    """The curve is the share of the table's cells that are no better; each mark is the cell that a seed derived."""
    # 400 quantiles draw the same curve as 15,625 cells, in a file of a twentieth the size.
    share = np.linspace(0, 100, 401)
    curve = np.percentile(info.table, share)
    ax.plot(curve, share, color="#444444", linewidth=1.5)
    ax.fill_between(curve, share, color="#D9D9D9", alpha=0.6, linewidth=0)
    look = looks(info.methods)
    for name, values in info.runs.items():
        colour, marker, _ = look[name]
        height = 100 * np.searchsorted(info.table, values, side="right") / len(info.table)
        ax.scatter(
            values, height, marker=marker, color=colour, s=60, edgecolor="black", linewidth=0.6, label=name,
            rasterized=many(values),
        )  # fmt: skip
    ax.set_ylim(0, 103)
    legend(ax, "upper left")
    return labelled(ax, "test accuracy (%)", "table's cells that are no better (%)", info.title)
