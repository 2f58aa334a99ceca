"""Kendall's tau between scores of operations by several criteria, and between scores and the table.

Four kinds: (a) operation strength against magnitude on each edge; (b) a criterion against the mean, or best, table
accuracy of the cells with that operation there; (c) the same among cells that share the edges decided before it, which
is what a sequential selection has to rank; (d) the sum of a criterion's scores over edges against the accuracy of
whole cells. Beside (b), (c), (d) stands what the operations' parameter counts alone reach.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from benchharness import space, stats, store
from benchharness.analysis.lookup import by_code, codes_of
from benchharness.table import Tables

COLUMNS: Final = ("run_id", "kind", "criterion", "with_none", "edge", "tau")
KINDS: Final = ("a", "b mean", "b max", "c mean", "c max", "d all", "d top 10 %")
NULL: Final = "parameter count"
RANKING_COLUMNS: Final = ("method", "dataset", "seed", "run_id", "probed", "archs", "tau", "top_tau", "sparse_tau")
REDUCES: Final[tuple[stats.Reduce, ...]] = ("mean", "max")
LEAST: Final = 100
CELL_RUNS: Final = 25
"""Most runs of a method, first seeds first, that are compared with all cells (kind d), which takes longest."""
Arrays = Mapping[str, Mapping[str, np.ndarray]]
Scores = Float[np.ndarray, "edges ops"]
Dead = Bool[np.ndarray, "edges 1"]
Cells = Float[np.ndarray, "archs"]
Row = tuple[str, str, str, bool, str, float]
"""Run id, kind, criterion, use of `none`, edge and tau."""


class Pairing(NamedTuple):
    """Two arrays of scores to be compared for one run."""

    run_id: str
    kind: str
    criterion: str
    scores: Scores
    target: Scores


def agreement(frame: pd.DataFrame, tables: Tables = None, arrays: Arrays | None = None) -> pd.DataFrame:
    """One row per finished run, kind, criterion and edge: `tau`, with and without `none` among the operations.

    `edge` is empty for kind d, which is about whole cells, and of the first 25 seeds of each method at most. `tau` is
    NaN if it is undefined: where all operations tie, and on an edge that is dead in any reading of a supernet, which
    is left out for every criterion and every reading of it, so that all are compared on the same edges.
    """
    truths = {dataset: Truth(by_code(tables, dataset, "test", own=True)) for dataset in frame["dataset"].unique()}
    pairings: list[Pairing] = []
    rows: list[Row] = []
    done_runs = frame[frame["arch"].notna()].sort_values("seed", kind="stable")
    nth = done_runs.groupby("method", observed=True).cumcount()
    all_arrays = [
        held_by(run_id, path, arrays) for run_id, path in zip(done_runs["run_id"], done_runs["path"], strict=True)
    ]
    conditional = _conditional(done_runs, all_arrays, truths)
    dead = _dead(done_runs["supernet"], all_arrays)
    for run, seed_rank, run_arrays, decided in zip(
        done_runs.to_dict("records"), nth, all_arrays, conditional, strict=True
    ):
        criteria = _criteria(str(run["selection"]), run_arrays, dead.get(run["supernet"], False))
        pairings += _pairings(run, criteria, truths[run["dataset"]], decided)
        if seed_rank < CELL_RUNS:
            rows += _cells(str(run["run_id"]), criteria, truths[run["dataset"]])
    taus = pd.concat([_edges(pairings), pd.DataFrame(rows, columns=list(COLUMNS))], ignore_index=True)
    return frame[["method", "dataset", "seed", "run_id"]].merge(taus, on="run_id")


def supernet_ranking(frame: pd.DataFrame, tables: Tables, arrays: Arrays | None = None) -> pd.DataFrame:
    """One row per supernet that was probed: how its one-hot cells, weights inherited, rank against the table.

    `tau`, `top_tau` (best tenth by the table) and `sparse_tau` (the table rounded to 0.1 points) over the `archs` cells
    of the `probed` ones that the table holds; `top_tau` is NaN of fewer than 100, whose best tenth is too few to rank.
    """
    truths = {name: by_code(tables, name, "test", own=True) for name in frame["dataset"].unique()}
    rows, pairs = [], []
    for run in frame[frame["supernet"] == frame["run_id"]].to_dict("records"):
        run_arrays = held_by(run["run_id"], run["path"], arrays)
        if "ranking_codes" in run_arrays:
            truth = truths[run["dataset"]][run_arrays["ranking_codes"]]
            is_finite = np.isfinite(truth)
            scores = run_arrays["ranking_scores" if "ranking_scores" in run_arrays else "ranking_accuracy_pct"]
            is_finite &= np.isfinite(scores)
            pairs.append((scores[is_finite], truth[is_finite]))
            rows.append((run["method"], run["dataset"], run["seed"], run["run_id"], len(truth), int(is_finite.sum())))
    rankings = pd.DataFrame(rows, columns=list(RANKING_COLUMNS[:6]))
    return rankings.join(pd.DataFrame(_ranked(pairs), columns=list(RANKING_COLUMNS[6:])))


def held_by(run_id: str, path: Path, arrays: Arrays | None) -> Mapping[str, np.ndarray]:
    """A run's arrays: from `arrays` if they have been read, else from its folder."""
    return (arrays or {}).get(run_id) or store.arrays(path)


