"""The results folder: `<root>/<suite>/<dataset>/<method>/seed-007-<run id>/`, one folder a run.

Each holds `spec.json` (what was asked), `trace.jsonl` (one line an epoch), `trace.npz` (alphas and scores per epoch),
`checkpoint.pt` (not for keeping), `machine.json` (times, places), `failure.json` where it failed, and last of all
`record.json`, whose presence means done.
"""

from benchharness.store.frame import (
    COSTS,
    EPOCH_COLUMNS,
    MEASURES,
    arrays,
    arrays_of,
    lines,
    lines_of,
    read,
    results,
    trace,
)
from benchharness.store.run_folder import Run
from benchharness.store.store import Store

__all__ = [
    "COSTS",
    "EPOCH_COLUMNS",
    "MEASURES",
    "Run",
    "Store",
    "arrays",
    "arrays_of",
    "lines",
    "lines_of",
    "read",
    "results",
    "trace",
]
