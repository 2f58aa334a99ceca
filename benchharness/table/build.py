"""Builds tables from arrays. All importers use it, so all tables pass the same checks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from benchharness import space
from benchharness.table import storage
from benchharness.table.metric import Metric
from benchharness.table.table import Table, codes

SEED_RULE = "mean over the released training seeds"
_DECIMALS = 5
"""Accuracies are means over a few runs on at most 25,000 images: five decimals tell them apart, and remove differences
in rounding between releases."""


def build_table(
    about: Mapping[str, Any],
    ops: Integer[np.ndarray, "archs edges"],
    means: Mapping[Metric, Float[np.ndarray, "archs"]],
    by_seed: Mapping[Metric, Float[np.ndarray, "archs seeds"]] | None = None,
    times: Mapping[tuple[str, int], Float[np.ndarray, "archs"]] | None = None,
) -> Table:
    """A `Table` of these arrays, copied; `about` needs `name`, `version` and `source`.

    If all architectures are there, rows are sorted by the benchmark's index; otherwise their order stays. Raises
    `UserError` if the arrays do not fit together, an architecture occurs twice, or a value is not an accuracy.
    """
    rows = _order(ops)
    table = Table(
        about=dict(about),
        ops=_frozen(ops, rows, np.uint8),
        means={key: _frozen(np.round(column, _DECIMALS), rows) for key, column in means.items()},
        by_seed={key: _frozen(np.round(column, _DECIMALS), rows) for key, column in (by_seed or {}).items()},
        times={key: _frozen(column, rows) for key, column in (times or {}).items()},
    )
    return replace(table, about={"seed_rule": SEED_RULE, **about, "sha256": storage.digest(table)})


def _order(ops: Integer[np.ndarray, "archs edges"]) -> Any:
    """The order of rows: by index if the table is complete, which `Table` checks."""
    if ops.shape != (space.SIZE, len(space.EDGES)) or not ((ops >= 0) & (ops < len(space.OPS))).all():
        return slice(None)
    return np.argsort(space.indices()[codes(ops)], kind="stable")


def _frozen(values: Any, rows: Any, dtype: Any = np.float64) -> Any:
    array = np.array(values, dtype)
    array = array[rows] if array.ndim and len(array) == space.SIZE else array
    array.setflags(write=False)
    return array
