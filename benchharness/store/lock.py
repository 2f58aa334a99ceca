"""Claims a run for one process: a lock that dies with the process, and a heartbeat for other machines.

The lock decides between processes of one machine, and disappears with the process, however that ends. The heartbeat is
for readers, which must not touch the lock, and for other machines, since locks of shared file systems are unreliable.
Claims do not depend on the time of day: another machine's heartbeat counts as stopped if we see no beat for one minute
of our own monotonic clock, so clocks that jump or disagree cannot give one run to two processes.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import BaseFileLock, FileLock, Timeout

from benchharness.io.files import read_json, writing
from benchharness.store.schemas import Owner

BEAT_SECONDS: Final = 10.0
EXPIRY_SECONDS: Final = 60.0
_HEARTBEAT: Final = "heartbeat"
_LOCK: Final = "run.lock"

_watched: dict[Path, tuple[int, float]] = {}
"""Heartbeats of other machines: the last time stamp, and the time on our monotonic clock when we first saw it."""


@contextmanager
def lease(folder: Path) -> Iterator[bool]:
    """Yields whether this process owns `folder`; if so, its heartbeat continues until the block ends."""
    lock = FileLock(folder / _LOCK)
    if not _acquired(lock):
        yield False
        return
    try:
        if _beats_elsewhere(folder):
            yield False
        else:
            with _beating(folder):
                yield True
    finally:
        lock.release()


def _acquired(lock: BaseFileLock) -> bool:
    with writing(Path(lock.lock_file)):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
    return True


def alive(folder: Path) -> bool:
    """Whether a process works on `folder`: its heartbeat is fresh, and on this machine the process exists."""
    beat = folder / _HEARTBEAT
    if not _fresh(beat):
        return False
    owner = read_json(beat, Owner) or {}
    return owner.get("host") != socket.gethostname() or _exists(owner.get("pid"))


def clear(folder: Path) -> None:
    """Remove the lock file of a finished run."""
    (folder / _LOCK).unlink(missing_ok=True)


def _beats_elsewhere(folder: Path) -> bool:
    """Whether another machine works on `folder`; we hold the lock, so a heartbeat of our own machine is stale."""
    owner = read_json(folder / _HEARTBEAT, Owner) or {}
    return owner.get("host", socket.gethostname()) != socket.gethostname() and not _stopped(folder / _HEARTBEAT)


def _stopped(beat: Path) -> bool:
    """Whether this process has watched the heartbeat for `EXPIRY_SECONDS` without a beat."""
    try:
        last = beat.stat().st_mtime_ns
    except FileNotFoundError:
        return True
    last_seen, since = _watched.get(beat, (None, 0.0))
    if last_seen != last:
        _watched[beat] = last, time.monotonic()
        return False
    return time.monotonic() - since > EXPIRY_SECONDS


def _fresh(beat: Path) -> bool:
    try:
        # A heartbeat from the future means that a clock was set back; it must not keep a run busy.
        return abs(time.time() - beat.stat().st_mtime) < EXPIRY_SECONDS
    except (FileNotFoundError, NotADirectoryError):
        return False


def _exists(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


@contextmanager
def _beating(folder: Path) -> Iterator[None]:
    beat, over = folder / _HEARTBEAT, threading.Event()
    # Not atomic on purpose: a half-written heartbeat counts as a fresh one of another process, which it is.
    with writing(beat):
        beat.unlink(missing_ok=True)  # left by a dead process, or not a file
        beat.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
    thread = threading.Thread(target=_beat, args=(beat, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        beat.unlink(missing_ok=True)


def _beat(beat: Path, over: threading.Event) -> None:
    while not over.wait(BEAT_SECONDS):
        try:
            os.utime(beat)
        except OSError:
            return  # the folder was moved away; the run's next write will raise an error
