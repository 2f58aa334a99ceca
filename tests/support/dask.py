"""A dask scheduler and workers as processes of their own on this machine, and what may be wrong with a worker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import benchharness

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error"}
ALONE = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
"""A worker without a nanny, so that killing it is killing it."""

WITHOUT_PACKAGE = """
import sys
sys.modules["benchharness"] = None
"""
READ_ONLY = """
import errno, os
from pathlib import Path
def mkdir(path, *args, real=os.mkdir, **kwargs):
    if {folder!r} in str(path):
        raise OSError(errno.{error}, os.strerror(errno.{error}), str(path))
    return real(path, *args, **kwargs)
if os.mkdir.__module__ != __name__:  # dask loads what is preloaded twice
    os.mkdir = mkdir
"""
"""What a worker does where `folder` is read-only, or full, for it alone; a real mount takes an administrator."""


class Cluster:
    """A scheduler and its workers, all of which end with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        file = folder / "scheduler.json"
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        self.scheduler = self._start("scheduler", *options)
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_text().endswith("}")) and time.monotonic() < deadline:
            time.sleep(0.05)  # it is there before it is written
        self.address = str(json.loads(file.read_text())["address"])

    def worker(self, *options: str, preload: str = "", path: Path = ROOT, **variables: str) -> "subprocess.Popen[str]":
        """A worker that imports from `path` first and begins with the Python in `preload`."""
        if preload:
            file = self.folder / f"preload_{len(self.processes)}.py"
            file.write_text(preload)
            options = (*options, "--preload", str(file))
        search_path = os.pathsep.join(dict.fromkeys(map(str, (path, ROOT))))
        return self._start("worker", self.address, *ALONE, *options, PYTHONPATH=search_path, **variables)

    def end(self) -> None:
        """Kill them all."""
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, kind: str, *options: str, **variables: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options]
        folder = self.folder / f"{kind}-{len(self.processes)}"
        folder.mkdir()
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                text=True,
                cwd=folder,
                env={**os.environ, **QUIET, **variables},
                start_new_session=True,
            )
        self.processes.append(process)
        return process


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    folder.mkdir(parents=True, exist_ok=True)
    new_cluster = Cluster(folder)
    try:
        yield new_cluster
    finally:
        new_cluster.end()


def other_package(folder: Path, change: tuple[str, str, str]) -> Path:
    """A folder to import from that holds this package, but for one file in which a text was replaced by another."""
    name, before, after = change
    shutil.copytree(Path(benchharness.__file__).parent, folder / "benchharness", ignore=shutil.ignore_patterns("*.pyc"))
    file = folder / "benchharness" / name
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    return folder
