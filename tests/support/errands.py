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


def killed_midway(number: int) -> int:
    """Its square; a worker in whose environment WITHHOLDS is set is killed while it works on it."""
    if os.environ.get("WITHHOLDS"):
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


class _Withheld:
    """A number whose worker is hit by `signal_number` as it hands it over, having done its work."""

    def __init__(self, number: int, signal_number: int) -> None:
        self.number = number
        self.signal_number = signal_number

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        if os.environ.get("WITHHOLDS"):
            os.kill(os.getpid(), self.signal_number)
        return int, (self.number * self.number,)


def stopped_at_the_end(number: int) -> object:
    """Its square, which a worker in whose environment WITHHOLDS is set never hands over, being stopped."""
    time.sleep(0.1)
    return _Withheld(number, signal.SIGSTOP)


def killed_at_the_end(number: int) -> object:
    """The same, but that worker is killed."""
    time.sleep(0.1)
    return _Withheld(number, signal.SIGKILL)
