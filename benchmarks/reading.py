"""The reading side's speed: `python benchmarks/reading.py`, from the repository's root.

Medians over repeats, each beside a plain way to the same end where there is one. Needs the real table.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness import report, stats
from benchharness.compute.environment import describe
from benchharness.table import Table, load_table
from tests.support import report_folder


def main() -> None:
    """Time every hot path of the reading side and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--runs", type=int, default=1000, help="stored runs in the folder that is reported")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    table = load_table()
    all_figures = {**of_the_table(table, args.repeats), **of_the_rest(args.repeats)}
    all_figures |= of_the_report(table, args.runs)
    for name, figures in all_figures.items():
        print(name + ": " + ", ".join(f"{kind} {value:.6g}" for kind, value in figures.items()))
    if args.out:
        args.out.write_text(json.dumps({"seconds": all_figures, "environment": describe()}, indent=1) + "\n")


def of_the_table(table: Table, repeats: int) -> dict[str, dict[str, float]]:
    """Loading, one look-up, and six figures of all architectures, each against pandas on the same figures."""
    figures = [figure for figure in table.figures() if figure.epochs == 200][:6]
    columns = {"-".join(map(str, figure)): table.accuracy(None, *figure) for figure in figures}
    frame = pd.DataFrame({"arch": [str(table.arch(row)) for row in range(len(table))], **columns}).set_index("arch")
    name, arch, rows = next(iter(columns)), str(table.arch(6111)), np.arange(len(table))
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "table.parquet"
        frame.to_parquet(file)
        return {
            "table load": compared(load_table, lambda: pd.read_parquet(file), repeats),
            "one look-up": compared(
                lambda: table.accuracy(6111, *figures[0]), lambda: frame.at[arch, name], 100 * repeats
            ),
            "all architectures, six figures": compared(
                lambda: [table.accuracy(rows, *figure) for figure in figures],
                lambda: frame.iloc[rows].to_numpy(),
                10 * repeats,
            ),
        }


def of_the_rest(repeats: int) -> dict[str, dict[str, float]]:
    """`--help` against a bare Python, and 50,000 bootstrap replicates of 4 methods with 10 seeds."""
    methods = np.random.default_rng(0).normal(90, 2, (4, 10))
    start = [sys.executable, "-c", "pass"]
    command = [sys.executable, "-m", "benchharness", "--help"]
    return {
        "--help": compared(
            lambda: subprocess.run(command, capture_output=True, check=True),
            lambda: subprocess.run(start, capture_output=True, check=True),
            repeats,
        ),
        "50,000 bootstrap replicates of 4 x 10": {
            "ours": median(
                lambda: [stats.bootstrap(values, np.random.default_rng(0), replicates=50_000) for values in methods],
                repeats,
            )
        },
    }


def of_the_report(table: Table, count: int) -> dict[str, dict[str, float]]:
    """Reading and reporting a folder of `count` stored runs, once, in wall and processor seconds."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(count // 4):
            darts = report_folder.spec("darts", seed)
            report_folder.add(Path(scratch) / "s", darts, rng.integers(0, 5, 6))
            arrays = {"scores": rng.normal(size=(6, 5)), "order": rng.permutation(6)}
            report_folder.add(
                Path(scratch) / "s", report_folder.spec("ostr", seed), rng.integers(0, 5, 6), darts, arrays
            )
            for name in ("snas", "drnas"):
                report_folder.add(Path(scratch) / "s", report_folder.spec(name, seed), rng.integers(0, 5, 6))
        wall, processor = time.perf_counter(), time.process_time()
        report.build(Path(scratch) / "s", Path(scratch) / "report", table)
        return {
            f"report of {count} runs": {
                "wall": time.perf_counter() - wall,
                "processor": time.process_time() - processor,
            }
        }


def compared(ours: Callable[[], object], reference: Callable[[], object], repeats: int) -> dict[str, float]:
    """Medians of both in seconds, taken in turns, and how many times ours is the plain way's."""
    turns = [(timed(ours), timed(reference)) for _ in range(repeats)]
    first, second = (statistics.median(column) for column in zip(*turns, strict=True))
    return {"ours": first, "plain": second, "ours over plain": first / second}


def median(act: Callable[[], object], repeats: int) -> float:
    """Median seconds of `act`."""
    return statistics.median(timed(act) for _ in range(repeats))


def timed(act: Callable[[], object]) -> float:
    """Seconds that `act` takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
