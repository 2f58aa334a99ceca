"""Progress bar for loops and downloads; on a terminal only, so that logs stay short."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

PLAIN_LINES: Final = 10
"""Number of lines that a count prints if stdout is not a terminal."""
Item = TypeVar("Item")


def with_bar(items: Iterable[Item], total: int, title: str) -> Iterator[Item]:
    """Yields `items` one by one, with a progress bar on stderr."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console  # takes 60 ms, and is only needed on a terminal
    from rich.progress import TimeRemainingColumn

    yield from _with_bar(items, total, title, Console(stderr=True), TimeRemainingColumn())


def with_counts(items: Iterable[Item], total: int, title: str, console: "Console | None" = None) -> Iterator[Item]:
    """Yields `items` and shows how many of `total` are done: a bar on a terminal, else plain lines."""
    from rich.console import Console
    from rich.progress import TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = console or Console(force_jupyter=False)  # a notebook else shows each line as an output
    if console.is_terminal:
        times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("left"))
        yield from _with_bar(items, total, title, console, *times)
        return
    start = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if number == total or number * PLAIN_LINES // total > (number - 1) * PLAIN_LINES // total:
            time_left = clock((time.monotonic() - start) / number * (total - number))
            console.print(f"{title}  {number}/{total}  {time_left} left", highlight=False, soft_wrap=True, markup=False)


def _with_bar(
    items: Iterable[Item], total: int, title: str, console: "Console", *times: "ProgressColumn"
) -> Iterator[Item]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, *times, console=console, transient=True) as bar:
        yield from bar.track(items, total=total or None, description=title)


def clock(seconds: float) -> str:
    """A duration as 1:02:03, or 2:03 if it is under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
