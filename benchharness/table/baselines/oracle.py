"""Answers searches that train nothing: validation accuracy after few epochs, at the price of training time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benchharness.errors import UserError
from benchharness.space import SIZE, Arch, to_code
from benchharness.table import Table
from benchharness.table.table import codes


class Feedback(NamedTuple):
    """What an oracle knows, by architecture code; nothing from test images or full trainings."""

    accuracy_pct: Float[np.ndarray, "archs"]
    seconds: Float[np.ndarray, "archs"]


class History(NamedTuple):
    """The queries of a search, in order."""

    codes: Int[np.ndarray, "visits"]
    accuracy_pct: Float[np.ndarray, "visits"]
    seconds: Float[np.ndarray, "visits"]
    """Simulated time of each answer."""

    @property
    def chosen(self) -> int:
        """The code of the best answer, the first of equals."""
        return int(self.codes[self.accuracy_pct.argmax()])


class Spent(Exception):  # noqa: N818
    """The simulated budget does not last for another answer."""


class Oracle:
    """Answers queries until the budget is spent; asking for a known cell costs again."""

    def __init__(self, feedback: Feedback, budget_seconds: float) -> None:
        self.feedback, self.budget = feedback, budget_seconds
        self.clock = 0.0
        self.visits: list[tuple[int, float, float]] = []

    def ask(self, cell: Arch) -> float:
        """The validation accuracy of `cell` in percent; raises `Spent` if its training would end too late."""
        code = to_code(cell)
        clock = self.clock + float(self.feedback.seconds[code])
        if clock > self.budget:
            raise Spent
        self.clock = clock
        accuracy = float(self.feedback.accuracy_pct[code])
        self.visits.append((code, accuracy, clock))
        return accuracy

    def history(self) -> History:
        """The queries so far."""
        code, accuracy, seconds = zip(*self.visits, strict=True) if self.visits else ((), (), ())
        return History(np.array(code, dtype=np.int64), np.array(accuracy, dtype=float), np.array(seconds, dtype=float))


def feedback_of(table: Table, dataset: str) -> Feedback:
    """The feedback on `dataset` that `table` gives an oracle; raises `UserError` if it lacks architectures or metrics.

    Answers are after the fewest epochs that the table holds, 12 in NAS-Bench-201. Training time is that share of the
    recorded time of all epochs, 12/200 there, without the seconds of validating.
    """
    if not table.complete:
        raise UserError(f"table {table.about['name']!r} holds {len(table)} of {SIZE:,} architectures; all are needed")
    by_code = np.argsort(codes(table.ops))
    full_epochs = table.epochs(dataset)
    epochs = min((metric.epochs for metric in table.figures() if metric[:2] == (dataset, "valid")), default=full_epochs)
    accuracy = table.accuracy(None, dataset, "valid", epochs)
    return Feedback(accuracy[by_code], table.train_seconds(dataset)[by_code] * epochs / full_epochs)
