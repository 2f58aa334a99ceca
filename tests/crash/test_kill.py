"""Real processes, killed: what they leave goes on to the same bytes as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from benchharness.store.lease import alive
from tests.tiny import SETTINGS, install_images

EPOCHS = 6
DETERMINISTIC = ("spec.json", "record.json", "trace.npz")


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install_images(own_home / "data")
    for name, value in {"BENCHHARNESS_DATA": str(own_home / "data"), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    return own_home


def start(home: Path, out: str, methods: str = "ostr", seeds: str = "0", jobs: int = 1) -> "subprocess.Popen[str]":
    """The command under test in a process group of its own, on one core, so that `jobs` do not change its numbers."""
    code = (
        "import sys; from benchharness import cli, environment; environment.cores = lambda: 1; "
        "import benchharness.report; benchharness.report.build = lambda results, out, table: out; "
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    settings = [f"{key}={value}" for key, value in {**SETTINGS, "epochs": EPOCHS}.items()]
    words = ["run", "--methods", methods, "--seeds", seeds, "--jobs", str(jobs), "--out", str(home / out)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words, "--suite", "mine", "--device", "cpu", "--set", *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    return out


def results(folder: Path) -> Mapping[str, bytes]:
    """Every file that may not depend on what happened on the way."""
    return {str(path.relative_to(folder)): path.read_bytes() for name in DETERMINISTIC for path in folder.rglob(name)}


def wait_for_epoch(folder: Path, epoch: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(path.read_bytes().count(b"\n") >= epoch for path in folder.rglob("trace.jsonl")):
            return
        time.sleep(0.005)
    raise AssertionError(f"epoch {epoch} was never reached")


def alive_in_group(group: int) -> list[str]:
    """Processes of a group that still run; one that has ended and waits for its parent to notice does not."""
    alive = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            name, _, rest = path.read_text().rpartition(")")
            state, _, its_group = rest.split()[:3]
            alive += [name] if its_group == str(group) and state != "Z" else []
    return alive


def leftovers(folder: Path) -> list[Path]:
    return [path for name in ("*.lock", "heartbeat", "*.tmp", "failure.json") for path in folder.rglob(name)]


def test_kill_9_and_the_same_command_again_give_the_same_bytes(home: Path) -> None:
    calm = start(home, "calm")
    killed = start(home, "killed")
    wait_for_epoch(home / "killed", 2)
    killed.kill()
    killed.communicate()
    assert not list((home / "killed").rglob("record.json"))
    finish(start(home, "killed"))
    finish(calm)
    assert results(home / "killed") == results(home / "calm")
    assert len(results(home / "calm")) == 2 * len(DETERMINISTIC)
    assert leftovers(home / "killed") == []
    machine = next((home / "killed" / "mine" / "cifar10" / "darts").rglob("machine.json"))
    attempts = json.loads(machine.read_text())["attempts"]
    assert len(attempts) == 2
    assert attempts[1]["epoch"] >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interruption_ends_the_workers_and_leaves_a_resumable_folder(home: Path, number: signal.Signals) -> None:
    process = start(home, "results", seeds="0-1", jobs=2)
    wait_for_epoch(home / "results", 1)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "goes on from here: benchharness run" in err
    assert "Traceback" not in err
    deadline = time.monotonic() + 10
    while (left := alive_in_group(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


@pytest.mark.slow
def test_two_runners_on_one_folder_do_every_run_once(home: Path) -> None:
    runners = [start(home, "results", methods="darts,random", seeds="0-2") for _ in range(2)]
    told = [finish(runner) for runner in runners]
    machines = [json.loads(path.read_text()) for path in (home / "results").rglob("machine.json")]
    assert len(machines) == 6
    assert all(len(machine["attempts"]) == 1 for machine in machines)
    assert all("method  seeds  cells" in out for out in told)
    assert leftovers(home / "results") == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_again_and_again_at_random_moments(home: Path) -> None:
    """Runners of one and of two processes in turn, each killed within seconds of its first sign of life."""
    request = {"methods": "ostr,snas,random", "seeds": "0-3"}
    finish(start(home, "calm", **request))
    chance = random.Random(0)
    kills = 0
    for kills in range(40):
        process = start(home, "killed", jobs=1 + kills % 2, **request)
        wait_until_working(process, home / "killed")
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=chance.uniform(0.0, 3.0))
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(start(home, "killed", **request))
    assert kills > 4
    assert results(home / "killed") == results(home / "calm")
    assert leftovers(home / "killed") == []


def wait_until_working(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Return once a run has a living owner, or the process has ended."""
    while process.poll() is None and not any(alive(beat.parent) for beat in folder.rglob("heartbeat")):
        time.sleep(0.02)
