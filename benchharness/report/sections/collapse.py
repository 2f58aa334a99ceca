"""Whether searches collapsed: a verdict per method, and curves over epochs."""

from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from benchharness import plots, space, stats
from benchharness.analysis import published
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code, codes_of
from benchharness.analysis.search_curves import stopped_epoch
from benchharness.io.files import slug
from benchharness.report.blocks import Block, Bullets, FigureBlock, TableBlock, Text, folded
from benchharness.report.formatting import count_of, number, plus_minus

SHOWN: Final = 4
"""Most methods in the collapse figure."""
NAMES: Final = {"test": "degeneration"}
CAPTIONS: Final = {
    "test": "Degeneration: what the table has for the argmax cell of each epoch (test, {trained}); dashed: a random "
    "cell, the optimum.",
    "parameter_free": "Parameter-free operations (none, skip, pool) in the argmax cell.",
    "entropy": "Entropy of the expected edge weights; ln 5 = 1.609 is undecided.",
    "skip_margin": "Expected weight of the skip connection minus the mean of the two convolutions.",
    "eigenvalue": "Largest eigenvalue of the validation loss's Hessian in alpha.",
}
_PARTLY: Final = " Epochs at which the table lacks the cell of a seed are left out."


def collapse(evidence: Evidence) -> list[Block]:
    """The collapse figure and its numbers; folded: a sentence per method, all curves and edge weights."""
    if not len(evidence.long):
        return [Text("No finished run yet."), *_curves(evidence)]
    table = verdicts(evidence.runs, evidence.curves)
    bullets = Bullets([f"{row['method']} {row['sentence']}." for row in table.to_dict("records")])
    cells = pd.DataFrame(
        {
            "method": table["method"],
            "collapsed": [f"{row['collapsed']} of {row['n']}" for row in table.to_dict("records")],
            "first epoch": table["epoch"].map(partial(number, digits=0)),
            "skips": table["skips"].map(partial(number, digits=1)),
            "parameter-free": table["parameter_free"].map(partial(number, digits=1)),
            "entropy at the end": table["entropy"].map(partial(number, digits=3)),
            "gap": [plus_minus(*row) for row in table[["gap", "gap_std"]].to_numpy(float)],
        }
    )
    note = (
        "Collapsed: seeds with four skip connections or more in the derived cell. First epoch: median over these of "
        "the first epoch whose argmax cell has four. Skips, parameter-free (none, skip, pool): mean count of 6. Gap: "
        "validation accuracy of the supernet minus that of its derived one-hot cell, same weights and batch "
        "normalisation, in points."
    )
    grid = TableBlock(f"collapse{evidence.slug}", f"Collapse, {evidence.name}", table, cells, note)
    every = [bullets, *_curves(evidence), *_weights(evidence)]
    more = folded("Every method over its epochs, and its edge weights", every, evidence.slug)
    return [*paper_figure(evidence, table), grid, *more]


def paper_figure(evidence: Evidence, fallen: pd.DataFrame) -> list[FigureBlock]:
    """Skips, parameter-free operations, table accuracy and entropy over epochs of a few methods; empty without curves.

    The last column is a published full-size search.
    """
    info = paper_curves(evidence, fallen)
    if info is None:
        return []
    caption = (
        "Collapse over the search: argmax cell and edge weights after every epoch; every seed thin, their median "
        f"thick. Dashed: a random cell, the optimum; ln 5 = 1.609 is undecided. {published.SEARCH}: "
        f"{published.SEARCH_SOURCE}."
    )
    return [FigureBlock(f"collapse-curves{evidence.slug}", caption, partial(plots.collapse.figure, info))]


def paper_curves(evidence: Evidence, fallen: pd.DataFrame) -> plots.collapse.Collapse | None:
    """Data of the collapse figure; None if no search recorded its epochs."""
    columns = _columns(evidence, fallen)
    search = published.search(evidence.table, evidence.dataset)
    lines = {"test": reference_lines(evidence)}
    return plots.collapse.data(evidence.curves, columns, search, lines) if columns else None


