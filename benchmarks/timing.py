"""What the timings here share: ways to one end, timed in turns, so that a drift of the machine's speed meets all."""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness.compute.environment import describe
from benchharness.runs import data_sets

Figures = dict[str, float]


def processor() -> float:
    """Processor seconds of this process and of those it has waited for: what to compare by on a busy machine."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": processor}


def parser(told: str | None, repeats: int) -> argparse.ArgumentParser:
    """A parser with what all timings can be told."""
    made = argparse.ArgumentParser(description=told)
    made.add_argument("--repeats", type=int, default=repeats, help="turns that count")
    made.add_argument("--clock", choices=CLOCKS, default="wall", help="processor: where other work takes its share")
    made.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    return made


def of_searches(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser with what timings of searches can be told besides."""
    import torch  # other timings do without

    made.add_argument("--dataset")
    made.add_argument("--protocol", default="cpu")
    made.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="values of the protocol to change")
    made.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return made


def dataset(asked: str | None) -> str:
    """The data set asked for, or CIFAR-10 where its images are installed and `digits` where not."""
    held = {item.name for item in ([] if asked else data_sets.installed()) if item.kind == "images"}
    return asked or ("cifar10" if "cifar10" in held else "digits")


def medians(ways: Mapping[str, Callable[[], object]], repeats: int, clock: str, warm: int = 1) -> Figures:
    """Median seconds of each way over `repeats` turns, after `warm` turns that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm + repeats):
        for name, act in ways.items():
            seconds = timed(act, clock)
            if turn >= warm:
                taken[name].append(seconds)
    return {name: statistics.median(all_) for name, all_ in taken.items()}


def timed(act: Callable[[], object], clock: str) -> float:
    """Seconds that `act` takes by a clock, a device's work included."""
    finish()
    started = CLOCKS[clock]()
    act()
    finish()
    return CLOCKS[clock]() - started


def finish() -> None:
    """Wait for a device's work, where torch is loaded and has one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def told(found: Iterable[tuple[str, Figures]], options: Mapping[str, Any], out: Path | None) -> None:
    """Print a line for each part once it is measured, and with `out` write all so far there as JSON.

    A part that is measured further comes again with its new figures. The file says where it was measured, and whether
    it is complete: whoever is ended in between leaves what there was.
    """
    so_far: dict[str, Figures] = {}
    for part, figures in found:
        so_far[part] = figures
        print(part + ": " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
        write(so_far, options, out, complete=False)
    write(so_far, options, out, complete=True)


def write(found: Mapping[str, Figures], options: Mapping[str, Any], out: Path | None, complete: bool) -> None:
    """Put figures at `out`, wholly or not at all."""
    if not out:
        return
    kept = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    kept.pop("out", None)
    where = {"load_average": os.getloadavg()[0], "environment": describe(), "complete": complete}
    part = out.with_name(out.name + ".part")
    part.write_text(json.dumps({"options": kept, "found": found, **where}, indent=1) + "\n")
    part.replace(out)
