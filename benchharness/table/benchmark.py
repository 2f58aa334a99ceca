"""What is known of the complete NAS-Bench-201 table, and a check that a table agrees: columns mixed up do not pass."""

from typing import Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import file
from benchharness.table.figures import Figure
from benchharness.table.table import Table

NAME: Final = "nas-bench-201"
OPTIMA: Final = {
    Figure("cifar10", "valid", 200): (91.6067,),
    Figure("cifar10", "test", 200): (94.3733,),
    Figure("cifar10", "test-halftrain", 200): (91.5233,),
    Figure("cifar100", "valid", 200): (73.4933,),
    Figure("cifar100", "test", 200): (73.5133,),
    Figure("imagenet16-120", "valid", 200): (46.7333, 46.7667),
    Figure("imagenet16-120", "test", 200): (47.3111,),
    Figure("cifar10", "valid", 12): (84.8920,),
    Figure("cifar10", "test", 12): (89.1600,),
    Figure("cifar100", "valid", 12): (61.3200,),
    Figure("cifar100", "test", 12): (61.1800,),
    Figure("imagenet16-120", "valid", 12): (38.6667,),
    Figure("imagenet16-120", "test", 12): (38.2667,),
}
"""Best accuracy of each figure in percent; releases of the benchmark differ on one of them, so either is right."""
_ALL_SKIP: Final = (space.SKIP,) * len(space.EDGES)
_ALL_SKIP_PCT: Final = {("cifar10", "valid"): 39.77, ("cifar10", "test"): 54.30, ("cifar100", "valid"): 15.03}
_CLOSE: Final = 0.006


def checked(table: Table) -> Table:
    """`table`, if its content has the checksum it states and, under the benchmark's name, is the whole benchmark.

    Raises `UserError` where a checksum, the number of rows, an optimum or the all-skip cell of the papers is not right.
    """
    if file.digest(table) != table.about.get("sha256"):
        raise UserError(f"table {table.about['name']!r} does not have the checksum it states; import it again")
    if table.about["name"] != NAME:
        return table
    if not table.complete:
        raise UserError(f"{len(table)} architectures where NAS-Bench-201 has {space.SIZE:,}")
    for figure in table.figures():
        best = table.optimum(*figure).accuracy
        if figure in OPTIMA and min(abs(best - known) for known in OPTIMA[figure]) > _CLOSE:
            raise UserError(f"the best {figure} is {best:.4f}, not {OPTIMA[figure][0]:.4f}: are its columns mixed up?")
    row = table.index(_ALL_SKIP)
    for (dataset, split), known in _ALL_SKIP_PCT.items():
        found = table.accuracy(row, dataset, split)
        if abs(found - known) > _CLOSE:
            raise UserError(f"the all-skip cell has {found:.2f} for {dataset} {split}, not {known:.2f}")
    return table


def check_costs(table: Table, params_m: np.ndarray, flops_m: np.ndarray) -> None:
    """Raise `UserError` where costs given beside the accuracies differ from the closed form: rows are shuffled."""
    for name, given, right in (("params_m", params_m, table.params_m()), ("flops_m", flops_m, table.flops_m())):
        wrong = np.flatnonzero(~np.isclose(given, right, rtol=0, atol=1e-4))
        if len(wrong):
            row = wrong[0]
            raise UserError(f"{name} of row {row} is {given[row]:g}, not {right[row]:g}: rows and architectures differ")
