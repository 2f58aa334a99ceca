"""Style of all figures: fixed colour, marker and dash per method, readable in greyscale, with reproducible bytes."""

import re
from collections.abc import Callable, Iterable, Sequence, Sized
from contextlib import AbstractContextManager
from io import BytesIO
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
"""With at least this many marks, SVG files hold them as an image, since vectors would take megabytes."""
OP_LABELS: Final = ("none", "skip", "1x1", "3x3", "pool")
"""Operations as they are named on axes."""
INSIDE: Final = 7
"""Most entries of a legend inside the axes."""


class Look(NamedTuple):
    """A method's colour, marker and line dash."""

    colour: str
    marker: str
    dash: Dash


_COLOURS: Final = (
    *("#0072B2", "#D55E00", "#009E73", "#E69F00", "#7F7F7F", "#CC79A7", "#56B4E9", "#000000", "#5A001E", "#004B00"),
    *("#001E78", "#872D87", "#78D269", "#873C00", "#B43C5A", "#8778E1", "#007800", "#E196FF", "#969600", "#00B4A8"),
    *("#4B0069", "#FF8778", "#786900", "#3C4B69", "#D2B4B4", "#1E2D2D"),
)
"""Okabe and Ito's palette for the colour-blind, then colours farthest from it and each other in OKLab."""
_MARKERS: Final = "oDs^XvP<>hdp*8"
_DASHES: Final[tuple[Dash, ...]] = (
    *("-", "--", "-.", ":", (0, (1, 2)), (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (8, 2)), (0, (2, 2))),
    *((0, (6, 1, 2, 1)), (0, (4, 3)), (0, (1, 1)), (0, (5, 2, 1, 2, 1, 2))),
)
_LOOKS: Final = tuple(
    Look(colour, _MARKERS[place % len(_MARKERS)], _DASHES[place % len(_DASHES)])
    for place, colour in enumerate(_COLOURS)
)
_BUILT_IN: Final = (
    *("darts", "ostr", "snas", "drnas", "random", "darts2", "gdas", "pc-darts", "beta-darts", "darts-es"),
    *("sdarts-rs", "sdarts-adv", "darts-pt", "darts-pt-fixed", "drnas-progressive", "snas-single", "rsps", "setn"),
    *("enas", "darts+prune"),
)
_FIXED: Final = dict(zip(_BUILT_IN, _LOOKS, strict=False))
_SPARE: Final = _LOOKS[len(_BUILT_IN) :] + _LOOKS[5 : len(_BUILT_IN)]
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_COORDINATES: Final = re.compile(rb'(?<= [dxy])="[^"]*"')
_FINE: Final = re.compile(rb"(\.\d\d)\d+")
FORMATS: Final = tuple(_METADATA)
"""File formats in which a figure can be saved."""
_STYLE: Final[dict[str, Any]] = {
    # DejaVu comes with matplotlib, so every machine has the same layout; the others are for viewers of SVG files.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "legend.frameon": False,
    "text.parse_math": False,  # names of methods may contain $
    "lines.linewidth": 2,
    "svg.hashsalt": "benchharness",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "figure.dpi": 100,
    "savefig.dpi": 130,
}


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """The look of each method: fixed for built-in ones, else derived from the name.

    Looks differ within `methods`; once all colours are used they return with other markers and dashes.
    """
    by_method = {method: _FIXED[method] for method in methods if method in _FIXED}
    for method in sorted(set(methods) - set(_FIXED)):
        start, used = crc32(method.encode()), {look.colour for look in by_method.values()}
        ring = [_SPARE[(start + step) % len(_SPARE)] for step in range(len(_SPARE))]
        free = [look for look in ring if look.colour not in used]
        turned_looks = [_turned(ring[0], turn) for turn in range(1, len(_MARKERS) * len(_DASHES))]
        by_method[method] = next((look for look in [*free, *turned_looks] if look not in by_method.values()), ring[0])
    return by_method


def _turned(look: Look, turn: int) -> Look:
    """`look` with another marker and dash, chosen by `turn`."""
    return look._replace(marker=_MARKERS[turn % len(_MARKERS)], dash=_DASHES[turn % len(_DASHES)])


