"""Per-epoch curves of every supernet, with the table's accuracy of its argmax cell."""

from collections.abc import Hashable, Mapping
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from benchharness import space, stats, store
from benchharness.analysis.lookup import by_code, codes_of
from benchharness.table import Tables

Arrays = Mapping[str, np.ndarray]
COLUMNS = ("skips", "parameter_free", "test", "valid", "valid_accuracy_pct", "entropy", "skip_margin", "eigenvalue")


def supernets(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of `frame` whose supernets are all different: runs that share another run's supernet are left out."""
    supernet_ids = frame["supernet"].fillna("").where(lambda ids: ids != "", frame["run_id"])
    is_shared = (supernet_ids != frame["run_id"]) & supernet_ids.isin(frame["run_id"])
    return frame[~is_shared & ~supernet_ids.duplicated()]


def stopped_epoch(run: Mapping[Hashable, Any]) -> int | None:
    """The epoch, from 1, whose alphas a run reads if its search was stopped early and went back to them; else None."""
    record = run.get("record")
    return record["notes"].get("stopped_epoch") if isinstance(record, dict) else None


def curves(frame: pd.DataFrame, tables: Tables = None, arrays: Mapping[str, Arrays] | None = None) -> pd.DataFrame:
    """One row per supernet and epoch: `epoch` and the argmax cell's and the weights' figures of that epoch.

    `skips` and `parameter_free` count operations of the argmax cell; `test` and `valid` are what the table has for it
    on the data set searched (percent); `valid_accuracy_pct` is the supernet's own; `entropy` is in nats;
    `skip_margin` and `eigenvalue` are NaN if a run recorded no expected weights or was not probed, the argmax cell's
    figures where all operations weigh the same on every edge, so that there is no such cell.
    """
    runs = supernets(frame)
    traces = store.lines_of(runs)
    lengths = [len(trace) for trace in traces]
    if not sum(lengths):
        return pd.DataFrame(columns=["method", "dataset", "seed", "run_id", "epoch", *COLUMNS])
    columns = runs[["method", "dataset", "seed", "run_id"]].loc[runs.index.repeat(lengths)].reset_index(drop=True)
    epochs = columns.join(pd.DataFrame(list(chain.from_iterable(traces)), columns=list(store.EPOCH_COLUMNS)))
    keys = zip(runs["run_id"], runs["path"], strict=True)
    run_arrays = [(arrays or {}).get(run_id) or store.arrays(path) for run_id, path in keys]
    epochs["skip_margin"] = np.concatenate([*map(_margin, run_arrays, lengths)])
    epochs["eigenvalue"] = np.concatenate([*map(_eigenvalue, run_arrays, lengths)])
    codes = codes_of(epochs["arch"])
    ops = space.all_ops()[codes]
    epochs = epochs.assign(**space.parameter_free_counts(ops))
    for split in ("test", "valid"):
        epochs[split] = np.nan
        for dataset, rows in epochs.groupby("dataset").groups.items():
            epochs.loc[rows, split] = by_code(tables, str(dataset), split)[codes[rows]]
    undecided = np.concatenate([*map(_undecided, run_arrays, lengths)])
    argmax = ["skips", "parameter_free", "test", "valid"]
    epochs[argmax] = epochs[argmax].astype(float).mask(pd.Series(undecided))
    return epochs


def _margin(arrays: Arrays, epochs: int) -> Float[np.ndarray, "epochs"]:
    expected = arrays.get("expected")
    return _aligned(None if expected is None else stats.skip_margin(expected), epochs)


def _undecided(arrays: Arrays, epochs: int) -> Bool[np.ndarray, "epochs"]:
    expected = arrays.get("expected", np.zeros((0, 1, 2)))
    same = (expected == expected[..., :1]).all((-1, -2)).astype(float)
    return _aligned(same, epochs) == 1


def _eigenvalue(arrays: Arrays, epochs: int) -> Float[np.ndarray, "epochs"]:
    return _aligned(arrays.get("eigenvalue"), epochs)


def _aligned(values: Float[np.ndarray, "epochs"] | None, epochs: int) -> Float[np.ndarray, "epochs"]:
    """`values` cut or filled with NaN to one an epoch of the trace; an unfinished run may have fewer."""
    aligned = np.full(epochs, np.nan)
    if values is not None:
        aligned[: len(values)] = values[:epochs]
    return aligned
