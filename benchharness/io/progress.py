"""Progress bar for loops and downloads; on a terminal only, so that logs stay short."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_LINES: Final = 10
"""Lines for a count where stdout is no terminal."""
Item = TypeVar("Item")

_Piece = TypeVar("_Piece")


def shown(pieces: Iterable[_Piece], total: int, what: str) -> Iterator[_Piece]:
    """Yields `pieces` one by one, with a progress bar on stderr."""
    if not sys.stderr.isatty():
        yield from pieces
        return
    from rich import progress  # 60 ms, and only needed where somebody looks on
    from rich.console import Console

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn())
    with progress.Progress(
        *columns, progress.TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(what, total=total or None)
        for piece in pieces:
            yield piece
            bar.advance(task)


def counted(items: Iterable[Item], total: int, what: str, console: Console | None = None) -> Iterator[Item]:
    """`items` as they come, with a bar (or plain lines in a file) of how many of `total` there have been."""
    console = console or Console()
    if not console.is_terminal:
        started = time.monotonic()
        for number, item in enumerate(items, 1):
            yield item
            if number == total or number * PLAIN_LINES // total > (number - 1) * PLAIN_LINES // total:
                left = clock((time.monotonic() - started) / number * (total - number))
                console.print(f"{what}  {number}/{total}  {left} left", highlight=False, soft_wrap=True, markup=False)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=console, transient=True) as bar:
        yield from bar.track(items, total=total, description=what)


def clock(seconds: float) -> str:
    """A duration as 1:02:03, or 2:03 where it is under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
