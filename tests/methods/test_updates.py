"""Update rules against derivatives written out, and rules that no file names."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.func import functional_call
from torch.nn import functional as F

from benchharness import methods
from benchharness.data.loader import Batch
from benchharness.errors import UserError
from benchharness.methods import _updates, snas_single
from benchharness.methods._updates import SecondOrder, SingleLevel, StepContext
from benchharness.search.loop import Search
from benchharness.space import OPS
from tests.support.searches import CPU, run_to_end, search_of
from tests.support.sets import as_doubles, small_images

FLAT = torch.full((6, 5), 0.2, dtype=torch.float64)


@pytest.fixture
def smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supernet that is twice differentiable everywhere: across ReLU's kinks a finite difference is mostly noise."""
    monkeypatch.setattr(F, "relu", F.softplus)


def in_float64(method: str, **changes: object) -> tuple[Search, Batch, Batch]:
    """A search with momentum in its weights, all in float64, and the batches of its next step."""
    search = search_of(method, channels=4, **changes)
    for module in (search.net, search.method):
        module.double()
    as_doubles(search.stream)
    train, valid = (Batch(batch.images.double(), batch.labels) for batch in next(search.stream.epoch(0)))
    search.update.step_weights(train, StepContext(0.0))
    return search, train, valid


def explicit(search: Search, train: Batch, valid: Batch, at: torch.Tensor) -> torch.Tensor:
    """The derivative of L_valid(w - lr (momentum + dL_train/dw + decay w), alpha) by differentiating all of it."""
    at = at.clone().requires_grad_()
    names, weights = zip(*search.net.named_parameters(), strict=True)
    slopes = torch.autograd.grad(
        F.cross_entropy(search.net(train.images, at), train.labels), weights, create_graph=True
    )
    states = search.weight_optimizer.state
    ahead = {
        name: weight - 0.025 * (0.9 * states[weight]["momentum_buffer"] + slope + 3e-4 * weight)
        for name, weight, slope in zip(names, weights, slopes, strict=True)
    }
    loss = F.cross_entropy(functional_call(search.net, ahead, (valid.images, at)), valid.labels)
    return torch.autograd.grad(loss, at)[0]


def test_the_implicit_gradient_is_the_explicit_derivative(smooth: None) -> None:
    search, train, valid = in_float64("darts2")
    rule = search.update
    assert isinstance(rule, SecondOrder)
    expected = explicit(search, train, valid, FLAT)
    errors = []
    for radius in (1e-2, 1e-5):
        rule.radius = radius  # type: ignore[misc]
        errors.append(float((rule.implicit(train, valid, FLAT)[0] - expected).norm() / expected.norm()))
    first = torch.autograd.grad(
        F.cross_entropy(search.net(valid.images, at := FLAT.clone().requires_grad_()), valid.labels), at
    )[0]
    assert errors[1] < 1e-8, "as exact as finite differences get"
    assert errors[0] < 1e-2
    assert float((first - expected).norm() / expected.norm()) > 10 * errors[0], (
        "the second order is not lost in the error"
    )


def test_looking_ahead_changes_neither_weights_nor_statistics() -> None:
    search, train, valid = in_float64("darts2")
    before = {name: value.clone() for name, value in search.net.state_dict().items()}
    search.update.implicit(train, valid, FLAT)  # type: ignore[union-attr]
    assert all(torch.equal(value, before[name]) for name, value in search.net.state_dict().items())


def test_second_order_moves_alpha_by_that_gradient_and_first(smooth: None) -> None:
    search, train, valid = in_float64("darts2")
    alpha = search.method.alpha
    weights = search.method.expected()
    slope = explicit(search, train, valid, weights.detach())
    (expected,) = torch.autograd.grad((weights * slope).sum(), alpha)
    search.update.step(train, valid, StepContext(0.0))
    torch.testing.assert_close(alpha.grad, expected, rtol=1e-2, atol=2e-6)


def test_second_order_looks_ahead_from_moved_weights_where_these_step_first(smooth: None) -> None:
    search, train, valid = in_float64("darts2", order="weights-first")
    twin, *_ = in_float64("darts2", order="weights-first")
    twin.update.step_weights(train, StepContext(0.0))  # type: ignore[union-attr]
    weights = twin.method.expected()
    (expected,) = torch.autograd.grad(
        (weights * explicit(twin, train, valid, weights.detach())).sum(), twin.method.alpha
    )
    search.update.step(train, valid, StepContext(0.0))  # type: ignore[union-attr]
    torch.testing.assert_close(search.method.alpha.grad, expected, rtol=1e-2, atol=2e-6)


def test_first_and_second_order_search_differently() -> None:
    first, second = (run_to_end(search_of(name, images=200)) for name in ("darts", "darts2"))
    assert not torch.equal(first.method.alpha, second.method.alpha)
    torch.testing.assert_close(first.method.alpha, second.method.alpha, rtol=0, atol=0.01)


