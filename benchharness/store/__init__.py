"""The results folder: one folder per run, `<root>/<suite>/<dataset>/<method>/seed-007-<run id>/`.

It holds `spec.json` (the request), `trace.jsonl` (one line per epoch), `trace.npz` (alphas per epoch, scores),
`checkpoint.pt` (not needed once the run is done), `machine.json` (times, machine), `failure.json` if the run failed,
and `record.json`, which is written last: a run with a record is done.
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
