"""The ground truth: what every architecture of the benchmark reaches when it is trained on its own."""

from benchharness.table.costs import Cost
from benchharness.table.load import Tables, load_costs, load_for, load_table, table_of
from benchharness.table.metric import DATASETS, SPLITS, Metric
from benchharness.table.table import Table

__all__ = [
    "DATASETS",
    "SPLITS",
    "Cost",
    "Metric",
    "Table",
    "Tables",
    "load_costs",
    "load_for",
    "load_table",
    "table_of",
]
