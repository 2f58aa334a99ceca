"""Kendall's tau: whether operation strength ranks operations better than magnitude and than parameter counts."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from benchharness import plots, stats
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code
from benchharness.analysis.rank_correlation import CELL_RUNS, KINDS, NULL, Truth
from benchharness.io.files import slug
from benchharness.plots.style import canvas, styled
from benchharness.report.blocks import Block, Bullets, FigureBlock, TableBlock, Text, folded
from benchharness.report.formatting import MISSING, few, number, plus_minus, span, spans
from benchharness.report.ground_truth import probed_coverage
from benchharness.report.sections.ranking import SEED
from benchharness.space import OPS, SIZE, all_ops
from benchharness.table.quality import coverage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEANING: Final = (
    "a: operation strength (or what else reads the cell out) against magnitude, on each edge: do they agree.",
    "b: a criterion against the table's truth on each edge: the mean (max: the best) test accuracy of the 3,125 cells "
    "that have the operation there.",
    "c: the same against the conditional truth, computed here and published nowhere: once edges are decided, in the "
    "order in which the run decided them, only cells with the run's choices on those edges count for the next. The "
    "first edge is thus judged by 3,125 cells an operation, the last by one.",
    "d: the sum over edges of a criterion's scores against the accuracy of whole cells, all of them or the best tenth; "
    f"of the first {CELL_RUNS} seeds at most.",
)


def taus(evidence: Evidence) -> list[Block]:
    """Kendall's tau of the criteria in a sentence and a figure; folded, all kinds, edges, and supernets."""
    rows = evidence.agreement
    if not rows["tau"].notna().any():
        return [
            Text("No finished run has scores of operations to compare."),
            *folded("How supernets rank cells", _supernets(evidence), evidence.slug),
        ]
    overall = overall_taus(rows)
    answer = Text(
        "Tau-b per edge, mean over edges and then over seeds, with 95 % bootstrap intervals over seeds. "
        f"'{NULL}' is the null: operations ranked by how many weights they have, without any search. {_dead(rows)}"
    )
    more: list[Block] = [answer, Bullets(closeness(overall)), Bullets(list(MEANING))]
    more += [_overall_grid(evidence, overall), _edge_grid(evidence, rows), *_score_pictures(evidence)]
    blocks: list[Block] = [Text(taus_sentence(overall)), *_coverage(evidence), _tau_picture(evidence, overall)]
    more += _supernets(evidence)
    return [*blocks, *folded("Every kind of tau, every edge, and how supernets rank cells", more, evidence.slug)]


def taus_sentence(overall: pd.DataFrame) -> str:
    """A sentence: whether criteria rank operations better than parameter counts, and which is closest to the table."""
    wide = overall[overall["with_none"] & (overall["kind"] == "b mean")]
    method_taus, null = wide[wide["criterion"] != NULL], wide.loc[wide["criterion"] == NULL, "tau"]
    if method_taus.empty:
        return "No criterion could be held against the table."
    counts, above = number(float(null.mean())), method_taus[method_taus["low"] > float(null.max())]
    ordered = method_taus.sort_values("tau", kind="stable")
    best, worst = ordered.iloc[-1], ordered.iloc[0]
    null_clause = ", ".join(
        f"{word} {row['criterion']} of {row['method']}, {span(stats.Interval(row['tau'], row['low'], row['high'], 0))}"
        for word, row in (("nearest", best), ("farthest", worst))
    )
    lead = (
        f"No criterion ranks the operations of an edge better than their parameter counts do (tau {counts})"
        if above.empty
        else f"Better than parameter counts (tau {counts}) on each edge: "
        + few(f"{row['criterion']} of {row['method']}" for row in above.to_dict("records"))
    )
    strength = method_taus[method_taus["criterion"] == "strength"]
    clauses = "".join(
        f" Operation strength in {row['method']}: "
        f"{span(stats.Interval(row['tau'], row['low'], row['high'], 0))}, magnitude of the same supernets "
        f"{_of(method_taus, row['method'])}."
        for row in strength.head(2).to_dict("records")
    )
    return f"{lead}; {null_clause}.{clauses}"


def _of(method_taus: pd.DataFrame, method: str) -> str:
    row = method_taus[(method_taus["method"] == method) & (method_taus["criterion"] == "magnitude")]
    return spans(row, "tau", "low", "high")[0] if len(row) else MISSING


