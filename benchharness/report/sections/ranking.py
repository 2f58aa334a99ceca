"""Rankings of methods with intervals, and paired tests."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd

from benchharness import plots, stats
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import trainable
from benchharness.analysis.planned import CONTROL, planned_pairs
from benchharness.plots.style import figure_of
from benchharness.report.blocks import Block, FigureBlock, TableBlock
from benchharness.report.formatting import count_of, number, p_value, spans
from benchharness.report.ground_truth import sample_sentence

LEVEL: Final = 0.05
MANY: Final = 30
"""Number of comparisons above which a report shows only significant ones and those with the leader."""
FEW: Final = 10
"""Seeds below which a report warns."""
SEED: Final = 0
"""Seed of the generators of all intervals and permutations of a report."""
_SUMMARY: Final = ("mean", "mean_low", "mean_high", "std", "median", "iqm", "iqm_low", "iqm_high", "low", "high")
_PAIRED_TESTS: Final = (
    "paired by seed: sign-flip permutation test of the mean difference (the one that Holm corrects, {}) and Wilcoxon "
    "signed-rank test, two-sided, fixed beforehand. d: Cohen's d of the paired differences."
)
_PAIRED: Final = (
    *("difference", "low", "high", "permutation_p", "wilcoxon_p", "effect"),
    *("improvement", "improvement_low", "improvement_high"),
)


def detail(evidence: Evidence) -> list[Block]:
    """All intervals, all pairwise tests, and their figures."""
    scores = evidence.scores()
    if scores.isna().to_numpy().all():
        return []
    ranked, tests, planned = ranking(scores), comparisons(scores), planned_comparisons(scores)
    blocks: list[Block] = [_ranking_grid(evidence, ranked)]
    if len(planned) < len(tests):
        blocks.append(_planned_grid(evidence, planned))
    return [*blocks, *([_test_grid(evidence, tests)] if len(tests) else []), *_pictures(evidence, scores, tests)]


def ranking(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per method of `scores` (a column per method, a row per seed), best mean first: `stats.Summary`, range."""
    rows = []
    for name, column in scores.items():
        if column.notna().any():
            summary = stats.summarise(column.to_numpy(), np.random.default_rng(SEED))
            middle = (*summary.mean[:3], summary.std, summary.median, *summary.iqm[:3])
            rows.append((str(name), summary.n, *middle, column.min(), column.max()))
    frame = pd.DataFrame(rows, columns=["method", "n", *_SUMMARY])
    return frame.sort_values(["mean", "method"], ascending=[False, True], ignore_index=True)


def interval_is_told(row: Mapping[Any, Any] | pd.Series) -> bool:
    """Whether to print the t interval of a row of `ranking`: there are enough seeds, and it lies within 0 to 100 %.

    If a few cells reach only chance, the interval extends past 100 %.
    """
    return bool(row["n"] >= FEW and row["mean_low"] >= 0 and row["mean_high"] <= 100)


def comparisons(scores: pd.DataFrame) -> pd.DataFrame:
    """`paired_tests` of every pair of methods, the better mean first."""
    return paired_tests(scores, combinations(_best_first(scores), 2))


def planned_comparisons(scores: pd.DataFrame) -> pd.DataFrame:
    """`paired_tests` of the planned pairs (`analysis.planned`), the better mean first."""
    return paired_tests(scores, planned_pairs(_best_first(scores)))


def _best_first(scores: pd.DataFrame) -> list[str]:
    means = scores.mean().dropna().sort_index().sort_values(ascending=False, kind="stable")
    return [str(name) for name in means.index]


