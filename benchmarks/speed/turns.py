"""What the timings here share: ways to one end, timed in turns, so that a drift of the machine's speed meets all."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchharness.environment import describe

Figures = dict[str, float]


def medians(ways: Mapping[str, Callable[[], object]], repeats: int, warm: int = 1) -> Figures:
    """Median seconds of each way over `repeats` turns, after `warm` turns that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm + repeats):
        for name, act in ways.items():
            seconds = timed(act)
            if turn >= warm:
                taken[name].append(seconds)
    return {name: statistics.median(all_) for name, all_ in taken.items()}


def timed(act: Callable[[], object]) -> float:
    """Seconds that `act` takes, a device's work included."""
    finish()
    started = time.perf_counter()
    act()
    finish()
    return time.perf_counter() - started


def finish() -> None:
    """Wait for a device's work, where torch is loaded and has one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def told(found: Mapping[str, Figures], options: Mapping[str, Any], out: Path | None) -> None:
    """Print a line for each part and, with `out`, write all of it there as JSON, with where it was measured."""
    for part, figures in found.items():
        print(part + ": " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    if out:
        kept = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
        kept.pop("out", None)
        where = {"load_average": os.getloadavg()[0], "environment": describe()}
        out.write_text(json.dumps({"options": kept, "found": found, **where}, indent=1) + "\n")
