"""Whether a search decided, judged on searches whose answer is known."""

import numpy as np
import pytest

from benchharness import stats

EPOCHS, EDGES, OPS = 20, 6, 5


def softmax(alphas):
    exponentials = np.exp(alphas - alphas.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def drifting(rate, noise=0.0, seed=0):
    """Alphas that move `rate` an epoch towards one operation per edge, plus a random walk of `noise` an epoch."""
    rng = np.random.default_rng(seed)
    towards = np.eye(OPS)[rng.integers(OPS, size=EDGES)]
    steps = rate * towards + noise * rng.normal(size=(EPOCHS, EDGES, OPS))
    return softmax(steps.cumsum(0)), towards.argmax(-1)


def test_a_steady_drift_with_a_large_lead_is_decided():
    weights, winners = drifting(0.1, noise=0.01)
    decision = stats.decision(weights)
    assert decision.verdict == "decided"
    assert decision.winner.tolist() == winners.tolist()
    assert decision.decided.all()


def test_the_same_drift_with_a_small_lead_is_undecided_but_leans():
    decision = stats.decision(drifting(0.003)[0])
    assert decision.verdict == "undecided"
    assert decision.leaning.all()
    assert (decision.lead < stats.LEAD).all()


def test_random_walks_with_large_leads_are_undecided():
    verdicts = [stats.decision(drifting(0.0, noise=0.2, seed=seed)[0]).verdict for seed in range(100)]
    assert verdicts.count("decided") <= 11  # at 5 % of 100, three standard errors above


def test_the_level_of_the_drift_test_holds_for_random_walks():
    p_values = [stats.drift_p(drifting(0.0, noise=0.1, seed=seed)[0]) for seed in range(100)]
    edges, searches = np.concatenate([p for p, _ in p_values]), np.array([p for _, p in p_values])
    assert (edges <= 0.05).mean() < 0.078  # 600 edges at 5 %: three standard errors are 2.7 points
    assert (edges <= 0.5).mean() == pytest.approx(0.5, abs=0.07)
    assert (searches <= 0.05).mean() < 0.12  # of 100 searches: three standard errors are 6.5 points


def test_a_drift_that_no_edge_shows_alone_is_shown_by_all_together():
    weights = drifting(0.06, noise=0.1, seed=3)[0]
    p, search_p = stats.drift_p(weights)
    assert (p > 0.05).sum() >= 3
    assert search_p <= 0.01


def test_a_winner_that_changed_in_the_last_fifth_is_not_stable():
    weights, winners = drifting(0.1)
    weights[-3, 0] = np.roll(np.eye(OPS)[winners[0]], 1) * 0.6 + 0.08
    decision = stats.decision(weights)
    assert decision.stable.tolist() == [False, *[True] * (EDGES - 1)]


def test_uniform_weights_have_no_alpha():
    decision = stats.decision(np.full((EPOCHS, EDGES, OPS), 0.2))
    assert decision.verdict == "no alpha"
    assert decision.entropy == pytest.approx(1)
    assert stats.summary_of_decisions([decision]) == "has no alpha that could decide"


def test_weights_of_an_edge_are_judged_whatever_they_sum_to():
    weights, _ = drifting(0.1, noise=0.02)
    scales = np.random.default_rng(1).uniform(0.1, 3, (1, EDGES, 1))
    decision, decision_of_scaled = stats.decision(weights), stats.decision(weights * scales)
    assert decision_of_scaled.lead == pytest.approx(decision.lead)
    assert (decision_of_scaled.p == decision.p).all()


def test_pruned_operations_do_not_count_as_decided():
    weights, _ = drifting(0.0, noise=0.001)
    weights[10:, :, 3:] = 0
    decision = stats.decision(weights)
    assert decision.verdict == "undecided"
    assert decision.entropy > 0.99  # of ln 3


def test_one_epoch_cannot_decide():
    weights, _ = drifting(0.5)
    assert stats.decision(weights[:1]).verdict == "undecided"
    with pytest.raises(ValueError, match="one epoch"):
        stats.decision(weights[:0])


def test_a_method_is_decided_where_most_of_its_searches_are():
    yes, no = stats.decision(drifting(0.1)[0]), stats.decision(drifting(0.001)[0])
    assert stats.majority_of_decisions([yes, yes, no]) == "decided"
    assert stats.majority_of_decisions([yes, no]) == "undecided"
    assert stats.summary_of_decisions([yes, yes, no]).startswith("decided in 2 of 3 searches (mean lead 0.")
    assert "leaning on 6.0 edges" in stats.summary_of_decisions([no])
    assert stats.summary_of_decisions([]) == "recorded no edge weights"


def test_a_lead_of_initial_alphas_is_told_from_one_that_moved():
    leads = np.array([0.0, 1e-5, 0.002])
    p = stats.initial_p(leads, OPS)
    assert p[0] == 1
    assert p[1] > 0.5
    assert p[2] == 1 / 1000
    # Of five normal alphas of deviation 1e-3 the largest leads by 6.7e-4 on average, a fifth of that in weights.
    assert 0.2 < stats.initial_p(np.array([1.3e-4]), OPS)[0] < 0.6


def test_chance_is_told_from_learning():
    assert not stats.above_chance(10.0, 2500, 10)
    assert not stats.above_chance(11.0, 2500, 10)
    assert stats.above_chance(12.0, 2500, 10)
    assert not stats.above_chance(12.0, 50, 10)
    assert not stats.above_chance(4.0, 2500, 10)
