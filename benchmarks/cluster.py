"""What a second dask worker is worth: `python benchmarks/cluster.py`, from the repository's root.

Starts a scheduler and worker processes of one thread each on this machine and gives the same searches to one worker
and to two, in turns, results sent back. Beside the wall clock stands the processors' time that the workers got, since
other work on the machine takes its share. Needs real images.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from distributed import Client

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness.compute.environment import describe
from benchharness.runs.runner import RunOptions, perform, plan_of
from benchharness.runs.suite import Suite
from benchharness.store import Store

SETTINGS = {"epochs": 2, "images": 512, "channels": 8, "cells": 1, "ranking": 0, "eigenvalue_every": 0}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error"}


def main() -> None:
    """Make the searches with one worker and with two, in turns, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--seeds", default="0-3", help="a search each")
    parser.add_argument("--methods", default="darts")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    suite = Suite(args.methods, args.seeds, "cifar10", "cpu", SETTINGS, "speed")
    turns = [measure(suite, workers) for _ in range(args.turns) for workers in (1, 2)]
    walls = {count: min(turn["wall_seconds"] for turn in turns if turn["workers"] == count) for count in (1, 2)}
    report = {"speed_up": walls[1] / walls[2], "turns": turns, "settings": SETTINGS, "searches": args.seeds}
    print(f"speed-up of two workers over one, best of {args.turns} turns each: {report['speed_up']:.2f}")
    if args.out:
        args.out.write_text(json.dumps({**report, "environment": describe()}, indent=1) + "\n")


def measure(suite: Suite, count: int) -> dict[str, float]:
    """Seconds of the wall clock and of the workers' processors for all searches, the workers being warm."""
    with cluster(count) as (address, workers), tempfile.TemporaryDirectory() as scratch:
        before, start = seconds_spent(workers), time.perf_counter()
        means = RunOptions(executor="dask", scheduler=address, return_results=True)
        outcomes = list(perform(plan_of(suite), Store(Path(scratch), "speed"), means))
        wall, used = time.perf_counter() - start, seconds_spent(workers) - before
    assert {outcome.state for outcome in outcomes} == {"done"}, outcomes
    figures = {"workers": count, "wall_seconds": wall, "processor_seconds": used, "load_average": os.getloadavg()[0]}
    figures["processors_used"] = used / wall
    print(", ".join(f"{name} {value:.3g}" for name, value in figures.items()), flush=True)
    return figures


@contextmanager
def cluster(count: int) -> Iterator[tuple[str, list[psutil.Process]]]:
    """The address of a new scheduler with `count` workers that have loaded torch, and their processes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        processes = [start_process("scheduler", *options)]
        try:
            while not (file.exists() and file.read_text().endswith("}")):  # it is there before it is written
                time.sleep(0.1)
            address = str(json.loads(file.read_text())["address"])
            more = [
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--memory-limit",
                "0",
                "--local-directory",
                folder,
            ]
            processes += [start_process("worker", address, *more) for _ in range(count)]
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(count)
                client.run(_load)
            yield address, [psutil.Process(process.pid) for process in processes[1:]]
        finally:
            for process in processes:
                process.kill()
                process.wait()


def start_process(kind: str, *options: str) -> "subprocess.Popen[bytes]":
    """`dask scheduler` or `dask worker` as a process of its own, one that knows this repository."""
    path = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options]
    return subprocess.Popen(command, env={**os.environ, **ONE_THREAD, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)


def seconds_spent(processes: list[psutil.Process]) -> float:
    """Processor seconds of these processes so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _load() -> None:
    import benchharness.runs.worker  # noqa: F401


if __name__ == "__main__":
    main()
