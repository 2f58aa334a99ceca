"""Kendall's tau of what criteria say about operations, against each other and against the table's truth.

Four kinds: (a) operation strength against magnitude on each edge; (b) a criterion against the mean, or best, table
accuracy of the cells with that operation there; (c) the same among cells that share the edges decided before it, which
is what a sequential selection has to rank; (d) the sum of a criterion's scores over edges against the accuracy of
whole cells. Beside (b), (c), (d) stands what the operations' parameter counts alone reach.
"""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from benchharness import space, stats, store
from benchharness.report.lookup import by_code, codes_of
from benchharness.table import Table

KINDS: Final = ("a", "b mean", "b max", "c mean", "c max", "d all", "d top 10 %")
NULL: Final = "parameter count"
COLUMNS: Final = ("method", "dataset", "seed", "run_id", "kind", "criterion", "with_none", "edge", "tau")
RANKING_COLUMNS: Final = ("method", "dataset", "seed", "run_id", "archs", "tau", "top_tau", "sparse_tau")
REDUCES: Final[tuple[stats.Reduce, ...]] = ("mean", "max")
Scores = Float[np.ndarray, "edges ops"]
Edges = Int[np.ndarray, "edges"]
Row = tuple[str, str, bool, str, float]


def agreement(
    frame: pd.DataFrame, table: Table | None = None, arrays: Mapping[str, Mapping[str, np.ndarray]] | None = None
) -> pd.DataFrame:
    """One row per finished run, kind, criterion and edge: `tau`, with and without `none` among the operations.

    `edge` is empty for kind d, which is about whole cells. `tau` is NaN where it is undefined: on a dead edge (left out
    for every criterion of that run, so that all are compared on the same edges) and where all operations tie.
    """
    tables = {dataset: Truth(by_code(table, dataset, "test")) for dataset in frame["dataset"].unique()}
    rows = []
    for run in frame[frame["arch"].notna()].to_dict("records"):
        held = (arrays or {}).get(str(run["run_id"])) or store.arrays(run["path"])
        about = (run["method"], run["dataset"], run["seed"], run["run_id"])
        rows += [(*about, *row) for row in _of(run, held, tables[run["dataset"]])]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def supernet_ranking(
    frame: pd.DataFrame, table: Table | None, arrays: Mapping[str, Mapping[str, np.ndarray]] | None = None
) -> pd.DataFrame:
    """One row per supernet that was probed: how its one-hot cells, weights inherited, rank against the table.

    `tau`, `top_tau` (best tenth by the table) and `sparse_tau` (the table rounded to 0.1 points) over `archs` cells.
    """
    rows = []
    for run in frame.to_dict("records"):
        held = (arrays or {}).get(str(run["run_id"])) or store.arrays(run["path"])
        if "ranking_codes" in held and run["supernet"] == run["run_id"]:
            truth = by_code(table, run["dataset"], "test")[held["ranking_codes"]]
            taus = [tau(held["ranking_accuracy_pct"], truth) for tau in (stats.tau, stats.top_tau, stats.sparse_tau)]
            rows.append((run["method"], run["dataset"], run["seed"], run["run_id"], len(truth), *taus))
    return pd.DataFrame(rows, columns=list(RANKING_COLUMNS))


class Truth:
    """A data set's test accuracies by architecture code, and what follows from them for every run alike."""

    def __init__(self, accuracy_pct: Float[np.ndarray, "archs"]) -> None:
        held = np.isfinite(accuracy_pct)
        self.ops, self.accuracy_pct = space.all_ops()[held], accuracy_pct[held]
        self.edges = {r: stats.edge_truth(self.ops, self.accuracy_pct, r) for r in REDUCES}
        self.without_none = space.count(self.ops, space.NONE) == 0
        self._taus: dict[tuple[bytes, bool], tuple[float, float]] = {}

    def conditional(self, arch: Edges, order: Edges) -> dict[stats.Reduce, Scores]:
        """`stats.conditional_truth` by mean and by maximum."""
        return {r: stats.conditional_truth(self.ops, self.accuracy_pct, arch, order, r) for r in REDUCES}

    def cell_taus(self, scores: Scores, with_none: bool) -> tuple[float, float]:
        """Tau of summed scores against all cells and against the best tenth, kept as runs often share their scores."""
        key = (scores.tobytes(), with_none)
        if key not in self._taus:
            kept = slice(None) if with_none else self.without_none
            cells, truth = stats.cell_scores(scores, self.ops[kept]), self.accuracy_pct[kept]
            self._taus[key] = (stats.tau(cells, truth), stats.top_tau(cells, truth))
        return self._taus[key]


def _of(run: Mapping[Hashable, Any], arrays: Mapping[str, np.ndarray], truth: Truth) -> Iterator[Row]:
    criteria = _criteria(run, arrays)
    if not criteria:
        return
    if len(criteria) > 1:
        yield from _edges("a", run["selection"], criteria[run["selection"]], criteria["magnitude"])
    arch = np.array(space.from_code(int(codes_of(pd.Series([run["arch"]]))[0])))
    order = arrays.get("order", np.arange(len(space.EDGES)))
    targets = {"b": truth.edges, "c": truth.conditional(arch, order)}
    dead = ~np.isfinite(next(iter(criteria.values()))).any(-1, keepdims=True)
    null = np.where(dead, np.nan, stats.parameter_counts())
    for name, scores in {**criteria, NULL: null}.items():
        for kind, by_reduce in targets.items():
            for reduce, target in by_reduce.items():
                yield from _edges(f"{kind} {reduce}", name, scores, target)
        for with_none in (True, False):
            for kind, tau in zip(("d all", "d top 10 %"), truth.cell_taus(scores, with_none), strict=True):
                yield (kind, name, with_none, "", tau)


def _criteria(run: Mapping[Hashable, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Scores]:
    """The run's scores by name, its own selection's first; edges that one leaves open are open in all of them."""
    if run["selection"] == "uniform" or "scores" not in arrays:
        return {}
    dead = ~np.isfinite(arrays["scores"]).any(-1, keepdims=True)
    found = {run["selection"]: arrays["scores"], "magnitude": arrays.get("magnitude", arrays["scores"])}
    return {name: np.where(dead, np.nan, scores) for name, scores in found.items()}


def _edges(kind: str, criterion: str, scores: Scores, target: Scores) -> Iterator[Row]:
    for with_none in (True, False):
        for edge, tau in zip(space.EDGE_NAMES, stats.edge_taus(scores, target, with_none), strict=True):
            yield (kind, criterion, with_none, edge, float(tau))
