"""Whether searches collapsed: a verdict per method, and the curves behind it."""

from functools import partial
from typing import Final

import pandas as pd

from benchharness import plots, space, stats
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import codes_of
from benchharness.io.files import slug
from benchharness.plots.style import drawn
from benchharness.report.blocks import Block, Bullets, Grid, Picture, Text
from benchharness.report.formatting import counted, number, plus_minus

NAMES: Final = {"test": "degeneration"}
CAPTIONS: Final = {
    "test": "Degeneration curve: what the table has for the argmax cell of each epoch (test, {trained}).",
    "parameter_free": "Parameter-free operations (none, skip, pool) in the argmax cell.",
    "entropy": "Entropy of the expected edge weights; ln 5 = 1.609 is undecided.",
    "skip_margin": "Expected weight of the skip connection minus the mean of the two convolutions.",
    "eigenvalue": "Largest eigenvalue of the validation loss's Hessian in alpha.",
}
_PARTLY: Final = " Epochs at which the table lacks the cell of a seed are left out."


def collapse(evidence: Evidence) -> list[Block]:
    """A computed sentence per method, the numbers, the curves over epochs and the weights' heat maps."""
    if not len(evidence.long):
        return [Text("No finished run yet."), *_curves(evidence)]
    table = verdicts(evidence.runs, evidence.curves)
    said = Bullets([f"{row['method']} {row['sentence']}." for row in table.to_dict("records")])
    shown = pd.DataFrame(
        {
            "method": table["method"],
            "seeds": table["n"].astype(str),
            "collapsed": table["collapsed"].astype(str),
            "first epoch": table["epoch"].map(partial(number, digits=0)),
            "skips": table["skips"].map(partial(number, digits=1)),
            "parameter-free": table["parameter_free"].map(partial(number, digits=1)),
            "entropy at the end": table["entropy"].map(partial(number, digits=3)),
            "gap": [plus_minus(*row) for row in table[["gap", "gap_std"]].to_numpy(float)],
        }
    )
    note = (
        "Collapsed: four skip connections or more in the derived cell. First epoch: median over collapsed seeds of the "
        "first epoch whose argmax cell has four. Skips, parameter-free (none, skip, pool): mean count in the derived "
        "cells, of 6. Gap: discretisation gap, the supernet's validation accuracy with mixed edges minus that of the "
        "derived one-hot cell with the same weights, both normalised by batch statistics, in points; of older runs, "
        "which were measured by the mixture's running statistics, it is left out."
    )
    grid = Grid(f"collapse{evidence.slug}", f"Collapse, {evidence.name}", table, shown, note)
    return [said, grid, *_curves(evidence), *_heat_maps(evidence)]


def verdicts(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """One row per method with finished runs: `stats.Verdict`, mean counts, entropy at the end, discretisation gap."""
    firsts = {
        run_id: stats.first_epoch(part["skips"].to_numpy(), part["epoch"].to_numpy())
        for run_id, part in curves.groupby("run_id")
    }
    last = curves.sort_values("epoch").groupby("run_id")["entropy"].last() if len(curves) else pd.Series(dtype=float)
    rows = []
    for name, part in runs[runs["arch"].notna()].groupby("method", observed=True):
        ops = space.all_ops()[codes_of(part["arch"])]
        skips, free = space.count(ops, space.SKIP), space.count(ops, *space.PARAMETER_FREE)
        cut_off = [not space.reaches_output(space.from_string(arch)) for arch in part["arch"]]
        known = [firsts.get(run_id) for run_id in part["supernet"]]
        found = stats.verdict(skips.tolist(), free.tolist(), known, cut_off)
        gap = (part["mixed_accuracy_pct"] - part["derived_accuracy_pct"])[part["measures_bn"] == "batch"]
        entropy = part["supernet"].map(last).astype(float).mean()
        rows.append((str(name), *found, skips.mean(), free.mean(), entropy, gap.mean(), gap.std()))
    columns = ["method", "collapsed", "n", "epoch", "sentence", "skips", "parameter_free", "entropy", "gap", "gap_std"]
    return pd.DataFrame(rows, columns=columns)


def _curves(evidence: Evidence) -> list[Block]:
    note = " Line: mean over seeds; band: 10th to 90th percentile. Methods that share a supernet share its curve."
    title = f"Searched on {evidence.name}"
    found: list[Block] = []
    for column, caption in CAPTIONS.items():
        info = plots.search_curves.data(evidence.curves, column, title)
        if info.by_method:
            draw = partial(drawn, plots.search_curves.draw, info, 7.0, 3.8)
            caption = caption.format(trained=counted(evidence.epochs, "epoch"))
            caption += _PARTLY if column == "test" and evidence.table and not evidence.table.complete else ""
            found.append(Picture(f"{NAMES.get(column, slug(column))}{evidence.slug}", caption + note, draw))
    return found


def _heat_maps(evidence: Evidence) -> list[Block]:
    found: list[Block] = []
    for name, part in evidence.curves.groupby("method", observed=True):
        arrays = [evidence.arrays.get(run_id, {}) for run_id in part["run_id"].unique()]
        held = [one["expected"] for one in arrays if len(one.get("expected", ()))]
        if held:
            info = plots.edge_weights.data(held, f"{name}: expected edge weights, mean of {counted(len(held), 'seed')}")
            caption = f"Expected edge weights of {name} over the search; the dot marks what leads at the end."
            draw = partial(drawn, plots.edge_weights.draw, info, 7.5, 6.5)
            found.append(Picture(f"alphas-{slug(name)}{evidence.slug}", caption, draw))
    return found
