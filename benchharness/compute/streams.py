"""Replaces standard streams that were closed before this process started, so that writing to them cannot fail."""

import os
import sys
from typing import Final

_STREAMS: Final = {"stdin": 0, "stdout": 1, "stderr": 2}


def replace_closed() -> None:
    """Open the null device in place of closed standard streams.

    Otherwise the next opened file would get the number of such a stream, and child processes would write into it; and
    joblib could not start child processes, since it flushes these streams.
    """
    closed_names = [name for name in _STREAMS if (stream := getattr(sys, name)) is None or stream.closed]
    for name in closed_names:
        _occupy(_STREAMS[name])
    for name in closed_names:
        setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _occupy(number: int) -> None:
    """Open the null device as file `number`, unless that is in use."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
        os.set_inheritable(number, True)
