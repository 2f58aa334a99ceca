import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from benchharness import stats
from benchharness.errors import UserError

runs = arrays(float, st.integers(2, 12), elements=st.floats(0, 100, width=32))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_t_interval_is_scipys() -> None:
    values = np.array([91.2, 93.5, 94.1, 90.0])
    interval = stats.mean_interval(values)
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval.value == pytest.approx(values.mean())
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.n == 4


def test_one_run_has_a_mean_but_no_interval() -> None:
    for interval in (stats.mean_interval(np.array([90.0])), stats.bootstrap(np.array([90.0]), rng())):
        assert interval.value == 90
        assert np.isnan([interval.low, interval.high]).all()
    assert np.isnan(stats.summarise(np.array([90.0]), rng()).std)


def test_missing_runs_are_left_out_and_none_at_all_is_refused() -> None:
    assert stats.mean_interval(np.array([np.nan, 1.0, 3.0])) == stats.mean_interval(np.array([1.0, 3.0]))
    with pytest.raises(UserError, match="every value is missing"):
        stats.mean_interval(np.array([np.nan]))
    with pytest.raises(UserError, match="level=95"):
        stats.mean_interval(np.array([1.0, 2.0]), level=95.0)


def test_iqm_drops_a_quarter_at_either_end() -> None:
    assert stats.iqm(np.array([0.0, 10, 20, 30, 40, 50, 60, 1000])) == pytest.approx(35)
    assert stats.iqm(np.array([1.0, 2, 6])) == pytest.approx(3), "below four runs nothing is dropped"


def test_seeds_that_all_agree_have_an_interval_of_no_width() -> None:
    summary = stats.summarise(np.full(5, 54.3), rng())
    assert summary.mean[:3] == pytest.approx((54.3, 54.3, 54.3))
    assert summary.iqm[:3] == pytest.approx((54.3, 54.3, 54.3))
    assert summary.std == pytest.approx(0, abs=1e-12)


@given(values=runs)
def test_order_of_runs_does_not_matter_and_bounds_hold(values: np.ndarray) -> None:
    summary, reversed_summary = stats.summarise(values, rng(), 200), stats.summarise(values[::-1], rng(), 200)
    assert summary.mean == pytest.approx(reversed_summary.mean)
    assert summary.median == reversed_summary.median
    assert summary.iqm.value == pytest.approx(reversed_summary.iqm.value)
    slack = 1e-9
    assert values.min() - slack <= summary.iqm.low <= summary.iqm.high <= values.max() + slack
    assert summary.mean.low <= summary.mean.value <= summary.mean.high


def test_bootstrap_resamples_within_each_task() -> None:
    easy_and_hard = np.array([[90.0, 10], [90, 10], [90, 10]])
    interval = stats.bootstrap(easy_and_hard, rng(), lambda pool: pool.mean(-1))
    assert interval[:3] == pytest.approx((50, 50, 50)), "every replicate has as many easy runs as hard ones"
    pooled = stats.bootstrap(easy_and_hard.ravel(), rng(), lambda pool: pool.mean(-1))
    assert pooled.low < 30
    assert pooled.high > 70


def test_bootstrap_of_a_mean_comes_near_its_closed_form() -> None:
    values = rng(1).normal(90, 2, 60)
    interval = stats.bootstrap(values, rng(), lambda pool: pool.mean(-1), replicates=20_000)
    error = values.std() / np.sqrt(60)
    assert interval.low == pytest.approx(interval.value - 1.96 * error, abs=0.03)
    assert interval.high == pytest.approx(interval.value + 1.96 * error, abs=0.03)


def test_means_of_many_samples_have_the_intervals_that_each_has_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = np.array([90.0, np.nan, 94.0, 91.0])
    samples = [rng(1).normal(90, 2, 30), rng(2).normal(80, 2, 30), np.array([90.0]), missing, rng(3).normal(0, 1, 3)]
    intervals = [stats.bootstrap(sample, rng(5), lambda pool: pool.mean(-1), 200) for sample in samples]
    assert str(stats.bootstrap_means(samples, 5, 200)) == str(intervals), "to the last bit, and NaN of a single run"
    monkeypatch.setattr("benchharness.stats.interval.CHUNK", 70)
    assert str(stats.bootstrap_means(samples, 5, 200)) == str(intervals), "however many are held in memory at a time"
    with pytest.raises(UserError, match="every value is missing"):
        stats.bootstrap_means([missing, missing[1:2]], 5)


@pytest.mark.parametrize("chunk", [1, 64, 1000])
def test_what_is_held_in_memory_changes_no_interval(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    values = rng(1).normal(90, 2, 20)
    interval = stats.bootstrap(values, rng(), replicates=101)
    monkeypatch.setattr("benchharness.stats.interval.CHUNK", chunk)
    assert stats.bootstrap(values, rng(), replicates=101) == interval


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    draws = rng(2).normal(0, 1, (600, 10))
    t = [stats.mean_interval(row) for row in draws]
    assert np.mean([i.low <= 0 <= i.high for i in t]) == pytest.approx(0.95, abs=0.03)
    boot = [stats.bootstrap(row, rng(i), replicates=400) for i, row in enumerate(draws)]
    assert 0.82 < np.mean([i.low <= 0 <= i.high for i in boot]) <= 0.97, "percentile intervals of 10 runs are short"