def _ranked(pairs: Sequence[tuple[Cells, Cells]]) -> Float[np.ndarray, "supernets 3"]:
    """`tau`, `top_tau` and `sparse_tau` of each supernet's scores and truth; those of one length are taken at once."""
    taus = np.full((len(pairs), 3), np.nan)
    lengths = np.array([len(truth) for _, truth in pairs])
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length).tolist()
        scores, truth = (np.stack([pairs[row][side] for row in rows]) for side in (0, 1))
        taus[rows, 0], taus[rows, 2] = stats.taus(scores, truth), stats.taus(scores, stats.sparse(truth))
        if length >= LEAST:
            taus[rows, 1] = stats.taus(scores, np.stack([stats.top(*pairs[row]) for row in rows]))
    return taus


class Truth:
    """A data set's test accuracies by architecture code, and the operation scores that follow from them."""

    def __init__(self, accuracy_pct: Float[np.ndarray, "archs"]) -> None:
        self.accuracy_pct = accuracy_pct
        self.edges = {reduce: stats.edge_truth(accuracy_pct, reduce) for reduce in REDUCES}
        without = space.count(space.all_ops(), space.NONE) == 0
        self._targets = {True: accuracy_pct, False: np.where(without, accuracy_pct, np.nan)}
        self._taus: dict[bytes, list[tuple[str, bool, float]]] = {}

    def cells(self, scores: Scores) -> list[tuple[str, bool, float]]:
        """Kind, use of `none` and tau of summed scores against cells; kept, since runs often share their scores."""
        key = scores.tobytes()
        if key not in self._taus:
            cell_scores, kinds = stats.cell_scores(scores), {"d all": stats.tau, "d top 10 %": stats.top_tau}
            both = self._targets.items()
            self._taus[key] = [
                (kind, none, tau(cell_scores, cells)) for none, cells in both for kind, tau in kinds.items()
            ]
        return self._taus[key]


def _dead(supernets: "pd.Series[str]", arrays: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Dead]:
    """For every supernet, the edges on which some selection could not score any operation."""
    dead: dict[str, Dead] = {}
    for supernet, run_arrays in zip(supernets, arrays, strict=True):
        if "scores" in run_arrays:
            dead[supernet] = dead.get(supernet, False) | ~np.isfinite(run_arrays["scores"]).any(-1, keepdims=True)
    return dead


