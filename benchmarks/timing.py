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


def parser(description: str | None, repeats: int) -> argparse.ArgumentParser:
    """A parser with what all timings can be told."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--repeats", type=int, default=repeats, help="turns that count")
    options.add_argument("--clock", choices=CLOCKS, default="wall", help="processor: where other work takes its share")
    options.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    return options


def of_searches(options: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser with what timings of searches can be told besides."""
    import torch  # other timings do without

    options.add_argument("--dataset")
    options.add_argument("--protocol", default="cpu")
    options.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="values of the protocol to change")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return options


def dataset(name: str | None) -> str:
    """The data set asked for, or CIFAR-10 where its images are installed and `digits` where not."""
    installed_names = {item.name for item in ([] if name else data_sets.installed()) if item.kind == "images"}
    return name or ("cifar10" if "cifar10" in installed_names else "digits")


def medians(acts: Mapping[str, Callable[[], object]], repeats: int, clock: str, warm: int = 1) -> Figures:
    """Median seconds of each way over `repeats` turns, after `warm` turns that do not count."""
    seconds_by_name: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(warm + repeats):
        for name, act in acts.items():
            seconds = timed(act, clock)
            if turn >= warm:
                seconds_by_name[name].append(seconds)
    return {name: statistics.median(all_) for name, all_ in seconds_by_name.items()}


def timed(act: Callable[[], object], clock: str) -> float:
    """Seconds that `act` takes by a clock, a device's work included."""
    finish()
    start = CLOCKS[clock]()
    act()
    finish()
    return CLOCKS[clock]() - start


def finish() -> None:
    """Wait for a device's work, where torch is loaded and has one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def write_report(parts: Iterable[tuple[str, Figures]], options: Mapping[str, Any], out: Path | None) -> None:
    """Print a line for each part once it is measured, and with `out` write all so far there as JSON.

    A part that is measured further comes again with its new figures. The file says where it was measured, and whether
    it is complete: whoever is ended in between leaves what there was.
    """
    so_far: dict[str, Figures] = {}
    for title, figures in parts:
        so_far[title] = figures
        print(title + ": " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
        write_figures(so_far, options, out, complete=False)
    write_figures(so_far, options, out, complete=True)


def write_figures(figures: Mapping[str, Figures], options: Mapping[str, Any], out: Path | None, complete: bool) -> None:
    """Put figures at `out`, wholly or not at all."""
    if not out:
        return
    values = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    values.pop("out", None)
    circumstances = {"load_average": os.getloadavg()[0], "environment": describe(), "complete": complete}
    temporary = out.with_name(out.name + ".part")
    temporary.write_text(json.dumps({"options": values, "figures": figures, **circumstances}, indent=1) + "\n")
    temporary.replace(out)
