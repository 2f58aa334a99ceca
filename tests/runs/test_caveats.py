"""What a plan cannot show is said before it runs."""

import pytest

from benchharness.config import protocol
from benchharness.runs.caveats import alpha_reach, cannot_show
from benchharness.runs.plan import make_plan, parse_methods


def plan(methods="darts", seeds=range(10), **changes):
    settings = {"images": 3000, "epochs": 20, "alpha_learning_rate": 0.024, **changes}
    return make_plan(parse_methods(methods), seeds, "cifar10", protocol("drnas", settings))


def test_a_plan_that_can_decide_has_nothing_to_be_said_of():
    assert cannot_show(plan("darts,snas")) == []


def test_alphas_that_cannot_move_are_told():
    (sentence,) = cannot_show(plan(alpha_learning_rate=3e-4))
    assert "alpha can move by 0.14 at most (rate 0.0003 x 20 epochs of 24 steps)" in sentence


def test_the_papers_protocol_reaches_what_it_is_compared_with():
    assert alpha_reach(protocol("drnas"), 25_000) == pytest.approx(11.73)
    assert cannot_show(plan(images=0, epochs=100, alpha_learning_rate=3e-4)) == []
    assert cannot_show(plan(images=0, epochs=5, alpha_learning_rate=3e-4))


@pytest.mark.parametrize("name", ["cpu", "cpu-deep"])
def test_the_protocols_for_cpus_move_alpha(name):
    assert cannot_show(make_plan(parse_methods("darts,drnas"), range(6), "cifar10", protocol(name))) == []


def test_methods_that_do_not_read_alpha_are_not_warned_of():
    assert cannot_show(plan("rsps,darts-pt-fixed", alpha_learning_rate=3e-4)) == []


@pytest.mark.parametrize(("seeds", "p"), [(1, "1"), (3, "0.25"), (5, "0.0625")])
def test_seeds_too_few_for_a_test_are_told(seeds, p):
    (sentence,) = cannot_show(plan("darts,snas", range(seeds)))
    assert sentence.startswith(f"{seeds} seed")
    assert f"is {p};" in sentence


def test_one_method_alone_needs_no_test():
    assert cannot_show(plan("darts", range(2))) == []


@pytest.mark.parametrize(
    ("methods", "seeds", "family", "needed"),
    [
        ("darts,snas,drnas,ostr", 6, "the 3 comparisons with darts", 7),
        ("snas,drnas,gdas,random", 7, "6 comparisons", 8),
    ],
)
def test_seeds_that_reach_five_percent_in_no_comparison_of_many_are_told(methods, seeds, family, needed):
    (sentence,) = cannot_show(plan(methods, range(seeds)))
    assert f"none of {family} can be significant" in sentence
    assert f"it takes {needed} seeds" in sentence
    assert cannot_show(plan(methods, range(needed))) == []
