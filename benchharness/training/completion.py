"""Ground truth for cells that were derived and that a measured table lacks: which they are, and training them."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from benchharness.compute.devices import devices, slots
from benchharness.io.progress import clock, counted
from benchharness.records import RunSpec, Status
from benchharness.space import from_string
from benchharness.store import Store, read
from benchharness.table import Table
from benchharness.training.journal import COMPLETED, TrainOptions, complete, journal_of, lacking

Lookup = Callable[[str], Table | None]


def train_missing(
    suite: Path, tables: Lookup, jobs: int | None = None, device: str = "auto", quiet: bool = False
) -> bool:
    """Train once each the cells derived in `suite` that a measured table of `tables` lacks, and keep them with it.

    Tells how many there are and how far it is, unless it is to be `quiet`; gives whether there were any. A benchmark's
    own table stays as it is. Stopped by Ctrl-C, what is trained so far is kept.
    """
    missing = unmeasured(suite, tables)
    for dataset, codes in missing.items():
        table = tables(dataset)
        assert table is not None  # it lacks cells
        total = len(journal_of(table).missing(codes, COMPLETED))
        name = table.about["name"]
        made = complete(table, codes, suite, train_options(jobs, device, total))
        if not quiet:
            said = f"{len(codes)} of the cells are not in table {name!r}: training them once each"
            print(f"{said}, {total} trainings to make", flush=True)
        for _ in made if quiet else counted(made, total, "trained"):
            pass
    return bool(missing)


def unmeasured(suite: Path, tables: Lookup) -> dict[str, list[int]]:
    """By data set, the functional classes derived in `suite` that a measured table lacks."""
    found = {}
    for dataset, archs in read(suite).dropna(subset="arch").groupby("dataset")["arch"]:
        table = tables(str(dataset))
        if table is not None and "recipe" in table.about:
            found[str(dataset)] = lacking(table, map(from_string, archs.unique()))
    return {dataset: codes for dataset, codes in found.items() if codes}


def announced(
    specs: Iterable[RunSpec], store: Store, tables: Lookup, jobs: int | None = None, device: str = "auto"
) -> list[str]:
    """A sentence for each measured table that may lack cells which the runs of `specs` derive: how many, how long.

    Every run that is not done yet may derive another cell, so that this is a bound.
    """
    coming = Counter[str]()
    for spec in specs:
        coming[spec.dataset] += store.status(spec) != Status.DONE
    here = unmeasured(store.path, tables) if store.path.is_dir() else {}
    said = []
    for dataset, runs in coming.items():
        most, table = runs + len(here.get(dataset, [])), tables(dataset)
        if table is not None and "recipe" in table.about and most:
            each = float(np.nanmean(table.train_seconds(dataset)[~table.measured_here]))
            ways = train_options(jobs, device, most).jobs
            spent = clock(most * each / max(1, ways))
            said.append(
                f"cells that table {table.about['name']!r} lacks are trained afterwards, once each: up to {most} "
                f"trainings of about {each:.0f} s of one core, {spent} with {ways} at a time"
            )
    return said


def train_options(jobs: int | None, device: str, most: int) -> TrainOptions:
    """What `most` trainings are made with: `jobs` at a time, by default one a core or one a GPU."""
    jobs = slots(device, most) if jobs is None else jobs
    return TrainOptions(jobs, devices(device, jobs)[0])
