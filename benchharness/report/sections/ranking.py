"""The answer first: which methods find better cells, how sure that is, and what the tests say."""

from functools import partial
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

from benchharness import plots, stats
from benchharness.analysis.experiment import Evidence
from benchharness.plots.style import drawn
from benchharness.report.blocks import Block, Grid, Picture, Text
from benchharness.report.formatting import counted, listed, number, p_value, plus_minus, spans
from benchharness.report.ground_truth import sampled

LEVEL: Final = 0.05
MANY: Final = 30
"""Comparisons above which a report shows those with the leader and the significant ones alone."""
FEW: Final = 10
"""Seeds below which a report warns."""
SEED: Final = 0
"""Every interval and drawn permutation of a report comes from a generator seeded with this."""
_SUMMARY: Final = ("mean", "mean_low", "mean_high", "std", "median", "iqm", "iqm_low", "iqm_high")
_PAIRED: Final = (
    *("difference", "low", "high", "permutation_p", "wilcoxon_p", "effect"),
    *("improvement", "improvement_low", "improvement_high"),
)


def answer(evidence: Evidence) -> list[Block]:
    """Ranking with intervals, the pairwise tests in a sentence and in full, and the figures that go with them."""
    scores = evidence.scores()
    if scores.isna().to_numpy().all():
        return [Text(_nothing(evidence))]
    ranked, tested = ranking(scores), comparisons(scores)
    said = sentence(ranked, tested) + _unknown(evidence)
    blocks: list[Block] = [Text(said), _ranking_grid(evidence, ranked)]
    return [*blocks, *([_test_grid(evidence, tested)] if len(tested) else []), *_pictures(evidence, scores)]


