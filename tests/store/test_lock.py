"""Who may work on a folder, as other processes and other machines see it."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchharness.store import lock as module
from benchharness.store.lock import EXPIRY_SECONDS, alive, clear, lease

HOLD = """
import sys
from pathlib import Path
from benchharness.store.lock import lease
with lease(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""


def other(folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def beat_from(folder: Path, host: str, age: float, pid: int = 1) -> None:
    (folder / "heartbeat").write_text(json.dumps({"host": host, "pid": pid}))
    os.utime(folder / "heartbeat", (time.time() - age,) * 2)


def test_a_lease_is_visible_while_it_lasts_and_leaves_no_heartbeat(tmp_path: Path) -> None:
    assert not alive(tmp_path)
    with lease(tmp_path) as ours:
        assert ours
        assert alive(tmp_path)
    assert not alive(tmp_path)
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_never_hold_one_folder_and_a_killed_one_holds_none(tmp_path: Path) -> None:
    with other(tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert alive(tmp_path)
        with lease(tmp_path) as ours:
            assert not ours
        assert (tmp_path / "heartbeat").exists()
        holder.kill()
        holder.wait()
        assert (tmp_path / "heartbeat").exists()
        assert not alive(tmp_path)
        with lease(tmp_path) as ours:
            assert ours


def test_a_fresh_heartbeat_of_another_machine_is_respected(tmp_path: Path) -> None:
    beat_from(tmp_path, "elsewhere", 1)
    assert alive(tmp_path)
    with lease(tmp_path) as ours:
        assert not ours
    assert (tmp_path / "heartbeat").exists()


@pytest.mark.parametrize("age", [0, EXPIRY_SECONDS + 5, -EXPIRY_SECONDS - 5], ids=["now", "old", "clock set back"])
def test_a_heartbeat_is_taken_over_once_it_was_watched_to_have_stopped(
    tmp_path: Path, age: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the time stamp says: another machine's clock may be wrong, and so may ours."""
    beat_from(tmp_path, "elsewhere", age)
    assert alive(tmp_path) == (age == 0)
    clock = iter([0.0, EXPIRY_SECONDS - 1, EXPIRY_SECONDS + 1])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    for expected in (False, False, True):
        with lease(tmp_path) as ours:
            assert ours == expected


def test_a_heartbeat_that_goes_on_is_never_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXPIRY_SECONDS", -1.0)
    for age in (500, 400, 300):
        beat_from(tmp_path, "elsewhere", age)
        with lease(tmp_path) as ours:
            assert not ours


def test_a_fresh_heartbeat_of_a_dead_process_here_is_nobody(tmp_path: Path) -> None:
    beat_from(tmp_path, socket.gethostname(), 1, pid=2**22 + 1)
    assert not alive(tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"host": 3', '{"pid": "x"}'])
def test_a_damaged_heartbeat_harms_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "heartbeat").write_text(content)
    assert alive(tmp_path)
    with lease(tmp_path) as ours:
        assert ours


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    with lease(tmp_path):
        os.utime(tmp_path / "heartbeat", (0, 0))
        deadline = time.monotonic() + 5
        while not alive(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert alive(tmp_path)
