"""Collects everything about one run, as JSON values."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchharness import store
from benchharness.analysis.experiment import changes, setting
from benchharness.analysis.lookup import lookup_run
from benchharness.config import SearchConfig
from benchharness.space import from_string, indices, to_code
from benchharness.table import Tables

_COSTS: Final = (*store.COSTS, "device")
_FIGURES: Final = ("valid", "test", "regret", "rank", "percentile")


def details(folder: Path, tables: Tables) -> dict[str, Any]:
    """The run in `folder`: request, all settings, cell, accuracies, times, and the error if it failed.

    `accuracies` are those of the table on the data set searched, in percent; `regret` is in points.
    """
    row = lookup_run(folder, tables)
    spec = row["spec"]
    names = ("run_id", "method", "seed", "dataset", "status", "supernet")
    return {
        **{name: _plain(row[name]) for name in names},
        "setting": setting(spec),
        "folder": str(folder),
        "cell": row["arch"],
        "index": int(indices()[to_code(from_string(row["arch"]))]) if row["arch"] else None,
        "accuracies": {name: _plain(row[name]) for name in _FIGURES},
        "measures": dict((row["record"] or {}).get("measures", {})),
        "options": {**spec["train_options"], "selection": spec["selection"], **spec["selection_options"]},
        "costs": _known({name: _plain(row[name]) for name in _COSTS}),
        "settings": {field.name: spec["protocol"].get(field.name, field.default) for field in fields(SearchConfig)},
        "changed": sorted(changes(spec, ignoring=())),
        "attempts": list((row["machine"] or {}).get("attempts", [])),
        "failure": row["failure"],
    }


def _plain(value: Any) -> Any:
    """`value` as a plain Python value; None if it is missing."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
