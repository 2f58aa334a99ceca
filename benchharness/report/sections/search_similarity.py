"""Compares two folders' searches of one method: supernet accuracy and operations of derived cells."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from benchharness import space, stats
from benchharness.analysis.experiment import Evidence, by_seed
from benchharness.analysis.lookup import codes_of
from benchharness.report.blocks import Bullets, TableBlock
from benchharness.report.formatting import count_of, number, p_clause, p_value, plus_minus, span, spans
from benchharness.report.sections.ranking import LEVEL, SEED
from benchharness.stats import Interval

_EDGES: Final = ("paired", "crossed", "within", "baseline_within")


def similarity(evidence: Evidence, contests: Iterable[Sequence[str]]) -> tuple[Bullets, TableBlock]:
    """`likeness_table` as a sentence per pair and as a table."""
    table = likeness_table(evidence, contests)
    return Bullets([sentence(row) for row in table.to_dict("records")]), _grid(evidence, table)


def likeness_table(evidence: Evidence, contests: Iterable[Sequence[str]]) -> pd.DataFrame:
    """One row per pair of methods, over the seeds that both have finished.

    `valid` and `baseline_valid`: the supernet's validation accuracy after its last epoch, percent, with `_std` over
    seeds; `difference`, `low`, `high` in points and `valid_p` of them paired; NaN if a method trains no supernet of
    its own. `stats.Likeness` of the cells. `valid_holm`, `cells_holm`: both p's of all rows corrected together.
    """
    last = evidence.curves.sort_values("epoch").groupby(["method", "seed"], observed=True).tail(1)
    accuracy = by_seed(last.astype({"valid_accuracy_pct": float}), "valid_accuracy_pct")
    done_runs = evidence.own().drop_duplicates(["method", "seed"])
    cells = by_seed(done_runs.assign(code=codes_of(done_runs["arch"])), "code")
    rows = [_row(a, b, accuracy, cells) for a, b in contests]
    holm = stats.holm(np.array([[row["valid_p"], row["cells_p"]] for row in rows], float).ravel()).reshape(-1, 2)
    return pd.DataFrame(rows).assign(valid_holm=holm[:, 0], cells_holm=holm[:, 1])


def sentence(row: Mapping[Hashable, Any]) -> str:
    """The verdict on a row of `likeness_table`."""
    a, b, n = row["method"], row["baseline"], int(row["n"])
    if not n:
        return f"{a} and {b} share no finished seed, so nothing can be said of how they search."
    tests = {"validation accuracy": row["valid_holm"], "operations of the cells": row["cells_holm"]}
    clear = [name for name, p in tests.items() if p < LEVEL]
    lead = f"{a} and {b} search differently ({', '.join(clear)})" if clear else f"{a} and {b} are not shown to differ"
    gap = span(Interval(row["difference"], row["low"], row["high"], n))
    valid = f"validation accuracy {gap} points, {p_clause(row['valid_holm'])}; " if row["valid_p"] >= 0 else ""
    edges = f"cells of one seed agree on {number(row['paired'], 1)} of 6 edges, of two seeds on "
    edges += f"{number(row['within'], 1)} and {number(row['baseline_within'], 1)}, {p_clause(row['cells_holm'])}"
    return f"{lead}: {valid}{edges} ({count_of(n, 'shared seed')}, Holm)."


def _row(a: str, b: str, accuracy: pd.DataFrame, cells: pd.DataFrame) -> dict[str, Any]:
    rng = np.random.default_rng
    valid = accuracy.reindex(columns=[a, b]).dropna()
    paired = stats.pair(valid[a].to_numpy(float), valid[b].to_numpy(float), rng(SEED))
    paired_ops = space.all_ops()[cells.reindex(columns=[a, b]).dropna().to_numpy(int)].astype(int)
    likeness = stats.likeness(paired_ops[:, 0], paired_ops[:, 1], rng(SEED))
    return {
        "method": a,
        "baseline": b,
        "n": likeness.n,
        "valid": valid[a].mean(),
        "valid_std": valid[a].std(),
        "baseline_valid": valid[b].mean(),
        "baseline_valid_std": valid[b].std(),
        **dict(zip(("difference", "low", "high"), paired.difference[:3], strict=True)),
        "valid_p": paired.permutation_p,
        **dict(zip(_EDGES, (likeness.paired, likeness.crossed, *likeness.within), strict=True)),
        "cells_p": likeness.p,
    }


def _grid(evidence: Evidence, table: pd.DataFrame) -> TableBlock:
    edge = partial(number, digits=2)
    grid = pd.DataFrame(
        {
            "method - baseline": table["method"] + " - " + table["baseline"],
            "seeds": table["n"].astype(str),
            "valid": [plus_minus(*pair) for pair in table[["valid", "valid_std"]].to_numpy(float)],
            "baseline's": [
                plus_minus(*pair) for pair in table[["baseline_valid", "baseline_valid_std"]].to_numpy(float)
            ],
            "difference [95 %]": spans(table, "difference", "low", "high"),
            "p": table["valid_p"].map(p_value),
            "Holm": table["valid_holm"].map(p_value),
            "edges, one seed": table["paired"].map(edge),
            "two seeds": table["crossed"].map(edge),
            "two of the method": table["within"].map(edge),
            "two of the baseline": table["baseline_within"].map(edge),
            "cells p": table["cells_p"].map(p_value),
            "cells Holm": table["cells_holm"].map(p_value),
        }
    )
    note = (
        "Valid: the supernet's validation accuracy after its last epoch, percent, mean±std over seeds, compared paired "
        "by seed. Edges: mean number of the cell's 6 edges on which two derived cells carry the same operation: cells "
        "of the two sides with one seed, with two; two cells of one side. Cells p: permutation test of the energy "
        "distance between the sides' cells, exchanging the sides within seeds; it sees how often an operation is "
        "chosen on an edge. Holm over both tests of all rows."
    )
    return TableBlock(f"alike{evidence.slug}", f"Searches alike, {evidence.name}", table, grid, note)