def _coverage(evidence: Evidence) -> list[Block]:
    """The number of cells behind each ground truth for an incomplete table; empty for a complete one."""
    table = evidence.table
    if table is None or table.complete:
        return []
    truth = np.isfinite(by_code(table, evidence.dataset, "test"))
    behind = [np.bincount(column, weights=truth, minlength=len(OPS)) for column in all_ops().T]
    own_coverage, least, most = coverage(table)._replace(measured_here=0), int(np.min(behind)), int(np.max(behind))
    return [
        Text(
            f"The table covers {own_coverage}. The truth of an operation on an edge is of {least:,} to {most:,} cells "
            f"and not of {SIZE // len(OPS):,}; kind c, which narrows them down edge by edge, soon is of few, or "
            "of none and undefined; kind d ranks the cells that the table holds."
        )
    ]


def overall_taus(rows: pd.DataFrame) -> pd.DataFrame:
    """From the frame `agreement` gives: per method, kind, criterion and use of `none`, `tau` with `low`, `high`, `n`.

    Edges are averaged within a run first, undefined ones left out; the interval bootstraps runs.
    """
    keys = ["method", "kind", "criterion", "with_none"]
    per_run = rows.groupby([*keys, "run_id"], observed=True, sort=False)["tau"].mean().dropna().reset_index()
    frame = _intervals(per_run.groupby(keys, observed=True, sort=False)["tau"])
    frame["kind"] = pd.Categorical(frame["kind"], KINDS)
    frame = frame.sort_values(keys, ascending=[True, True, True, False], kind="stable", ignore_index=True)
    return frame.astype({"kind": str})


def closeness(overall: pd.DataFrame) -> list[str]:
    """Per method and criterion: its tau with the table (kinds b and c), and whether it beats parameter counts."""
    wide = overall[overall["with_none"] & overall["kind"].isin(["b mean", "c mean"])]
    nulls = wide[wide["criterion"] == NULL].set_index(["method", "kind"])["tau"]
    sentences = []
    for row in wide[wide["criterion"] != NULL].to_dict("records"):
        tau = stats.Interval(*(row[name] for name in ("tau", "low", "high", "n")))
        null = float(nulls.get((row["method"], row["kind"]), np.nan))
        sentence = f"{row['method']}, kind {row['kind'][0]}: tau of {row['criterion']} is {span(tau)}"
        sentences.append(f"{sentence}, {_against(tau, null)} that of parameter counts ({number(null)}).")
    return sentences


def _against(tau: stats.Interval, null: float) -> str:
    if not np.isfinite(tau.low):
        return "in one run, below" if tau.value < null else "in one run, not below"
    return "below" if tau.high < null else "above" if tau.low > null else "not told apart from"


def _dead(rows: pd.DataFrame) -> str:
    null_rows = rows[(rows["kind"] == "b mean") & rows["with_none"] & (rows["criterion"] == NULL)]
    sentence = "An edge that is dead in any reading of a supernet is left out of every reading of it."
    return (
        f"{sentence} Edges left out as dead or tied: {null_rows['tau'].isna().sum()} of {len(null_rows)}."
        if len(null_rows)
        else ""
    )


def _overall_grid(evidence: Evidence, overall: pd.DataFrame) -> TableBlock:
    values = overall.assign(cell=spans(overall, "tau", "low", "high"))
    values["none"] = np.where(values["with_none"], "with", "without")
    wide = values.pivot(index=["method", "criterion", "none"], columns="kind", values="cell").reset_index()
    grid = wide[["method", "criterion", "none", *[kind for kind in KINDS if kind in wide]]].fillna(MISSING)
    note = "Kinds in the columns, operations with or without 'none' in the rows; value [95 % interval over seeds]."
    return TableBlock(
        f"taus{evidence.slug}", f"Kendall's tau, {evidence.name}", overall, grid.rename_axis(columns=None), note
    )


def _edge_grid(evidence: Evidence, rows: pd.DataFrame) -> TableBlock:
    keys = ["method", "kind", "criterion", "edge"]
    edge_rows = rows[rows["with_none"] & (rows["edge"] != "") & rows["kind"].isin(["a", "b mean", "c mean"])]
    groups = edge_rows.astype({"method": str}).groupby(keys, sort=False)["tau"]
    data = groups.agg(["mean", "std", "count"]).reset_index()
    grid = data.assign(cell=[plus_minus(*row) for row in data[["mean", "std"]].to_numpy(float)])
    grid = grid.pivot(index=keys[:3], columns="edge", values="cell").reset_index().rename_axis(columns=None)
    note = "Mean±std over seeds of tau-b, 'none' among the operations; a dash where it is undefined in every run."
    return TableBlock(f"edge-taus{evidence.slug}", f"Kendall's tau by edge, {evidence.name}", data, grid, note)


