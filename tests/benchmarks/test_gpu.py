"""The script for a GPU: every step has its time, nothing found is lost, and what is carried comes out whole."""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
ABSENT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"platformdirs", "httpx", "pooch", "nas_201_api", "beartype", "distributed"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
"""A `sitecustomize` without what the machine with a GPU lacks; msgspec, which it lacks too, is carried there."""


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script, at work in a folder of its own."""
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.chdir(tmp_path)
    for name in ("gpu", "gpu_plan", "carrying"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("gpu")
    assert tmp_path / "runs" / "gpu" == module.WORK
    module.WORK.mkdir(parents=True)
    yield module
    for name in ("gpu", "gpu_plan", "carrying"):
        del sys.modules[name]


def arguments(tmp_path: Path, **changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"device": "cpu", "out": tmp_path / "out", "jobs": 0, **changes})


def step_exits(gpu: ModuleType) -> list[tuple[str, int | None]]:
    return [(line["step"], line["exit"]) for line in gpu.notes()]


def does(gpu: ModuleType, name: str, code: str, seconds: float = 60.0, **more: Any) -> Any:
    """A step of Python code."""
    return gpu.Step(name, (sys.executable, "-c", code), seconds, **more)


def has_ended(process: int) -> bool:
    """Whether a process is gone, or has ended and is only not yet asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def appears(path: Path) -> None:
    while not (path.exists() and path.read_text()):
        time.sleep(0.02)


FORKS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
open("child", "w").write(str(child.pid))
print("begun", flush=True)
child.wait()
"""


def test_a_step_that_takes_too_long_is_ended_with_all_it_started_and_the_next_goes_on(
    gpu: ModuleType, tmp_path: Path
) -> None:
    steps = [does(gpu, "slow", FORKS, 2.0), does(gpu, "quick", "print(6 * 7)", 20.0)]
    assert gpu.all_of(steps, arguments(tmp_path), time.monotonic() + 60) == 1
    assert step_exits(gpu) == [("slow", None), ("quick", 0), ("slow", None)], "tried again once all others have been"
    with tarfile.open(tmp_path / "out" / "evidence.tgz") as archive:
        names = archive.getnames()
    assert {"slow.txt", "quick.txt", "steps.jsonl"} <= set(names)
    assert (gpu.WORK / "slow.txt").read_text().count("\nbegun\n") == 2
    assert has_ended(int((tmp_path / "child").read_text()))


def test_a_step_hears_the_word_to_end_also_where_a_shell_let_this_job_ignore_it(
    gpu: ModuleType, tmp_path: Path
) -> None:
    """As background jobs of shells without job control do: what ends in its own way writes down what it has."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        gpu.all_of([does(gpu, "slow", FORKS, 2.0)], arguments(tmp_path), time.monotonic() + 60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "KeyboardInterrupt" in (gpu.WORK / "slow.txt").read_text()


def test_a_step_that_fails_takes_none_along_and_is_tried_twice_alone(gpu: ModuleType, tmp_path: Path) -> None:
    steps = [does(gpu, "bad", "raise SystemExit(3)"), does(gpu, "good", "")]
    for _ in range(2):
        assert gpu.all_of(steps, arguments(tmp_path), time.monotonic() + 90) == 1
    assert step_exits(gpu) == [("bad", 3), ("good", 0), ("bad", 3)]


def test_the_same_again_goes_on_where_the_time_was_up(gpu: ModuleType, tmp_path: Path) -> None:
    """A search that pauses leaves the others their turn; it and what time was too short for count as no failures."""
    pausing_code = "import pathlib; p = pathlib.Path('n'); p.open('a').write('x'); exit(75 * (len(p.read_text()) < 3))"
    steps = [does(gpu, "search", pausing_code), does(gpu, "long", "", 300.0, least=200.0), does(gpu, "short", "")]
    assert gpu.all_of(steps, arguments(tmp_path), time.monotonic() + 90) == gpu.MORE
    assert step_exits(gpu) == [("search", 75), ("short", 0), ("search", 75)]
    assert gpu.all_of(steps, arguments(tmp_path), time.monotonic() + 400) == 0
    assert step_exits(gpu)[3:] == [("long", 0), ("search", 0)]
    assert gpu.all_of(steps, arguments(tmp_path), time.monotonic() + 400) == 0
    assert len(step_exits(gpu)) == 5


