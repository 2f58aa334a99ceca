"""Ends this process if it hangs, after writing the stacks of all threads to a file."""

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def time_limit(note: Path, seconds: float) -> Iterator[None]:
    """End this process if the `with` block takes longer than `seconds` (0: never), and write all stacks to `note`.

    The timer is faulthandler's thread in C; it also works if the process hangs in native code.
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
    """The stacks that `time_limit` wrote to `note`; empty if it did not end the process."""
    return note.read_text(encoding="utf-8", errors="replace") if note.is_file() else ""
