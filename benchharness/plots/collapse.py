"""The collapse figure of papers: skips, parameter-free operations, table accuracy and entropy over epochs."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchharness.plots import search_curves
from benchharness.plots.style import canvas, looks, methods_of, styled

MEASURES: Final = {
    "skips": "skip\nconnections",
    "parameter_free": "parameter-free\noperations",
    "test": "table accuracy\n(%)",
    "entropy": "entropy of the\nweights (nats)",
}
_PUBLISHED: Final = "#444444"


class Collapse(NamedTuple):
    """Curves by measure and method, a published search last, and reference values by measure."""

    columns: list[str]
    methods: list[str]
    by_measure: dict[str, dict[str, search_curves.Curve]]
    lines: Mapping[str, Mapping[str, float]]


def data(
    curves: pd.DataFrame, columns: Sequence[str], published: pd.DataFrame, lines: Mapping[str, Mapping[str, float]]
) -> Collapse:
    """From the frame that `report.curves` gives, and another one with the same columns for a published search."""
    every = {
        measure: search_curves.data(curves, measure).by_method | search_curves.data(published, measure).by_method
        for measure in MEASURES
    }
    names_shown = [name for name in columns if any(name in by_method for by_method in every.values())]
    names_shown += [name for name in methods_of(published) if any(name in by_method for by_method in every.values())]
    by_measure = {
        measure: by_method for measure, by_method in every.items() if any(name in by_method for name in names_shown)
    }
    return Collapse(names_shown, methods_of(curves), by_measure, lines)


def figure(info: Collapse) -> Figure:
    """A row per measure and a column per method."""
    with styled():
        drawing, axes = canvas(*size(info), len(info.by_measure), len(info.columns))
        draw(info, axes)
    return drawing


def size(info: Collapse) -> tuple[float, float]:
    """Width and height in inches."""
    return 1.9 * len(info.columns) + 1.1, 1.25 * len(info.by_measure) + 0.6


def draw(info: Collapse, axes: Sequence[Axes]) -> Sequence[Axes]:
    """Draw onto `axes`, row by row: every seed a thin line, their median a thick one, references dashed."""
    look_by_method, width = looks(info.methods), len(info.columns)
    for row, (measure, by_method) in enumerate(info.by_measure.items()):
        line = axes[row * width : (row + 1) * width]
        for name, ax in zip(info.columns, line, strict=True):
            if name in by_method:
                search_curves.seeds(
                    by_method[name], look_by_method[name].colour if name in look_by_method else _PUBLISHED, ax
                )
            for value in info.lines.get(measure, {}).values():
                ax.axhline(value, color="#8A8A8A", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
            _finish(measure, name, ax, first=row == 0, last=row == len(info.by_measure) - 1)
        for ax in line[1:]:
            ax.sharey(line[0])
            ax.tick_params(labelleft=False)
        line[0].set_ylabel(MEASURES[measure], fontsize=9)
        line[0].autoscale_view()
    axes[0].figure.supxlabel("epoch", fontsize=10)
    return axes


def _finish(measure: str, name: str, ax: Axes, first: bool, last: bool) -> None:
    if measure in search_curves.COUNTS:
        ax.set(ylim=(-0.3, 6.3), yticks=(0, 2, 4, 6))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.tick_params(labelsize=8, labelbottom=last)
    if first:
        ax.set_title(name, fontsize=9)
