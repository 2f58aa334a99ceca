"""Which of several tables is the ground truth of a data set: results of several may lie in one folder."""

from collections.abc import Callable, Mapping

from benchharness.table.metric import DATASETS
from benchharness.table.table import Table

Tables = Table | Mapping[str, Table] | Callable[[str], Table | None] | None
"""A table; or tables by data set, as a mapping or a function that gives None where there is none; or no table."""


def table_of(tables: Tables, dataset: str) -> Table | None:
    """The ground truth of `dataset` among `tables`, None where there is none.

    A table of NAS-Bench-201 is that of all its three, however much it lacks; any other is that of what it holds.
    """
    if isinstance(tables, Table):
        own = set(tables.datasets)
        return tables if dataset in own or (dataset in DATASETS and own & set(DATASETS)) else None
    if tables is None or isinstance(tables, Mapping):
        alike = (dataset, *DATASETS) if dataset in DATASETS else (dataset,)
        return next((tables[name] for name in alike if name in tables), None) if tables else None
    return tables(dataset)