def test_single_level_is_one_backward_pass_on_the_training_batch() -> None:
    search, twin = search_of("snas-single"), search_of("snas-single")
    assert isinstance(search.update, SingleLevel)
    train, valid = next(search.stream.epoch(0))
    torch.manual_seed(4)
    batch_counts = search.update.step(train, valid, StepContext(0.5))
    torch.manual_seed(4)
    loss = F.cross_entropy(twin.net(train.images, twin.method.draw(0.5)), train.labels)
    loss.backward()
    torch.testing.assert_close(search.method.alpha.grad, twin.method.alpha.grad)
    torch.nn.utils.clip_grad_norm_(twin.net.parameters(), 5.0)
    twin.weight_optimizer.step()
    torch.testing.assert_close(search.net.state_dict(), twin.net.state_dict())
    assert batch_counts[1].tolist() == [0, 0, 0], "validation images stay unseen"
    assert batch_counts[0][0] == pytest.approx(50 * loss.item(), rel=1e-5)


def test_a_half_that_was_not_met_has_no_figures() -> None:
    line = search_of("snas-single").run_epoch()
    assert {"train_loss", "train_accuracy_pct"} <= set(line)
    assert not {"valid_loss", "valid_accuracy_pct"} & set(line)


def test_prices_are_the_mean_share_of_parameters_flops_and_memory() -> None:
    prices = snas_single.prices(len(OPS)).tolist()
    assert prices[:2] == [0, 0]
    assert prices[3] == 1
    conv1 = [sum(c * c for c in (16, 32, 64)), sum(c * c * s * s for c, s in ((16, 32), (32, 16), (64, 8)))]
    memory = [sum(s * s * 2 * c + k * c * c for c, s in ((16, 32), (32, 16), (64, 8))) for k in (1, 9)]
    assert prices[2] == pytest.approx(
        (conv1[0] / (9 * conv1[0]) + conv1[1] / (9 * conv1[1]) + memory[0] / memory[1]) / 3
    )
    assert 0 < prices[4] < prices[2]


def test_cost_is_additive_over_edges_and_linear_in_the_draw() -> None:
    generator = torch.Generator().manual_seed(0)
    first_draw, second_draw = (torch.rand(6, 5, generator=generator) for _ in range(2))
    edge_sum = sum(snas_single.cost(first_draw[edge : edge + 1]) for edge in range(6))
    torch.testing.assert_close(snas_single.cost(first_draw), edge_sum)
    torch.testing.assert_close(
        snas_single.cost(first_draw + 2 * second_draw), snas_single.cost(first_draw) + 2 * snas_single.cost(second_draw)
    )


def test_the_aggressive_constraint_leads_the_search_to_cheaper_operations() -> None:
    """Of every seed. By the cost of the edge weights, as the argmax of such short searches turns on how they round."""

    def cost(constraint: str, seed: int) -> float:
        search = search_of("snas-single", seed, epochs=8, alpha_learning_rate=0.1, images=200)
        spec = replace(search.spec, train_options={"constraint": constraint})
        finished_search = run_to_end(Search(spec, small_images(), CPU))
        return float(snas_single.cost(finished_search.method.expected().detach()))

    for seed in range(3):
        assert cost("aggressive", seed) < cost("none", seed) - 0.2


def test_the_constraints_weights_increase() -> None:
    weights = torch.rand(6, 5, generator=torch.Generator().manual_seed(0))
    penalties = []
    for name in snas_single.CONSTRAINTS:
        method = methods.configured(methods.load("snas-single"), {"constraint": name})(6, 5)
        penalties.append(float(method.penalty(weights, 0.0)) / float(snas_single.cost(weights)))
    assert penalties == pytest.approx([0, 1e-3, 1e-2, 1e-1])


def test_an_unknown_constraint_or_rule_is_named() -> None:
    with pytest.raises(UserError, match="did you mean 'mild'"):
        methods.configured(methods.load("snas-single"), {"constraint": "mil"})(6, 5)
    search = search_of()
    with pytest.raises(UserError, match="did you mean 'second'"):
        _updates.make_update("secnd", search.update.parts)


def test_a_rule_of_ones_own_in_the_methods_file(tmp_path: Path) -> None:
    file = tmp_path / "still.py"
    file.write_text(
        "from benchharness import Method\nfrom benchharness.methods._updates import FirstOrder\n"
        "class Still(FirstOrder):\n    def step_alpha(self, train, valid, context):\n"
        "        return super().step_alpha(train, train, context)\n"
        "class Mine(Method):\n    '''Alpha by the training batch.'''\n    update = Still\n"
    )
    spec = replace(search_of(epochs=1).spec, method="still", trains="still")
    search = Search(spec, small_images(), CPU, file)
    line = search.run_epoch()
    assert line["valid_loss"] != line["train_loss"]
    assert line["valid_loss"] == pytest.approx(line["train_loss"], rel=0.2)
