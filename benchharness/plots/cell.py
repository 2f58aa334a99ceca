"""A derived cell as a small graph: four nodes, six edges, an operation on each."""

from textwrap import wrap
from typing import Any, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from benchharness.plots.style import labelled
from benchharness.space import EDGES, OPS, Arch

Point = tuple[float, float]

_PLACES: Final = ((0.0, 0.0), (1.1, 1.0), (1.9, -1.0), (3.0, 0.0))
_BENDS: Final = {(3, 0): (0.0, 0.22), (2, 1): (0.12, 0.28)}
"""Curvature, and position of the label along the edge, of edges whose labels would overlap."""
_LOOKS: Final = {
    "none": ("#C4C4C4", ":", 1.2),
    "skip_connect": ("#7F7F7F", "--", 2.0),
    "nor_conv_1x1": ("#56B4E9", "-", 2.4),
    "nor_conv_3x3": ("#0072B2", "-", 4.2),
    "avg_pool_3x3": ("#E69F00", "-.", 2.4),
}
_LABEL: Final[dict[str, Any]] = {
    "fontsize": 7.5,
    "ha": "center",
    "va": "center",
    "bbox": {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
}
TITLE: Final = 42
"""Most characters of a title's line, so that the titles of cells side by side do not overlap."""
_SHORT: Final = dict(zip(OPS, ("none", "skip", "conv 1x1", "conv 3x3", "avg pool"), strict=True))


class Cell(NamedTuple):
    """An architecture and the title above it."""

    arch: Arch
    title: str


def data(arch: Arch, title: str = "") -> Cell:
    """From an architecture, as `space.from_string` reads it."""
    return Cell(arch, title)


def draw(info: Cell, ax: Axes) -> Axes:
    """Convolutions are solid and thick, skips dashed, pooling dash-dotted, `none` a faint dotted line."""
    for op, (target, source) in zip(info.arch, EDGES, strict=True):
        colour, dash, width = _LOOKS[OPS[op]]
        bend, at = _BENDS.get((target, source), (0.12, 0.5))
        ax.add_patch(
            FancyArrowPatch(
                _PLACES[source], _PLACES[target], connectionstyle=f"arc3,rad={-bend}", arrowstyle="-|>",
                mutation_scale=12, shrinkA=11, shrinkB=11, color=colour, linestyle=dash, linewidth=width,
            )
        )  # fmt: skip
        ax.text(*_on_arc(_PLACES[source], _PLACES[target], bend, at), _SHORT[OPS[op]], **_LABEL)
    for name, (x, y) in zip(("in", "1", "2", "out"), _PLACES, strict=True):
        ax.scatter(x, y, s=420, color="white", edgecolor="black", zorder=3)
        ax.text(x, y, name, ha="center", va="center", fontsize=9, zorder=4)
    ax.set(xlim=(-0.4, 3.4), ylim=(-1.35, 1.35), aspect="equal")
    # Everything lies within the axes, so the layout need not measure it, which is slow.
    for artist in ax.get_children():
        artist.set_in_layout(artist is ax.title)
    ax.set_axis_off()
    title = info.title.replace(" x", "\u00a0x")  # a method stays on one line with its count
    return labelled(ax, title="\n".join(wrap(title, TITLE)))


def _on_arc(start: Point, end: Point, bend: float, at: float) -> Point:
    """The point at the share `at` of the quadratic curve that matplotlib's arc3 draws with `rad=-bend`."""
    x, y = ((1 - at) * a + at * b for a, b in zip(start, end, strict=True))
    bulge = 2 * at * (1 - at) * bend
    return x - bulge * (end[1] - start[1]), y + bulge * (end[0] - start[0])
