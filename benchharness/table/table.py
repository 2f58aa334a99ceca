"""`Table`: accuracies and costs of architectures as arrays, looked up by name of data set, split and epochs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt8

from benchharness import space
from benchharness.errors import UserError, unknown
from benchharness.space import NETWORKS, Arch, Network
from benchharness.table import storage
from benchharness.table.metric import Figure, after, lacking

Archs = int | str | Integer[np.ndarray, "*archs"] | None
"""Rows of a table: one (or an architecture's string), an array of any shape, or None for all in row order."""


class Optimum(NamedTuple):
    """The best architecture of a figure: its row and its accuracy in percent."""

    row: int
    accuracy: float


@dataclass(frozen=True, eq=False)
class Table:
    """Ground truth of a set of architectures (Dong & Yang, ICLR 2020); build one with `benchharness.table.build`.

    Arrays are read-only and in row order. In a complete table the row is the benchmark's own index; a table that holds
    a part of the architectures says so (`complete`) and refuses the others. Accuracies are in percent, NaN where the
    table does not hold them. Where a question does not say after how many epochs of training, it is about the most
    that the table holds for the data set.
    """

    about: Mapping[str, Any]
    """`name`, `version`, `source`, `seed_rule`, `sha256` of the content, and `note` where there is something to say.

    A table of networks of another size than the benchmark's has `network`, the fields of `space.Network`, and may say
    in `recipe` how they were trained and in `splits` what its splits are.
    """
    ops: UInt8[np.ndarray, "archs edges"]
    numbers: Int[np.ndarray, "archs"]
    """The benchmark's index of every row."""
    means: Mapping[Figure, Float[np.ndarray, "archs"]]
    by_seed: Mapping[Figure, Float[np.ndarray, "archs seeds"]]
    times: Mapping[tuple[str, int], Float[np.ndarray, "archs"]]
    """Seconds of training, by data set and epochs."""
    rows_measured_here: frozenset[int] = field(default=frozenset())
    """Rows that this machine has added to the table as it came; no part of its file."""

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def open(cls, path: Path | str) -> "Table":
        """The table that `save` wrote to `path`; raises `UserError` where there is none."""
        return cls(**storage.read(Path(path)))

    def save(self, path: Path | str) -> None:
        """Write the table to `path`, replacing what is there only once it is written whole."""
        storage.write(Path(path), self)

    def __len__(self) -> int:
        return len(self.ops)

    @property
    def complete(self) -> bool:
        """Whether every architecture of the space has a row."""
        return bool(len(self.ops) == space.SIZE)

    def figures(self) -> list[Figure]:
        """The figures this table holds."""
        return list(self.means)

    @property
    def datasets(self) -> list[str]:
        """The data sets it holds figures of, in the order of its figures."""
        return list(self._epochs)

    @property
    def measured_here(self) -> Bool[np.ndarray, "archs"]:
        """Which rows are not the table's own but were trained on this machine."""
        marks = np.zeros(len(self), bool)
        marks[list(self.rows_measured_here)] = True
        return marks

    def epochs(self, dataset: str) -> int:
        """The most epochs of training that it holds figures of `dataset` for; raises `UserError` where it has none."""
        if dataset not in self._epochs:
            raise lacking(Figure(dataset, "test", 200), self.means)
        return self._epochs[dataset]

    def network(self, dataset: str) -> Network:
        """The size of the networks trained on `dataset`: the benchmark's where the table does not say otherwise."""
        if "network" in self.about:
            return Network(**self.about["network"])
        if dataset not in (*NETWORKS, *self.datasets):
            raise unknown("data set", dataset, self.datasets)
        return NETWORKS.get(dataset, Network())

    def accuracy(
        self, archs: Archs, dataset: str, split: str, epochs: int | None = None, seed: int | None = None
    ) -> Float[np.ndarray, "*archs"]:
        """Accuracy in percent of `archs`: the mean over training seeds, or that of the training run numbered `seed`.

        For `archs=None` it is NaN where the table holds none; asked by name, a missing one raises `UserError`, as do a
        row out of range and a figure the table does not hold.
        """
        figure = self._figure(dataset, split, epochs)
        column: Float[np.ndarray, "archs"] = self._held(self.means, figure) if seed is None else self._run(figure, seed)
        if archs is None:
            return column
        found: Float[np.ndarray, "*archs"] = column[self._rows(archs), ...]
        if np.isnan(found).any():
            of = "" if seed is None else f" of training run {seed}"
            raise UserError(f"table {self.about['name']!r} lacks {figure}{of} for {np.isnan(found).sum()} of the rows")
        return found

    def seeds(self, dataset: str, split: str, epochs: int | None = None) -> Float[np.ndarray, "archs seeds"]:
        """Accuracy in percent of every single training run, NaN where fewer were released."""
        return np.asarray(self._held(self.by_seed, self._figure(dataset, split, epochs)))

    def optimum(self, dataset: str, split: str, epochs: int | None = None) -> Optimum:
        """The best architecture the table knows of, the first of equals."""
        column = self.accuracy(None, dataset, split, epochs)
        row = int(np.nanargmax(column))
        return Optimum(row, float(column[row]))

    def regret(self, archs: Archs, dataset: str, split: str, epochs: int | None = None) -> Float[np.ndarray, "*archs"]:
        """Points of accuracy below the optimum of the same figure."""
        best = self.optimum(dataset, split, epochs).accuracy
        return np.asarray(best - self.accuracy(archs, dataset, split, epochs))

    def rank(self, archs: Archs, dataset: str, split: str, epochs: int | None = None) -> Int[np.ndarray, "*archs"]:
        """One more than the number of architectures that are strictly better: 1 is the best, equals share a rank.

        Rank and percentile are among the table's own architectures: what a machine adds are cells that searches found.
        """
        ordered = self._ordered(dataset, split, epochs)
        found = self.accuracy(archs, dataset, split, epochs)
        return np.asarray(1 + len(ordered) - np.searchsorted(ordered, found, side="right"))

    def percentile(
        self, archs: Archs, dataset: str, split: str, epochs: int | None = None
    ) -> Float[np.ndarray, "*archs"]:
        """Percent of the table's architectures that are no better: 100 for the best."""
        ordered = self._ordered(dataset, split, epochs)
        found = self.accuracy(archs, dataset, split, epochs)
        return np.asarray(100 * np.searchsorted(ordered, found, side="right") / len(ordered))

    def train_seconds(self, dataset: str, epochs: int | None = None) -> Float[np.ndarray, "archs"]:
        """Seconds one training took; in NAS-Bench-201 on a GPU of 2019, for cifar10 on 25,000 images."""
        held = self.times
        epochs = self._figure(dataset, "test", epochs).epochs
        if (dataset, epochs) not in held:
            names = ", ".join(f"{name} {after(count)}" for name, count in held)
            raise UserError(f"no training time of {dataset!r} {after(epochs)}; this table holds: {names or 'none'}")
        return held[dataset, epochs]

    def params_m(self, dataset: str = "cifar10") -> Float[np.ndarray, "archs"]:
        """Parameters in millions of each architecture's network with `dataset`'s classifier."""
        return space.params_m(self.ops, self.network(dataset))

    def flops_m(self) -> Float[np.ndarray, "archs"]:
        """Multiply-adds in millions of each architecture's network; the benchmark's at 32x32 with 10 classes."""
        return space.flops_m(self.ops, self.network("cifar10"))

    def arch(self, index: int) -> Arch:
        """The architecture of row `index`."""
        return tuple(self.ops[self._rows(index)].tolist())

    def index(self, arch: Arch | str | int) -> int:
        """The row of an architecture given as a tuple, by its string, or by the benchmark's index (also as digits)."""
        if isinstance(arch, str) and not arch.strip().isdecimal():
            arch = space.from_string(arch)
        if isinstance(arch, tuple):
            return int(self.indices(np.array(space.to_code(arch))))
        rows = np.flatnonzero(self.numbers == int(arch))
        if len(rows) == 0:
            span = f"{self.numbers.min()} to {self.numbers.max()}" if len(self) else "none"
            raise UserError(f"{arch} is no index of table {self.about['name']!r}, which holds {len(self)}: {span}")
        return int(rows[0])

    def indices(self, codes: Integer[np.ndarray, "*archs"]) -> Int[np.ndarray, "*archs"]:
        """The rows of the architectures numbered `codes` (`space.to_code`)."""
        found = self._row_of_code[codes, ...]
        if (found < 0).any():
            first = space.to_string(space.from_code(int(np.asarray(codes)[found < 0].flat[0])))
            raise UserError(f"{first} is not among the {len(self)} architectures of table {self.about['name']!r}")
        return found

    def describe(self, arch: Arch | str | int) -> dict[str, Any]:
        """Everything the table holds about one architecture, each accuracy with data set, split, epochs, seed rule."""
        row = self.index(arch)
        return {
            "index": int(self.numbers[row]),
            "arch": space.to_string(self.arch(row)),
            "params_m": {name: float(self.params_m(name)[row]) for name in self.datasets},
            "flops_m": float(self.flops_m()[row]),
            "measured_here": row in self.rows_measured_here,
            "architectures": len(self) - len(self.rows_measured_here),
            "figures": [self._describe(row, figure) for figure in self.means if not np.isnan(self.means[figure][row])],
            "train_seconds": [
                {"dataset": dataset, "epochs": epochs, "seconds": float(seconds[row])}
                for (dataset, epochs), seconds in self.times.items()
            ],
            "table": dict(self.about),
        }

    def _describe(self, row: int, figure: Figure) -> dict[str, Any]:
        runs = self.by_seed[figure][row] if figure in self.by_seed else np.array([])
        return {
            **figure._asdict(),
            "accuracy_pct": float(self.means[figure][row]),
            "seed_rule": self.about["seed_rule"],
            "runs_pct": runs[~np.isnan(runs)].tolist(),
            "rank": int(self.rank(row, *figure)),
            "percentile": float(self.percentile(row, *figure)),
            "regret": float(self.regret(row, *figure)),
        }

    @cached_property
    def _epochs(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for figure in self.means:
            found[figure.dataset] = max(figure.epochs, found.get(figure.dataset, 0))
        return found

    def _figure(self, dataset: str, split: str, epochs: int | None) -> Figure:
        return Figure(dataset, split, self._epochs.get(dataset, 200) if epochs is None else epochs)

    @cached_property
    def _row_of_code(self) -> Int[np.ndarray, "codes"]:
        rows = np.full(space.SIZE, -1)
        rows[codes(self.ops)] = np.arange(len(self))
        return rows

    def _rows(self, archs: int | str | Integer[np.ndarray, "*archs"]) -> Any:
        if isinstance(archs, str):
            return self.index(archs)
        if type(archs) is int and 0 <= archs < len(self.ops):  # twice as fast as by way of an array
            return archs
        rows = np.asarray(archs)
        if rows.dtype.kind not in "iu" or (rows.size and (rows.min() < 0 or rows.max() >= len(self))):
            name, last = self.about["name"], len(self) - 1
            raise UserError(f"{str(archs)[:80]} is no row of table {name!r}; its rows are 0 to {last}")
        return rows

    def _held(self, held: Mapping[Figure, Any], figure: Figure) -> Any:
        if figure in held:
            return held[figure]
        raise lacking(figure, held)

    def _run(self, figure: Figure, seed: int) -> Float[np.ndarray, "archs"]:
        runs: Float[np.ndarray, "archs seeds"] = self._held(self.by_seed, figure)
        if not 0 <= seed < runs.shape[1]:
            raise UserError(f"no training run {seed} of {figure}; runs are numbered 0 to {runs.shape[1] - 1}")
        return runs[:, seed]

    def _ordered(self, dataset: str, split: str, epochs: int | None) -> Float[np.ndarray, "held"]:
        column = self.accuracy(None, dataset, split, epochs)
        return np.sort(column[~np.isnan(column) & ~self.measured_here])


def check(table: Table) -> None:
    """Raise `UserError` where the arrays of `table` do not fit together or hold what no table can."""
    rows, ops = len(table.ops), table.ops
    check_network(table.about)
    if ops.shape != (rows, len(space.EDGES)) or ops.dtype != np.uint8 or (ops >= len(space.OPS)).any():
        raise UserError(f"a table's architectures are {len(space.EDGES)} operations of 0 to {len(space.OPS) - 1} each")
    if len(set(codes(ops).tolist())) != rows or len(set(table.numbers.tolist())) != rows:
        raise UserError(f"an architecture or index comes twice among the {rows} rows of the table")
    for key, column in (*table.means.items(), *table.by_seed.items(), *table.times.items()):
        if len(column) != rows:
            raise UserError(f"{len(column)} values of {key} for {rows} architectures")
    for figure, column in (*table.means.items(), *table.by_seed.items()):
        if (column < 0).any() or (column > 100).any():
            raise UserError(f"{figure} is not in percent: {np.nanmin(column):g} to {np.nanmax(column):g}")


def check_network(about: Mapping[str, Any]) -> None:
    """Raise `UserError` where `about` describes no network that could be."""
    told = about.get("network", {})
    sizes = told if isinstance(told, Mapping) and set(told) <= set(Network._fields) else {"": None}
    if not all(type(size) is int and 0 < size < 1 << 16 for size in sizes.values()):
        raise UserError(f"a table's network is {', '.join(Network._fields)}, not {str(told)[:80]}")


def codes(ops: UInt8[np.ndarray, "archs edges"]) -> Int[np.ndarray, "archs"]:
    """`space.to_code` of every row."""
    return np.asarray(np.ravel_multi_index(tuple(ops.T), (len(space.OPS),) * len(space.EDGES)))
