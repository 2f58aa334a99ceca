"""Jobs for the workers of executors: small functions that another process can import without loading the tests."""

import os
import signal
import time
from pathlib import Path

KILLER = 2


def square(number: int) -> int:
    return number * number


def slow(number: int) -> int:
    """Long enough for something to happen to its worker."""
    time.sleep(0.3)
    return number * number


def deadly(number: int) -> int:
    """Kills its own process on one job, as running out of memory would."""
    if number == KILLER:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def make_folder(folder: str) -> str:
    """Makes a folder, where this machine may."""
    time.sleep(0.3)
    Path(folder).mkdir(exist_ok=True)
    return folder
