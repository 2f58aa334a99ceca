"""Disks that are full or read-only, files that are damaged, workers that hang, run out of memory or diverge."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchharness.store.doctor import examine
from tests.support.commands import (
    DETERMINISTIC,
    Forks,
    finish,
    leftovers,
    machines,
    results,
    someone_works,
    start,
    wait_for_epoch,
)

HANGS = '''
import time
from benchharness import Method

class Mine(Method):
    """Never comes back from its first draw."""
    def draw(self, progress):
        while True:
            time.sleep(0.1)
'''
DIVERGES = '''
from benchharness import Method

class Mine(Method):
    """Weights that are not numbers."""
    def draw(self, progress):
        return self.alpha.softmax(-1) * float("nan")
'''
KILLED = '''
import os, signal
from benchharness import Method

class Mine(Method):
    """Ends as a process does that the kernel chose when memory ran out."""
    def draw(self, progress):
        os.kill(os.getpid(), signal.SIGKILL)
'''
DEVOURS = '''
import torch
from benchharness import Method

class Mine(Method):
    """Asks for more memory than there is."""
    def draw(self, progress):
        return self.alpha.softmax(-1) + torch.empty(2**50).sum()
'''
FILLS = '''
import os, resource, torch
from benchharness import Method

class Mine(Method):
    """Takes memory bit by bit until its process is allowed no more, unless there is room."""
    def draw(self, progress):
        if "ROOM" not in os.environ:
            pages = int(open("/proc/self/statm").read().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**28, resource.RLIM_INFINITY))
            held = []
            while True:
                held.append(torch.ones(2**20))
        return self.alpha.softmax(-1)
'''


def failures(folder: Path) -> list[str]:
    records = [json.loads(path.read_text()) for path in sorted(folder.rglob("failure.json"))]
    return [f"{item['type']}: {item['message']}" for item in records]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for almost nothing; skips where it cannot be had."""
    path = tmp_path / "disk"
    path.mkdir()
    if not mounted("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)):
        pytest.skip("mounting a tmpfs takes rights that we lack")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def mounted(*options: str) -> bool:
    return subprocess.run(["mount", *options], capture_output=True).returncode == 0


def test_a_full_and_then_a_read_only_disk_cost_nothing_that_was_done(home: Path, disk: Path) -> None:
    with Forks() as forks:

        def exit_code(out: Path) -> int:
            forks.start(out, "darts")
            return forks.ended()

        assert exit_code(disk / "results") == 1
        assert not list(disk.rglob("record.json"))
        assert not list(disk.rglob("*.tmp"))
        assert mounted("-o", "remount,size=64m", str(disk))
        assert exit_code(disk / "results") == 0
        assert exit_code(home / "calm") == 0
        assert results(disk / "results") == results(home / "calm")
        assert mounted("-o", "remount,ro", str(disk))
        assert exit_code(disk / "results") == 0
        assert exit_code(disk / "elsewhere") == 1
    assert examine(disk / "results")[:2] == (1, ())


def test_a_method_that_diverges_or_devours_fails_alone(home: Path) -> None:
    for name, source in {"diverges": DIVERGES, "devours": DEVOURS}.items():
        (home / f"{name}.py").write_text(source)
    methods = f"{home}/diverges.py,{home}/devours.py,random"
    output = finish(start(home / "results", methods), code=1)
    devours, diverges = failures(home / "results")
    assert diverges.startswith("Diverged: train_loss, valid_loss, alpha not finite in epoch 1")
    assert "can't allocate memory" in devours or "out of memory" in devours
    assert output.count("FAILED") == 2
    assert output.count("FAILED  no memory left; take fewer --jobs, or a smaller batch") == 1
    assert len(list((home / "results").rglob("record.json"))) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_process_that_runs_out_of_memory_loses_one_run_until_there_is_room(
    home: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """Its memory is limited for good, so that later runs of the same process have to do with what there is."""
    (home / "fills.py").write_text(FILLS)
    methods = f"{home}/fills.py,darts,random"
    output = finish(start(home / "results", methods, "0-1", jobs=jobs), code=1)
    for failure in failures(home / "results"):
        assert "can't allocate memory" in failure
    assert len(failures(home / "results")) == output.count("FAILED") == 2
    monkeypatch.setenv("ROOM", "1")
    finish(start(home / "calm", methods, "0-1"))
    expected = results(home / "calm")
    others = {path: content for path, content in expected.items() if "fills" not in path}
    assert len(others) == 4 * len(DETERMINISTIC)
    assert others == {path: content for path, content in results(home / "results").items() if "fills" not in path}
    finish(start(home / "results", methods, "0-1", jobs=jobs))
    assert results(home / "results") == expected
    assert leftovers(home / "results") == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_worker_that_the_kernel_kills_takes_no_other_run_with_it(home: Path) -> None:
    (home / "killed.py").write_text(KILLED)
    output = finish(start(home / "results", f"darts,random,{home}/killed.py", "0-1", jobs=2), code=1)
    assert [failure.split(":")[1].strip() for failure in failures(home / "results")] == ["its process died"] * 2
    assert output.count("FAILED  its process died") == 2
    assert len(list((home / "results").rglob("record.json"))) == 4
    finish(start(home / "calm", "darts,random", "0-1"))
    expected = results(home / "calm")
    assert {path: content for path, content in results(home / "results").items() if path in expected} == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_worker_that_hangs_is_ended_and_its_run_fails_alone(home: Path) -> None:
    (home / "hangs.py").write_text(HANGS)
    output = finish(start(home / "results", f"darts,{home}/hangs.py", jobs=2, timeout=8), code=1)
    assert failures(home / "results") == ["TimeoutError: it hung: no epoch or reading ended in 8 s"]
    assert "FAILED  it hung" in output
    failure = next((home / "results").rglob("failure.json"))
    assert "in draw" in json.loads(failure.read_text())["traceback"]
    assert len(list((home / "results").rglob("record.json"))) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_stopped_run_whose_files_are_damaged_comes_out_the_same(home: Path) -> None:
    """Every file of a run, cut or garbled at a random place, while it is half done and once it is done."""
    rng = random.Random(0)
    with Forks() as forks:

        def once(out: Path) -> None:
            forks.start(out, "darts")
            assert forks.ended() == 0

        once(home / "calm")
        names = ("record.json", "spec.json", "trace.jsonl", "checkpoint.pt", "machine.json", "trace.npz")
        tries = 0
        for turn in range(48):
            name, is_done = names[turn % 6], turn >= 24
            out = home / f"damaged-{turn}"
            if is_done:
                once(out)
            else:
                start_and_kill(forks, out)
            for path in out.rglob(name):
                damage(path, rng)
                tries += 1
                for finding in examine(out).findings:
                    if "delete record.json" in finding.remedy:
                        (finding.path / "record.json").unlink(missing_ok=True)
                    if "delete checkpoint.pt too" in finding.remedy:
                        (finding.path / "checkpoint.pt").unlink()
            once(out)
            assert results(out) == results(home / "calm"), (name, is_done)
        print(f"{tries} files damaged, {len(list(home.rglob('damaged-*')))} runs gone on with")


def start_and_kill(forks: Forks, out: Path) -> None:
    import os
    import signal

    child = forks.start(out, "darts")
    wait_for_epoch(out, 3)
    os.kill(child, signal.SIGKILL)
    forks.ended()


def damage(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    at = rng.randrange(len(content))
    path.write_bytes(content[:at] if rng.random() < 0.5 else content[:at] + bytes(8) + content[at + 8 :])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_clocks_that_jump_change_nothing(home: Path) -> None:
    """Each call of the clock is off by up to three days either way; a second runner comes while the first one works."""
    jumps = (
        "import random, time\nclock, chance = time.time, random.Random(0)\n"
        "time.time = lambda: clock() + chance.uniform(-250_000, 250_000)"
    )
    first = start(home / "results", "darts", "0-2", before=jumps)
    while first.poll() is None and not someone_works(home / "results"):
        time.sleep(0.01)
    second = start(home / "results", "darts", "0-2", before=jumps)
    finish(first)
    finish(second)
    finish(start(home / "calm", "darts", "0-2"))
    assert results(home / "results") == results(home / "calm")
    assert [len(machine["attempts"]) for machine in machines(home / "results")] == [1, 1, 1]
    assert leftovers(home / "results") == []
