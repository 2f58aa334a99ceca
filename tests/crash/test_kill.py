"""Real processes, killed: what they leave goes on to the same bytes as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.commands import (
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
    traces,
    wait_for_epoch,
)

SUITE = {"methods": "ostr,snas,random", "seeds": "0-3"}
KILLS = int(os.environ.get("BENCHHARNESS_KILLS", "100"))


def test_killed_at_random_moments_and_the_same_command_again_give_the_same_bytes(home: Path) -> None:
    rng = random.Random(1)
    with Forks() as forks:
        forks.start(home / "calm")
        assert forks.ended() == 0
        kills = sum(was_killed(forks, home / "killed", Moment.any(rng)) for _ in range(4))
        forks.start(home / "killed")
        assert forks.ended() == 0
    assert kills > 0
    assert results(home / "killed") == results(home / "calm")
    assert len(results(home / "calm")) == 2 * len(DETERMINISTIC)
    assert leftovers(home / "killed") == []


class Moment(NamedTuple):
    """When to kill: so many epochs and readings after the start, and a little later."""

    steps: int
    seconds: float

    @classmethod
    def any(cls, rng: random.Random) -> "Moment":
        return cls(rng.randrange(3), rng.uniform(0.0, 0.4))

    def wait(self, out: Path, has_ended: Callable[[], bool]) -> None:
        """Steps are counted, since a runner under a heavy load needs seconds to begin."""
        before = steps(out)
        while not (someone_works(out) and steps(out) >= before + self.steps) and not has_ended():
            time.sleep(0.02)  # looking on costs the runner nothing where cores are few
        time.sleep(self.seconds)


def steps(out: Path) -> int:
    """Epochs and readings done."""
    traces = sum(path.read_bytes().count(b"\n") for path in out.rglob("trace.jsonl"))
    return traces + len(list(out.rglob("record.json")))


def was_killed(forks: Forks, out: Path, moment: Moment, whole_group: bool = False, **request: Any) -> bool:
    """Begin the command and kill it, alone or with its workers; whether it had not ended before."""
    child = forks.start(out, **request)
    moment.wait(out, lambda: not exists(child))
    killed_group(child, signal.SIGKILL) if whole_group else killed_alone(child)
    return forks.ended() == -signal.SIGKILL


def killed_alone(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def exists(process: int) -> bool:
    """Whether a process is there that has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, False), *[pytest.param(signal.SIGTERM, group, marks=pytest.mark.slow) for group in (False, True)]],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM to all, as schedulers do"],
)
def test_an_interruption_ends_the_workers_and_leaves_a_resumable_folder(
    home: Path, number: signal.Signals, whole_group: bool
) -> None:
    process = start(home / "results", seeds="0-1", jobs=2)
    wait_for_epoch(home / "results", 2)  # the trace is ahead of the checkpoint, by one epoch at most
    killed_group(process.pid, number) if whole_group else os.kill(process.pid, number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "this command resumes: benchharness run" in err
    assert "Traceback" not in err
    assert list((home / "results").rglob("checkpoint.pt"))
    deadline = time.monotonic() + 10
    while (processes := alive_in_group(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes == []


TOGETHER = """
import os, sys
from pathlib import Path
from benchharness.runs.runner import execute
from benchharness.store import Store
from tests.support.tiny import ON_CPU, Walk, jobs

def work(folder):
    suite_store = Store(Path(folder), "mine")
    plan = jobs("darts,ostr,snas", tuple(range(8)))
    found = [outcome.state for job in plan for outcome in execute(job, suite_store, ON_CPU, Walk)]
    return found.count("failed")

for count in map(int, sys.argv[2:]):
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            os._exit(work(f"{sys.argv[1]}/{count}"))
        children.append(child)
    assert not any(os.waitpid(child, 0)[1] for child in children)
"""
"""Forked runners that all go through the same jobs in the same order, of searches that take no time."""


def test_runners_that_want_the_same_runs_at_the_same_moments_do_each_once(home: Path) -> None:
    counts = ["1", "2", "4", "8"]
    command = [sys.executable, "-c", TOGETHER, str(home), *counts]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], timeout=200)
    expected = results(home / "1")
    assert len(expected) == 24 * len(DETERMINISTIC)
    for count in counts:
        assert results(home / count) == expected
        assert traces(home / count) == traces(home / "1")
        assert [len(machine["attempts"]) for machine in machines(home / count)] == [1] * 24
        assert leftovers(home / count) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("runners", [2, 4, 8])
def test_runners_on_one_folder_do_every_run_once(home: Path, runners: int) -> None:
    request = {"methods": "darts,ostr,random", "seeds": "0-7"}
    processes = [start(home / "results", **request) for _ in range(runners)]
    outputs = [finish(runner) for runner in processes]
    finish(start(home / "calm", **request))
    attempts = [len(machine["attempts"]) for machine in machines(home / "results")]
    wrong_paths = [
        path for path, content in results(home / "calm").items() if results(home / "results").get(path) != content
    ]
    print(
        f"{runners} runners, {len(attempts)} runs, {sum(attempts) - len(attempts)} duplicates, {len(wrong_paths)} wrong"
    )
    assert attempts == [1] * 24
    assert results(home / "results") == results(home / "calm")
    assert traces(home / "results") == traces(home / "calm")
    assert all("report: " in out for out in outputs)
    assert leftovers(home / "results") == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_over_a_suite_lose_and_change_nothing(home: Path) -> None:
    """Of ten kills, eight hit a runner that works alone, one a runner of two processes, and one all three of them.

    A folder takes 25 of them, or fewer where its runs are done before.
    """
    rng, kills, folders = random.Random(0), 0, 1
    with Forks() as forks:
        forks.start(home / "calm", jobs=1, **SUITE)
        assert forks.ended() == 0
        while kills < KILLS:
            jobs, whole_group = {4: (2, False), 9: (2, True)}.get(kills % 10, (1, False))
            hit = was_killed(forks, home / f"killed-{folders - 1}", Moment.any(rng), whole_group, jobs=jobs, **SUITE)
            kills += hit
            folders += not hit or (kills % 25 == 0 and kills < KILLS)
        for folder in range(folders):
            out = home / f"killed-{folder}"
            forks.start(out, jobs=1, **SUITE)
            assert forks.ended() == 0
            assert results(out) == results(home / "calm")
            assert leftovers(out) == []
            print(f"{out.name}: {[len(machine['attempts']) for machine in machines(out)]} attempts a run")
