"""What hangs is ended, even where Python itself cannot act; what does not is left alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchharness.compute.watchdog import stacks, time_limit

HOLDS_THE_INTERPRETER = """
import ctypes, sys
from pathlib import Path
from benchharness.compute.watchdog import time_limit
def stuck():
    ctypes.PyDLL(None).sleep(60)  # PyDLL keeps Python's lock while it sleeps
with time_limit(Path(sys.argv[1]), 0.5):
    stuck()
"""


def test_a_process_stuck_in_native_code_is_ended_and_says_where(tmp_path: Path) -> None:
    note = tmp_path / "hung.txt"
    start = time.monotonic()
    process = subprocess.run([sys.executable, "-c", HOLDS_THE_INTERPRETER, str(note)], timeout=30)
    assert process.returncode == 1
    assert time.monotonic() - start < 20
    assert "in stuck" in stacks(note)


def test_a_pipe_in_the_notes_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "note")
    with time_limit(tmp_path / "note", 60):
        pass
    assert not (tmp_path / "note").exists()


def test_what_ends_in_time_leaves_nothing(tmp_path: Path) -> None:
    note = tmp_path / "hung.txt"
    for seconds in (60.0, 0.0):
        with time_limit(note, seconds):
            pass
        assert not note.exists()
    assert stacks(note) == ""
