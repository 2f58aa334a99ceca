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
