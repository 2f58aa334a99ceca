"""Kendall's tau by kind and criterion, with intervals over seeds, beside what parameter counts alone reach."""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from benchharness.plots.style import labelled
from benchharness.stats import Interval


class Taus(NamedTuple):
    """The intervals of every criterion by kind, kinds in the order of the rows."""

    title: str
    kinds: list[str]
    by_criterion: dict[str, dict[str, Interval]]


def data(rows: pd.DataFrame, title: str = "") -> Taus:
    """From a frame with a row per `kind` and `criterion` and the columns `tau`, `low`, `high`, `n`."""
    found: dict[str, dict[str, Interval]] = {}
    for row in rows.to_dict("records"):
        interval = Interval(*(row[name] for name in ("tau", "low", "high", "n")))
        found.setdefault(row["criterion"], {})[row["kind"]] = interval
    return Taus(title, list(dict.fromkeys(rows["kind"])), found)


def draw(info: Taus, ax: Axes) -> Axes:
    """A row per kind; the null is a grey cross, so that a criterion left of it is worse than counting parameters."""
    step = 0.8 / max(1, len(info.by_criterion))
    for place, (name, by_kind) in enumerate(info.by_criterion.items()):
        colour, marker = _MARKS.get(name, _OTHER[place % len(_OTHER)])
        for kind, tau in by_kind.items():
            y = info.kinds.index(kind) + (place + 0.5) * step - 0.4
            ax.plot([tau.low, tau.high], [y, y], color=colour, linewidth=2.5, alpha=0.6)
        rows = [info.kinds.index(kind) + (place + 0.5) * step - 0.4 for kind in by_kind]
        ax.plot([tau.value for tau in by_kind.values()], rows, marker, color=colour, markersize=7, label=name)
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set(yticks=range(len(info.kinds)), yticklabels=info.kinds, xlim=(-1.05, 1.05), xticks=_TICKS)
    ax.set_ylim(len(info.kinds) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=len(info.by_criterion))
    return labelled(ax, "Kendall's tau-b", title=info.title)


_TICKS = (-1, -0.5, 0, 0.5, 1)
_MARKS = {"magnitude": ("#0072B2", "o"), "strength": ("#D55E00", "D"), "parameter count": ("#7F7F7F", "X")}
_OTHER = (("#009E73", "s"), ("#CC79A7", "v"))