def methods_of(frame: pd.DataFrame) -> list[str]:
    """All categories of the column `method`, so that a part of a frame has the same colours as the whole."""
    column = frame["method"]
    return list(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else sorted(column.unique())


def styled() -> AbstractContextManager[None]:
    """A context with our style; the user's matplotlibrc has no effect."""
    return style.context(["default", {**sns.axes_style("whitegrid"), **_STYLE}])


def canvas(
    width: float, height: float, rows: int = 1, columns: int = 1, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """An empty figure in this style, `width` by `height` inches, and its axes row by row; belongs to no window.

    With `share` all axes have one scale.
    """
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    return figure, list(np.ravel(axes))


def multiples(
    names: Sequence[str], draw: Callable[[str, Axes], Any], labels: tuple[str, str], columns: int = 5
) -> Figure:
    """A small panel per name, all on one scale, with the axes' `labels` once for all of them."""
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    size = (2.1, 1.65) if len(names) > 4 else (3.2, 2.5)
    with styled():
        figure, axes = canvas(size[0] * columns + 0.5, size[1] * rows + 0.3, rows, columns, share=True)
        for name, ax in zip(names, axes, strict=False):
            draw(name, ax)
            ax.set_title(name, fontsize=9)
            ax.tick_params(labelsize=8)
        for index, ax in enumerate(axes[len(names) :], len(names)):
            ax.set_axis_off()
            axes[index - columns].tick_params(labelbottom=True)
        figure.supxlabel(labels[0], fontsize=10)
        figure.supylabel(labels[1], fontsize=10)
    return figure


def figure_of(draw: Callable[[Any, Axes], Axes], info: Any, width: float = 7.0, height: float = 4.0) -> Figure:
    """A figure with one axes, onto which `draw` draws `info`."""
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


def save_figure(figure: Figure, stem: Path, formats: Sequence[str] = FORMATS) -> None:
    """Write `stem`.png, .svg and .pdf, or those of the `formats`; without dates, so that equal figures are equal bytes.

    SVG places marks to a hundredth of a point: the further digits, which nobody sees, were a sixth of a report's page.
    Parts that extend beyond the figure's edge, such as a long legend, are not cut off.
    """
    with styled():
        # The layout takes most of the time, so it is made once for all formats.
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        box = figure.get_tightbbox().padded(0.06)
        for name in formats:
            drawing = BytesIO()
            figure.savefig(drawing, format=name, metadata=_METADATA[name], bbox_inches=box)
            content = drawing.getvalue()
            Path(f"{stem}.{name}").write_bytes(_short_coordinates(content) if name == "svg" else content)


def _short_coordinates(drawing: bytes) -> bytes:
    return _COORDINATES.sub(lambda attribute: _FINE.sub(rb"\1", attribute[0]), drawing)


def is_crowded(marks: Sized) -> bool:
    """Whether SVG files should hold these marks as an image."""
    return len(marks) >= MANY


def scatter(frame: pd.DataFrame, x: str, y: str, methods: Sequence[str], ax: Axes, **marks: Any) -> None:
    """Draw a mark per row of `frame` with seaborn, in the look of its `method`; legend entries for those that occur."""
    shown = [method for method in methods if (frame["method"] == method).any()]
    look = looks(methods)
    sns.scatterplot(
        frame.assign(method=frame["method"].astype(str)), x=x, y=y, hue="method", hue_order=shown, style="method",
        style_order=shown, palette={name: look[name].colour for name in shown},
        markers={name: look[name].marker for name in shown}, rasterized=is_crowded(frame), ax=ax, **marks,
    )  # fmt: skip


def legend(ax: Axes, loc: Literal["best", "upper left", "lower right"] | None = None) -> None:
    """Add a legend at `loc`; beside the axes if `loc` is None or the entries are many."""
    if loc is None or len(ax.get_legend_handles_labels()[1]) > INSIDE:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
    else:
        ax.legend(loc=loc, fontsize=9)


def labelled(ax: Axes, x: str = "", y: str = "", title: str = "") -> Axes:
    """`ax` with its labels set."""
    ax.set(xlabel=x, ylabel=y, title=title)
    return ax
