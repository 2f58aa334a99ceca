"""Reads many small files: one after the other from a fast disk, in threads from a slow disk or a network.

On a fast disk sixteen threads take three times as long as one, since Python's threads take turns.
"""

import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

SAMPLE: Final = 32
"""Number of items that are read one by one to measure the waiting time, before the next `BATCH` items."""
BATCH: Final = 480
THREADS: Final = 16
PATIENCE: Final = 4.0
"""Threads are used if there are at least this many seconds of waiting per second of work."""

T = TypeVar("T")
R = TypeVar("R")


def each(read_item: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`read(item)` of every item, in order; the first exception is raised."""
    values: list[R] = []
    with ThreadPoolExecutor(THREADS) as pool:  # starts threads only when used
        while len(values) < len(items):
            before = _clocks()
            values += map(read_item, items[len(values) : len(values) + SAMPLE])
            wall, work, waits = (clock_now - then for clock_now, then in zip(_clocks(), before, strict=True))
            # Wall time also passes while other processes run; then the process has not waited, and `waits` is small.
            slow = waits >= SAMPLE and wall > (1 + PATIENCE) * work
            values += (pool.map if slow else map)(read_item, items[len(values) : len(values) + BATCH])
    return values


def _clocks() -> tuple[float, float, int]:
    """Wall time, this thread's processor time, and how often the process has waited."""
    return time.perf_counter(), time.thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
