"""One method against another: paired differences, probability of improvement, performance profiles."""

from math import prod
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from benchharness.stats.interval import Interval, chunks, mean_interval, quantiles
from benchharness.stats.significance import effect_size, permutation_p, wilcoxon_p

Runs = Float[np.ndarray, "runs *tasks"]
RunsA = Float[np.ndarray, "runs_a *tasks"]
RunsB = Float[np.ndarray, "runs_b *tasks"]

PAIRWISE_UP_TO: Final = 400
"""Most runs per method for comparing every pair; sorting is faster for more."""


class Paired(NamedTuple):
    """Comparison of a with b over shared seeds: a - b in points, tests, Cohen's d, probability of improvement."""

    difference: Interval
    permutation_p: float
    wilcoxon_p: float
    effect: float
    improvement: Interval


def pair(a: Float[np.ndarray, "runs"], b: Float[np.ndarray, "runs"], rng: np.random.Generator) -> Paired:
    """The paired comparison of `a` with `b`, whose entries are ordered by seed; NaN for a missing seed.

    Differences and tests use only seeds that both have, and are NaN without a shared seed.
    """
    differences = (a - b)[np.isfinite(a - b)]
    interval = mean_interval(differences) if differences.size else Interval(np.nan, np.nan, np.nan, 0)
    tests = permutation_p(differences, rng), wilcoxon_p(differences)
    return Paired(interval, *tests, effect_size(differences), improvement_interval(a, b, rng))


def improvement_probability(a: RunsA, b: RunsB) -> float:
    """Probability that a run of `a` beats a run of `b` on the same task, with ties counted half; mean over tasks.

    The probability of improvement of Agarwal et al. (2021): Mann and Whitney's U divided by the number of pairs.
    """
    shares = [_beaten(x, y).sum() / (x.size * y.size) if x.size and y.size else np.nan for x, y in _tasks(a, b)]
    return float(np.nanmean(shares))


def improvement_interval(
    a: RunsA, b: RunsB, rng: np.random.Generator, replicates: int = 1000, level: float = 0.95
) -> Interval:
    """The probability of improvement with its bootstrap interval; runs of both are resampled within each task."""
    tasks = [(x, y) for x, y in _tasks(a, b) if x.size and y.size]
    n = sum(min(x.size, y.size) for x, y in tasks)
    if n < 2:
        return Interval(improvement_probability(a, b) if n else np.nan, np.nan, np.nan, n)
    estimates = np.mean([_resampled(x, y, rng, replicates) for x, y in tasks], axis=0)
    return Interval(improvement_probability(a, b), *quantiles(estimates, level), n)


def profile(
    values: Runs, thresholds: Float[np.ndarray, "thresholds"], rng: np.random.Generator, replicates: int = 1000
) -> Float[np.ndarray, "3 thresholds"]:
    """Performance profile: share of runs at or above each threshold, mean over tasks; then its 95 % bootstrap band."""
    tasks = [task[np.isfinite(task)] for task in values.reshape(len(values), -1).T]
    above = [(task[:, None] >= thresholds).astype(float) for task in tasks if task.size]
    estimates = [_weights(len(reached), rng, replicates) @ reached for reached in above]
    band = np.quantile(np.mean(estimates, axis=0), [0.025, 0.975], axis=0)
    return np.stack([np.mean([reached.mean(0) for reached in above], axis=0), *band])


def _tasks(a: RunsA, b: RunsB) -> list[tuple[Float[np.ndarray, "kept_a"], Float[np.ndarray, "kept_b"]]]:
    tasks = zip(*(np.reshape(runs, (len(runs), prod(runs.shape[1:]))).T for runs in (a, b)), strict=True)
    return [(x[np.isfinite(x)], y[np.isfinite(y)]) for x, y in tasks]


def _beaten(x: Float[np.ndarray, "kept_a"], y: Float[np.ndarray, "kept_b"]) -> Float[np.ndarray, "kept_a"]:
    """For each value of `x`, the number of values of `y` below it; ties count half."""
    ordered = np.sort(y)
    return np.asarray((np.searchsorted(ordered, x, "left") + np.searchsorted(ordered, x, "right")) / 2)


def _resampled(
    x: Float[np.ndarray, "kept_a"], y: Float[np.ndarray, "kept_b"], rng: np.random.Generator, replicates: int
) -> Float[np.ndarray, "replicates"]:
    """The share of wins in each replicate."""
    if max(x.size, y.size) > PAIRWISE_UP_TO:
        return np.concatenate([_resampled_by_rank(x, y, rng, rows) for rows in chunks(replicates, x.size + y.size)])
    wins = (np.sign(x[:, None] - y) + 1) / 2
    first, second = (_weights(n, rng, replicates) for n in wins.shape)
    return np.asarray(((first @ wins) * second).sum(-1))


def _resampled_by_rank(
    x: Float[np.ndarray, "kept_a"], y: Float[np.ndarray, "kept_b"], rng: np.random.Generator, replicates: int
) -> Float[np.ndarray, "replicates"]:
    """The same, computed from ranks without comparing every pair."""
    first, second = (_counts(n, rng, replicates) for n in (x.size, y.size))
    below = np.pad(second[:, np.argsort(y)].cumsum(-1), ((0, 0), (1, 0)))
    ordered = np.sort(y)
    beaten = below[:, np.searchsorted(ordered, x, "left")] + below[:, np.searchsorted(ordered, x, "right")]
    return np.asarray((first * beaten).sum(-1) / (2 * x.size * y.size))


def _weights(n: int, rng: np.random.Generator, replicates: int) -> Float[np.ndarray, "replicates runs"]:
    """Weights of `n` runs in bootstrap replicates: how often each run was drawn, divided by n."""
    if n > PAIRWISE_UP_TO:
        return _counts(n, rng, replicates) / n
    return rng.multinomial(n, np.full(n, 1 / n), size=replicates) / n


def _counts(n: int, rng: np.random.Generator, replicates: int) -> Int[np.ndarray, "replicates runs"]:
    """How often each of `n` runs was drawn; faster than the multinomial distribution for thousands of runs."""
    drawn = rng.integers(n, size=(replicates, n)) + n * np.arange(replicates)[:, None]
    return np.bincount(drawn.ravel(), minlength=replicates * n).reshape(replicates, n)
