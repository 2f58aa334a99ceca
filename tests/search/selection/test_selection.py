import numpy as np
import pytest
import torch

from benchharness.errors import UserError
from benchharness.search import selection
from benchharness.search.evaluation import Evaluation, Score
from benchharness.search.selection import Selected, is_dead
from benchharness.space import NONE
from tests.support.selections import ALPHA, COST, Linear, method_with


def select(name: str, evaluation: Evaluation | None = None, **options: object) -> Selected:
    return selection.make_selection(name, options)(method_with(), evaluation or Linear())


def test_magnitude_is_the_argmax_over_all_five_operations() -> None:
    selected = select("magnitude")
    assert selected.arch == tuple(ALPHA.argmax(-1).tolist())
    np.testing.assert_allclose(selected.scores, ALPHA.softmax(-1).numpy(), rtol=1e-6)


@pytest.mark.parametrize(("options", "steps"), [({}, 6), ({"tuning": 3}, 6 + 5 * 3), ({"tuning": 3, "early": 1}, 21)])
def test_a_reading_tells_how_much_of_it_is_done(options: dict[str, int], steps: int) -> None:
    evaluation = Linear()
    select("strength", evaluation, **options)
    np.testing.assert_allclose(evaluation.shares, np.arange(1, steps + 1) / steps)


