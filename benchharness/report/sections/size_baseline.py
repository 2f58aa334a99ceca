"""Compares with size: accuracy of the largest of random cells, a null hypothesis that methods have to beat."""

from typing import Final

import numpy as np
import pandas as pd

from benchharness import space, stats
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code
from benchharness.report.blocks import Block, TableBlock
from benchharness.report.formatting import number, plus_minus
from benchharness.report.ground_truth import cell_count
from benchharness.table import Table

SAMPLES: Final = 100
"""Cells that `proxy:params` and the other proxies draw by default."""


def size(evidence: Evidence, table: Table) -> list[Block]:
    """The largest of a hundred random cells, and of all, by parameters and by FLOPs: `proxy:params`, `proxy:flops`."""
    accuracy = by_code(table, evidence.dataset, "test", own=True)
    is_known = np.isfinite(accuracy)
    if not is_known.any():
        return []
    ops, network = space.all_ops(), table.network(evidence.dataset)
    rows = []
    for name, measure in space.SIZES.items():
        values = np.where(is_known, measure(ops, network), np.nan)
        expected_best = stats.best_of_random(values, accuracy, SAMPLES)
        largest = accuracy[values == np.nanmax(values)]
        rows.append(
            (f"proxy:{name}", stats.tau(values[is_known], accuracy[is_known]), *expected_best, float(np.mean(largest)))
        )
    data = pd.DataFrame(rows, columns=["method", "tau", "mean", "std", "largest"])
    grid = pd.DataFrame(
        {
            "method": data["method"],
            "tau with test accuracy": data["tau"].map(number),
            f"best of {SAMPLES} cells": [plus_minus(*row) for row in data[["mean", "std"]].to_numpy(float)],
            "largest cell": data["largest"].map(number),
        }
    )
    note = (
        f"Test accuracy in percent on {evidence.dataset} of the cell with most parameters or FLOPs among {SAMPLES} "
        f"random ones (exact), and among the {cell_count(table)} architectures that the table holds. Nothing is "
        "trained or looked at: a method that does no better has found out nothing but size."
    )
    return [TableBlock(f"size{evidence.slug}", f"Against size, {evidence.name}", data, grid, note)]
