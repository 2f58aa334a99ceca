import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchharness import stats
from benchharness.errors import UserError


def simulated(feedback: np.ndarray, accuracy: np.ndarray, n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    samples = rng.integers(len(feedback), size=(20_000, n))
    noise = 1e-9 * rng.random(samples.shape)
    return accuracy[samples[np.arange(20_000), (feedback[samples] + noise).argmax(-1)]]


@pytest.mark.parametrize("n", [1, 3, 20])
def test_best_of_random_is_what_simulation_finds(n: int) -> None:
    rng = np.random.default_rng(1)
    feedback = rng.integers(0, 30, 100).astype(float)
    accuracy = feedback + rng.normal(0, 5, 100)
    expected_best, draws = stats.best_of_random(feedback, accuracy, n), simulated(feedback, accuracy, n)
    assert expected_best.mean == pytest.approx(draws.mean(), abs=0.15)
    assert expected_best.std == pytest.approx(draws.std(), abs=0.15)


@given(values=arrays(float, st.integers(1, 20), elements=st.integers(0, 9).map(float)), n=st.integers(1, 50))
def test_more_draws_never_hurt_and_stay_within_bounds(values: np.ndarray, n: int) -> None:
    expected_best = stats.best_of_random(values, values, n)
    assert values.min() - 1e-9 <= expected_best.mean <= values.max() + 1e-9
    assert stats.best_of_random(values, values, n + 1).mean >= expected_best.mean - 1e-9


def test_one_draw_is_a_random_cell_and_gaps_are_left_out() -> None:
    accuracy = np.array([10.0, 20, 60, np.nan])
    expected_best = stats.best_of_random(np.array([3.0, 2, 1, 9]), accuracy, 1)
    assert expected_best == pytest.approx((30, accuracy[:3].std()))
    with pytest.raises(UserError, match="n=0"):
        stats.best_of_random(accuracy, accuracy, 0)


def test_relative_improvement_is_in_percent_of_the_baseline() -> None:
    assert stats.relative_improvement(np.array([94.37, 87.06]), 87.06) == pytest.approx([8.3965, 0], abs=1e-3)


@pytest.mark.parametrize(
    ("percentiles", "p"),
    [([50.0], 1.0), ([97.5], 0.05), ([100.0, 100.0], 0.0), ([97.0] * 3, 2 * 0.09**3 / 6), ([], np.nan)],
)
def test_the_p_of_percentiles_is_that_of_sums_of_uniform_numbers(percentiles: list[float], p: float) -> None:
    values = 100 * np.array(percentiles) - 0.5  # between two of the known ones
    assert stats.random_percentile_p(values, np.arange(10_000.0)) == pytest.approx(p, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(("n", "p"), [(1, 2 * 0.022), (2, 4 * 0.022**2), (3, 2 * (3 * 0.022) ** 3 / 6)])
def test_cells_that_are_all_equally_bad_have_no_p_below_their_share(n: int, p: float) -> None:
    """Of 1,000 cells 22 pass nothing through; drawing n of those has a probability of 0.022^n."""
    known = np.sort(np.append(np.full(22, 10.0), np.linspace(20, 94, 978)))
    assert stats.random_percentile_p(np.full(n, 10.0), known) == pytest.approx(p)
    assert p >= 2 * 0.022**n - 1e-12


@pytest.mark.parametrize("decimals", [6, -1])
def test_random_cells_are_found_better_as_often_as_the_level_says(decimals: int) -> None:
    """Rounded to tens, most values are shared, and the test errs on the safe side."""
    rng = np.random.default_rng(1)
    known = np.sort(rng.normal(90, 10, 999).round(decimals))
    rate = np.mean([stats.random_percentile_p(rng.choice(known, 4), known) < 0.05 for _ in range(2000)])
    assert (0.035 if decimals > 0 else 0.0) < rate < 0.065
