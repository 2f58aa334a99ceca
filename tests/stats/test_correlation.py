import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from benchharness import stats
from benchharness.errors import UserError

rankings = arrays(float, (2, 5), elements=st.integers(0, 4).map(float))


def scipys(x: np.ndarray, y: np.ndarray) -> float:
    if len(set(x)) < 2 or len(set(y)) < 2:
        return np.nan
    return float(scipy_stats.kendalltau(x, y).statistic)


@given(pair=rankings)
def test_pairwise_tau_is_scipys_ties_included(pair: np.ndarray) -> None:
    x, y = pair
    assert stats.pairwise_tau(x, y) == pytest.approx(scipys(x, y), nan_ok=True)
    assert stats.pairwise_tau(y, x) == pytest.approx(stats.pairwise_tau(x, y), nan_ok=True)
    assert stats.pairwise_tau(-x, y) == pytest.approx(-stats.pairwise_tau(x, y), nan_ok=True)


def test_pairwise_tau_leaves_missing_operations_out() -> None:
    x = np.array([[1.0, 2, 3, 4, np.nan], [np.nan] * 5])
    y = np.array([[1.0, 2, 3, 4, 0], [1.0, 2, 3, 4, 5]])
    assert stats.pairwise_tau(x, y) == pytest.approx([1, np.nan], nan_ok=True)


def test_tau_over_entries_finite_in_both() -> None:
    x, y = np.array([1.0, 2, 3, np.nan]), np.array([3.0, 2, np.nan, 1])
    assert stats.tau(x, y) == -1
    assert np.isnan(stats.tau(x[:1], y[:1]))


@given(pair=arrays(float, (2, 12), elements=st.integers(0, 6).map(float)))
def test_an_interval_of_tau_is_the_jackknifes(pair: np.ndarray) -> None:
    x, y = pair
    interval = stats.tau_interval(x, y)
    assert interval.value == pytest.approx(scipys(x, y), nan_ok=True)
    without = np.array([scipys(np.delete(x, entry), np.delete(y, entry)) for entry in range(12)])
    if np.isfinite(without).all():
        error = np.sqrt(11 / 12 * np.square(without - without.mean()).sum())
        if abs(interval.value) < 0.99:
            reach = scipy_stats.norm.ppf(0.975) * error / (1 - interval.value**2)
            assert interval[1:3] == pytest.approx(
                np.tanh(np.arctanh(interval.value) + np.array([-reach, reach])), abs=1e-9
            )


@pytest.mark.parametrize("slope", [0.0, 0.6, 0.95])
def test_intervals_of_tau_cover_the_tau_of_all_entries(slope: float) -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 5_000))
    y = np.round(4 * (slope * x + np.sqrt(1 - slope**2) * noise))
    true = stats.tau(x, y)
    samples = [rng.choice(5_000, 100, replace=False) for _ in range(200)]
    intervals = [stats.tau_interval(x[entries], y[entries]) for entries in samples]
    assert 0.91 <= np.mean([interval.low < true < interval.high for interval in intervals]) <= 0.99


def test_intervals_of_tau_at_the_edges() -> None:
    ranks = np.arange(9.0)
    assert stats.tau_interval(ranks, -ranks) == (-1, -1, -1, 9)
    assert stats.tau_interval(np.append(ranks, np.nan), np.append(ranks, 3)) == (1, 1, 1, 9)
    for undefined in (stats.tau_interval(np.zeros(9), ranks), stats.tau_interval(ranks[:2], ranks[:2])):
        assert np.isnan(undefined.low)
        assert np.isnan(undefined.high)


def test_edge_taus_with_and_without_none() -> None:
    truth = np.tile(np.arange(5.0), (6, 1))
    scores = truth.copy()
    scores[:, 0] = 9
    scores[5] = np.nan
    assert stats.edge_taus(truth, truth)[:5] == pytest.approx(np.ones(5))
    assert stats.edge_taus(scores, truth)[0] == pytest.approx(0.2), "6 pairs right, the 4 with `none` wrong"
    without = stats.edge_taus(scores, truth, with_none=False)
    assert without == pytest.approx([1, 1, 1, 1, 1, np.nan], nan_ok=True)
    assert stats.edge_taus(np.stack([scores, truth]), truth).shape == (2, 6)


def test_top_tau_looks_at_the_best_by_truth_alone() -> None:
    truth = np.arange(100.0)
    scores = truth.copy()
    scores[:90] = -scores[:90]
    assert stats.top_tau(scores, truth) == pytest.approx(1)
    assert stats.top_tau(scores, truth, 1.0) == stats.tau(scores, truth) < 0
    assert np.isnan(stats.top_tau(np.full(100, np.nan), truth))
    with pytest.raises(UserError, match="share=10"):
        stats.top_tau(scores, truth, 10.0)


def test_sparse_tau_does_not_punish_what_noise_decides() -> None:
    truth = np.array([90.01, 90.02, 91.0, 92.0])
    scores = np.array([2.0, 1.0, 3.0, 4.0])
    assert stats.tau(scores, truth) == pytest.approx(2 / 3)
    assert stats.sparse_tau(scores, truth) == pytest.approx(5 / np.sqrt(30))