def _tau_picture(evidence: Evidence, overall: pd.DataFrame) -> FigureBlock:
    info = plots.rank_correlation.data(overall[overall["with_none"]])
    caption = (
        "Kendall's tau of criteria that read cells out, 'none' among the operations: 95 % intervals over seeds. Grey: "
        "what ranking by parameter counts reaches without any search."
    )
    return FigureBlock(f"taus{evidence.slug}", caption, partial(plots.rank_correlation.figure, info))


def _score_pictures(evidence: Evidence) -> list[Block]:
    """A figure per method that derives by something else than magnitude, where there is a table to compare with."""
    runs = evidence.runs[evidence.runs["arch"].notna() & ~evidence.runs["selection"].isin(["magnitude", "uniform"])]
    truth = Truth(by_code(evidence.table, evidence.dataset, "test", own=True)).edges["mean"]
    pictures: list[Block] = []
    for (name, selection), group in runs.groupby(["method", "selection"], observed=True):
        run_arrays = [evidence.arrays[run_id] for run_id in group["run_id"]]
        scores = {
            str(selection): [
                run_arrays_of_seed["scores"] for run_arrays_of_seed in run_arrays if "scores" in run_arrays_of_seed
            ]
        }
        scores["magnitude"] = [
            run_arrays_of_seed["magnitude"] for run_arrays_of_seed in run_arrays if "magnitude" in run_arrays_of_seed
        ]
        if all(scores.values()) and evidence.table is not None:
            draw = partial(_edges, plots.operation_scores.data(scores, truth))
            caption = f"{name}: {selection} and magnitude of every operation beside the table's truth, on each edge."
            pictures.append(FigureBlock(f"scores-{slug(name)}{evidence.slug}", caption, draw))
    return pictures


def _edges(info: plots.operation_scores.EdgeScores) -> "Figure":
    with styled():
        figure, axes = canvas(10.0, 6.0, 2, 3)
        plots.operation_scores.draw(info, axes)
    return figure


def _supernets(evidence: Evidence) -> list[Block]:
    every = evidence.ranking
    if every.empty:
        return []
    used = every.groupby("method", observed=True)[["probed", "archs"]].apply(probed_coverage)
    every = every.assign(cells=every["method"].map(used).astype(str))
    measures = every.melt(["method", "cells"], ["tau", "top_tau", "sparse_tau"], "measure", "value").dropna()
    if measures.empty:
        return []
    data = _intervals(measures.groupby(["method", "cells", "measure"], observed=True, sort=False)["value"])
    grid = data.assign(cell=spans(data, "tau", "low", "high"), supernets=data["n"].astype(str))
    grid = grid.pivot(index=["method", "supernets", "cells"], columns="measure", values="cell").reset_index()
    grid = grid.rename(columns={"top_tau": "top", "sparse_tau": "sparse"}).rename_axis(columns=None)
    note = (
        "Tau-b between accuracy of one-hot cells with inherited weights on the validation half and the table's test "
        "accuracy, on a sample of cells drawn by seed, batch normalisation by the batch's own statistics; mean over "
        "supernets [95 % bootstrap interval]. Top: among the best tenth by the table, where the sample has 100 cells. "
        "Sparse: the table rounded to 0.1 points."
    )
    title = f"How supernets rank cells, {evidence.name}"
    return [TableBlock(f"supernets{evidence.slug}", title, data, grid.fillna(MISSING), note + _used(evidence))]


def _used(evidence: Evidence) -> str:
    """How many probed cells are in the table; empty if all are."""
    if (evidence.ranking["archs"] == evidence.ranking["probed"]).all():
        return ""
    return f" Of the cells probed, {probed_coverage(evidence.ranking)} are in the table and count."


def _intervals(groups: Any) -> pd.DataFrame:
    """Per group of a grouped column: its mean as `tau`, with `low`, `high` (bootstrapped) and `n`, beside its keys."""
    keys, arrays = zip(*((key, part.to_numpy()) for key, part in groups), strict=True)
    rows = [(*key, *mean) for key, mean in zip(keys, stats.bootstrap_means(arrays, SEED), strict=True)]
    return pd.DataFrame(rows, columns=[*groups.keys, "tau", "low", "high", "n"]).astype({"method": str})
