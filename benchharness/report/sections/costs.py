"""Costs of the searches: seconds, memory, devices."""

from functools import partial
from typing import Final

import pandas as pd

from benchharness import plots
from benchharness.analysis.experiment import Evidence
from benchharness.plots.style import figure_of
from benchharness.report.blocks import Block, FigureBlock, TableBlock, Text, folded
from benchharness.report.formatting import MISSING, number, seconds
from benchharness.report.sections.device_costs import device_costs

MEANS: Final = ("train_seconds", "selection_seconds", "search_seconds", "processor_seconds", "peak_memory_bytes")


def costs(evidence: Evidence) -> list[Block]:
    """Seconds and memory by method, accuracy against seconds, and against the cells' latency and energy."""
    runs = search_seconds(evidence.own())
    if runs.empty:
        return [Text("No finished run yet.")]
    by_method = runs.groupby("method", observed=True)
    data = by_method.agg({**dict.fromkeys(MEANS, "mean"), "processor_seconds": _mean_if_complete})
    data = data.assign(n=by_method.size(), device=by_method["device"].agg(_devices))
    data = data.reset_index().astype({"method": str})
    if data["processor_seconds"].isna().all():
        data = data.drop(columns="processor_seconds")
    cells = pd.DataFrame(
        {
            "method": data["method"],
            "seeds": data["n"].astype(str),
            "training": data["train_seconds"].map(seconds),
            "selection": data["selection_seconds"].map(seconds),
            "search": data["search_seconds"].map(seconds),
            **({"processor": data["processor_seconds"].map(seconds)} if "processor_seconds" in data else {}),
            "peak memory (MiB)": (data["peak_memory_bytes"] / 2**20).map(partial(number, digits=0)),
            "device": data["device"],
        }
    )
    grid = TableBlock(f"costs{evidence.slug}", f"Costs, {evidence.name}", data, cells, _note(data))
    info = plots.cost.data(runs)
    if info.runs.empty:
        return [grid, *device_costs(evidence)]
    caption = "Test accuracy of the derived cell against what its search cost, a mark per run of a second or more."
    draw = partial(figure_of, plots.cost.draw, info, 7.5, max(4.0, 0.22 * len(data)))
    picture = FigureBlock(f"cost{evidence.slug}", caption, draw)
    return [grid, *folded("Accuracy against cost", [picture], evidence.slug), *device_costs(evidence)]


def search_seconds(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with `search_seconds`: training of the supernet (also if another run shares it) plus selection.

    The same in `processor_seconds`: seconds of processor cores, NaN for searches on other devices and where they were
    not recorded.
    """
    processor_seconds = runs["train_processor_seconds"] + runs["selection_processor_seconds"]
    return runs.assign(
        search_seconds=runs["train_seconds"] + runs["selection_seconds"],
        processor_seconds=processor_seconds.where(runs["device"] == "cpu"),
    )


def _note(data: pd.DataFrame) -> str:
    note = "Mean wall-clock time over seeds, which other work on the machine lengthens"
    if "processor_seconds" in data:
        note += "; processor: of all cores used, training and selection together"
    return f"{note}. A method that reads out another's supernet is charged for its training too."


def _mean_if_complete(column: "pd.Series[float]") -> float:
    return column.mean(skipna=False)


def _devices(column: "pd.Series[str]") -> str:
    return ", ".join(sorted({str(value) for value in column.dropna()})) or MISSING
