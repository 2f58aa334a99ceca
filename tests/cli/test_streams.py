"""A command whose standard streams are closed, as cron jobs and daemons have them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import command_line
from tests.support.tiny import install_images

LOOK = """
import os, sys
from benchharness.cli import main
main(["--version"])
numbers = [os.open(os.devnull, os.O_RDONLY)]
child = os.spawnvp(os.P_WAIT, sys.executable, [sys.executable, "-c", sys.argv[2]])
open(sys.argv[1], "w").write(f"{min(numbers) > 2} {child}")
"""

CHILD = "import sys; sys.stdin.fileno(); sys.stdout.flush(); sys.stderr.flush()"


def shell(*command: str, redirections: str) -> int:
    """The exit code of a command that is started with streams closed."""
    return subprocess.run(["sh", "-c", f'exec "$@" {redirections}', "sh", *command], timeout=240).returncode


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, redirections: str) -> None:
    assert shell(sys.executable, "-c", LOOK, str(tmp_path / "told"), CHILD, redirections=redirections) == 0
    assert (tmp_path / "told").read_text() == "True 0"


@pytest.mark.slow
@pytest.mark.parametrize("redirections", [">&- 2>&-", "<&- >&- 2>&-", "2>&-"])
def test_searches_are_made_whoever_looks(own_home: Path, monkeypatch: pytest.MonkeyPatch, redirections: str) -> None:
    install_images(own_home / "data")
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    request = command_line(own_home / "results", "darts", "0-1", jobs=2, settings={"epochs": 1})
    assert shell(sys.executable, "-m", "benchharness", *request, redirections=redirections) == 0
    assert len(list((own_home / "results").rglob("record.json"))) == 2
    assert list((own_home / "reports").rglob("report.md"))
