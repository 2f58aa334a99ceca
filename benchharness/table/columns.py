"""A table as columns, one row per architecture: names of the columns, and writing them for other tools."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchharness import space
from benchharness.data.kinds import canonical
from benchharness.errors import UserError
from benchharness.io.files import replacing
from benchharness.space import Network
from benchharness.table.metric import DATASETS, SPLITS, Metric
from benchharness.table.table import Table

if TYPE_CHECKING:
    import pandas as pd

_SPELT: Final = {dataset: dataset.replace("-", "_") for dataset in DATASETS}
_TIMED: Final = {**_SPELT, "cifar10": "cifar10_valid"}
_HALVED: Final = {"valid": "valid", "test": "test-halftrain"}
"""Splits of the data set that some call `cifar10-valid`: CIFAR-10 with training on half of the images."""
"""Spelling of the benchmark's data sets in column names; other data sets keep their names."""
_FIGURE: Final = re.compile(
    r"(?P<dataset>[\w.+-]+)_(?P<split>valid|test|test_halftrain)_(?P<epochs>[1-9]\d{0,5})", re.ASCII
)
_SECONDS: Final = re.compile(r"train_seconds_(?P<epochs>[1-9]\d{0,5})_(?P<dataset>[\w.+-]+)", re.ASCII)
_BY_SEED: Final = "_by_seed"
COSTS: Final = ("params_m", "flops_m")
NETWORK: Final = tuple(f"network_{field}" for field in Network._fields)
"""Columns of the size of the networks, equal in all rows; left out for the benchmark's size."""
HERE: Final = "measured_here"
"""Column that marks rows that were trained on the writer's machine and added to the table."""
NAMES: Final = ("index", "arch", *COSTS, *NETWORK, HERE)
"""All columns except those of figures, single runs and seconds; only `arch` and one figure are required."""
SUFFIXES: Final = (".csv", ".json", ".parquet")


def figure_name(metric: Metric) -> str:
    """The column of a figure, such as `cifar10_test_200`."""
    return f"{_SPELT.get(metric.dataset, metric.dataset)}_{metric.split.replace('-', '_')}_{metric.epochs}"


def seeds_name(metric: Metric) -> str:
    """The column of single training runs.

    Its values are lists, or in CSV numbers separated by spaces; `nan` stands for a missing run.
    """
    return figure_name(metric) + _BY_SEED


def seconds_name(dataset: str, epochs: int) -> str:
    """The column of the seconds that one training took."""
    return f"train_seconds_{epochs}_{_TIMED.get(dataset, dataset)}"


def figures_in(names: Iterable[str]) -> dict[Metric, str]:
    """The figures in the columns `names`, with the column's name, in the order in which tables list figures."""
    names_by_figure = {_figure(match): match[0] for name in names if (match := _FIGURE.fullmatch(name))}
    return {metric: names_by_figure[metric] for metric in sorted(names_by_figure, key=_place)}


def same(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of columns among `names` that hold one figure, with two spellings of its data set."""
    first: dict[Metric, str] = {}
    matches = [match for name in names if (match := _FIGURE.fullmatch(name))]
    pairs = [(first.setdefault(_figure(match), match[0]), match[0]) for match in matches]
    return [pair for pair in pairs if pair[0] != pair[1]]


def runs_in(names: Iterable[str]) -> dict[Metric, str]:
    """The figures whose single runs are in the columns `names`, with the column's name."""
    figure_names = [name.removesuffix(_BY_SEED) for name in names if name.endswith(_BY_SEED)]
    return {metric: name + _BY_SEED for metric, name in figures_in(figure_names).items()}


def seconds_in(names: Iterable[str]) -> dict[tuple[str, int], str]:
    """The data sets and epochs whose training seconds are in the columns `names`, with the column's name."""
    matches = [match for name in names if (match := _SECONDS.fullmatch(name))]
    datasets_by_spelling = {spelt: dataset for dataset, spelt in _TIMED.items()}
    datasets = [datasets_by_spelling.get(match["dataset"], canonical(match["dataset"])) for match in matches]
    names_by_figure = {
        Metric(name, "valid", int(name_match["epochs"])): name_match[0]
        for name, name_match in zip(datasets, matches, strict=True)
    }
    return {(metric.dataset, metric.epochs): names_by_figure[metric] for metric in sorted(names_by_figure, key=_place)}


def is_column(name: str) -> bool:
    """Whether `name` is a valid column name."""
    return name in NAMES or any(matches([name]) for matches in (figures_in, runs_in, seconds_in))


def frame(table: Table) -> "pd.DataFrame":
    """The whole `table` as a data frame with the column names of this module."""
    import pandas as pd  # takes 0.3 s, and is only needed to write files

    columns: dict[str, Any] = {
        "index": table.numbers,
        "arch": [space.to_string(tuple(row)) for row in table.ops.tolist()],
        "params_m": table.params_m(),
        "flops_m": table.flops_m(),
    }
    if "network" in table.about:
        columns |= dict(zip(NETWORK, Network(**table.about["network"]), strict=True))
    columns |= {figure_name(metric): column for metric, column in table.means.items()}
    columns |= {seeds_name(metric): _listed(runs) for metric, runs in table.by_seed.items()}
    columns |= {seconds_name(*key): column for key, column in table.times.items()}
    if table.rows_measured_here:
        columns[HERE] = table.measured_here
    return pd.DataFrame(columns)


def write_table(table: Table, path: Path) -> int:
    """Write `table` to a .csv, .json or .parquet file, replacing it only once it is whole, and return its rows.

    Raises `UserError` for a name that ends in none of these.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"{str(path)!r} ends in none of {', '.join(SUFFIXES)}")
    rows = frame(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            rows.to_parquet(temporary, index=False)
        elif path.suffix == ".json":
            rows.to_json(temporary, orient="records", double_precision=15)
        else:
            lists = map(seeds_name, table.by_seed)
            texts = {name: [" ".join(map(repr, runs)) for runs in rows[name]] for name in lists}
            rows.assign(**texts).to_csv(temporary, index=False)
    return len(rows)


def _figure(match: re.Match[str]) -> Metric:
    dataset, split = canonical(match["dataset"]), match["split"].replace("_", "-")
    if canonical(match["dataset"].removesuffix("valid").rstrip("-_")) == "cifar10" != dataset:
        dataset, split = "cifar10", _HALVED.get(split, split)
    return Metric(dataset, split, int(match["epochs"]))


def _place(metric: Metric) -> tuple[Any, ...]:
    """Most epochs first, then the benchmark's data sets in its order, then others by name."""
    is_benchmark = metric.dataset in DATASETS
    dataset = (0, DATASETS.index(metric.dataset), "") if is_benchmark else (1, 0, metric.dataset)
    return -metric.epochs, *dataset, list(SPLITS).index(metric.split)


def _listed(runs: Any) -> list[list[float]]:
    """Runs as lists, without missing runs at the end; a missing run before another one stays, as NaN."""
    last = [np.flatnonzero(~np.isnan(row)).max(initial=-1) for row in runs]
    return [row[: end + 1].tolist() for row, end in zip(runs, last, strict=True)]
