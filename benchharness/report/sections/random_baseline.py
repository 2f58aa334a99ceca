"""Random baselines: a random cell, and the best of as many random cells as could be trained in the search's time."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from benchharness import stats
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import EPOCHS, by_code
from benchharness.report.blocks import Block, TableBlock, Text
from benchharness.report.formatting import count_of, few, number, p_clause, plus_minus
from benchharness.report.formatting import seconds as in_unit
from benchharness.report.ground_truth import cell_count
from benchharness.report.sections.costs import search_seconds
from benchharness.report.sections.ranking import LEVEL
from benchharness.space import SIZE
from benchharness.table import Metric, Table
from benchharness.table.table import codes

FIRST_ORDER_SECONDS: Final = 10_890
"""Cost of 50 epochs of first-order DARTS on 50,000 images on a GPU of 2019 (Dong & Yang, ICLR 2020, table 5)."""
FEEDBACK_EPOCHS: Final = 12


def random_search(evidence: Evidence, table: Table) -> list[Block]:
    """Improvement over a random cell, and over the best of the cells that random search could train in equal time.

    On NAS-Bench-201's data sets the search's cost is simulated from published figures; on others the measured search
    time is compared with the training times in the table.
    """
    return _simulated(evidence, table) if evidence.benchmark else _measured(evidence, table)


def simulated_seconds(epochs: int, images: int) -> float:
    """Simulated cost of a first-order search on the benchmark's GPU, in proportion to epochs times images.

    The supernet counts as full-sized even if it was smaller, which favours random search.
    """
    return FIRST_ORDER_SECONDS * (epochs / 50) * (images / 50_000)


def against_random(evidence: Evidence) -> pd.DataFrame:
    """One row per method: its cells compared with uniformly random ones.

    `gain`: mean test accuracy minus a random cell's, points. `p`: two-sided, of the mean percentile of `n` cells if
    they were drawn at random, exact (`stats.random_percentile_p`); `holm` over all methods but `random`.
    """
    column = by_code(evidence.table, evidence.dataset, "test", own=True)
    table_accuracies = np.sort(column[np.isfinite(column)])
    own_runs = evidence.own()
    rows = []
    for name, group in own_runs[own_runs["test"].notna()].groupby("method", observed=True):
        if table_accuracies.size and not (group["selection"] == "uniform").all():
            percentiles = stats.percentiles(group["test"].to_numpy(float), table_accuracies)
            gain = float(group["test"].mean() - table_accuracies.mean())
            rows.append((str(name), len(group), gain, percentiles.mean(), stats.random_percentile_p(percentiles)))
    frame = pd.DataFrame(rows, columns=["method", "n", "gain", "percentile", "p"])
    return frame.assign(holm=stats.holm(frame["p"].to_numpy(float))).sort_values("holm", kind="stable")


def random_sentence(random_tests: pd.DataFrame) -> str:
    """Sentence on which methods' cells are significantly better or worse than random cells."""
    if random_tests.empty:
        return "Nothing here can be held against random cells."
    clear = random_tests[random_tests["holm"] < LEVEL]
    rest = len(random_tests) - len(clear)
    sides = (("better", clear[clear["percentile"] > 50]), ("worse", clear[clear["percentile"] < 50]))
    clauses = [
        f"{len(group)} of {count_of(len(random_tests), 'method')} {'is' if len(group) == 1 else 'are'} {side}: "
        f"{few(group['method'])} ({p_clause(group['holm'].max(), '=' if len(group) == 1 else '≤')}, Holm)"
        for side, group in sides
        if len(group)
    ]
    if not clauses:
        best = random_tests.iloc[0]
        return f"Not shown of any: {best['method']} comes nearest, {p_clause(best['holm'])} after Holm's correction."
    return "; ".join(clauses) + (f"; it is shown of none of the other {rest}." if rest else ".")


