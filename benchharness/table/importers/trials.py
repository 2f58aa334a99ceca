"""Gathers single trainings, as official files hold them, into a table, one architecture at a time."""

from typing import Any, Final

import numpy as np

from benchharness import space
from benchharness.errors import UserError
from benchharness.table.build import SEED_RULE, build_table
from benchharness.table.metric import Metric
from benchharness.table.nas_bench_201 import check_official_costs
from benchharness.table.table import Table

EPOCHS: Final = {"200": 200, "full": 200, "12": 12, "less": 12}
"""Epochs of training by what releases call them."""
FIGURES: Final = {
    ("cifar10-valid", "x-valid"): ("cifar10", "valid"),
    ("cifar10-valid", "ori-test"): ("cifar10", "test-halftrain"),
    ("cifar10", "ori-test"): ("cifar10", "test"),
    ("cifar100", "x-valid"): ("cifar100", "valid"),
    ("cifar100", "x-test"): ("cifar100", "test"),
    ("ImageNet16-120", "x-valid"): ("imagenet16-120", "valid"),
    ("ImageNet16-120", "x-test"): ("imagenet16-120", "test"),
}
"""(data set and split) of a table by (trained on, measured on) of a release."""
_TIMED: Final = {"cifar10-valid": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}
_TRAINED_ON: Final = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
_SEEDS_LIMIT: Final = 8


class Gathered:
    """Arrays that grow by `add` an architecture at a time: 200 MB for the whole benchmark, however large its files."""

    def __init__(self) -> None:
        self._ops = np.zeros((space.SIZE, len(space.EDGES)), np.uint8)
        self._held = np.zeros(space.SIZE, bool)
        self._runs: dict[tuple[Metric, int], Any] = {}
        self._times: dict[tuple[str, int], Any] = {}

    def add(self, index: Any, states: Any) -> None:
        """Take in the architecture numbered `index`, given as the plain states of its trainings by their epochs.

        Raises `UserError` if they are not laid out as official files have them, or the costs they state are not
        those of the architecture.
        """
        if type(index) is not int or not 0 <= index < space.SIZE or self._held[index]:
            raise UserError(f"architecture {str(index)[:40]!r} is no index of the benchmark, or comes twice")
        try:
            states_by_epochs = {EPOCHS[name]: state for name, state in states.items() if name in EPOCHS}
            arch = space.from_string(next(iter(states_by_epochs.values()))["arch_str"])
            if any(space.from_string(state["arch_str"]) != arch for state in states_by_epochs.values()):
                raise UserError("its trainings are of different architectures")
            if index != (expected_index := int(space.indices()[space.to_code(arch)])):
                raise UserError(f"{space.to_string(arch)} is architecture {expected_index} of the benchmark")
            for epochs, state in states_by_epochs.items():
                self._add(index, arch, epochs, state["all_results"])
        except UserError as error:
            raise UserError(f"architecture {index}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration, OverflowError) as error:
            reason = f"{type(error).__name__}: {str(error)[:80]}"
            raise UserError(f"architecture {index} is not laid out as official files are ({reason})") from None
        self._ops[index], self._held[index] = arch, True

    def finish(self, name: str, version: str, source: str) -> Table:
        """Everything taken in, as the table called `name`."""
        rows = np.flatnonzero(self._held)
        figures = sorted({metric for metric, _ in self._runs}, key=lambda metric: (-metric.epochs, metric))
        seeds = {epochs: self._seeds(epochs) for epochs in {metric.epochs for metric in figures}}
        by_seed = {metric: self._by_seed(metric, seeds[metric.epochs])[rows] for metric in figures}
        description = {
            "name": name,
            "version": version,
            "source": source,
            "seed_rule": SEED_RULE,
            "training_seeds": {str(epochs): seeds[epochs] for epochs in sorted(seeds)},
        }
        means = {metric: _mean(runs) for metric, runs in by_seed.items()}
        times = {key: column[rows] for key, column in self._times.items()}
        return build_table(description, self._ops[rows], means, by_seed, times)

    def _add(self, index: int, arch: space.Arch, epochs: int, trials: Any) -> None:
        for trained_on in _TRAINED_ON:
            runs = {seed: trial for (dataset, seed), trial in sorted(trials.items()) if dataset == trained_on}
            if not runs:
                continue
            for seed, trial in runs.items():
                check_official_costs(arch, trained_on, trial["params"], trial["flop"])
                self._add_run(index, epochs, trained_on, seed, trial)
            self._add_seconds(index, epochs, trained_on, list(runs.values()))

    def _add_run(self, index: int, epochs: int, trained_on: str, seed: Any, trial: Any) -> None:
        if type(seed) is not int or trial["epochs"] != epochs:
            raise UserError(f"a training of {str(trial['epochs'])[:20]} epochs, seed {str(seed)[:20]}")
        for measured_on in {key.partition("@")[0] for key in trial["eval_acc1es"]}:
            figure = FIGURES.get((trained_on, measured_on))
            value = trial["eval_acc1es"].get(f"{measured_on}@{epochs - 1}")
            if figure is not None and value is not None:
                if not 0 <= value <= 100:
                    raise UserError(f"its accuracy on {measured_on} is not in percent, but {value:g}")
                column = self._runs.setdefault((Metric(*figure, epochs), seed), None)
                if column is None:
                    if len(self._seeds(epochs)) > _SEEDS_LIMIT:
                        raise UserError(f"more than {_SEEDS_LIMIT} training seeds")
                    column = self._runs[Metric(*figure, epochs), seed] = _column()
                column[index] = value

    def _add_seconds(self, index: int, epochs: int, trained_on: str, trials: list[Any]) -> None:
        times = [sum(trial["train_times"].values()) for trial in trials if trial.get("train_times")]
        if times and trained_on in _TIMED:
            self._times.setdefault((_TIMED[trained_on], epochs), _column())[index] = np.mean(times)

    def _seeds(self, epochs: int) -> list[int]:
        return sorted({seed for metric, seed in self._runs if metric.epochs == epochs})

    def _by_seed(self, metric: Metric, seeds: list[int]) -> Any:
        """A column a seed, up to the last one that any architecture was trained with."""
        last = max(position for position, seed in enumerate(seeds) if (metric, seed) in self._runs)
        return np.stack([self._runs.get((metric, seed), _column()) for seed in seeds[: last + 1]], axis=1)


def _column() -> Any:
    return np.full(space.SIZE, np.nan)


def _mean(runs: Any) -> Any:
    finite = ~np.isnan(runs)
    total, count = np.where(finite, runs, 0).sum(axis=1), finite.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
