"""Collects what a report is made from: all runs and their look-ups, read once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchharness import store
from benchharness.analysis.decisions import decisions
from benchharness.analysis.lookup import epochs_of, lookup
from benchharness.analysis.rank_correlation import agreement, supernet_ranking
from benchharness.analysis.search_curves import curves
from benchharness.config import departures, pairs_text, preset_name
from benchharness.io.files import slug
from benchharness.records import Status
from benchharness.table import DATASETS, Table, Tables, table_of

MEASURED: Final = ("eigenvalue_every", "ranking", "ranking_batches")
"""Settings that measure a search without changing it."""


@dataclass(frozen=True)
class Evidence:
    """The runs of one setting (data set and protocol), or of two settings if two folders are compared."""

    name: str
    """`cifar10, protocol drnas`, with the settings that differ from the preset."""
    slug: str
    """Suffix of file names if a report has several settings; else empty."""
    dataset: str
    protocol: str
    """Name of the preset; empty if a setting differs from it, so that no published figure is comparable."""
    table: Table | None
    runs: pd.DataFrame
    """All runs, finished or not, as `store.read` gives them."""
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    """What `store.arrays` gives, by run id."""
    long: pd.DataFrame
    """Finished runs by benchmark data set: see `lookup`."""
    curves: pd.DataFrame
    agreement: pd.DataFrame
    ranking: pd.DataFrame
    decisions: pd.DataFrame
    """Whether each finished run's search decided: see `decisions`."""

    @property
    def epochs(self) -> int:
        """Training epochs behind the accuracies that are looked up."""
        return epochs_of(self.table, self.dataset)

    @property
    def benchmark(self) -> bool:
        """Whether the data set is one of NAS-Bench-201, so that cells are looked up on all three."""
        return self.dataset in DATASETS

    @property
    def methods(self) -> list[str]:
        """The methods that have a finished run, in alphabetical order."""
        return sorted(self.long["method"].unique())

    def own(self) -> pd.DataFrame:
        """Finished runs, looked up on the data set that they searched."""
        return self.long[self.long["benchmark_dataset"] == self.dataset]

    def scores(self) -> pd.DataFrame:
        """Test accuracy on the data set searched, `by_seed`."""
        return by_seed(self.own(), "test")


def by_seed(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """`column` of `runs`: a row per seed, a column per method, NaN if a run is missing.

    Every method of the folder has a column, so that figures of one setting share colours with those of another.
    """
    return runs.pivot_table(index="seed", columns="method", values=column, dropna=False, observed=False)


def gather(results: Path, tables: Tables) -> tuple[pd.DataFrame, list[Evidence]]:
    """All runs of the folder in a fixed order, and the evidence of every setting that has runs."""
    return gather_runs(store.read(results), tables)


def gather_runs(runs: pd.DataFrame, tables: Tables, together: bool = False) -> tuple[pd.DataFrame, list[Evidence]]:
    """Like `gather`, for runs that have been read already; methods and suites may have been renamed.

    `together` makes all settings of a data set one piece of evidence where every method of it has a single one: two
    folders are compared by what they were searched with.
    """
    runs = runs.sort_values(["dataset", "method", "seed", "run_id"], ignore_index=True)
    runs = runs.assign(method=runs["method"].astype("category"))
    several = runs["suite"].nunique() > 1
    suites = runs["suite"] + ": " if several else ""
    runs["setting"] = suites + runs["spec"].map(setting)
    groups = list(runs.groupby(_joined(runs) if together else "setting"))
    return runs, [_evidence(str(name), group, tables, len(groups) > 1) for name, group in groups]


def _joined(runs: pd.DataFrame) -> "pd.Series[str]":
    """The names of all settings of a run's data set, joined, if no method has two; else the run's own."""
    single = runs.groupby(["dataset", "method"], observed=True)["setting"].transform("nunique") == 1
    is_single = single.groupby(runs["dataset"]).transform("all")
    every = runs.groupby("dataset")["setting"].transform(lambda names: " and ".join(sorted(set(names))))
    return runs["setting"].where(~is_single, every)


def _evidence(name: str, runs: pd.DataFrame, tables: Tables, several: bool) -> Evidence:
    done_runs = runs[runs["status"] == Status.DONE]
    arrays = store.arrays_of(done_runs)
    dataset, specs = str(runs["dataset"].iloc[0]), runs.drop_duplicates(["setting", "trains"])["spec"]
    presets = {"" if changes(spec) else preset(spec) for spec in specs}
    return Evidence(
        name=name,
        slug="-" + slug(name.replace(", protocol", "")) if several else "",
        dataset=dataset,
        protocol=presets.pop() if len(presets) == 1 else "",
        table=table_of(tables, dataset),
        runs=runs,
        arrays=arrays,
        long=lookup(done_runs, tables),
        curves=curves(runs, tables, arrays),
        agreement=agreement(done_runs, tables, arrays),
        ranking=supernet_ranking(done_runs, tables, arrays),
        decisions=decisions(done_runs, arrays),
    )


def lacks_table(settings: Iterable[Evidence]) -> bool:
    """Whether runs of one of `settings` have derived cells that no table is installed for."""
    return any(len(evidence.long) and evidence.table is None for evidence in settings)


def changes(spec: Mapping[str, Any], ignoring: Collection[str] = MEASURED) -> dict[str, Any]:
    """Settings of a run that differ from its protocol, but for `ignoring`; all of them if the protocol is unknown."""
    return departures({**spec["protocol"], "name": preset(spec)}, spec["trains"], ignoring)


def preset(spec: Mapping[str, Any]) -> str:
    """The protocol whose settings the run has; else the one it is named after."""
    return preset_name(spec["protocol"], spec["trains"], MEASURED)


def setting(spec: Mapping[str, Any]) -> str:
    """Name of a run's setting: data set, protocol, and the values that differ from the preset."""
    changes_text = pairs_text(dict(sorted(changes(spec).items())))
    suffix = ", on the benchmark's split file" if spec.get("split_sha256") else ""
    suffix += f", images version {images}" if (images := spec.get("versions", {}).get("images")) else ""
    return f"{spec['dataset']}, protocol {preset(spec)}" + (f" ({changes_text})" if changes_text else "") + suffix
