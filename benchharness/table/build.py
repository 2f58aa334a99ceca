"""Tables from arrays: every importer ends here, so every table is checked the same way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from benchharness.table import storage
from benchharness.table.metric import Figure
from benchharness.table.table import Table

SEED_RULE = "mean over the released training seeds"
_DECIMALS = 5
"""Figures are means of shares of at most 25,000 images over a few runs: five decimals keep them apart, and make equal
those that differ by the rounding of whoever summed them."""


def build(
    about: Mapping[str, Any],
    ops: Integer[np.ndarray, "archs edges"],
    means: Mapping[Figure, Float[np.ndarray, "archs"]],
    by_seed: Mapping[Figure, Float[np.ndarray, "archs seeds"]] | None = None,
    times: Mapping[tuple[str, int], Float[np.ndarray, "archs"]] | None = None,
    numbers: Integer[np.ndarray, "archs"] | None = None,
) -> Table:
    """A `Table` of these arrays, copied; `about` needs `name`, `version` and `source`.

    Raises `UserError` where the arrays do not fit together, an architecture comes twice, or an accuracy is none.
    """
    table = Table(
        about=dict(about),
        ops=_frozen(ops, np.uint8),
        numbers=_frozen(np.arange(len(ops)) if numbers is None else numbers, np.int32),
        means={key: _frozen(np.round(column, _DECIMALS)) for key, column in means.items()},
        by_seed={key: _frozen(np.round(column, _DECIMALS)) for key, column in (by_seed or {}).items()},
        times={key: _frozen(column) for key, column in (times or {}).items()},
    )
    return replace(table, about={"seed_rule": SEED_RULE, **about, "sha256": storage.digest(table)})


def _frozen(values: Any, dtype: Any = np.float64) -> Any:
    array = np.array(values, dtype)
    array.setflags(write=False)
    return array
