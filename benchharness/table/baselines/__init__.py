"""Baselines that search the table without training: on validation accuracy after few epochs and simulated time alone.

In NAS-Bench-201 these are 12 epochs. The cell with the best such accuracy is derived, and looked up like any other:
after all epochs, 200 there, mean over seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

from benchharness.errors import UserError, unknown
from benchharness.space import from_code, indices, to_string
from benchharness.table import DATASETS, Table
from benchharness.table.baselines.oracle import Feedback, History, Oracle, Spent, feedback_of
from benchharness.table.baselines.searches import SEARCHES

__all__ = [
    "BUDGETS",
    "SEARCHES",
    "Feedback",
    "History",
    "Oracle",
    "anytime",
    "budget_seconds",
    "feedback_of",
    "names",
    "simulate",
    "trials",
]

BUDGETS: Final[Mapping[str, Mapping[str, float]]] = {
    "nb201": dict.fromkeys(DATASETS, 12_000.0),
    "nats": {"cifar10": 20_000.0, "cifar100": 40_000.0, "imagenet16-120": 120_000.0},
}
"""Simulated seconds of these searches, by protocol and data set, in the code of the benchmark's two papers."""


def budget_seconds(protocol: str, dataset: str) -> float:
    """The budget beside searches of a data set of NAS-Bench-201: that of the protocol `nats`, for others `nb201`'s."""
    return BUDGETS["nats" if protocol == "nats" else "nb201"][dataset]


def names() -> list[str]:
    """The searches there are."""
    return list(SEARCHES)


def simulate(name: str, feedback: Feedback, budget_seconds: float, seed: int) -> History:
    """One search, a function of its name and seed; raises `UserError` on an unknown name or too small a budget."""
    if name not in SEARCHES:
        raise unknown("baseline", name, SEARCHES)
    oracle = Oracle(feedback, budget_seconds)
    with suppress(Spent):
        SEARCHES[name](oracle.ask, np.random.default_rng([seed, *name.encode()]))
    if not oracle.visits:
        raise UserError(f"budget={budget_seconds:g} seconds train no cell even once; take 12000 or so")
    return oracle.history()


def trials(
    name: str,
    table: Table,
    seeds: Iterable[int],
    dataset: str = "cifar10",
    budget_seconds: float = BUDGETS["nb201"]["cifar10"],
) -> pd.DataFrame:
    """One row per seed: `method`, `dataset`, `seed`, `arch`, `visits`, `seconds`, and `valid` and `test` in percent.

    Only the row's own look-up, made when the search is over, sees the figures of all epochs.
    """
    feedback = feedback_of(table, dataset)
    histories = {seed: simulate(name, feedback, budget_seconds, seed) for seed in seeds}
    cells = indices()[[history.chosen for history in histories.values()]]
    columns = {
        "method": name,
        "dataset": dataset,
        "seed": list(histories),
        "arch": [to_string(from_code(history.chosen)) for history in histories.values()],
        "visits": [len(history.codes) for history in histories.values()],
        "seconds": [float(history.seconds[-1]) for history in histories.values()],
    }
    looked_up = {split: table.accuracy(cells, dataset, split) for split in ("valid", "test")}
    return pd.DataFrame({**columns, **looked_up})


def anytime(
    histories: Sequence[History], accuracy_pct: Float[np.ndarray, "archs"], at_seconds: Float[np.ndarray, "times"]
) -> Float[np.ndarray, "runs times"]:
    """`accuracy_pct` (by code) of the cell each search would derive at each moment; NaN before its first answer."""
    accuracies = np.full((len(histories), len(at_seconds)), np.nan)
    for run, history in enumerate(histories):
        best = np.maximum.accumulate(history.accuracy_pct)
        leads = np.maximum.accumulate(np.where(history.accuracy_pct == best, np.arange(len(best)), 0))
        # The first of equal answers is derived, so a later tie does not replace it.
        first = np.searchsorted(best, best[leads], side="left")
        visits = np.searchsorted(history.seconds, at_seconds, side="right")
        values = accuracy_pct[history.codes[first]]
        accuracies[run, visits > 0] = values[visits[visits > 0] - 1]
    return accuracies
