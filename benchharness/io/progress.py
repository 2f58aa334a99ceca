"""A bar for what takes a while and comes in pieces; on a terminal only, so that logs stay short."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

_Piece = TypeVar("_Piece")


def shown(pieces: Iterable[_Piece], total: int, what: str) -> Iterator[_Piece]:
    """`pieces` one by one, with a bar on stderr while they come."""
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