def test_a_step_that_the_commands_end_cut_short_has_not_failed(gpu: ModuleType) -> None:
    step = does(gpu, "some", "", 50.0)
    for limit, failures in ((20.0, 0), (49.9, 1)):
        gpu.note(step, "cpu", limit, None, limit)
        assert gpu.attempts(step, "cpu").failed == failures


def test_what_was_found_on_one_device_does_not_count_for_another(gpu: ModuleType) -> None:
    step = does(gpu, "some", "")
    gpu.note(step, "cpu", 60, 0, 1.0)
    assert gpu.attempts(step, "cpu") is None
    assert gpu.attempts(step, "cuda") == (0, 0)


def test_a_torn_line_does_not_count(gpu: ModuleType) -> None:
    step = does(gpu, "some", "")
    (gpu.WORK / "steps.jsonl").write_text('{"step": "some", "exit": 0, "dev')
    assert gpu.attempts(step, "cpu") == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_whoever_is_killed_in_a_step_goes_on_with_it(gpu: ModuleType, tmp_path: Path, number: signal.Signals) -> None:
    """What the killed command left going is ended first; where it could still speak, it ended that itself."""
    does_so = f"import gpu; gpu.steps_of = lambda args: [gpu.Step('some', ({sys.executable!r}, '-c', {FORKS!r}), 60.0)]"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); {does_so}; exit(gpu.main())"]
    script = subprocess.Popen([*command, "run", "--device", "cpu"], stdout=subprocess.DEVNULL)
    appears(tmp_path / "child")
    child = int((tmp_path / "child").read_text())
    script.send_signal(number)
    script.wait()
    assert has_ended(child) == (number == signal.SIGTERM)
    gpu.end_leftover()
    assert has_ended(child)
    steps = [does(gpu, "some", "")]
    assert gpu.all_of(steps, arguments(tmp_path), time.monotonic() + 60) == 0
    assert step_exits(gpu) == [("some", 0)]


def test_another_process_of_that_number_is_left_alone(gpu: ModuleType) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd="/", process_group=0)
    (gpu.WORK / "going").write_text(str(other.pid))
    gpu.end_leftover()
    assert other.poll() is None
    other.communicate(b"\n")


def test_without_the_device_nothing_else_is_tried(gpu: ModuleType, tmp_path: Path) -> None:
    args = arguments(tmp_path, device="cuda:7", small=True, suite="suites/paper.toml", seconds=560.0)
    with pytest.raises(SystemExit, match="no use without the device"):
        gpu.all_of(list(gpu.steps_of(args)), args, time.monotonic() + 120)
    assert step_exits(gpu) == [("device", 1)]
    assert "AssertionError" in (gpu.WORK / "device.txt").read_text()


def test_the_search_takes_the_way_that_was_found_best(gpu: ModuleType) -> None:
    step = gpu.Step("search", ("{mps}", "run", "--jobs", "{jobs}", "--for", "{left}s"), 560.0)
    assert gpu.filled_words(step, 0, 300.0) == ["run", "--jobs", "3", "--for", "260s"]

    def write_figures(name: str, **rates: float) -> None:
        figures = {f"{number[1:]} at a time": {"epochs an hour": rate} for number, rate in rates.items()}
        (gpu.WORK / f"{name}.json").write_text(json.dumps({"figures": figures}))

    write_figures("several", n1=10.0, n2=19.0, n4=18.0)
    assert gpu.filled_words(step, 0, 300.0)[:3] == ["run", "--jobs", "2"]
    assert gpu.filled_words(step, 5, 300.0)[:3] == ["run", "--jobs", "5"]
    write_figures("several-mps", n4=25.0)
    assert gpu.filled_words(step, 0, 300.0)[:5] == [*sys.modules["gpu_plan"].MPS, "run", "--jobs", "4"]
    (gpu.WORK / "several.json").write_text("torn")
    assert gpu.filled_words(step, 0, 300.0)[-3] == "4"


