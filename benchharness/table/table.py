"""`Table`: accuracies and costs of architectures as arrays, looked up by name of data set, split and epochs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt8

from benchharness import space
from benchharness.data.kinds import canonical
from benchharness.errors import UserError, unknown
from benchharness.io.files import path_of
from benchharness.space import NETWORKS, Arch, Network
from benchharness.table import storage
from benchharness.table.costs import Cost
from benchharness.table.metric import Metric, after, missing_metric
from benchharness.table.notation import read_index, read_indices

Archs = int | str | Arch | Sequence[str | Arch] | Integer[np.ndarray, "*archs"] | None
"""Architectures: the benchmark's index of one or, as an array of any shape, of many; a cell or a list of cells (a tuple
of operations, or any spelling that `notation.read_cell` knows); or None for all that a table holds, in row order."""


class Optimum(NamedTuple):
    """The best architecture of a figure: its index in the benchmark, and its accuracy in percent."""

    arch_index: int
    accuracy: float


@dataclass(frozen=True, eq=False)
class Table:
    """Ground truth of a set of architectures (Dong & Yang, ICLR 2020); build one with `benchharness.table.build`.

    Arrays are read-only and in row order. An integer always means the benchmark's index of an architecture; in a
    complete table (`complete`) it is the row, too. Other tables hold only some architectures and raise `UserError` for
    the rest. Accuracies are in percent; NaN if the table lacks them. `epochs` defaults to the longest training that the
    table holds for the data set.
    """

    about: Mapping[str, Any]
    """`name`, `version`, `source`, `seed_rule`, `sha256` of the content, and perhaps a `note`.

    A table of networks of another size has `network` (the fields of `space.Network`), and may have `recipe` (the
    training's settings) and `splits` (a description of its splits).
    """
    ops: UInt8[np.ndarray, "archs edges"]
    means: Mapping[Metric, Float[np.ndarray, "archs"]]
    by_seed: Mapping[Metric, Float[np.ndarray, "archs seeds"]]
    times: Mapping[tuple[str, int], Float[np.ndarray, "archs"]]
    """Seconds of training, by data set and epochs."""
    rows_measured_here: frozenset[int] = field(default=frozenset())
    """Rows that were trained on this machine and added; not saved with the table."""
    measured_costs: Callable[[], Mapping[str, Cost]] = field(default=dict)
    """Loads latencies and energies by name at the first use; not saved with the table."""

    def __post_init__(self) -> None:
        check_table(self)

    @classmethod
    def open(cls, path: Path | str) -> "Table":
        """Load the table that `save` wrote to `path`; raises `UserError` if there is none."""
        return cls(**storage.read_table(path_of(path)))

    def save(self, path: Path | str) -> None:
        """Write the table to `path`, atomically."""
        storage.write_table(path_of(path), self)

    def __len__(self) -> int:
        return len(self.ops)

    @property
    def complete(self) -> bool:
        """Whether every architecture of the space has a row."""
        return bool(len(self.ops) == space.SIZE)

    @cached_property
    def numbers(self) -> Int[np.ndarray, "archs"]:
        """The benchmark's index of every row."""
        return space.indices()[codes(self.ops)]

    def figures(self) -> list[Metric]:
        """The metrics that this table holds."""
        return list(self.means)

    @property
    def datasets(self) -> list[str]:
        """The data sets of its metrics, in the order of `figures`."""
        return list(self._epochs)

    @property
    def measured_here(self) -> Bool[np.ndarray, "archs"]:
        """Mask of rows that were trained on this machine and added."""
        marks = np.zeros(len(self), bool)
        marks[list(self.rows_measured_here)] = True
        return marks

    def epochs(self, dataset: str) -> int:
        """The most epochs of training among its metrics of `dataset`; raises `UserError` if there are none."""
        if (dataset := canonical(dataset)) not in self._epochs:
            raise missing_metric(Metric(dataset, "test", 200), self.means)
        return self._epochs[dataset]

    def network(self, dataset: str) -> Network:
        """The size of the networks trained on `dataset`: the benchmark's unless the table states another size."""
        dataset = canonical(dataset)
        if "network" in self.about:
            return Network(**self.about["network"])
        if dataset not in (*NETWORKS, *self.datasets):
            raise unknown("data set", dataset, self.datasets)
        return NETWORKS.get(dataset, Network())

    def accuracy(
        self, archs: Archs, dataset: str, split: str, epochs: int | None = None, seed: int | None = None
    ) -> Float[np.ndarray, "*archs"]:
        """Accuracy of `archs` in percent: the mean over training seeds, or that of the training run number `seed`.

        With `archs=None` missing accuracies are NaN; for named architectures they raise `UserError`, as do an
        architecture and a metric that the table does not hold.
        """
        metric = self._figure(dataset, split, epochs)
        column: Float[np.ndarray, "archs"] = self._held(self.means, metric) if seed is None else self._run(metric, seed)
        if archs is None:
            return column
        accuracies: Float[np.ndarray, "*archs"] = column[self.rows(archs), ...]
        if np.isnan(accuracies).any():
            of = "" if seed is None else f" of training run {seed}"
            raise UserError(f"table {self.about['name']!r} lacks {metric}{of} for {np.isnan(accuracies).sum()} of them")
        return accuracies

    def seeds(self, dataset: str, split: str, epochs: int | None = None) -> Float[np.ndarray, "archs seeds"]:
        """Accuracy of every single training run in percent (archs, runs); NaN for runs that were not released."""
        return np.asarray(self._held(self.by_seed, self._figure(dataset, split, epochs)))

    def optimum(self, dataset: str, split: str, epochs: int | None = None) -> Optimum:
        """The best architecture in the table; the first of equals."""
        column = self.accuracy(None, dataset, split, epochs)
        row = int(np.nanargmax(column))
        return Optimum(int(self.numbers[row]), float(column[row]))

    def regret(self, archs: Archs, dataset: str, split: str, epochs: int | None = None) -> Float[np.ndarray, "*archs"]:
        """Points of accuracy below the optimum of the same figure."""
        best = self.optimum(dataset, split, epochs).accuracy
        return np.asarray(best - self.accuracy(archs, dataset, split, epochs))

    def rank(self, archs: Archs, dataset: str, split: str, epochs: int | None = None) -> Int[np.ndarray, "*archs"]:
        """One more than the number of architectures that are strictly better: 1 is the best, equals share a rank.

        Ranks and percentiles count only the table's own architectures, not rows that were added on this machine.
        """
        ordered = self._ordered(dataset, split, epochs)
        accuracies = self.accuracy(archs, dataset, split, epochs)
        return np.asarray(1 + len(ordered) - np.searchsorted(ordered, accuracies, side="right"))

    def percentile(
        self, archs: Archs, dataset: str, split: str, epochs: int | None = None
    ) -> Float[np.ndarray, "*archs"]:
        """Percentage of the table's architectures that are not better: 100 for the best."""
        ordered = self._ordered(dataset, split, epochs)
        accuracies = self.accuracy(archs, dataset, split, epochs)
        return np.asarray(100 * np.searchsorted(ordered, accuracies, side="right") / len(ordered))

    def train_seconds(self, dataset: str, epochs: int | None = None) -> Float[np.ndarray, "archs"]:
        """Seconds one training took; in NAS-Bench-201 on a GPU of 2019, for cifar10 on 25,000 images."""
        times = self.times
        dataset, _, epochs = self._figure(dataset, "test", epochs)
        if (dataset, epochs) not in times:
            names = ", ".join(f"{name} {after(count)}" for name, count in times)
            raise UserError(f"no training time of {dataset!r} {after(epochs)}; this table holds: {names or 'none'}")
        return times[dataset, epochs]

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        """Installed latencies and energies of its networks, by name."""
        return self.measured_costs()

    def cost(self, archs: Archs, name: str) -> Float[np.ndarray, "*archs"]:
        """The costs `name` of `archs`, in the unit of `costs[name].measure`.

        For `archs=None` missing and odd values are NaN; for named architectures they raise `UserError`.
        """
        if name not in self.costs:
            raise unknown("cost", name, self.costs)
        cost, rows = self.costs[name], self.rows(archs)
        indices = self.numbers[rows]
        values: Float[np.ndarray, "*archs"] = cost.values[indices, ...]
        if archs is not None and np.isnan(values).any():
            first = int(np.ravel(indices)[np.isnan(np.ravel(values))][0])
            reason = f"{cost.stated[first]:g} is odd: {cost.why(first)}" if cost.odd[first] else "it was not measured"
            raise UserError(f"no {cost.label} of architecture {first}: {reason}")
        return values

    def params_m(self, dataset: str = "cifar10") -> Float[np.ndarray, "archs"]:
        """Parameters in millions of each architecture's network with `dataset`'s classifier."""
        return space.params_m(self.ops, self.network(dataset))

    def flops_m(self) -> Float[np.ndarray, "archs"]:
        """Multiply-adds in millions of each architecture's network; the benchmark's at 32x32 with 10 classes."""
        return space.flops_m(self.ops, self.network("cifar10"))

    def arch(self, index: int | str | Arch) -> Arch:
        """The architecture with the benchmark's `index`; raises `UserError` if the table lacks it."""
        return tuple(self.ops[self.rows(read_index(index))].tolist())

    def index(self, arch: int | str | Arch) -> int:
        """The benchmark's index of an architecture that the table holds, given as a cell or an index (also as text)."""
        return int(self.numbers[self.rows(read_index(arch))])

    def rows(self, archs: Archs) -> Any:
        """The rows of `archs`: an int for one architecture, an array of their shape for many.

        Raises `UserError` if one is not an architecture, or if the table lacks it.
        """
        if type(archs) is int and 0 <= archs < space.SIZE and self._in_order:  # twice as fast as by way of an array
            return archs
        if archs is None:
            return np.arange(len(self))
        indices = read_indices(archs)
        rows = self._row_of_index[indices, ...]
        if (rows < 0).any():
            first = int(indices[rows < 0].flat[0])
            cell = f"{space.to_string(space.from_code(int(space.order()[first])))} (index {first})"
            raise UserError(f"{cell} is not among the {len(self)} architectures of table {self.about['name']!r}")
        return int(rows) if rows.ndim == 0 else rows

    def describe(self, arch: Arch | str | int) -> dict[str, Any]:
        """Everything the table holds about one architecture, each accuracy with data set, split, epochs, seed rule."""
        index = read_index(arch)
        row = self.rows(index)
        return {
            "index": index,
            "arch": space.to_string(self.arch(index)),
            "params_m": {name: float(self.params_m(name)[row]) for name in self.datasets},
            "flops_m": float(self.flops_m()[row]),
            "measured_here": row in self.rows_measured_here,
            "architectures": len(self) - len(self.rows_measured_here),
            "figures": [self._describe(row, metric) for metric in self.means if not np.isnan(self.means[metric][row])],
            "train_seconds": [
                {"dataset": dataset, "epochs": epochs, "seconds": float(seconds[row])}
                for (dataset, epochs), seconds in self.times.items()
            ],
            "costs": [
                {
                    "name": cost.name,
                    **cost.measure._asdict(),
                    "value": float(cost.stated[index]),
                    "odd": cost.why(index),
                }
                for cost in self.costs.values()
                if not np.isnan(cost.stated[index])
            ],
            "table": dict(self.about),
        }

    def _describe(self, row: int, metric: Metric) -> dict[str, Any]:
        runs = self.by_seed[metric][row] if metric in self.by_seed else np.array([])
        index = int(self.numbers[row])
        return {
            **metric._asdict(),
            "accuracy_pct": float(self.means[metric][row]),
            "seed_rule": self.about["seed_rule"],
            "runs_pct": runs[~np.isnan(runs)].tolist(),
            "rank": int(self.rank(index, *metric)),
            "percentile": float(self.percentile(index, *metric)),
            "regret": float(self.regret(index, *metric)),
        }

    @cached_property
    def _epochs(self) -> dict[str, int]:
        longest: dict[str, int] = {}
        for metric in self.means:
            longest[metric.dataset] = max(metric.epochs, longest.get(metric.dataset, 0))
        return longest

    def _figure(self, dataset: str, split: str, epochs: int | None) -> Metric:
        if not (epochs is None or isinstance(epochs, int | np.integer)):
            raise UserError(f"epochs={epochs!r:.80} is not a whole number, such as 200")
        dataset = dataset if dataset in self._epochs else canonical(dataset)  # which takes 1 µs
        return Metric(dataset, split, self._epochs.get(dataset, 200) if epochs is None else epochs)

    @cached_property
    def _in_order(self) -> bool:
        """Whether row numbers are the benchmark's indices: the table is complete, and no rows were added."""
        return self.complete and not self.rows_measured_here

    @cached_property
    def _row_of_index(self) -> Int[np.ndarray, "indices"]:
        rows = np.full(space.SIZE, -1)
        rows[self.numbers] = np.arange(len(self))
        return rows

    def _held(self, columns: Mapping[Metric, Any], metric: Metric) -> Any:
        if metric in columns:
            return columns[metric]
        raise missing_metric(metric, columns)

    def _run(self, metric: Metric, seed: int) -> Float[np.ndarray, "archs"]:
        runs: Float[np.ndarray, "archs seeds"] = self._held(self.by_seed, metric)
        if not 0 <= seed < runs.shape[1]:
            raise UserError(f"no training run {seed} of {metric}; runs are numbered 0 to {runs.shape[1] - 1}")
        return runs[:, seed]

    def _ordered(self, dataset: str, split: str, epochs: int | None) -> Float[np.ndarray, "held"]:
        column = self.accuracy(None, dataset, split, epochs)
        return np.sort(column[~np.isnan(column) & ~self.measured_here])


def check_table(table: Table) -> None:
    """Raise `UserError` if the arrays of `table` do not fit together or hold impossible values."""
    rows, ops = len(table.ops), table.ops
    check_network(table.about)
    if ops.shape != (rows, len(space.EDGES)) or ops.dtype != np.uint8 or (ops >= len(space.OPS)).any():
        raise UserError(f"a table's architectures are {len(space.EDGES)} operations of 0 to {len(space.OPS) - 1} each")
    if len(set(codes(ops).tolist())) != rows:
        raise UserError(f"an architecture occurs twice among the {rows} rows of the table")
    if table.complete and not table.rows_measured_here and not np.array_equal(table.numbers, np.arange(rows)):
        raise UserError("the rows of a complete table must be in the order of the benchmark's index")
    for key, column in (*table.means.items(), *table.by_seed.items(), *table.times.items()):
        if len(column) != rows:
            raise UserError(f"{len(column)} values of {key} for {rows} architectures")
    for metric, column in (*table.means.items(), *table.by_seed.items()):
        if (column < 0).any() or (column > 100).any():
            raise UserError(f"{metric} is not in percent: {np.nanmin(column):g} to {np.nanmax(column):g}")


def check_network(about: Mapping[str, Any]) -> None:
    """Raise `UserError` if `about` describes an impossible network size."""
    network = about.get("network", {})
    sizes = network if isinstance(network, Mapping) and set(network) <= set(Network._fields) else {"": None}
    if not all(type(size) is int and 0 < size < 1 << 16 for size in sizes.values()):
        raise UserError(f"a table's network is {', '.join(Network._fields)}, not {str(network)[:80]}")


def codes(ops: UInt8[np.ndarray, "archs edges"]) -> Int[np.ndarray, "archs"]:
    """`space.to_code` of every row."""
    return np.asarray(np.ravel_multi_index(tuple(ops.T), (len(space.OPS),) * len(space.EDGES)))
