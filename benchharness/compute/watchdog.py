"""Ends this process if it hangs, and writes down what every thread was doing."""

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def watched(note: Path, seconds: float) -> Iterator[None]:
    """End this process if the block takes longer than `seconds`, with all threads' stacks in `note`; 0 never does.

    The watch is faulthandler's thread in C, which needs no Python: it also ends what hangs in native code.
    """
    if not seconds:
        yield
        return
    note.unlink(missing_ok=True)  # what was left there may be no file, such as a pipe, which would be waited for
    with note.open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    note.unlink(missing_ok=True)


def stacks(note: Path) -> str:
    """The stacks that `watched` wrote when it ended a process; empty if it did not."""
    return note.read_text(encoding="utf-8", errors="replace") if note.is_file() else ""