DAEMON = """#!/bin/sh
echo "$@ $(test "$1" = -d || cat) $CUDA_MPS_PIPE_DIRECTORY" >> control
exit $(cat status)
"""


@pytest.mark.parametrize(
    ("status", "sentence"), [(0, "with MPS"), (1, "without MPS: nvidia-cuda-mps-control ended with 1")]
)
def test_a_command_runs_under_mps_where_its_daemon_starts_and_else_without(
    tmp_path: Path, status: int, sentence: str
) -> None:
    control = tmp_path / "nvidia-cuda-mps-control"
    control.write_text(DAEMON)
    control.chmod(0o755)
    (tmp_path / "status").write_text(str(status))
    code = "import os; print(os.environ.get('CUDA_MPS_PIPE_DIRECTORY')); exit(7)"
    command = [sys.executable, str(SCRIPTS / "mps.py"), sys.executable, "-c", code]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    first_line, pipe_folder = process.stdout.splitlines()
    assert (process.returncode, first_line.startswith(sentence)) == (7, True)
    requests = [line.split() for line in (tmp_path / "control").read_text().splitlines()]
    if status:
        assert pipe_folder == "None"
        assert [command[0] for command in requests] == ["-d"]
    else:
        assert requests == [["-d", pipe_folder], ["quit", pipe_folder]]
        assert not Path(pipe_folder).exists()


def test_without_that_daemon_a_command_runs_as_ever(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "mps.py"), sys.executable, "-c", "print('done')"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert process.stdout == "without MPS: there is no nvidia-cuda-mps-control\ndone\n"


def test_the_plan_names_every_step_and_no_command_is_too_long(gpu: ModuleType, tmp_path: Path) -> None:
    args = arguments(tmp_path, device="cuda", small=False, suite="suites/paper.toml", seconds=560.0)
    steps = list(gpu.steps_of(args))
    header, _, *rows = gpu.page(steps, 560)
    assert header.startswith("| command | minutes")
    assert [row.split("|")[3].strip(" `") for row in rows] == [step.name for step in steps]
    assert max(float(row.split("|")[2].split("-")[1]) for row in rows) <= 560 / 60
    assert "\n".join(rows) in (SCRIPTS.parent / "docs" / "gpu.md").read_text()