def _criteria(selection: str, arrays: Mapping[str, np.ndarray], dead: Dead | bool) -> dict[str, Scores]:
    """A run's scores by criterion, its own selection's first, and the null; NaN on dead edges.

    Of alphas that no epoch trained, as beside zero-cost proxies, magnitude is no criterion.
    """
    if selection == "uniform" or "scores" not in arrays:
        return {}
    criteria = {selection: arrays["scores"]}
    if "expected" not in arrays or len(arrays["expected"]):
        criteria["magnitude"] = arrays.get("magnitude", arrays["scores"])
    return {
        name: np.where(dead, np.nan, scores) for name, scores in (criteria | {NULL: stats.parameter_counts()}).items()
    }


def _conditional(
    done_runs: pd.DataFrame, arrays: Sequence[Mapping[str, np.ndarray]], truths: Mapping[str, Truth]
) -> list[dict[str, Scores]]:
    """Each run's conditional truths, by reduction (mean, max)."""
    truths_by_run: list[dict[str, Scores]] = [{} for _ in arrays]
    archs, datasets = space.all_ops()[codes_of(done_runs["arch"])].astype(int), done_runs["dataset"].to_numpy()
    orders = np.array([_order(run_arrays) for run_arrays in arrays], int).reshape(-1, len(space.EDGES))
    for dataset, truth in truths.items():
        rows = np.flatnonzero(datasets == dataset)
        for reduce in REDUCES:
            conditional = stats.conditional_truth(truth.accuracy_pct, archs[rows], orders[rows], reduce)
            for row, scores in zip(rows, conditional, strict=True):
                truths_by_run[row][reduce] = scores
    return truths_by_run


def _order(arrays: Mapping[str, np.ndarray]) -> Integer[np.ndarray, " edges"]:
    """The order in which a run decided the edges; their own where it did not record one of all edges."""
    edges = np.arange(len(space.EDGES))
    order = arrays.get("order", edges)
    return order if np.array_equal(np.sort(order), edges) else edges


def _pairings(
    run: Mapping[Hashable, Any], criteria: Mapping[str, Scores], truth: Truth, conditional: Mapping[str, Scores]
) -> Iterator[Pairing]:
    if not criteria:
        return
    run_id, selection = str(run["run_id"]), str(run["selection"])
    if selection != "magnitude" and "magnitude" in criteria:
        yield Pairing(run_id, "a", selection, criteria[selection], criteria["magnitude"])
    for reduce in REDUCES:
        for name, scores in criteria.items():
            yield Pairing(run_id, f"b {reduce}", name, scores, truth.edges[reduce])
            yield Pairing(run_id, f"c {reduce}", name, scores, conditional[reduce])


def _cells(run_id: str, criteria: Mapping[str, Scores], truth: Truth) -> Iterator[Row]:
    for name, scores in criteria.items():
        for kind, with_none, tau in truth.cells(scores):
            yield (run_id, kind, name, with_none, "", tau)


def _edges(pairings: Sequence[Pairing]) -> pd.DataFrame:
    """The rows of all pairings; all taus are computed at once, which is fast for 1,000 runs."""
    if not pairings:
        return pd.DataFrame(columns=list(COLUMNS))
    scores, targets = (np.stack([getattr(pairing, name) for pairing in pairings]) for name in ("scores", "target"))
    taus = np.stack([stats.edge_taus(scores, targets, with_none) for with_none in (True, False)], axis=1)
    rows = pd.DataFrame([pairing[:3] for pairing in pairings], columns=list(COLUMNS[:3]))
    rows = rows.loc[rows.index.repeat(taus[0].size)].reset_index(drop=True)
    with_none = np.tile(np.repeat([True, False], len(space.EDGES)), len(pairings))
    edges = pd.Series(space.EDGE_NAMES).take(np.tile(np.arange(len(space.EDGES)), len(pairings) * 2))
    return rows.assign(with_none=with_none, edge=edges.array, tau=taus.ravel())
