"""GDAS's estimator, by hand on a node of two operations and against finite differences of what it states."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from benchharness.errors import UserError
from benchharness.methods._updates import StepContext
from benchharness.models.supernet import MixedCell
from benchharness.search.loop import Search
from benchharness.space import EDGES, NONE, SKIP
from tests.support.methods import make_method
from tests.support.searches import CPU, search_of
from tests.support.sets import small_images

CELL = (3, 1, 2, 4, 3, 1)


def one_hot(cell: tuple[int, ...] = CELL) -> torch.Tensor:
    return F.one_hot(torch.tensor(cell), 5).double().requires_grad_()


def test_a_skip_edge_by_hand() -> None:
    """Node 3 = w_skip x + sum of the others as numbers, so d/dw_skip = sum(g x) and d/dw_other = sum(g)."""
    cell = MixedCell(2).double()
    x, g = torch.randn(2, 3, 2, 4, 4, dtype=torch.float64)
    weights = one_hot((NONE, NONE, NONE, SKIP, NONE, NONE))
    output = cell.one_hot(x, (NONE, NONE, NONE, SKIP, NONE, NONE), weights)
    torch.testing.assert_close(output, x)
    (slope,) = torch.autograd.grad((g * output).sum(), weights)
    expected = g.sum().expand(5).clone()
    expected[SKIP] = (g * x).sum()
    torch.testing.assert_close(slope[3], expected)
    for edge in (4, 5):  # into node 3 as well, with none drawn: its own weight gives nothing
        expected = g.sum().expand(5).clone()
        expected[NONE] = 0
        torch.testing.assert_close(slope[edge], expected)
    assert not slope[:3].any(), "nothing leaves nodes 1 and 2"


def test_every_weight_has_the_gradient_of_the_drawn_output_plus_the_others_as_numbers() -> None:
    cell = MixedCell(4).double()
    x, g = torch.randn(2, 3, 4, 6, 6, dtype=torch.float64)
    weights = one_hot()
    (slope,) = torch.autograd.grad((g * cell.one_hot(x, CELL, weights)).sum(), weights)
    for edge in range(len(EDGES)):
        for op in range(5):
            sides = []
            for step in (1e-5, -1e-5):
                leaf = weights.detach().clone()
                leaf[edge, op] += step
                sides.append((g * cell.one_hot(x, CELL, leaf)).sum())
            torch.testing.assert_close(slope[edge, op], (sides[0] - sides[1]) / 2e-5, rtol=1e-5, atol=1e-6)


def test_the_output_is_that_of_the_drawn_cell() -> None:
    net = search_of("gdas", channels=4).net.double()
    images = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(net.one_hot(images, CELL, one_hot()), net.one_hot(images, CELL))


def test_only_drawn_operations_are_computed_in_both_steps() -> None:
    """Statistics of the others stay as they were, where all operations are computed they move."""
    changed_operations = {}
    for estimator in ("drawn", "all"):
        spec = replace(search_of("gdas", channels=4).spec, train_options={"estimator": estimator})
        search = Search(spec, small_images(), CPU)
        assert search.update is not None
        torch.manual_seed(0)
        search.update.step(*next(search.stream.epoch(0)), StepContext(0.0))
        cell = next(search.net.mixed_cells())
        means = [cell.operation(edge, op)["mean"] for edge in range(6) for op in (2, 3)]
        changed_operations[estimator] = sum(bool(mean.any()) for mean in means)
    assert changed_operations["all"] == 12
    assert changed_operations["drawn"] < 12


def test_alphas_step_is_by_that_estimator() -> None:
    search, twin = search_of("gdas", channels=4), search_of("gdas", channels=4)
    train, valid = next(search.stream.epoch(0))
    for some_search in (search, twin):
        with torch.no_grad():
            some_search.method.alpha[:, 3] += 3  # most draws lead somewhere
    torch.manual_seed(1)
    search.update.step_alpha(train, valid, StepContext(0.5))  # type: ignore[union-attr]
    torch.manual_seed(1)
    drawn = twin.method.draw(0.5)
    cell = tuple(drawn.argmax(-1).tolist())
    F.cross_entropy(twin.net.one_hot(valid.images, cell, drawn), valid.labels).backward()
    torch.testing.assert_close(search.method.alpha.grad, twin.method.alpha.grad)
    assert bool((search.method.alpha.grad != 0).any())


def test_decided_edges_carry_their_operation() -> None:
    search = search_of("gdas", channels=4)
    decided = {0: 3, 4: 2}
    search.update.step(*next(search.stream.epoch(0)), StepContext(1.0, decided))  # type: ignore[union-attr]
    cell = next(search.net.mixed_cells())
    assert bool(cell.operation(0, 3)["mean"].any())
    assert not cell.operation(0, 2)["mean"].any()


def test_another_estimator_is_refused() -> None:
    with pytest.raises(UserError, match="unknown estimator 'hard'"):
        make_method("gdas", estimator="hard")