def ranking(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per method of `scores` (a column per method, a row per seed), best mean first: `stats.Summary`."""
    rows = []
    for name, column in scores.items():
        if column.notna().any():
            found = stats.summarise(column.to_numpy(), np.random.default_rng(SEED))
            rows.append((str(name), found.n, *found.mean[:3], found.std, found.median, *found.iqm[:3]))
    frame = pd.DataFrame(rows, columns=["method", "n", *_SUMMARY])
    return frame.sort_values(["mean", "method"], ascending=[False, True], ignore_index=True)


def comparisons(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of methods, the better mean first: `stats.Paired`, and `holm` over all pairs."""
    rows = []
    best_first = scores.mean().dropna().sort_index().sort_values(ascending=False, kind="stable").index
    for a, b in combinations(map(str, best_first), 2):
        found = stats.pair(scores[a].to_numpy(), scores[b].to_numpy(), np.random.default_rng(SEED))
        rows.append((a, b, found.difference.n, *found.difference[:3], *found[1:4], *found.improvement[:3]))
    frame = pd.DataFrame(rows, columns=["a", "b", "n", *_PAIRED])
    return frame.assign(holm=stats.holm(frame["permutation_p"].to_numpy(float)))


def sentence(ranked: pd.DataFrame, tested: pd.DataFrame) -> str:
    """The answer in words: who leads, what is significant after Holm's correction, and what could not have been."""
    best = ranked.iloc[0]
    said = [f"{best['method']} leads with a mean of {plus_minus(best['mean'], best['std'])} %.", *_tests(tested)]
    if ranked["n"].min() < FEW:
        said.append(f"Some methods have fewer than {FEW} seeds ({ranked['n'].min()} at least): intervals are rough.")
    return " ".join(said)


def _unknown(evidence: Evidence) -> str:
    """How many runs derived cells that the table lacks, which no mean can include."""
    runs = evidence.own()
    lacking = int(runs["test"].isna().sum())
    if not lacking:
        return ""
    of = f" Of {counted(len(runs), 'run')}, {lacking} derived cells that the table lacks"
    return f"{of}: no accuracy here includes them."


def _tests(tested: pd.DataFrame) -> list[str]:
    if tested.empty:
        return ["It is the only method here, so nothing is compared."]
    clear = tested[tested["holm"] < LEVEL]
    lead = f"Of {counted(len(tested), 'paired comparison')}"
    if len(clear):
        wins = listed(f"{row['a']} over {row['b']} (p={p_value(row['holm'])})" for row in clear.to_dict("records"))
        return [f"{lead}, {len(clear)} significant at 5 % after Holm's correction: {wins}; the others are not."]
    n = int(tested["n"].max())
    said = [f"{lead} none is significant at 5 % after Holm's correction."]
    if (floor := stats.smallest_p(n)) * len(tested) >= LEVEL:
        said.append(f"None could have been: {counted(n, 'shared seed')} give a p of {p_value(floor)} at best.")
    return said


def _ranking_grid(evidence: Evidence, ranked: pd.DataFrame) -> Grid:
    own = evidence.own()
    by_method = own.groupby("method", observed=True)
    ranked = ranked.join(by_method[["regret", "percentile"]].mean(), on="method")
    cells = by_method["arch"].agg(_distinct)
    shown = pd.DataFrame(
        {
            "method": ranked["method"],
            "seeds": ranked["n"].astype(str),
            "mean [95 %]": spans(ranked, "mean", "mean_low", "mean_high"),
            "std": ranked["std"].map(number),
            "median": ranked["median"].map(number),
            "IQM [95 %]": spans(ranked, "iqm", "iqm_low", "iqm_high"),
            "regret": ranked["regret"].map(number),
            "percentile": ranked["percentile"].map(partial(number, digits=1)),
            "cells": ranked["method"].map(cells),
        }
    )
    note = (
        f"Test accuracy in percent on {evidence.dataset} ({counted(evidence.epochs, 'epoch')}, mean over training "
        "seeds) of the cells derived. "
        "Mean: 95 % t interval, which with few seeds may reach past 100 %. IQM: interquartile mean, 95 % percentile "
        "bootstrap. Regret: points below the table's optimum. Percentile: cells of the table that are no better."
        + sampled(evidence.table)
    )
    return Grid(f"ranking{evidence.slug}", f"Ranking, {evidence.name}", ranked, shown, note)


def _distinct(archs: "pd.Series[str]") -> str:
    counts = archs.value_counts()
    most = int(counts.max())
    return f"{len(counts)} distinct" if most == 1 else f"{most} of {len(archs)} seeds derived the same cell"


def tests_in_words(tested: pd.DataFrame, first: str, second: str, better: str) -> pd.DataFrame:
    """Paired tests as a reader sees them: `first` - `second` name the columns of the two sides, `better` a heading."""
    return pd.DataFrame(
        {
            f"{first} - {second}": tested[first] + " - " + tested[second],
            "pairs": tested["n"].astype(str),
            "difference [95 %]": spans(tested, "difference", "low", "high"),
            "permutation p": tested["permutation_p"].map(p_value),
            "Holm": tested["holm"].map(p_value),
            "Wilcoxon p": tested["wilcoxon_p"].map(p_value),
            "d": tested["effect"].map(number),
            better: spans(tested, "improvement", "improvement_low", "improvement_high"),
        }
    )


def _test_grid(evidence: Evidence, tested: pd.DataFrame) -> Grid:
    told = tested if len(tested) <= MANY else tested[(tested["a"] == tested["a"].iloc[0]) | (tested["holm"] < LEVEL)]
    shown = tests_in_words(told, "a", "b", "P(a better) [95 %]")
    note = (
        "Paired by seed; tests fixed beforehand: sign-flip permutation test of the mean difference (the one that Holm "
        "corrects, over all pairs) and Wilcoxon signed-rank test, two-sided. d: Cohen's d of the paired differences. "
        "P(a better): probability that a run of a beats one of b, ties half."
    )
    if len(told) < len(tested):
        kept = "those with the leader and those significant after Holm's correction"
        note += f" Of {len(tested)} comparisons {kept} are shown here, and all are in the CSV file."
    return Grid(f"comparisons{evidence.slug}", f"Paired comparisons, {evidence.name}", tested, shown, note)


def _pictures(evidence: Evidence, scores: pd.DataFrame) -> list[Block]:
    title, n = f"Searched on {evidence.name}", int(scores.notna().any().sum())
    optimum = evidence.table.optimum(evidence.dataset, "test").accuracy if evidence.table else np.nan
    spread = plots.accuracy.data(scores, title, optimum)
    draw = partial(drawn, plots.accuracy.draw, spread, 7.5, 1.6 + 0.55 * n)
    caption = "Test accuracy of the derived cells: every seed a point; bar: 95 % t interval of the mean."
    found: list[Block] = [Picture(f"accuracy{evidence.slug}", caption, draw)]
    if n > 1:
        matrix = plots.win_probability.data(scores)
        draw = partial(drawn, plots.win_probability.draw, matrix, max(4.5, 2.6 + 0.65 * n), 2.0 + 0.6 * n)
        caption = "Probability that a run of the row's method beats a run of the column's."
        found.append(Picture(f"improvement{evidence.slug}", caption, draw))
        shares = plots.performance_profile.data(scores, np.random.default_rng(SEED), title)
        caption = "Performance profile: share of runs that reach an accuracy, with 95 % bootstrap bands."
        found.append(
            Picture(f"profile{evidence.slug}", caption, partial(drawn, plots.performance_profile.draw, shares))
        )
    return found


def _nothing(evidence: Evidence) -> str:
    if not len(evidence.long):
        return f"No run of {evidence.name} has finished yet, so there is nothing to rank."
    if evidence.table is None:
        other = f"`benchharness table build --dataset {evidence.dataset}` measures one"
        brought = "`benchharness data import PATH` installs one" if evidence.benchmark else other
        return f"No table is installed, so no cell can be looked up: {brought}."
    return "None of the derived cells is in the installed table, which holds a part of the architectures."
