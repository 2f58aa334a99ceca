"""Performs a plan with a progress display, and prints a line for every run that ends."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import pandas as pd

from benchharness.analysis.lookup import lookup_run
from benchharness.io.progress import clock
from benchharness.records import Status
from benchharness.runs.estimate import estimate
from benchharness.runs.options import RunOptions
from benchharness.runs.plan import Job
from benchharness.runs.progress import show_progress
from benchharness.runs.runner import Outcome, perform
from benchharness.space import from_string, indices, short, to_code
from benchharness.store import Store
from benchharness.table import Tables, table_of


def perform_with_progress(
    plan: list[Job],
    store: Store,
    statuses: Mapping[str, Status],
    options: RunOptions,
    tables: Tables,
    quiet: bool = False,
    verbose: bool = False,
) -> Iterator[Outcome]:
    """Like `perform`, with a progress display and a printed line for every run that ends.

    `statuses` has the status of every run of the plan, by run id; jobs whose runs are all done are skipped. With
    `quiet` only lines of failed runs are printed.
    """
    runs_left = sum(status != Status.DONE for status in statuses.values())
    jobs_left = [job for job in plan if any(statuses[spec.run_id] != Status.DONE for spec in job.specs)]
    if runs_left and options.executor == "local" and not quiet:
        print(f"starting {min(options.jobs, len(plan))} at a time; runs to make: {runs_left}", flush=True)
        if forecast := estimate(plan, store, options, timing=False):
            print(forecast, flush=True)
    with nullcontext() if quiet else show_progress(plan, store):
        for outcome in perform(jobs_left, store, options):
            if not quiet or outcome.state == "failed":
                print(line(outcome, store, tables, verbose), flush=True)
            yield outcome


def line(outcome: Outcome, store: Store, tables: Tables, verbose: bool = False) -> str:
    """One line on a run that has ended: method and seed, derived cell, its accuracy in the table, and the time.

    `verbose` adds the cell and its accuracy with inherited weights.
    """
    run_name = f"{outcome.spec.name} seed {outcome.spec.seed}"
    if outcome.state != "done":
        return f"{run_name}  {outcome.state.upper()}  {outcome.message}"
    row = lookup_run(store.folder(outcome.spec), tables)
    duration = clock(row["train_seconds"] + row["selection_seconds"])
    arch = from_string(row["arch"])
    inherited = (short(arch), _inherited(row)) if verbose else ()
    columns = (run_name, f"#{indices()[to_code(arch)]}", _reached(row, tables), duration, *inherited, outcome.message)
    return "  ".join(filter(None, columns))


def _reached(row: "pd.Series[Any]", tables: Tables) -> str:
    """The table's test accuracy and rank of a run's cell, as a short text."""
    table = table_of(tables, row["dataset"])
    if table is None:
        return "no table"
    if pd.isna(row["test"]):
        return "not in the table"
    return f"test {row['test']:.2f} % (rank {row['rank']:,.0f} of {len(table):,})"


def _inherited(row: "pd.Series[Any]") -> str:
    if pd.isna(row["derived_accuracy_pct"]):
        return "untrained"
    return f"inherited {row['derived_accuracy_pct']:.2f} % ({row['measures_bn']} statistics)"