CELL, SCORES = (3, 1, 2, 4, 3, 0), np.zeros((6, 5))


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "Own returned a NoneType; a selection returns Selected"),
        (CELL, "Own returned a tuple; a selection returns Selected"),
        (Selected(CELL[:5], SCORES), r"no cell: \(3, 1, 2, 4, 3\) is .* expected 6 operations of 0 to 4"),
        (Selected((*CELL[:5], -1), SCORES), r"no cell: .*-1\) is .* expected 6 operations of 0 to 4"),
        (Selected((*CELL[:5], 5), SCORES), "expected 6 operations of 0 to 4"),
        (Selected(None, SCORES), r"returned Selected\(arch=None"),  # type: ignore[arg-type]
        (Selected(CELL, np.zeros(5)), r"float64 of the shape \(5,\); expected numbers of the shape \(6, 5\)"),
        (Selected(CELL, None), r"object of the shape \(\); expected numbers"),  # type: ignore[arg-type]
        (Selected(CELL, [[0.0], [1.0, 2.0]]), "Own returned "),  # type: ignore[arg-type]
        (Selected(CELL, SCORES, order=(0, 1)), r"order=\(0, 1\); expected each edge from 0 to 5 once, or none"),
    ],
)
def test_what_a_selection_of_ones_own_returns_is_checked(returned: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        selection.checked(returned, "Own")


def test_arrays_tensors_and_lists_are_cells_and_scores() -> None:
    for arch, scores in ((np.array(CELL), SCORES.tolist()), (torch.tensor(CELL), torch.tensor(SCORES))):
        selected = selection.checked(Selected(arch, scores), "Own")  # type: ignore[arg-type]
        assert selected.arch == CELL
        assert np.array_equal(selected.scores, SCORES)


@pytest.mark.parametrize("name", ["magnitude", "strength", "prune", "uniform"])
def test_none_can_be_ruled_out(name: str) -> None:
    selected = select(name, none=False)
    assert NONE not in selected.arch
    assert np.isnan(selected.scores[:, NONE]).all()


def test_strength_is_the_loss_saved_by_the_operation_alone() -> None:
    selected = select("strength", none=False)
    beta = ALPHA.softmax(-1).double()
    expected = (COST * beta).sum(-1, keepdim=True) - COST
    np.testing.assert_allclose(selected.scores[:, 1:], expected[:, 1:].numpy(), atol=1e-6)
    assert selected.arch == tuple((1 + COST[:, 1:].argmin(-1)).tolist())
    assert selected.order == (0, 1, 2, 3, 4, 5)


def test_surviving_at_beta_keeps_the_mixing_weight() -> None:
    selected = select("strength", none=False, surviving="beta")
    beta = ALPHA.softmax(-1).double()
    expected = (COST * beta).sum(-1, keepdim=True) - COST * beta
    np.testing.assert_allclose(selected.scores[:, 1:], expected[:, 1:].numpy(), atol=1e-6)


def test_prune_is_the_loss_added_by_the_removal() -> None:
    selected = select("prune", none=False)
    np.testing.assert_allclose(selected.scores[:, 1:], -(COST * ALPHA.softmax(-1).double())[:, 1:].numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["strength", "prune"])
def test_taylor_equals_exact_on_a_linear_loss(name: str) -> None:
    np.testing.assert_allclose(select(name, exact=False).scores, select(name).scores, atol=1e-6)


def test_accuracy_can_take_the_place_of_the_loss() -> None:
    by_loss, by_accuracy = select("strength", none=False), select("strength", none=False, metric="accuracy")
    np.testing.assert_allclose(by_accuracy.scores, 3 * by_loss.scores, atol=1e-6)


def test_the_largest_margin_comes_first() -> None:
    selected = select("strength", none=False, order="margin")
    two = COST[:, 1:].sort(-1).values[:, :2]
    assert list(selected.order) == (two[:, 1] - two[:, 0]).argsort(descending=True).tolist()


def test_random_order_follows_the_global_generator() -> None:
    orders = set()
    for seed in range(8):
        torch.manual_seed(seed)
        orders.add(select("strength", order="random", none=False).order)
    assert len(orders) > 4
    torch.manual_seed(0)
    repeat = select("strength", order="random", none=False).order
    torch.manual_seed(0)
    assert select("strength", order="random", none=False).order == repeat


def test_the_last_decision_may_come_early_and_training_goes_on_after_it() -> None:
    evaluation = Linear()
    selected = select("strength", evaluation, none=False, tuning=5, early=1)
    assert [epochs for _, epochs, _ in evaluation.tuned] == [5, 5, 5, 5, 4, 1]
    assert [len(decided) for decided, _, _ in evaluation.tuned] == [1, 2, 3, 4, 5, 6]
    assert evaluation.tuned[-1][0] == dict(enumerate(selected.arch))
    evaluation = Linear()
    select("strength", evaluation, none=False, tuning=5)
    assert [epochs for _, epochs, _ in evaluation.tuned] == [5] * 5


def test_options_that_came_later_are_recorded_only_where_they_are_set() -> None:
    options = selection.options("prune")
    assert not {"early", "augmented"} & set(selection.recorded("prune", options))
    assert selection.recorded("prune", {**options, "early": 1})["early"] == 1
    assert selection.recorded("mine", {"augmented": False}) == {"augmented": False}


def test_scoring_uses_the_data_batches_and_statistics_asked_for() -> None:
    evaluation = Linear()
    select("strength", evaluation, data="train", batches=3, bn="running")
    assert set(evaluation.asked) == {("train", 3, "running")}


def test_nothing_is_measured_twice() -> None:
    evaluation = Linear()
    select("strength", evaluation, none=False)
    assert len(evaluation.asked) == 1 + 6 * 4, "each trial once; a winner's loss is the next edge's starting point"


def test_tuning_happens_between_decisions_only() -> None:
    evaluation = Linear()
    selected = select("strength", evaluation, tuning=5, tune_alpha=False, none=False)
    assert [len(decided) for decided, _, _ in evaluation.tuned] == [1, 2, 3, 4, 5]
    assert {(epochs, alpha) for _, epochs, alpha in evaluation.tuned} == {(5, False)}
    assert evaluation.tuned[-1][0] == {edge: selected.arch[edge] for edge in range(5)}


def test_decided_edges_are_discrete_while_others_are_scored_unless_asked_otherwise() -> None:
    class Coupled(Linear):
        def mixed(self, weights: torch.Tensor, *rest: object, **more: object) -> Score:
            return Score(float((COST * weights).sum() * weights[0].max()), 0.0)

    discrete, mixed = (select("strength", Coupled(), discretise=flag, none=False) for flag in (True, False))
    assert np.allclose(discrete.scores[0], mixed.scores[0], equal_nan=True)
    assert not np.allclose(discrete.scores[1], mixed.scores[1], equal_nan=True)


def test_a_dead_edge_is_decided_by_magnitude_marked_and_unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = COST.clone()
    cost[1:3, NONE] = -100.0
    monkeypatch.setattr("tests.support.selections.COST", cost)
    selected = select("strength")
    assert selected.arch[1:3] == (NONE, NONE)
    assert selected.dead == (5,)
    assert np.isnan(selected.scores[5]).all()
    assert selected.arch[5] == int(ALPHA[5].argmax())


@pytest.mark.parametrize(
    ("edge", "decided", "dead"),
    [
        (5, {1: NONE, 2: NONE}, True),
        (5, {1: NONE}, False),
        (5, {0: NONE, 1: NONE}, True),
        (0, {2: NONE, 4: NONE}, True),
        (0, {4: NONE, 5: NONE}, True),
        (0, {}, False),
        (3, {0: NONE, 1: NONE}, False),
    ],
)
def test_dead_edges_have_no_path_from_the_input_or_to_the_output(
    edge: int, decided: dict[int, int], dead: bool
) -> None:
    assert is_dead(edge, decided) is dead


def test_uniform_draws_every_operation_on_every_edge() -> None:
    torch.manual_seed(0)
    archs = np.array([select("uniform").arch for _ in range(2000)])
    counts = np.array([np.bincount(archs[:, edge], minlength=5) for edge in range(6)])
    assert counts.min() > 320
    assert counts.max() < 480


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("strenght", {}, "did you mean 'strength'"),
        ("strength", {"metrics": "loss"}, "did you mean 'metric'"),
        ("strength", {"metric": "los"}, "did you mean 'loss'"),
        ("strength", {"tuning": -1}, "none may be below 0"),
        ("strength", {"exact": "no", "metric": "accuracy"}, "take metric=loss"),
        ("magnitude", {"none": "perhaps"}, "is not yes or no"),
    ],
)
def test_bad_options_are_named(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        selection.make_selection(name, options)


def test_every_option_is_listed_with_its_default() -> None:
    assert set(selection.options("strength")) == {
        "none", "surviving", "data", "batches", "metric", "tuning", "tune_alpha", "order", "discretise", "exact", "bn",
        "early", "augmented",
    }  # fmt: skip
    assert selection.names() == ["magnitude", "strength", "prune", "uniform", "best", "proxy"]
