"""Real processes, killed: what they leave goes on to the same bytes as if nothing had happened."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.commands import (
    DETERMINISTIC,
    Forks,
    alive_in_group,
    finish,
    killed_group,
    leftovers,
    machines,
    results,
    someone_works,
    start,
    wait_for_epoch,
)

SUITE = {"methods": "ostr,snas,random", "seeds": "0-3"}
KILLS = int(os.environ.get("BENCHHARNESS_KILLS", "100"))


def test_killed_at_random_moments_and_the_same_command_again_give_the_same_bytes(home: Path) -> None:
    """Each kill comes within the time that the whole job takes, from its first sign of life on."""
    chance = random.Random(1)
    with Forks() as forks:
        began = time.monotonic()
        forks.start(home / "calm")
        assert forks.ended() == 0
        longest = time.monotonic() - began
        kills = sum(killed(forks, home / "killed", chance.uniform(0, longest / 3)) for _ in range(4))
        forks.start(home / "killed")
        assert forks.ended() == 0
    assert kills > 0
    assert results(home / "killed") == results(home / "calm")
    assert len(results(home / "calm")) == 2 * len(DETERMINISTIC)
    assert leftovers(home / "killed") == []


def killed(forks: Forks, out: Path, after: float, methods: str = "ostr", seeds: str = "0") -> bool:
    """Begin the command and kill it so long after its first sign of life; whether it had not ended before."""
    child = forks.start(out, methods, seeds)
    deadline = time.monotonic() + 20
    while not someone_works(out) and time.monotonic() < deadline and exists(child):
        time.sleep(0.002)
    time.sleep(after)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return forks.ended() == -signal.SIGKILL


def exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, False), *[pytest.param(signal.SIGTERM, group, marks=pytest.mark.slow) for group in (False, True)]],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM to all, as schedulers do"],
)
def test_an_interruption_ends_the_workers_and_leaves_a_resumable_folder(
    home: Path, number: signal.Signals, whole_group: bool
) -> None:
    process = start(home / "results", seeds="0-1", jobs=2)
    wait_for_epoch(home / "results", 1)
    killed_group(process.pid, number) if whole_group else os.kill(process.pid, number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "goes on from here: benchharness run" in err
    assert "Traceback" not in err
    assert list((home / "results").rglob("checkpoint.pt"))
    deadline = time.monotonic() + 10
    while (left := alive_in_group(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("runners", [2, 8])
def test_runners_on_one_folder_do_every_run_once(home: Path, runners: int) -> None:
    started = [start(home / "results", "darts,random", "0-7") for _ in range(runners)]
    told = [finish(runner) for runner in started]
    assert [len(machine["attempts"]) for machine in machines(home / "results")] == [1] * 16
    assert all("method  seeds  cells" in out for out in told)
    assert leftovers(home / "results") == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_over_a_suite_lose_and_change_nothing(home: Path) -> None:
    """Three in four kills hit a runner that works alone, one in four a runner of two processes with all of them."""
    finish(start(home / "calm", **SUITE))
    chance, kills = random.Random(0), 0
    with Forks() as forks:
        for turn in range(10 * KILLS):
            if kills == KILLS:
                break
            out = home / f"killed-{kills // 25}"
            pause = chance.uniform(0.0, 1.5)
            kills += killed_pair(out, pause) if turn % 4 == 3 else killed(forks, out, pause, **SUITE)
    assert kills == KILLS
    for out in sorted(home.glob("killed-*")):
        finish(start(out, **SUITE))
        assert results(out) == results(home / "calm")
        assert leftovers(out) == []
        print(f"{out.name}: {[len(machine['attempts']) for machine in machines(out)]} attempts a run")


def killed_pair(out: Path, after: float) -> bool:
    process = start(out, jobs=2, **SUITE)
    while process.poll() is None and not someone_works(out):
        time.sleep(0.02)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=after)
        return False
    killed_group(process.pid, signal.SIGKILL)
    process.communicate()
    return True