def _simulated(evidence: Evidence, table: Table) -> list[Block]:
    dataset, epochs = evidence.dataset, max(int(spec["protocol"]["epochs"]) for spec in evidence.runs["spec"])
    test, feedback = by_code(table, dataset, "test", EPOCHS), by_code(table, dataset, "valid", FEEDBACK_EPOCHS)
    if (dataset, EPOCHS) not in table.times or not np.isfinite(test).any() or not np.isfinite(feedback).any():
        return [
            Text(f"The table lacks what a random search at equal cost needs: {FEEDBACK_EPOCHS}-epoch figures, times.")
        ]
    cell_seconds = float(np.nanmean(table.train_seconds(dataset, EPOCHS))) * FEEDBACK_EPOCHS / EPOCHS
    budget = simulated_seconds(epochs, _images(evidence))
    n = max(1, int(budget / cell_seconds))
    best, cell = stats.best_of_random(feedback, test, n), stats.best_of_random(feedback, test, 1)
    means = evidence.scores().mean().dropna().sort_values(ascending=False, kind="stable")
    data = pd.DataFrame({"method": [str(name) for name in means.index], "mean": means.to_numpy(float)})
    data["over_random_pct"] = stats.relative_improvement(means.to_numpy(float), cell.mean)
    data["over_best_pct"] = stats.relative_improvement(means.to_numpy(float), best.mean)
    grid = data.map(lambda value: value if isinstance(value, str) else number(value))
    grid.columns = pd.Index(["method", "mean test", "over a random cell (%)", f"over the best of {n} (%)"])
    note = (
        f"Relative improvement, 100 (method - random) / random, of mean test accuracy on {dataset}. A random cell: "
        f"{plus_minus(*cell)}. The best of {n} by validation accuracy after {FEEDBACK_EPOCHS} epochs: "
        f"{plus_minus(*best)}. Both are exact. A random search trains {count_of(n, 'cell')}, at {cell_seconds:,.0f} s "
        f"each, one or more, in the {budget:,.0f} s that a first-order search of {epochs} epochs and so many images "
        "costs on the benchmark's GPU (the published 10,890 s, scaled; the supernet counts as full-sized)."
    )
    return [TableBlock(f"chance{evidence.slug}", f"Against chance, {evidence.name}", data, grid, note)]


def _measured(evidence: Evidence, table: Table) -> list[Block]:
    """Like `_simulated`, with measured costs: every method against a random search of the same duration."""
    dataset, metric = evidence.dataset, Metric(evidence.dataset, "valid", evidence.epochs)
    test, feedback = by_code(table, dataset, "test", own=True), _single(table, metric)
    if (dataset, evidence.epochs) not in table.times or not np.isfinite(test + feedback).any():
        return [Text("The table lacks what a random search at equal cost needs: validation accuracies, seconds.")]
    cell_seconds = float(np.nanmean(table.train_seconds(dataset)))
    cell = stats.best_of_random(feedback, test, 1)
    seconds = search_seconds(evidence.own()).groupby("method", observed=True)["search_seconds"].mean()
    means = evidence.scores().mean().dropna().sort_values(ascending=False, kind="stable")
    data = pd.DataFrame({"method": [str(name) for name in means.index], "mean": means.to_numpy(float)})
    data["search_seconds"] = seconds.reindex(means.index).to_numpy(float)
    data["n"] = (data["search_seconds"].fillna(0) / cell_seconds).astype(int).clip(lower=1)
    best = np.array([stats.best_of_random(feedback, test, n).mean for n in data["n"]])
    data["over_random_pct"] = stats.relative_improvement(means.to_numpy(float), cell.mean)
    data["over_best_pct"] = 100 * (data["mean"] - best) / best
    grid = data.assign(n=data["n"].astype(str), search_seconds=data["search_seconds"].map(in_unit))
    grid = grid.map(lambda value: value if isinstance(value, str) else number(value))
    grid.columns = pd.Index(["method", "mean test", "search", "n", "over a random cell (%)", "over the best of n (%)"])
    note = (
        f"Relative improvement, 100 (method - random) / random, of mean test accuracy on {dataset}. A random cell: "
        f"{plus_minus(*cell)}, among the {cell_count(table)} architectures that the table holds. n: random cells, one "
        f"at least, that can be trained in the method's own search time, at {cell_seconds:.1f} s each as the table's "
        "took on the machine that made it; of these the best by validation accuracy of one training. Both are exact."
    )
    return [TableBlock(f"chance{evidence.slug}", f"Against chance, {evidence.name}", data, grid, note)]


def _single(table: Table, metric: Metric) -> Float[np.ndarray, "archs"]:
    """Accuracy of one training of each architecture, by code; the mean if single trainings are unknown."""
    column = np.full(SIZE, np.nan)
    if metric in table.means:
        runs = table.by_seed.get(metric)
        column[codes(table.ops)] = table.means[metric] if runs is None else runs[:, 0]
    return column


def _images(evidence: Evidence) -> int:
    """Images of one epoch; 50,000 if no run states it."""
    data_facts: Mapping[str, int] = next((record["data"] for record in evidence.runs["record"] if record), {})
    return data_facts.get("train_images", 0) + data_facts.get("valid_images", 0) or 50_000
