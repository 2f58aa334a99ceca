"""Searches that query the table on simulated budgets: the accuracy of a search without a supernet over time."""

from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from benchharness import plots
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code
from benchharness.errors import UserError
from benchharness.plots.style import figure_of
from benchharness.report.blocks import Block, FigureBlock, TableBlock, Text
from benchharness.report.formatting import plus_minus
from benchharness.table import Table, baselines
from benchharness.table.baselines import Feedback

SEEDS: Final = 50
"""Searches of each kind; 200 of them take half a second."""
TIMES: Final = 120
"""Points of time of the curves."""


def table_searches(evidence: Evidence) -> list[Block]:
    """Anytime curves and final figures of the table-only searches, on a data set of NAS-Bench-201 that is whole."""
    table = evidence.table
    if evidence.long.empty or table is None or not evidence.benchmark or not table.complete:
        return []
    try:
        feedback = baselines.feedback_of(table, evidence.dataset)
    except UserError as error:
        return [Text(f"No search of the table alone: {error}.")]
    return _told(evidence, table, feedback, baselines.budget_seconds(evidence.protocol, evidence.dataset))


def _told(evidence: Evidence, table: Table, feedback: Feedback, budget: float) -> list[Block]:
    seconds = np.linspace(0, budget, TIMES + 1)[1:]
    test = by_code(table, evidence.dataset, "test")
    curves: dict[str, Float[np.ndarray, "runs times"]] = {}
    rows = []
    for name in baselines.names():
        histories = [baselines.simulate(name, feedback, budget, seed) for seed in range(SEEDS)]
        curves[name] = baselines.anytime(histories, test, seconds)
        visits = np.mean([len(history.codes) for history in histories])
        rows.append((name, SEEDS, visits, curves[name][:, -1].mean(), curves[name][:, -1].std(ddof=1)))
    frame = pd.DataFrame(rows, columns=["method", "n", "cells", "mean", "std"])
    pairs = zip(frame["mean"], frame["std"], strict=True)
    grid = pd.DataFrame(
        {
            "search": frame["method"],
            "seeds": frame["n"].astype(str),
            "cells trained": frame["cells"].map("{:.0f}".format),
            "test": [plus_minus(mean, std) for mean, std in pairs],
        }
    )
    note = (
        f"Searches without a supernet: each sees nothing but validation accuracy after 12 epochs of training on "
        f"{evidence.dataset} and its simulated cost, {budget:,.0f} s in all, and derives the best cell it has seen. "
        "Mean±std over search seeds of that cell's test accuracy after 200 epochs."
    )
    info = plots.anytime.data(seconds, curves, table.optimum(evidence.dataset, "test").accuracy, evidence.name)
    caption = "What searches of the table alone would derive if stopped then; bands: 10th to 90th percentile of seeds."
    return [
        TableBlock(f"alone{evidence.slug}", f"Searches of the table alone, {evidence.dataset}", frame, grid, note),
        FigureBlock(f"anytime{evidence.slug}", caption, partial(figure_of, plots.anytime.draw, info)),
    ]
