"""The ground truth: what every architecture of the benchmark reaches when it is trained on its own."""

from benchharness.table.details import Details
from benchharness.table.figures import DATASETS, SPLITS, Figure
from benchharness.table.load import load_details, load_table
from benchharness.table.table import Table

__all__ = ["DATASETS", "SPLITS", "Details", "Figure", "Table", "load_details", "load_table"]
