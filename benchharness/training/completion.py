"""Trains the derived cells that a measured table lacks, to complete its ground truth."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchharness.compute.devices import devices, slots
from benchharness.io.progress import clock, with_counts
from benchharness.records import RunSpec, Status
from benchharness.space import from_string
from benchharness.table import Table
from benchharness.training.journal import COMPLETED, TrainOptions, complete, journal_of, missing_classes

Lookup = Callable[[str], Table | None]


def train_missing(
    suite: Path,
    runs: pd.DataFrame,
    tables: Lookup,
    jobs: int | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> bool:
    """Train once each the cells that `runs` derived and a measured table of `tables` lacks; returns whether any were.

    `runs` are those of the folder `suite`, as `store.read` gives them; the trainings are kept in that folder. Unless
    `quiet`, prints how many there are and a progress bar. A benchmark's own table stays as it is. Ctrl-C loses nothing
    but the trainings under way.
    """
    missing = unmeasured(runs, tables)
    for dataset, codes in missing.items():
        table = tables(dataset)
        assert table is not None  # it lacks cells
        total = len(journal_of(table).missing(codes, COMPLETED))
        name = table.about["name"]
        trainings = complete(table, codes, suite, train_options(jobs, device, total))
        if not quiet:
            sentence = f"{len(codes)} of the cells are not in table {name!r}: training them once each"
            print(f"{sentence}, {total} trainings to make", flush=True)
        for _ in trainings if quiet else with_counts(trainings, total, "trained"):
            pass
    return bool(missing)


def unmeasured(runs: pd.DataFrame, tables: Lookup) -> dict[str, list[int]]:
    """By data set, the functional classes that `runs` derived and a measured table lacks."""
    codes_by_dataset = {}
    for dataset, archs in runs.dropna(subset="arch").groupby("dataset")["arch"]:
        table = tables(str(dataset))
        if table is not None and "recipe" in table.about:
            codes_by_dataset[str(dataset)] = missing_classes(table, map(from_string, archs.unique()))
    return {dataset: codes for dataset, codes in codes_by_dataset.items() if codes}


def announced(
    specs: Iterable[RunSpec],
    statuses: Mapping[str, Status],
    runs: pd.DataFrame | None,
    tables: Lookup,
    jobs: int | None = None,
    device: str = "auto",
) -> list[str]:
    """A sentence for each measured table that may lack derived cells: how many trainings follow, and for how long.

    `statuses` are those of `specs` by run id; `runs` are all runs of their folder, None if there is no folder. The
    number is a bound, since every run that is not done yet may derive another cell.
    """
    counts_by_dataset = Counter[str]()
    for spec in specs:
        counts_by_dataset[spec.dataset] += statuses[spec.run_id] != Status.DONE
    lacking_now = {} if runs is None else unmeasured(runs, tables)
    sentences = []
    for dataset, count in counts_by_dataset.items():
        most, table = count + len(lacking_now.get(dataset, [])), tables(dataset)
        if table is not None and "recipe" in table.about and most:
            each = float(np.nanmean(table.train_seconds(dataset)[~table.measured_here]))
            at_a_time = train_options(jobs, device, most).jobs
            duration = clock(most * each / max(1, at_a_time))
            sentences.append(
                f"cells that table {table.about['name']!r} lacks are trained afterwards, once each: up to {most} "
                f"trainings of about {each:.0f} s of one core, {duration} with {at_a_time} at a time"
            )
    return sentences


def train_options(jobs: int | None, device: str, most: int) -> TrainOptions:
    """Options for `most` trainings: `jobs` at a time, by default one per core or one per GPU."""
    jobs = slots(device, most) if jobs is None else jobs
    return TrainOptions(jobs, devices(device, jobs)[0])
