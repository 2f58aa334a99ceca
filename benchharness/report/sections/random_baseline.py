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
_RELATIVE: Final = "Relative improvement, 100 (method - random) / random, of mean test accuracy on"


def random_search(evidence: Evidence, table: Table) -> list[Block]:
    """Improvement over a random cell, and over the best of the cells that random search could train in equal time.

    On NAS-Bench-201's data sets the search's cost is simulated from published figures; on others the measured search
    time is compared with the training times in the table.
    """
    return _simulated(evidence, table) if evidence.benchmark else _measured(evidence, table)


def simulated_seconds(epochs: Float[np.ndarray, "*searches"], images: int) -> Float[np.ndarray, "*searches"]:
    """Simulated cost of a first-order search on the benchmark's GPU, in proportion to epochs times images per epoch.

    The supernet counts as full-sized even if it was smaller, which favours random search.
    """
    return np.asarray(FIRST_ORDER_SECONDS * (epochs / 50) * (images / 50_000))


def against_random(evidence: Evidence) -> pd.DataFrame:
    """One row per method: its cells compared with uniformly random ones.

    `gain`: mean test accuracy minus a random cell's, points. `p`: two-sided, of the mean percentile of `n` cells if
    they were drawn at random (`stats.random_percentile_p`); `holm` over all methods but `random`.
    """
    column = by_code(evidence.table, evidence.dataset, "test", own=True)
    table_accuracies = np.sort(column[np.isfinite(column)])
    own_runs = evidence.own()
    rows = []
    for name, group in own_runs[own_runs["test"].notna()].groupby("method", observed=True):
        if table_accuracies.size and not (group["selection"] == "uniform").all():
            accuracies = group["test"].to_numpy(float)
            gain = float(accuracies.mean() - table_accuracies.mean())
            percentile = stats.percentiles(accuracies, table_accuracies).mean()
            p = stats.random_percentile_p(accuracies, table_accuracies)
            rows.append((str(name), len(group), gain, percentile, p))
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
    """Every method against a random search of its simulated cost."""
    dataset = evidence.dataset
    test, feedback = by_code(table, dataset, "test", EPOCHS), by_code(table, dataset, "valid", FEEDBACK_EPOCHS)
    if (dataset, EPOCHS) not in table.times or not np.isfinite(test).any() or not np.isfinite(feedback).any():
        return [
            Text(f"The table lacks what a random search at equal cost needs: {FEEDBACK_EPOCHS}-epoch figures, times.")
        ]
    cell_seconds = float(np.nanmean(table.train_seconds(dataset, EPOCHS))) * FEEDBACK_EPOCHS / EPOCHS
    data = _means(evidence)
    runs = evidence.own()
    epochs = runs["spec"].map(lambda spec: int(spec["protocol"]["epochs"])).where(runs["selection"] != "uniform", 0)
    epochs = epochs.groupby(runs["method"].astype(str)).max()
    data["search_seconds"] = simulated_seconds(epochs.reindex(data["method"]).to_numpy(float), _images(evidence))
    note = (
        f"{_RELATIVE} {dataset}. A random cell: {plus_minus(*stats.best_of_random(feedback, test, 1))}. n: random "
        f"cells, one at least, that can be trained for {FEEDBACK_EPOCHS} epochs, at {cell_seconds:,.0f} s each, in the "
        "time that a first-order search of the method's epochs and images costs on the benchmark's GPU (the published "
        "10,890 s, scaled; the supernet counts as full-sized); of these the best by validation accuracy. Both are "
        "exact."
    )
    return [_against(evidence, data, test, feedback, cell_seconds, note)]


def _measured(evidence: Evidence, table: Table) -> list[Block]:
    """Like `_simulated`, with measured costs: every method against a random search of the same duration."""
    dataset, metric = evidence.dataset, Metric(evidence.dataset, "valid", evidence.epochs)
    test, feedback = by_code(table, dataset, "test", own=True), _single(table, metric)
    if (dataset, evidence.epochs) not in table.times or not np.isfinite(test + feedback).any():
        return [Text("The table lacks what a random search at equal cost needs: validation accuracies, seconds.")]
    cell_seconds = float(np.nanmean(table.train_seconds(dataset)))
    seconds = search_seconds(evidence.own()).groupby("method", observed=True)["search_seconds"].mean()
    data = _means(evidence)
    data["search_seconds"] = seconds.reindex(data["method"]).to_numpy(float)
    note = (
        f"{_RELATIVE} {dataset}. A random cell: {plus_minus(*stats.best_of_random(feedback, test, 1))}, among the "
        f"{cell_count(table)} architectures that the table holds. n: random cells, one at least, that can be trained "
        f"in the method's own search time, at {cell_seconds:.1f} s each as the table's took on the machine that made "
        "it; of these the best by validation accuracy of one training. Both are exact."
    )
    return [_against(evidence, data, test, feedback, cell_seconds, note)]


def _means(evidence: Evidence) -> pd.DataFrame:
    """Mean test accuracy of every method, the best first."""
    means = evidence.scores().mean().dropna().sort_values(ascending=False, kind="stable")
    return pd.DataFrame({"method": [str(name) for name in means.index], "mean": means.to_numpy(float)})


def _against(
    evidence: Evidence,
    data: pd.DataFrame,
    test: Float[np.ndarray, "archs"],
    feedback: Float[np.ndarray, "archs"],
    cell_seconds: float,
    note: str,
) -> TableBlock:
    """The table of `data`'s means against a random cell and the best of the n trained in each `search_seconds`."""
    means = data["mean"].to_numpy(float)
    data["n"] = (data["search_seconds"].fillna(0) / cell_seconds).astype(int).clip(lower=1)
    best_of = {n: stats.best_of_random(feedback, test, n).mean for n in {1, *data["n"]}}
    best = data["n"].map(best_of).to_numpy(float)
    data["over_random_pct"] = stats.relative_improvement(means, best_of[1])
    data["over_best_pct"] = stats.relative_improvement(means, best)
    grid = data.assign(n=data["n"].astype(str), search_seconds=data["search_seconds"].map(in_unit))
    grid = grid.map(lambda value: value if isinstance(value, str) else number(value))
    grid.columns = pd.Index(["method", "mean test", "search", "n", "over a random cell (%)", "over the best of n (%)"])
    return TableBlock(f"chance{evidence.slug}", f"Against chance, {evidence.name}", data, grid, note)


def _single(table: Table, metric: Metric) -> Float[np.ndarray, "archs"]:
    """Accuracy of one training of each architecture, by code; the mean if single trainings are unknown."""
    column = np.full(SIZE, np.nan)
    if metric in table.means:
        runs = table.by_seed.get(metric)
        column[codes(table.ops)] = table.means[metric] if runs is None else runs[:, 0]
    return column


def _images(evidence: Evidence) -> int:
    """Images that one epoch takes, for every one of training one of validation; 50,000 if no run states it."""
    data_facts: Mapping[str, int] = next((record["data"] for record in evidence.runs["record"] if record), {})
    return 2 * data_facts.get("train_images", 0) or 50_000
