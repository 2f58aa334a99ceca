"""Kendall's tau: methods in rows, kinds in columns, beside the tau of parameter counts."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchharness.plots.style import canvas, labelled, styled
from benchharness.stats import Interval

NULL: Final = "parameter count"
KINDS: Final = ("a", "b mean", "c mean", "d all", "d top 10 %")
_TITLES: Final = {
    "a": "own against\nmagnitude",
    "b mean": "against the table,\neach edge",
    "c mean": "the same, given\nedges decided",
    "d all": "whole cells",
    "d top 10 %": "best tenth\nof cells",
}
_MARKS: Final = {"magnitude": ("#0072B2", "o"), "strength": ("#D55E00", "D"), "prune": ("#009E73", "s")}
_OTHER: Final = ("#CC79A7", "^")


class Taus(NamedTuple):
    """The intervals by kind, method and criterion; methods in the order of the rows."""

    kinds: list[str]
    methods: list[str]
    by_kind: dict[str, dict[str, dict[str, Interval]]]


def data(rows: pd.DataFrame) -> Taus:
    """From a frame with a row per `method`, `kind` and `criterion` and the columns `tau`, `low`, `high`, `n`.

    Methods are ordered by the best of their criteria against the table on each edge.
    """
    intervals: dict[str, dict[str, dict[str, Interval]]] = {}
    for row in rows[rows["kind"].isin(KINDS)].to_dict("records"):
        interval = Interval(*(row[name] for name in ("tau", "low", "high", "n")))
        intervals.setdefault(row["kind"], {}).setdefault(str(row["method"]), {})[row["criterion"]] = interval
    best_taus = (
        rows[(rows["kind"] == "b mean") & (rows["criterion"] != NULL)].groupby("method", observed=True)["tau"].max()
    )
    methods = [str(name) for name in best_taus.sort_values(ascending=False, kind="stable").index]
    return Taus([kind for kind in KINDS if kind in intervals], methods, intervals)


def figure(info: Taus) -> Figure:
    """A panel per kind on one scale."""
    with styled():
        drawing, axes = canvas(*size(info), 1, len(info.kinds), share=True)
        draw(info, axes)
    return drawing


def size(info: Taus) -> tuple[float, float]:
    """Width and height in inches."""
    return 1.7 + 1.75 * len(info.kinds), 1.2 + 0.26 * len(info.methods)


def draw(info: Taus, axes: Sequence[Axes]) -> Sequence[Axes]:
    """One panel per kind: points are criteria with intervals over seeds, the grey line is the parameter counts' tau."""
    for kind, ax in zip(info.kinds, axes, strict=True):
        for row, method in enumerate(info.methods):
            _row(info.by_kind[kind].get(method, {}), row, ax)
        ax.axvline(0, color="#444444", linewidth=0.8, zorder=1)
        ax.set(yticks=range(len(info.methods)), yticklabels=info.methods, xlim=(-1.08, 1.08), xticks=(-1, 0, 1))
        ax.set_ylim(len(info.methods) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        labelled(ax, title=_TITLES[kind])
        ax.title.set_fontsize(9)
    handles = {label: line for ax in axes for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    container = axes[0].figure
    order = sorted(handles, key=lambda name: (name == NULL, name))
    container.legend([handles[name] for name in order], order, loc="outside upper center", ncols=5, fontsize=9)
    container.supxlabel("Kendall's tau-b", fontsize=10)
    return axes


def _row(by_criterion: dict[str, Interval], row: int, ax: Axes) -> None:
    others = [name for name in by_criterion if name != NULL]
    if NULL in by_criterion:
        null = by_criterion[NULL].value
        ax.plot([null, null], [row - 0.5, row + 0.5], color="#8A8A8A", linewidth=2.5, label=NULL, zorder=1)
    for index, name in enumerate(others):
        tau, y = by_criterion[name], row + 0.28 * (index - (len(others) - 1) / 2)
        colour, marker = _MARKS.get(name, _OTHER)
        if np.isfinite(tau.low):
            ax.plot([tau.low, tau.high], [y, y], color=colour, linewidth=1.8, alpha=0.6, zorder=2)
        ax.plot([tau.value], [y], marker, color=colour, markersize=5, label=name, zorder=3)
