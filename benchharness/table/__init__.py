"""The ground truth: the accuracy of every architecture of the benchmark, trained stand-alone."""

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
