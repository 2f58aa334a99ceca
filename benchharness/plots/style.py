"""How figures look: one colour, marker and dash a method everywhere, readable in grey, the same bytes every time."""

from collections.abc import Callable, Iterable, Sequence, Sized
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Dash = str | tuple[int, tuple[int, ...]]

MANY: Final = 500
"""Marks from which an SVG file holds them as an image: one by one they would make it megabytes."""


INSIDE: Final = 7
"""Entries up to which a legend has its place among what is drawn."""


class Look(NamedTuple):
    """A method's colour (from Okabe and Ito's palette, told apart by the colour-blind), marker and line dash."""

    colour: str
    marker: str
    dash: Dash


_FIXED: Final = {
    "darts": Look("#0072B2", "o", "-"),
    "ostr": Look("#D55E00", "D", "--"),
    "snas": Look("#009E73", "s", "-."),
    "drnas": Look("#E69F00", "^", ":"),
    "random": Look("#7F7F7F", "X", (0, (1, 2))),
}
_SPARE: Final = (
    Look("#CC79A7", "v", (0, (5, 1))),
    Look("#56B4E9", "P", (0, (3, 1, 1, 1))),
    Look("#000000", "<", (0, (8, 2))),
    Look("#8C6D31", ">", (0, (2, 2))),
    Look("#5B3794", "h", (0, (6, 1, 2, 1))),
    Look("#B5B000", "d", (0, (4, 3))),
    Look("#7A1F1F", "p", (0, (1, 1))),
)
_STYLE: Final[dict[str, Any]] = {
    # DejaVu comes with matplotlib, so that every machine lays out alike; the others are for readers of the SVG.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "legend.frameon": False,
    "text.parse_math": False,  # a method may be called what its author likes
    "lines.linewidth": 2,
    "svg.hashsalt": "benchharness",
    "svg.fonttype": "none",
    "figure.dpi": 100,
    "savefig.dpi": 130,
}


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """The look of each method. Five are fixed; another's follows from its name, unless a namesake took it.

    Once all spare looks are taken, colours come again with other markers and dashes.
    """
    found = {method: _FIXED[method] for method in methods if method in _FIXED}
    for method in sorted(set(methods) - set(_FIXED)):
        start = crc32(method.encode())
        ring = [_spare(start + step, turn) for turn in range(len(_SPARE)) for step in range(len(_SPARE))]
        found[method] = next((look for look in ring if look not in found.values()), ring[0])
    return found


def _spare(place: int, turn: int) -> Look:
    """A spare look's colour, with the marker and dash of the one `turn` places on."""
    return _SPARE[(place + turn) % len(_SPARE)]._replace(colour=_SPARE[place % len(_SPARE)].colour)


def methods_of(frame: pd.DataFrame) -> list[str]:
    """All methods a frame knows of: its categories, so that a part of a frame is drawn in the colours of the whole."""
    column = frame["method"]
    return list(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else sorted(column.unique())


def styled() -> AbstractContextManager[None]:
    """A context in which whatever is drawn has this style, and nothing of the user's own matplotlibrc."""
    return style.context(["default", {**sns.axes_style("whitegrid"), **_STYLE}])


def canvas(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure in this style, `width` by `height` inches, and its axes row by row; belongs to no window."""
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(np.ravel(axes))


def drawn(draw: Callable[[Any, Axes], Axes], info: Any, width: float = 7.0, height: float = 4.0) -> Figure:
    """A figure with one pair of axes, onto which `draw` draws `info`."""
    return panels(draw, [info], 1, (width, height))


def panels(draw: Callable[[Any, Axes], Axes], infos: Sequence[Any], columns: int, size: tuple[float, float]) -> Figure:
    """A figure with a panel per info, each of `size` inches, at most `columns` beside each other."""
    columns = min(columns, len(infos))
    rows = -(-len(infos) // columns)
    with styled():
        figure, axes = canvas(size[0] * columns, size[1] * rows, rows, columns)
        for info, ax in zip(infos, axes, strict=False):
            draw(info, ax)
        for ax in axes[len(infos) :]:
            ax.set_axis_off()
    return figure


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png and `stem`.svg, without dates or versions in them: the same figure gives the same bytes."""
    with styled():
        # Laid out once for both files: the layout is most of the time that writing a figure takes.
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(stem.with_suffix(".png"), metadata={"Software": None})
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})


def many(marks: Sized) -> bool:
    """Whether these are so many marks that they are to be drawn as an image, even into an SVG file."""
    return len(marks) >= MANY


def legend(ax: Axes, loc: Literal["best", "upper left", "lower right"] | None = None) -> None:
    """A legend at `loc`; beside the axes without one, or where so many entries would hide what is drawn."""
    if loc is None or len(ax.get_legend_handles_labels()[1]) > INSIDE:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
    else:
        ax.legend(loc=loc, fontsize=9)


def labelled(ax: Axes, x: str = "", y: str = "", title: str = "") -> Axes:
    """`ax` with its labels set."""
    ax.set(xlabel=x, ylabel=y, title=title)
    return ax
