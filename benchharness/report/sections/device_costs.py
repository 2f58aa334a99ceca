"""Accuracy of the derived cells against latency and energy, if such data are installed."""

from collections.abc import Iterable
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from benchharness import plots, space, stats
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code, codes_of
from benchharness.plots.style import figure_of
from benchharness.report.blocks import Block, FigureBlock, TableBlock, folded
from benchharness.report.formatting import number
from benchharness.table import Cost

BELOW: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Percentage points below the best accuracy for which the table lists the cheapest cell."""


def device_costs(evidence: Evidence) -> list[Block]:
    """A figure per file of latencies and energies, the costs of each method's cells, and the cheapest of all cells."""
    costs = dict(evidence.table.costs) if evidence.table is not None and evidence.benchmark else {}
    runs = evidence.own().dropna(subset=["arch", "test"])
    if not costs or runs.empty:
        return []
    accuracies = by_code(evidence.table, evidence.dataset, "test", own=True)[space.order()]
    fronts = {name: stats.front(cost.values, accuracies) for name, cost in costs.items()}
    blocks: list[Block] = [
        *(_picture(evidence, runs, cost, accuracies) for cost in representative(costs.values())),
        _methods(evidence, runs, costs, fronts, accuracies),
        _front(evidence, costs, fronts, accuracies),
    ]
    return folded("Accuracy against latency and energy", blocks, evidence.slug)


def representative(costs: Iterable[Cost]) -> list[Cost]:
    """One cost per file and quantity, that with the fewest odd values; only these are drawn."""
    first: dict[tuple[str, str], Cost] = {}
    for cost in sorted(costs, key=lambda cost: int(cost.odd.sum())):
        first.setdefault((cost.source, cost.measure.quantity), cost)
    return sorted(first.values(), key=lambda cost: (cost.measure.quantity != "latency", cost.name))


def _priced(runs: pd.DataFrame, cost: Cost) -> pd.DataFrame:
    return runs.assign(cost=cost.values[space.indices()[codes_of(runs["arch"])]])


def _picture(evidence: Evidence, runs: pd.DataFrame, cost: Cost, accuracies: np.ndarray) -> FigureBlock:
    info = plots.pareto.data(_priced(runs, cost), cost.values, accuracies, cost.label)
    caption = f"Test accuracy on {evidence.dataset} against {cost.label}: all cells, their Pareto front, derived cells."
    return FigureBlock(
        f"pareto-{cost.name.lower()}{evidence.slug}", caption, partial(figure_of, plots.pareto.draw, info, 7.5, 4.5)
    )


def _methods(
    evidence: Evidence,
    runs: pd.DataFrame,
    costs: dict[str, Cost],
    fronts: dict[str, np.ndarray],
    accuracies: np.ndarray,
) -> TableBlock:
    frames = [_by_method(runs, cost, fronts[name], accuracies) for name, cost in costs.items()]
    data = pd.concat(frames, ignore_index=True)
    drawn_costs = [cost.name for cost in representative(costs.values())]
    some = data[data["cost"].isin(drawn_costs)]
    grid = pd.DataFrame(
        {
            "cost": some["cost"].map(lambda name: costs[name].label),
            "method": some["method"],
            "cells": some["cells"].astype(str),
            "test": some["test"].map(number),
            "mean cost": some["mean_cost"].map(partial(number, digits=3)),
            "times the cheapest as good": some["excess"].map(number),
        }
    )
    note = (
        "Mean cost of the derived cells, and how many times that of the cheapest cell of the table that is as accurate "
        f"(mean over cells; 1: on the Pareto front). All {len(costs)} costs are in the CSV file. Costs that are no "
        "positive number, below a twentieth or above five times the median are odd and left out, as are missing ones: "
        "`odd_or_missing` counts them."
    )
    return TableBlock(f"device-costs{evidence.slug}", f"Derived cells by device, {evidence.name}", data, grid, note)


def _by_method(runs: pd.DataFrame, cost: Cost, front: np.ndarray, accuracies: np.ndarray) -> pd.DataFrame:
    priced = _priced(runs, cost)
    priced["excess"] = stats.excess(
        priced["cost"].to_numpy(float), priced["test"].to_numpy(float), cost.values[front], accuracies[front]
    )
    by_method = priced.groupby("method", observed=True)
    summary = by_method.agg(
        cells=("cost", "count"), test=("test", "mean"), mean_cost=("cost", "mean"), excess=("excess", "mean")
    )
    summary["odd_or_missing"] = by_method.size() - summary["cells"]
    summary = summary.reset_index().astype({"method": str})
    return summary.assign(cost=cost.name, quantity=cost.measure.quantity, unit=cost.measure.unit, source=cost.source)


def _front(
    evidence: Evidence, costs: dict[str, Cost], fronts: dict[str, np.ndarray], accuracies: np.ndarray
) -> TableBlock:
    frames = []
    for name, cost in costs.items():
        front_rows = fronts[name]
        archs = [space.to_string(space.from_code(int(code))) for code in space.order()[front_rows]]
        columns = {"cost": cost.name, "index": front_rows, "arch": archs, "value": cost.values[front_rows]}
        frames.append(pd.DataFrame({**columns, "test": accuracies[front_rows]}))
    data, best = pd.concat(frames, ignore_index=True), float(np.nanmax(accuracies))
    rows = []
    for cost in representative(costs.values()):
        front = data[data["cost"] == cost.name]
        for points in BELOW:
            near_best = front[front["test"] >= best - points]
            if len(near_best):
                cell = near_best.iloc[0]
                figures = (number(cell["test"]), number(cell["value"], digits=3))
                rows.append((cost.label, f"{points:g}", str(cell["index"]), *figures, cell["arch"]))
    grid = pd.DataFrame(rows, columns=["cost", "points below the best", "index", "test", "its cost", "cheapest cell"])
    note = "The cheapest cell within so many points of the best; the whole front of every cost is in the CSV file."
    return TableBlock(f"front{evidence.slug}", f"Pareto front, {evidence.name}", data, grid, note)
