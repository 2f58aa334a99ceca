"""The parts of a report before rendering: sections of text, tables and figures."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from benchharness.io.files import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

COUNTS: Final = ("n", "seeds", "seed", "count", "rank", "collapsed", "baseline_collapsed", "epoch", "cells")
"""Columns that hold integers."""


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Bullets(NamedTuple):
    """A list of sentences."""

    items: list[str]


class Answers(NamedTuple):
    """Questions and answers of a sentence or two."""

    answers: dict[str, str]


class TableBlock(NamedTuple):
    """A table: `data` holds raw numbers for CSV; `shown` holds the formatted rows, or the important ones."""

    name: str
    title: str
    data: pd.DataFrame
    shown: pd.DataFrame
    note: str = ""
    latex: str = ""
    """LaTeX of the table, if it differs from the usual one."""


class FigureBlock(NamedTuple):
    """A figure, drawn when the report is written."""

    name: str
    title: str
    draw: "Callable[[], Canvas]"


class Pair(NamedTuple):
    """A figure and a table of the same rows, shown side by side if there is room."""

    picture: FigureBlock
    grid: TableBlock


class Folded(NamedTuple):
    """Details: collapsed in HTML, in the appendix of Markdown."""

    title: str
    blocks: "list[Block]"
    name: str = ""
    """Makes the anchor unique if several have one title."""

    @property
    def anchor(self) -> str:
        """Anchor in the appendix."""
        return slug(f"{self.title} {self.name}").lower()


Block = Text | Bullets | Answers | TableBlock | FigureBlock | Pair | Folded


class Section(NamedTuple):
    """A heading and its blocks."""

    title: str
    blocks: list[Block]


class Report(NamedTuple):
    """The whole report: its title, a sentence on how complete it is, and its sections in reading order."""

    title: str
    standing: str
    sections: list[Section]
    lacks_table: bool = False
    """Whether there are cells whose accuracies no installed table could give."""


def flat(blocks: Iterable[Block]) -> Iterator[Block]:
    """All blocks in reading order, including nested ones."""
    for block in blocks:
        if isinstance(block, Folded):
            yield from flat(block.blocks)
        elif isinstance(block, Pair):
            yield from (block.picture, block.grid)
        else:
            yield block


def folded(title: str, blocks: list[Block], name: str = "") -> list[Block]:
    """`blocks` in one `Folded` block; empty if there are none."""
    return [Folded(title, blocks, name)] if blocks else []


def with_integers(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with counts, seeds and ranks as integers, even if some are missing."""
    counts = [name for name in COUNTS if name in frame and pd.api.types.is_float_dtype(frame[name])]
    integral = [name for name in counts if (frame[name].dropna() % 1 == 0).all()]
    return frame.astype(dict.fromkeys(integral, "Int64"))
