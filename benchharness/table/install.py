"""Imports tables and costs, under a given name or with a mapping of column names."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.io.catalog import Installed
from benchharness.io.files import path_of
from benchharness.table import frames
from benchharness.table.columns import SUFFIXES
from benchharness.table.importers import COSTS, TABLES, columnar, cost_frame, native, official
from benchharness.table.table import Table


class _Named:
    """An importer that reads any path under a given name."""

    def __init__(self, layout: str, reading: Any) -> None:
        self.LAYOUT, self._reading = layout, reading

    def recognises(self, path: Path) -> str | None:
        """The given name."""
        return path.name

    def read_source(self, path: Path) -> Any:
        """The data at `path` under the given name."""
        return self._reading(path)


def import_any(
    path: Path | str, name: str = "", mapping: Mapping[str, str] | None = None, unit: str = ""
) -> list[Installed]:
    """Install the content of the file at `path`: a table, latencies and energies, or both.

    With a `unit`, all columns are costs in that unit.

    Raises `UserError` as `import_table` does.
    """
    path = path_of(path)
    has_costs = path.exists() and not mapping and cost_frame.recognises(path) is not None
    costs = [import_costs(path, name, unit)] if unit or has_costs else []
    if costs and columnar.recognises(path) is None:
        return costs
    return [import_table(path, name, mapping), *costs]


def install_table(table: Table) -> Path:
    """Install `table` in the data folder under its own name; returns its path there."""
    name = str(table.about["name"])
    with TemporaryDirectory() as scratch:
        table.save(path := Path(scratch) / f"{name}.npz")
        return catalog.install_with(TABLES, name, path, native).path


def import_costs(path: Path | str, name: str = "", unit: str = "") -> Installed:
    """Install the latencies or energies in the file at `path` under `name` (default: the file's name).

    Raises `UserError` if the file has none, or if a column does not hold valid costs.
    """
    path = path_of(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or folder to import")
    if not columnar.is_readable(path):
        raise UserError(f"{path} holds no costs; known: {cost_frame.LAYOUT}")
    read_costs = partial(cost_frame.read_as, name=name or frames.stem(path), unit=unit)
    return catalog.install_with(COSTS, read_costs.keywords["name"], path, _Named(cost_frame.LAYOUT, read_costs))


def import_table(path: Path | str, name: str = "", mapping: Mapping[str, str] | None = None) -> Installed:
    """Install the table at `path` under `name` (default: its own); `mapping` gives the file's column names by ours.

    Raises `UserError` if the layout is unknown, or the table is damaged or inconsistent.
    """
    path = path_of(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give a file or folder to import")
    if columnar.is_readable(path):
        read_table = partial(
            columnar.read_as, name=name or columnar.recognises(path) or frames.stem(path), columns=mapping
        )
        return catalog.install_with(TABLES, read_table.keywords["name"], path, _Named(columnar.LAYOUT, read_table))
    if mapping:
        raise UserError(f"{path.name} has no columns to map; {', '.join(SUFFIXES)} files have")
    if official.is_readable(path):
        table_name = name or official.recognises(path) or official.PART
        reading = partial(official.read_as, name=table_name)
        return catalog.install_with(TABLES, table_name, path, _Named(official.LAYOUT, reading))
    table_name = native.recognises(path) or ""
    if not table_name:
        raise UserError(f"{path} is no table; known: {columnar.LAYOUT}; {official.LAYOUT}; {native.LAYOUT}")
    renamed = partial(native.read_as, name=name or table_name)
    return catalog.install_with(TABLES, name or table_name, path, _Named(native.LAYOUT, renamed))