def test_the_newest_checkpoints_of_unfinished_runs_come_back_and_no_other(gpu: ModuleType, tmp_path: Path) -> None:
    for age, name in enumerate(("new", "second", "third", "old", "whole")):
        folder = gpu.WORK / "results" / name
        folder.mkdir(parents=True)
        (folder / "checkpoint.pt").write_text(name)
        os.utime(folder / "checkpoint.pt", (1000 - age, 1000 - age if name != "whole" else 2000))
        (folder / "trace.jsonl").write_text("{}")
        if name == "whole":
            (folder / "record.json").write_text("{}")
    gpu.carrying.archive(tmp_path / "out")
    for number, name in enumerate(("new", "second", "third"), 1):
        with tarfile.open(tmp_path / "out" / f"checkpoint-{number}.tgz") as archive:
            assert archive.getnames() == [f"results/{name}/checkpoint.pt"]
    with tarfile.open(tmp_path / "out" / "evidence.tgz") as archive:
        names = archive.getnames()
    assert "results/whole/record.json" in names
    assert not any("checkpoint" in name for name in names)
    (gpu.WORK / "results" / "new" / "record.json").write_text("{}")
    (gpu.WORK / "results" / "old" / "record.json").write_text("{}")
    gpu.carrying.archive(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3, "no checkpoint of a run that is finished by now"


def test_what_is_carried_in_pieces_comes_out_whole(gpu: ModuleType, tmp_path: Path) -> None:
    carrying, data = gpu.carrying, tmp_path / "data"
    (data / "images").mkdir(parents=True)
    content = os.urandom(100_000)
    (data / "images" / "some.npz").write_bytes(content)
    (carrying.CARRIED / "1").mkdir(parents=True)
    (carrying.CARRIED / "1" / "commit").write_text("abc\n")
    carrying.split_data(data, 30_000)
    assert all(carrying.size_of(folder) <= 30_000 for folder in carrying.CARRIED.iterdir())
    parts = sorted(carrying.CARRIED.rglob("data.tar.*"))
    assert len(parts) == 4
    waiting_parts = [part.rename(tmp_path / part.name) for part in parts]
    args, steps = arguments(tmp_path), [does(gpu, "device", ""), does(gpu, "some", "")]
    for part in waiting_parts:  # with one command each
        assert not (gpu.WORK / "data").exists()
        part.rename(carrying.CARRIED / "1" / part.name)
        carrying.unpack("cpu")
        (carrying.CARRIED / "1" / part.name).unlink()
        assert gpu.all_of(steps, args, time.monotonic() + 60) == (0 if part == waiting_parts[-1] else gpu.MORE)
    assert step_exits(gpu) == [("device", 0), ("some", 0)]
    assert (gpu.WORK / "data" / "images" / "some.npz").read_bytes() == content
    environment = gpu.environment_of(arguments(tmp_path))
    assert environment["BENCHHARNESS_DATA"] == str(gpu.WORK / "data")
    assert environment["BENCHHARNESS_COMMIT"] == "abc"


def test_what_travels_beside_the_repository_is_what_git_knows_and_does_not_ignore(
    gpu: ModuleType, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    for name, size in ((".gitignore", 6), ("known", 1000), ("new", 200), ("gone", 30)):
        (tmp_path / name).write_bytes(b"runs/\n" if name == ".gitignore" else bytes(size))
    (tmp_path / "runs" / "large").write_bytes(bytes(50_000))
    subprocess.run(["git", "add", "known", "gone"], check=True)
    (tmp_path / "gone").unlink()
    assert gpu.carrying.tree_bytes() == 1206


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_rehearsal_without_what_is_missing_there_killed_once_goes_on_to_its_end(tmp_path: Path) -> None:
    copy, site = tmp_path / "copy", tmp_path / "site"
    for folder in (copy, site):
        folder.mkdir()
    for name in ("benchharness", "benchmarks", "suites", "tests", "pyproject.toml"):
        (copy / name).symlink_to(SCRIPTS.parent / name)
    (site / "sitecustomize.py").write_text(ABSENT)
    command = [sys.executable, "benchmarks/gpu.py", "run", "--device", "cpu", "--small", "--seconds", "1200"]
    command += ["--only", "device,first,tests,step,several,search,epoch", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    environment.pop("BENCHHARNESS_DATA", None)
    first_process = subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.DEVNULL)
    while not list(copy.glob("runs/gpu/results/**/trace.jsonl")):  # the first search has an epoch
        time.sleep(0.05)
    first_process.kill()
    first_process.wait()
    process = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    with tarfile.open(tmp_path / "out" / "evidence.tgz") as archive:
        names = [Path(name).name for name in archive.getnames()]
    assert names.count("record.json") == 2
    assert {"step.json", "several.json", "epoch.json", "steps.jsonl", "tests.txt"} <= set(names)
    assert " passed" in (copy / "runs" / "gpu" / "tests.txt").read_text()
