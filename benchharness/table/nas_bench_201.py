"""Known facts about the complete NAS-Bench-201 table, and checks with them that find swapped rows and columns."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import UInt8

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import storage
from benchharness.table.metric import Metric
from benchharness.table.table import Table

NAME: Final = "nas-bench-201"
OPTIMA: Final = {
    Metric("cifar10", "valid", 200): (91.6067,),
    Metric("cifar10", "test", 200): (94.3733,),
    Metric("cifar10", "test-halftrain", 200): (91.5233,),
    Metric("cifar100", "valid", 200): (73.4933,),
    Metric("cifar100", "test", 200): (73.5133,),
    Metric("imagenet16-120", "valid", 200): (46.7333, 46.7667),
    Metric("imagenet16-120", "test", 200): (47.3111,),
    Metric("cifar10", "valid", 12): (84.8920,),
    Metric("cifar10", "test", 12): (89.1600,),
    Metric("cifar100", "valid", 12): (61.3200,),
    Metric("cifar100", "test", 12): (61.1800,),
    Metric("imagenet16-120", "valid", 12): (38.6667,),
    Metric("imagenet16-120", "test", 12): (38.2667,),
}
"""Best accuracy of each figure in percent; releases of the benchmark differ on one of them, where both are right."""
_ALL_SKIP: Final = (space.SKIP,) * len(space.EDGES)
_ALL_SKIP_PCT: Final = {("cifar10", "valid"): 39.77, ("cifar10", "test"): 54.30, ("cifar100", "valid"): 15.03}
_CLOSE: Final = 0.006
_PLACES: Final = {
    Metric("cifar10", "valid", 200): 6111,
    Metric("cifar10", "test", 200): 6111,
    Metric("cifar100", "valid", 200): 9930,
    Metric("cifar100", "test", 200): 9930,
    Metric("imagenet16-120", "valid", 200): 10676,
    Metric("imagenet16-120", "test", 200): 857,
}
"""The best architectures, by the benchmark's index."""
_SAME: Final = 0.1
"""Points by which releases may differ in the accuracies of these."""
_TRAINED_ON: Final = {
    "cifar10-valid": "cifar10",
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "ImageNet16-120": "imagenet16-120",
}


class Check(NamedTuple):
    """A property that a table must have, and a sentence on the problem; empty if there is none."""

    what: str
    problem: str


def checks(table: Table) -> Iterator[Check]:
    """All checks of `table`; further ones if its name is that of the complete benchmark."""
    checksum_sentence = f"table {table.about['name']!r} does not have the checksum it states; import it again"
    yield Check(
        "checksum of the content", checksum_sentence if storage.digest(table) != table.about.get("sha256") else ""
    )
    if table.about["name"] != NAME:
        return
    short = f"{len(table)} architectures where NAS-Bench-201 has {space.SIZE:,}"
    yield Check(f"{space.SIZE:,} architectures", "" if table.complete else short)
    for metric in table.figures() if table.complete else ():
        if metric in OPTIMA:
            best = table.optimum(*metric).accuracy
            is_near_optimum = any(_near(best, expected) for expected in OPTIMA[metric])
            mixed = f"the best {metric} is {best:.4f}, not {OPTIMA[metric][0]:.4f}: are its columns mixed up?"
            yield Check(f"the best {metric} is {best:.2f}", "" if is_near_optimum else mixed)
        if metric in _PLACES:
            below = float(table.regret(_PLACES[metric], *metric))
            sentence = (
                f"architecture {_PLACES[metric]}, the best of {metric}, is {below:.2f} points below the best here"
            )
            is_same = below <= _SAME
            yield Check(
                f"architecture {_PLACES[metric]} has it", "" if is_same else f"{sentence}: are its rows mixed up?"
            )
    for (dataset, split), expected in _ALL_SKIP_PCT.items() if table.complete else ():
        if Metric(dataset, split, 200) in table.means:
            accuracy = float(table.accuracy(_ALL_SKIP, dataset, split))
            other = f"the all-skip cell has {accuracy:.2f} for {dataset} {split}, not {expected:.2f}"
            statement = f"the all-skip cell has {accuracy:.2f} for {dataset} {split}"
            yield Check(statement, "" if _near(accuracy, expected) else other)


def _near(value: float, expected: float) -> bool:
    return bool(abs(value - expected) <= _CLOSE)


def checked(table: Table) -> Table:
    """`table`, after all `checks`.

    Raises `UserError` if the content does not have the stated checksum, or if a table with the benchmark's name differs
    from it in the number of rows, an optimum, or the all-skip cell of the papers.
    """
    for check in checks(table):
        if check.problem:
            raise UserError(check.problem)
    return table


def check_costs(
    ops: UInt8[np.ndarray, "archs edges"], about: Mapping[str, Any], params_m: np.ndarray, flops_m: np.ndarray
) -> None:
    """Raise `UserError` if parameters or FLOPs in the file differ from the closed form (rows may be shuffled)."""
    size = space.Network(**about.get("network", {}))
    costs = (("params_m", params_m, space.params_m(ops, size)), ("flops_m", flops_m, space.flops_m(ops, size)))
    for name, stated, expected in costs:
        wrong_rows = np.flatnonzero(~np.isclose(stated, expected, rtol=0, atol=1e-4))
        if len(wrong_rows):
            row = wrong_rows[0]
            raise UserError(
                f"{name} of row {row} is {stated[row]:g}, not {expected[row]:g}: rows and architectures differ"
            )


def check_official_costs(arch: space.Arch, trained_on: str, params_m: Any, flops_m: Any) -> None:
    """Raise `UserError` if the costs that an official file states are not those of the architecture.

    Its FLOPs count convolutions and the classifier alone, at 32x32 (16x16 for ImageNet16-120): fewer than
    `Table.flops_m`, which counts normalisation, activation and pooling as well.
    """
    ops = np.array(arch)
    dataset = _TRAINED_ON[trained_on]
    head = space.params_m(ops * 0, dataset) - space.params_m(ops * 0)
    area = 0.25 if dataset == "imagenet16-120" else 1.0
    convolutions = 3.93216 * space.count(ops, space.CONV1) + 35.38944 * space.count(ops, space.CONV3)
    expected_costs = (float(space.params_m(ops, dataset)), float(area * (7.78241 + convolutions) + 0.00064 + head))
    for name, stated, expected in zip(("parameters", "FLOPs"), (params_m, flops_m), expected_costs, strict=True):
        if not abs(stated - expected) < 1e-4:
            raise UserError(f"{stated:g} million {name} on {trained_on} where its architecture has {expected:g}")
