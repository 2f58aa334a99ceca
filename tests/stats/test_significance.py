from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from benchharness import stats

pairs = arrays(float, st.integers(2, 8), elements=st.integers(-40, 40).map(float))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def brute_force(differences: np.ndarray) -> float:
    observed = abs(differences.sum())
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=len(differences))]
    return float(np.mean([total >= observed - 1e-9 for total in sums]))


@given(differences=pairs)
@settings(max_examples=40)
def test_permutation_test_is_every_sign_pattern(differences: np.ndarray) -> None:
    assert stats.permutation_p(differences, rng()) == pytest.approx(brute_force(differences))


@given(differences=pairs)
@settings(max_examples=20)
def test_swapping_the_methods_or_the_seeds_changes_no_p(differences: np.ndarray) -> None:
    p = stats.permutation_p(differences, rng())
    assert stats.permutation_p(-differences, rng()) == pytest.approx(p)
    assert stats.permutation_p(differences[::-1], rng()) == pytest.approx(p)
    assert stats.smallest_p(len(differences)) - 1e-12 <= p <= 1


def test_many_pairs_are_sampled_with_the_generator_given() -> None:
    differences = rng(1).normal(0.3, 1, 30)
    first = stats.permutation_p(differences, rng(0))
    assert first == stats.permutation_p(differences, rng(0))
    assert first == pytest.approx(scipy_stats.ttest_1samp(differences, 0).pvalue, abs=0.03)


def test_wilcoxon_is_scipys_and_ties_at_zero_say_nothing() -> None:
    differences = np.array([1.5, -0.5, 2.0, 3.0, 0.7, 1.1])
    assert stats.wilcoxon_p(differences) == scipy_stats.wilcoxon(differences).pvalue
    assert stats.wilcoxon_p(np.append(differences, 0.0)) == stats.wilcoxon_p(differences)


def test_without_a_difference_or_a_pair_there_is_no_evidence() -> None:
    for test in (lambda d: stats.permutation_p(d, rng()), stats.wilcoxon_p):
        assert test(np.zeros(5)) == 1
        assert test(np.array([2.0])) == 1
        assert np.isnan(test(np.array([])))


def test_few_seeds_cannot_reach_five_percent() -> None:
    everything_wins = np.array([1.0, 2, 3])
    assert stats.permutation_p(everything_wins, rng()) == stats.smallest_p(3) == 0.25
    assert stats.smallest_p(6) < 0.05 < stats.smallest_p(5)
    assert stats.smallest_p(1) == stats.smallest_p(0) == 1


def test_the_fewest_seeds_are_those_of_the_first_step_of_holms_correction() -> None:
    for tests in (1, 3, 10, 55):
        needed = stats.seeds_needed(tests)
        all_win = [np.array([stats.smallest_p(n)] + [1.0] * (tests - 1)) for n in (needed - 1, needed)]
        assert stats.holm(all_win[0])[0] >= 0.05 > stats.holm(all_win[1])[0]
    assert stats.seeds_needed(1) == 6


def test_holm_steps_down_and_leaves_missing_tests_out() -> None:
    assert stats.holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm(np.array([0.01, np.nan, 0.04])) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert stats.holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])
    assert len(stats.holm(np.array([]))) == 0


@given(p=arrays(float, st.integers(1, 8), elements=st.floats(0, 1)))
def test_holm_lies_between_no_correction_and_bonferroni(p: np.ndarray) -> None:
    adjusted = stats.holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_effect_size_with_and_without_spread() -> None:
    assert stats.effect_size(np.array([1.0, 2, 3])) == pytest.approx(2)
    assert stats.effect_size(np.full(3, 40.07)) == np.inf
    assert stats.effect_size(np.full(3, -0.1)) == -np.inf
    assert stats.effect_size(np.zeros(3)) == 0
    assert np.isnan(stats.effect_size(np.array([1.0])))
