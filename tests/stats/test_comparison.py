import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from benchharness import stats
from benchharness.stats import comparison

runs = arrays(float, st.integers(1, 8), elements=st.integers(0, 12).map(float))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(a=runs, b=runs)
def test_probability_of_improvement_counts_every_pair_ties_half(a: np.ndarray, b: np.ndarray) -> None:
    probability = stats.improvement_probability(a, b)
    assert probability == pytest.approx(np.mean([1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b]))
    assert probability == pytest.approx(scipy_stats.mannwhitneyu(a, b).statistic / (len(a) * len(b)))
    assert probability + stats.improvement_probability(b, a) == pytest.approx(1)


def test_probability_of_improvement_is_a_mean_over_tasks_without_missing_runs() -> None:
    a = np.array([[2.0, 0.0], [2.0, np.nan]])
    b = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert stats.improvement_probability(a, b) == 0.5


@given(a=runs, b=runs)
@settings(max_examples=20)
def test_its_interval_stays_within_bounds(a: np.ndarray, b: np.ndarray) -> None:
    interval = stats.improvement_interval(a, b, rng(), 200)
    if min(len(a), len(b)) < 2:
        assert np.isnan(interval.low)
    else:
        assert 0 <= interval.low <= interval.high <= 1


def test_its_interval_covers_the_truth() -> None:
    draws = rng(4).normal(0, 1, (150, 2, 15))
    intervals = [stats.improvement_interval(a, b, rng(i), 300) for i, (a, b) in enumerate(draws)]
    assert np.mean([i.low <= 0.5 <= i.high for i in intervals]) > 0.88


@given(a=runs, b=runs)
@settings(max_examples=30)
def test_sorting_many_runs_counts_the_wins_that_looking_at_every_pair_counts(a: np.ndarray, b: np.ndarray) -> None:
    probabilities = comparison._resampled_by_rank(a, b, rng(7), 20)
    generator = rng(7)
    first, second = (comparison._counts(len(values), generator, 20) for values in (a, b))
    wins = (np.sign(a[:, None] - b) + 1) / 2
    np.testing.assert_allclose(probabilities, np.einsum("ra,ab,rb->r", first, wins, second) / wins.size)
    assert (first.sum(1) == len(a)).all()


def test_intervals_of_many_runs_are_those_of_every_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = rng(1).normal(90, 2, (2, 150)).round(1)
    by_pair = stats.improvement_interval(a, b, rng())
    monkeypatch.setattr(comparison, "PAIRWISE_UP_TO", 100)
    monkeypatch.setattr("benchharness.stats.interval.CHUNK", 5000)
    by_rank = stats.improvement_interval(a, b, rng())
    assert by_rank.value == by_pair.value
    assert by_rank[1:3] == pytest.approx(by_pair[1:3], abs=0.01)
    band = stats.profile(a, np.array([88.0, 92.0]), rng())
    monkeypatch.undo()
    assert band == pytest.approx(stats.profile(a, np.array([88.0, 92.0]), rng()), abs=0.02)


def test_pairs_are_seeds_that_both_have() -> None:
    a = np.array([94.0, 93.0, np.nan, 92.0])
    b = np.array([90.0, 92.0, 91.0, np.nan])
    comparison = stats.pair(a, b, rng())
    assert comparison.difference.n == 2
    assert comparison.difference.value == pytest.approx(2.5)
    assert comparison.permutation_p == 0.5
    assert comparison.improvement.value == pytest.approx(8.5 / 9), "it takes every run, the tie counting half"


def test_methods_without_a_shared_seed_have_no_test() -> None:
    comparison = stats.pair(np.array([94.0, np.nan]), np.array([np.nan, 90.0]), rng())
    assert comparison.difference.n == 0
    assert np.isnan(
        [comparison.permutation_p, comparison.wilcoxon_p, comparison.effect, comparison.difference.value]
    ).all()
    assert comparison.improvement.value == 1


def test_no_seed_at_all_is_no_evidence_either() -> None:
    comparison = stats.pair(np.array([]), np.array([]), rng())
    assert comparison.difference.n == 0
    assert np.isnan([comparison.permutation_p, comparison.improvement.value]).all()


def test_equal_cells_everywhere_are_no_evidence_of_anything() -> None:
    collapsed = np.full(10, 54.3)
    comparison = stats.pair(collapsed, collapsed, rng())
    assert (comparison.permutation_p, comparison.wilcoxon_p, comparison.effect) == (1, 1, 0)
    assert comparison.improvement[:3] == pytest.approx((0.5, 0.5, 0.5))


def test_profile_is_the_share_of_runs_at_or_above() -> None:
    values = np.array([90.0, 92.0, 94.0, np.nan])
    share, low, high = stats.profile(values, np.array([80.0, 92.0, 93.0, 95.0]), rng())
    assert share == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert (low <= share).all()
    assert (share <= high).all()
    assert (low[0], high[0], low[-1], high[-1]) == (1, 1, 0, 0)


def test_profile_never_rises_with_the_threshold() -> None:
    share, _, _ = stats.profile(rng(1).normal(90, 3, (10, 3)), np.linspace(80, 100, 50), rng())
    assert (np.diff(share) <= 0).all()
