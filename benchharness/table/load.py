"""Loads tables by name, or by the data set whose ground truth they are."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import as_file, files

from benchharness.data.kinds import canonical
from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.table import storage
from benchharness.table.costs import Cost, Costs
from benchharness.table.importers import COSTS, TABLES
from benchharness.table.metric import DATASETS
from benchharness.table.table import Table

Tables = Table | Mapping[str, Table] | Callable[[str], Table | None] | None
"""A table; or tables by data set, as a mapping or a function that may give None; or None."""

_PACKAGED = ("digits",)
"""Tables in the package, used if no table of that name is installed."""


def load_table(name: str = "nas-bench-201") -> Table:
    """The table called `name`; raises `UserError`, which names the command that imports it, if it is missing."""
    if is_packaged(name):
        return _packaged(name)
    fields = storage.read_table(catalog.find_installed(TABLES, name))
    of_benchmark = "network" not in fields["about"] and {figure.dataset for figure in fields["means"]} & set(DATASETS)
    return Table(**fields, measured_costs=load_costs if of_benchmark else dict)


def load_costs() -> dict[str, Cost]:
    """Every latency and energy of the benchmark's networks in the data folder, by name.

    If two files have a column of one name, the second is called `FILE:NAME`. Raises `UserError` if one is damaged.
    """
    costs: dict[str, Cost] = {}
    for name in dict.fromkeys(item.name for item in catalog.installed((COSTS,))):
        for cost in Costs.open(catalog.find_installed(COSTS, name)).columns:
            unique = cost.name if cost.name not in costs else f"{name}:{cost.name}"
            costs[unique] = replace(cost, name=unique)
    return costs


def is_packaged(name: str) -> bool:
    """Whether `name` is a table of the package, and no installed table has this name."""
    return name in _PACKAGED and name not in catalog.names(TABLES)


def load_for(dataset: str) -> Table:
    """The ground truth of `dataset`: NAS-Bench-201 for its three data sets, else the table named after the data set.

    Raises `UserError` if there is no such table; it names the command that imports or measures one.
    """
    if (dataset := canonical(dataset)) in DATASETS:
        return load_table()
    if dataset not in (*_PACKAGED, *catalog.names(TABLES)):
        problem = f"no table of {dataset!r} in {catalog.data_folder()}"
        raise UserError(f"{problem}; `benchharness table build --dataset {dataset}` measures one")
    table = load_table(dataset)
    if dataset not in table.datasets:
        datasets = ", ".join(table.datasets) or "nothing"
        raise UserError(
            f"table {dataset!r} is not ground truth of the data set {dataset!r}: it holds figures of {datasets}"
        )
    return table


def _packaged(name: str) -> Table:
    with as_file(files("benchharness.table") / f"{name}.npz") as path:
        if path.is_file():
            return Table.open(path)
    problem = f"this version comes without a table of {name!r}"
    raise UserError(f"{problem}; `benchharness table build --dataset {name}` measures one")


def table_of(tables: Tables, dataset: str) -> Table | None:
    """The ground truth of `dataset` among `tables`; None if there is none.

    A table of NAS-Bench-201 counts for its three data sets, even if incomplete; others for the data sets they hold.
    """
    if isinstance(tables, Table):
        datasets = set(tables.datasets)
        return tables if dataset in datasets or (dataset in DATASETS and datasets & set(DATASETS)) else None
    if tables is None or isinstance(tables, Mapping):
        candidates = (dataset, *DATASETS) if dataset in DATASETS else (dataset,)
        return next((tables[name] for name in candidates if name in tables), None) if tables else None
    return tables(dataset)
