"""The script for a GPU: every step has its time, nothing found is lost, and what is carried comes out whole."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at work in a folder of its own."""
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_script", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WORK", tmp_path / "runs" / "gpu")
    monkeypatch.setattr(module, "CARRIED", tmp_path / "runs" / "carry")
    (tmp_path / "runs" / "gpu").mkdir(parents=True)
    return module


def asked(tmp_path: Path, **changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"device": "cpu", "out": tmp_path / "out", **changes})


def noted(gpu: ModuleType) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (gpu.WORK / "steps.jsonl").read_text().splitlines()]


def test_a_step_that_takes_too_long_is_ended_with_all_it_started_and_the_next_goes_on(
    gpu: ModuleType, tmp_path: Path
) -> None:
    forks = "import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', 'input()'])"
    until, args = time.monotonic() + 60, asked(tmp_path)
    slow = gpu.Step("slow", (sys.executable, "-c", forks.replace("input()", "import time; time.sleep(50)")), 2.0)
    assert gpu.done(slow, args, until) is None
    assert gpu.done(gpu.Step("quick", (sys.executable, "-c", "print(6 * 7)"), 20.0), args, until) == 0
    assert [(line["step"], line["exit"]) for line in noted(gpu)] == [("slow", None), ("quick", 0)]
    assert noted(gpu)[0]["seconds"] < 20
    with tarfile.open(tmp_path / "out" / "evidence.tgz") as archive:
        names = archive.getnames()
    assert {"slow.txt", "quick.txt", "steps.jsonl"} <= set(names)
    assert (gpu.WORK / "slow.txt").read_text().startswith("begun\n")


def test_without_time_a_step_is_left_out_and_told_so(gpu: ModuleType, tmp_path: Path) -> None:
    step = gpu.Step("late", (sys.executable, "-c", "raise SystemExit(3)"), 60.0)
    assert gpu.done(step, asked(tmp_path), time.monotonic() + 10) is None
    assert noted(gpu)[0]["exit"] is None


def test_without_the_device_nothing_else_is_tried(gpu: ModuleType, tmp_path: Path) -> None:
    (seen, *_) = gpu.steps_of(asked(tmp_path, part="check", device="cuda:7", small=True))
    assert seen.name == "device"
    with pytest.raises(SystemExit, match="no use without the device"):
        gpu.done(seen, asked(tmp_path), time.monotonic() + 120)
    assert "AssertionError" in (gpu.WORK / "device.txt").read_text()


def test_the_newest_checkpoint_of_an_unfinished_run_comes_back_and_no_other(gpu: ModuleType, tmp_path: Path) -> None:
    for age, (name, finished) in enumerate([("new", False), ("old", False), ("whole", True)]):
        folder = gpu.WORK / "results" / name
        folder.mkdir(parents=True)
        (folder / "checkpoint.pt").write_text(name)
        os.utime(folder / "checkpoint.pt", (1000 - age, 1000 - age if not finished else 2000))
        (folder / "trace.jsonl").write_text("{}")
        if finished:
            (folder / "record.json").write_text("{}")
    gpu.archive(tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "checkpoint.tgz") as archive:
        assert archive.getnames() == ["results/new/checkpoint.pt"]
    with tarfile.open(tmp_path / "out" / "evidence.tgz") as archive:
        names = archive.getnames()
    assert "results/whole/record.json" in names
    assert not any("checkpoint" in name for name in names)


def test_what_is_carried_in_pieces_comes_out_whole(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "PIECE_BYTES", 30_000)
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    content = os.urandom(100_000)
    (data / "images" / "some.npz").write_bytes(content)
    (gpu.CARRIED / "1").mkdir(parents=True)
    (gpu.CARRIED / "1" / "commit").write_text("abc\n")
    gpu.split(data)
    pieces = sorted(gpu.CARRIED.rglob("data.tar.*"))
    assert len(pieces) == 4
    moved = [piece.rename(tmp_path / piece.name) for piece in pieces]
    for piece in moved:  # with one command each
        assert not (gpu.WORK / "data").exists()
        piece.rename(gpu.CARRIED / "1" / piece.name)
        gpu.unpack("cpu")
        (gpu.CARRIED / "1" / piece.name).unlink()
    assert (gpu.WORK / "data" / "images" / "some.npz").read_bytes() == content
    around = gpu.around(asked(tmp_path))
    assert around["BENCHHARNESS_DATA"] == str(gpu.WORK / "data")
    assert around["BENCHHARNESS_COMMIT"] == "abc"


@pytest.mark.slow
def test_a_rehearsed_search_pauses_goes_on_and_keeps_every_finished_run(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("benchharness", "benchmarks", "suites"):
        (copy / name).symlink_to(SCRIPT.parents[1] / name)
    words = [sys.executable, "benchmarks/gpu.py", "search", "--device", "cpu", "--small", "--jobs", "1"]
    for _ in range(2):
        done = subprocess.run(
            [*words, "--out", str(tmp_path / "out")], cwd=copy, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(tmp_path / "out" / "evidence.tgz") as archive:
        names = [Path(name).name for name in archive.getnames()]
    assert names.count("record.json") == 2