def _columns(evidence: Evidence, fallen: pd.DataFrame) -> list[str]:
    """Methods of the collapse figure: darts, snas and drnas if present, then those that collapsed most often."""
    method_names = set(evidence.curves["method"].astype(str))
    first = [name for name in ("darts", "snas", "drnas") if name in method_names]
    rest = fallen.sort_values(["collapsed", "skips"], ascending=False, kind="stable")["method"]
    return [*first, *(name for name in rest if name in method_names and name not in first)][:SHOWN]


def reference_lines(evidence: Evidence) -> dict[str, float]:
    """Accuracies to compare with, in percent: a random cell's and the optimum; none without a table."""
    column = by_code(evidence.table, evidence.dataset, "test", own=True)
    if evidence.table is None or not np.isfinite(column).any():
        return {}
    best = evidence.table.optimum(evidence.dataset, "test").accuracy
    return {"random cell": float(np.nanmean(column)), "optimum": best}


def verdicts(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """One row per method with finished runs: `stats.Verdict`, mean counts, entropy at the end, discretisation gap.

    The end of a search that was stopped early is the epoch whose alphas it goes back to.
    """
    firsts = {
        run_id: stats.first_epoch(group["skips"].to_numpy(), group["epoch"].to_numpy())
        for run_id, group in curves.groupby("run_id")
    }
    ends = {run["supernet"]: stopped_epoch(run) for run in runs.to_dict("records")}
    is_past = curves["epoch"] > curves["run_id"].map(ends).astype(float).fillna(np.inf)
    last = curves[~is_past].sort_values("epoch").groupby("run_id")["entropy"].last()
    rows = []
    for name, group in runs[runs["arch"].notna()].groupby("method", observed=True):
        ops = space.all_ops()[codes_of(group["arch"])]
        skips, free = space.parameter_free_counts(ops).values()
        cut_off = [not space.reaches_output(space.from_string(arch)) for arch in group["arch"]]
        first_epochs = [firsts.get(run_id) for run_id in group["supernet"]]
        verdict = stats.verdict(skips.tolist(), free.tolist(), first_epochs, cut_off)
        gap = (group["mixed_accuracy_pct"] - group["derived_accuracy_pct"])[group["measures_bn"] == "batch"]
        entropy = group["supernet"].map(last).astype(float).mean()
        rows.append((str(name), *verdict, skips.mean(), free.mean(), entropy, gap.mean(), gap.std()))
    columns = ["method", "collapsed", "n", "epoch", "sentence", "skips", "parameter_free", "entropy", "gap", "gap_std"]
    return pd.DataFrame(rows, columns=columns)


def _curves(evidence: Evidence) -> list[Block]:
    note = " A panel per method: seeds thin, median thick, the other methods grey. Those of one supernet share a panel."
    pictures: list[Block] = []
    for column, caption in CAPTIONS.items():
        lines = reference_lines(evidence) if column == "test" else {}
        info = plots.search_curves.data(evidence.curves, column, "", lines)
        if info.by_method:
            caption = caption.format(trained=count_of(evidence.epochs, "epoch"))
            caption += _PARTLY if column == "test" and evidence.table and not evidence.table.complete else ""
            name = f"{NAMES.get(column, slug(column))}{evidence.slug}"
            pictures.append(FigureBlock(name, caption + note, partial(plots.search_curves.figure, info)))
    return pictures


def _weights(evidence: Evidence) -> list[Block]:
    infos = []
    for name, group in evidence.curves.groupby("method", observed=True):
        arrays = [evidence.arrays.get(run_id, {}) for run_id in group["run_id"].unique()]
        expected = [run_arrays["expected"] for run_arrays in arrays if len(run_arrays.get("expected", ()))]
        if expected:
            infos.append(plots.edge_weights.data(expected, str(name)))
    if not infos:
        return []
    caption = (
        "Expected edge weights minus uniform over the search, mean over seeds: red above, blue below; linear up to "
        "0.01, logarithmic beyond. Within each edge from the top: none, skip, 1x1, 3x3, pool; the dot leads at the end."
    )
    return [FigureBlock(f"edge-weights{evidence.slug}", caption, partial(plots.edge_weights.figure, infos))]
