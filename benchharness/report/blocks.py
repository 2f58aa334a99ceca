"""What a report is made of, before it is Markdown, HTML or LaTeX: sections of text, tables and figures."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Bullets(NamedTuple):
    """A list of sentences."""

    items: list[str]


class Grid(NamedTuple):
    """A table: `data` with raw numbers goes to CSV; `shown`, its rows (or the few that matter) in words, to readers."""

    name: str
    title: str
    data: pd.DataFrame
    shown: pd.DataFrame
    note: str = ""


class Picture(NamedTuple):
    """A figure, drawn when the report is written."""

    name: str
    title: str
    draw: "Callable[[], Canvas]"


Block = Text | Bullets | Grid | Picture


class Section(NamedTuple):
    """A heading and what stands under it."""

    title: str
    blocks: list[Block]


class Report(NamedTuple):
    """The whole report: its title, a sentence on how complete it is, and its sections in reading order."""

    title: str
    standing: str
    sections: list[Section]
