"""Scoring by a supernet, killed: the same command goes on, and ends with the same bytes."""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchharness.io.catalog import measured_folder
from tests.support.commands import Forks

KILLS = 12


def saved_lines() -> int:
    """Lines of scores so far."""
    return sum(path.read_bytes().count(b"\n") for path in measured_folder().glob("scores-*.jsonl"))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_and_the_same_command_again_scores_the_same(home: Path, jobs: int) -> None:
    rng, kills = random.Random(jobs), 0
    with Forks() as forks:
        forks.start(home / "results", "darts")
        assert forks.ended() == 0
        run = next((home / "results").rglob("record.json")).parent.name.rpartition("-")[2]
        score = ["score", "--run", run, "--results", str(home / "results"), "--jobs", str(jobs), "--device", "cpu"]
        score += ["--batches", "0", "--sample", "600"]
        forks.begin([*score, "--out", str(home / "calm.csv")])
        assert forks.ended() == 0
        every = saved_lines()
        for path in measured_folder().glob("scores-*"):
            path.unlink()
        for _ in range(KILLS):
            before, child = saved_lines(), forks.begin([*score, "--out", str(home / "killed.csv")])
            while saved_lines() <= before and not (home / "killed.csv").exists():
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.2))
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            kills += forks.ended() == -signal.SIGKILL
        assert kills > 0
        forks.begin([*score, "--out", str(home / "killed.csv")])
        assert forks.ended() == 0
    print(f"{kills} kills, {every} lines")
    assert (home / "killed.csv").read_bytes() == (home / "calm.csv").read_bytes()
    assert saved_lines() == every, "nothing is scored twice, and no line is lost"
