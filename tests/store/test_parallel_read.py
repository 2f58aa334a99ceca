"""Reading many small files: alone where the disk is quick, many at a time where it is waited for, in order always."""

import threading
import time

import pytest

from benchharness.store import parallel_read


def test_what_is_quick_is_read_by_the_caller_alone_and_in_order() -> None:
    threads: set[int] = set()

    def read_item(item: int) -> int:
        threads.add(threading.get_ident())
        return item**2

    assert parallel_read.each(read_item, range(1200)) == [item**2 for item in range(1200)]
    assert threads == {threading.get_ident()}


def test_what_is_waited_for_is_read_many_at_a_time_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_read, "SAMPLE", 4)
    threads: set[int] = set()

    def read_item(item: int) -> int:
        threads.add(threading.get_ident())
        time.sleep(0.004)
        return -item

    assert parallel_read.each(read_item, list(range(100))) == [-item for item in range(100)]
    assert len(threads) > 4


def test_a_busy_processor_is_not_taken_for_a_slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock runs on between two items as it does while others are at work, and nothing is waited for."""
    clock, threads = time.perf_counter, set[int]()
    monkeypatch.setattr(time, "perf_counter", lambda: 100 * clock())
    parallel_read.each(lambda _: threads.add(threading.get_ident()), range(1200))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("wait", [0.0, 0.002])
def test_an_error_of_any_item_is_raised(monkeypatch: pytest.MonkeyPatch, wait: float) -> None:
    monkeypatch.setattr(parallel_read, "SAMPLE", 4)

    def read_item(item: int) -> int:
        time.sleep(wait)
        return 1 // (item - 70)

    with pytest.raises(ZeroDivisionError):
        parallel_read.each(read_item, range(100))


def test_nothing_at_all_is_read_at_once() -> None:
    assert parallel_read.each(abs, []) == []
