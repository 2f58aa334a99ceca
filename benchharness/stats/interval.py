"""Uncertainty over few seeds: t intervals, interquartile means, percentile bootstraps.

Not BCa: if every seed derives the same cell, as under collapse, its acceleration is 0/0.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from benchharness.errors import UserError

Statistic = Callable[[Float[np.ndarray, "*batch runs"]], Float[np.ndarray, "*batch"]]

CHUNK: Final = 1 << 20
"""Number of resampled runs in memory at a time."""


class Interval(NamedTuple):
    """An estimate, its interval (NaN bounds if `n` is too small), and the number of runs `n`."""

    value: float
    low: float
    high: float
    n: int


class Summary(NamedTuple):
    """Summary statistics of one method's runs; `std` divides by n - 1 and is NaN of a single run."""

    n: int
    mean: Interval
    std: float
    median: float
    iqm: Interval


def iqm(values: Float[np.ndarray, "*batch runs"]) -> Float[np.ndarray, "*batch"]:
    """Interquartile mean over the last axis: the mean without the lowest and highest quarter (rounded down) of runs."""
    return np.asarray(stats.trim_mean(values, 0.25, axis=-1))


def mean_interval(values: Float[np.ndarray, "runs"], level: float = 0.95) -> Interval:
    """The mean and its Student t interval; NaN (missing) runs are left out, one run has no interval."""
    finite = _finite(values)
    mean = float(finite.mean())
    if finite.size < 2:
        return Interval(mean, np.nan, np.nan, finite.size)
    half = stats.t.ppf((1 + _level(level)) / 2, finite.size - 1) * finite.std(ddof=1) / np.sqrt(finite.size)
    return Interval(mean, float(mean - half), float(mean + half), finite.size)


def bootstrap(
    values: Float[np.ndarray, "runs *tasks"],
    rng: np.random.Generator,
    statistic: Statistic = iqm,
    replicates: int = 5000,
    level: float = 0.95,
) -> Interval:
    """`statistic` of all runs pooled, with its percentile bootstrap interval; NaN (missing) runs are left out.

    Runs are resampled within each task (Agarwal et al. 2021). A single run has no interval.
    """
    tasks = [_finite(task) for task in values.reshape(len(values), -1).T if np.isfinite(task).any()]
    pool = _finite(values.ravel())
    value = float(statistic(pool))
    if max(task.size for task in tasks) < 2:
        return Interval(value, np.nan, np.nan, pool.size)
    if len(tasks) == 1:
        estimates = np.concatenate([statistic(pool[drawn]) for drawn in _drawn(pool.size, rng, replicates)])
    else:
        drawn = [task[rng.integers(task.size, size=(replicates, task.size), dtype=np.uint32)] for task in tasks]
        estimates = statistic(np.concatenate(drawn, axis=1))
    return Interval(value, *quantiles(estimates, level), pool.size)


def bootstrap_means(samples: Sequence[Float[np.ndarray, "runs"]], seed: int, replicates: int = 2000) -> list[Interval]:
    """`bootstrap` of each sample's mean, each with a generator seeded with `seed`; the bits are equal.

    Samples of equal size share their resampling, so hundreds of them cost little more than one.
    """
    finite_samples = [_finite(sample) for sample in samples]
    means = np.full((len(finite_samples), replicates), np.nan)
    for size in {sample.size for sample in finite_samples if sample.size > 1}:
        rows = [row for row, sample in enumerate(finite_samples) if sample.size == size]
        rows_done = 0
        for drawn in _drawn(size, np.random.default_rng(seed), replicates):
            for row in rows:
                means[row, rows_done : rows_done + len(drawn)] = finite_samples[row][drawn].mean(-1)
            rows_done += len(drawn)
    bounds = (
        quantiles(row, 0.95) if sample.size > 1 else (np.nan, np.nan)
        for row, sample in zip(means, finite_samples, strict=True)
    )
    return [
        Interval(float(sample.mean()), *both, sample.size) for sample, both in zip(finite_samples, bounds, strict=True)
    ]


def chunks(replicates: int, runs: int) -> Iterator[int]:
    """Sizes of the batches in which `replicates` of `runs` runs each are drawn, to bound memory."""
    step = max(1, CHUNK // runs)
    return (min(step, replicates - start) for start in range(0, replicates, step))


def _drawn(size: int, rng: np.random.Generator, replicates: int) -> Iterator[Int[np.ndarray, "chunk runs"]]:
    """Indices of resampled runs, one row per replicate, in batches that bound memory."""
    for rows in chunks(replicates, size):
        yield rng.integers(size, size=(rows, size), dtype=np.uint32).astype(np.intp)


def summarise(values: Float[np.ndarray, "runs"], rng: np.random.Generator, replicates: int = 5000) -> Summary:
    """Mean with t interval, standard deviation, median, and IQM with bootstrap interval of one method's runs."""
    finite = _finite(values)
    std = float(finite.std(ddof=1)) if finite.size > 1 else np.nan
    aggregate = bootstrap(finite, rng, replicates=replicates)
    return Summary(finite.size, mean_interval(finite), std, float(np.median(finite)), aggregate)


def quantiles(replicates: Float[np.ndarray, "replicates"], level: float) -> tuple[float, float]:
    """The bounds of the central `level` of `replicates`."""
    low, high = np.quantile(replicates, [(1 - _level(level)) / 2, (1 + level) / 2])
    return float(low), float(high)


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise UserError(f"level={level} is out of range; expected a confidence level between 0 and 1, such as 0.95")
    return level


def _finite(values: Float[np.ndarray, "runs"]) -> Float[np.ndarray, "kept"]:
    finite: Float[np.ndarray, "kept"] = values[np.isfinite(values)]
    if not finite.size:
        raise UserError("no runs to summarise: every value is missing")
    return finite