def paired_tests(scores: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """One row per pair `a`, `b` of columns of `scores`: `stats.Paired`, and `holm` over all of `pairs`."""
    rows = []
    for a, b in pairs:
        paired = stats.pair(scores[a].to_numpy(), scores[b].to_numpy(), np.random.default_rng(SEED))
        rows.append((a, b, paired.difference.n, *paired.difference[:3], *paired[1:4], *paired.improvement[:3]))
    frame = pd.DataFrame(rows, columns=["a", "b", "n", *_PAIRED])
    return frame.assign(holm=stats.holm(frame["permutation_p"].to_numpy(float)))


def unknown_cells(evidence: Evidence) -> str:
    """A sentence on runs whose cells the table lacks; empty if there are none."""
    runs = evidence.own()
    missing_count = int(runs["test"].isna().sum())
    if not missing_count:
        return ""
    of = f" Of {count_of(len(runs), 'run')}, {missing_count} derived cells that the table lacks"
    return f"{of}: no accuracy here includes them{trainable(evidence.table)}."


def _ranking_grid(evidence: Evidence, ranked: pd.DataFrame) -> TableBlock:
    own_runs = evidence.own()
    by_method = own_runs.groupby("method", observed=True)
    ranked = ranked.join(by_method[["regret", "percentile"]].mean(), on="method")
    cells = by_method["arch"].agg(_distinct)
    certain = ranked.apply(interval_is_told, axis=1)
    mean = pd.Series(spans(ranked, "mean", "mean_low", "mean_high"), index=ranked.index)
    grid = pd.DataFrame(
        {
            "method": ranked["method"],
            "seeds": ranked["n"].astype(str),
            "mean [95 %]": mean.where(certain, ranked["mean"].map(number)),
            "std": ranked["std"].map(number),
            "median": ranked["median"].map(number),
            "range": [f"{number(low)} to {number(high)}" for low, high in ranked[["low", "high"]].to_numpy(float)],
            "IQM [95 %]": spans(ranked, "iqm", "iqm_low", "iqm_high"),
            "regret": ranked["regret"].map(number),
            "percentile": ranked["percentile"].map(partial(number, digits=1)),
            "cells": ranked["method"].map(cells),
        }
    )
    note = (
        f"Test accuracy in percent on {evidence.dataset} ({count_of(evidence.epochs, 'epoch')}, mean over training "
        "seeds) of the cells derived. "
        f"Mean: 95 % t interval from {FEW} seeds on, where it stays within what is possible; else it is in the CSV "
        "file alone. IQM: interquartile mean, 95 % percentile bootstrap. Regret: points below the table's optimum. "
        "Percentile: cells of the table that are no better." + sample_sentence(evidence.table)
    )
    return TableBlock(f"intervals{evidence.slug}", f"Intervals, {evidence.name}", ranked, grid, note)


def _distinct(archs: "pd.Series[str]") -> str:
    counts = archs.value_counts()
    most = int(counts.max())
    return f"{len(counts)} distinct" if most == 1 else f"{most} of {len(archs)} seeds derived the same cell"


def tests_in_words(comparisons_table: pd.DataFrame, first: str, second: str, better: str) -> pd.DataFrame:
    """Paired tests formatted for readers; `first` and `second` are columns of method names, `better` a heading."""
    return pd.DataFrame(
        {
            f"{first} - {second}": comparisons_table[first] + " - " + comparisons_table[second],
            "pairs": comparisons_table["n"].astype(str),
            "difference [95 %]": spans(comparisons_table, "difference", "low", "high"),
            "permutation p": comparisons_table["permutation_p"].map(p_value),
            "Holm": comparisons_table["holm"].map(p_value),
            "Wilcoxon p": comparisons_table["wilcoxon_p"].map(p_value),
            "d": comparisons_table["effect"].map(number),
            better: spans(comparisons_table, "improvement", "improvement_low", "improvement_high"),
        }
    )


def _planned_grid(evidence: Evidence, planned: pd.DataFrame) -> TableBlock:
    note = (
        f"Planned comparisons: every method with {CONTROL}, {_PAIRED_TESTS.format('over these rows')} P(better): "
        f"probability that a run of the method beats one of {CONTROL}, ties half."
    )
    grid = tests_in_words(planned, "a", "b", "P(better) [95 %]")
    return TableBlock(f"planned{evidence.slug}", f"Against {CONTROL}, {evidence.name}", planned, grid, note)


def _test_grid(evidence: Evidence, comparisons_table: pd.DataFrame) -> TableBlock:
    rows_shown = (
        comparisons_table
        if len(comparisons_table) <= MANY
        else comparisons_table[
            (comparisons_table["a"] == comparisons_table["a"].iloc[0]) | (comparisons_table["holm"] < LEVEL)
        ]
    )
    grid = tests_in_words(rows_shown, "a", "b", "P(a better) [95 %]")
    tests = _PAIRED_TESTS.format("over all pairs")
    note = f"All pairs, {tests} P(a better): probability that a run of a beats one of b, ties half."
    if len(rows_shown) < len(comparisons_table):
        scope = "those with the leader and those significant after Holm's correction"
        note += f" Of {len(comparisons_table)} comparisons {scope} are shown here, and all are in the CSV file."
    return TableBlock(
        f"comparisons{evidence.slug}", f"Paired comparisons, {evidence.name}", comparisons_table, grid, note
    )


def _pictures(evidence: Evidence, scores: pd.DataFrame, tests: pd.DataFrame) -> list[Block]:
    n = int(scores.notna().any().sum())
    if n < 2:
        return []
    pictures: list[Block] = []
    ranks = plots.ranks.data(scores, tests)
    if ranks.seeds > 1:
        caption = (
            "Critical-difference diagram: mean rank over the seeds that all methods have (1 is best). A bar joins "
            f"methods that no paired test tells apart after Holm's correction; {ranks.friedman_in_words()}."
        )
        draw = partial(figure_of, plots.ranks.draw, ranks, 8.0, 1.2 + 0.2 * n)
        pictures.append(FigureBlock(f"ranks{evidence.slug}", caption, draw))
    matrix = plots.win_probability.data(scores)
    draw = partial(figure_of, plots.win_probability.draw, matrix, max(4.5, 2.6 + 0.5 * n), 2.0 + 0.45 * n)
    caption = "Probability that a run of the row's method beats a run of the column's."
    pictures.append(FigureBlock(f"improvement{evidence.slug}", caption, draw))
    shares = plots.performance_profile.data(scores, np.random.default_rng(SEED), "")
    caption = (
        "Performance profile: share of runs that reach an accuracy, with 95 % bootstrap bands; the others in grey."
    )
    pictures.append(FigureBlock(f"profile{evidence.slug}", caption, partial(plots.performance_profile.figure, shares)))
    return pictures


def no_ranking(evidence: Evidence) -> str:
    """A sentence on why there is nothing to rank."""
    if not len(evidence.long):
        return f"No run of {evidence.name} has finished yet, so there is nothing to rank."
    if evidence.table is None:
        other = f"`benchharness table build --dataset {evidence.dataset}` measures one"
        remedy = "`benchharness data import PATH` installs one" if evidence.benchmark else other
        return f"No table is installed, so no cell can be looked up: {remedy}."
    reason = "None of the derived cells is in the installed table, which holds a part of the architectures"
    return f"{reason}{trainable(evidence.table)}."
