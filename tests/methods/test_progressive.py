"""Progressive DrNAS: stages, pruning, and channels that are duplicated without changing what operations give."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from benchharness.errors import UserError
from benchharness.models.supernet import Supernet, widen
from benchharness.search.loop import Search, _cosine
from benchharness.space import EDGES, OPS
from tests.support.methods import make_method
from tests.support.searches import CPU, equal, reload, run_to_end, search_of
from tests.support.sets import small_images

ALPHA = torch.randn(6, 5, generator=torch.Generator().manual_seed(3))


def sgd(net: Supernet) -> torch.optim.Optimizer:
    return torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)


def widened(partial: int = 4, wider: int = 2) -> tuple[Supernet, Supernet, torch.optim.Optimizer]:
    """A supernet with statistics and momentum, and its wider successor."""
    torch.manual_seed(0)
    net = Supernet(channels=8, cells=1, partial=partial).double()
    other = Supernet(channels=8, cells=1, partial=wider).double()
    first, second = sgd(net), sgd(other)
    images = torch.randn(8, 3, 8, 8, dtype=torch.float64)
    net(images, torch.full((6, 5), 0.2, dtype=torch.float64)).square().sum().backward()
    first.step()
    widen(net, first, other, second)
    return net, other, second


@pytest.mark.parametrize(("partial", "wider"), [(4, 2), (4, 1)])
@pytest.mark.parametrize("training", [True, False])
def test_every_operation_gives_what_it_gave_where_new_channels_are_copies(
    partial: int, wider: int, training: bool
) -> None:
    net, other, _ = widened(partial, wider)
    for cell, larger in zip(net.mixed_cells(), other.mixed_cells(), strict=True):
        x = torch.randn(5, cell.mixed, 4, 4, dtype=torch.float64)
        copies = x.repeat(1, partial // wider, 1, 1)
        cell.train(training)
        larger.train(training)
        for edge, op in product(range(len(EDGES)), range(1, len(OPS))):
            before = cell._operation(edge, op, x)
            torch.testing.assert_close(larger._operation(edge, op, copies), before.repeat(1, partial // wider, 1, 1))


def test_statistics_momentum_and_the_rest_of_the_net_are_carried_over() -> None:
    net, other, optimizer = widened()
    first, second = next(net.mixed_cells()), next(other.mixed_cells())
    narrow_layer, wide_layer = first.operation(3, 3), second.operation(3, 3)
    torch.testing.assert_close(wide_layer["mean"], narrow_layer["mean"].repeat(2))
    torch.testing.assert_close(wide_layer["var"], narrow_layer["var"].repeat(2))
    torch.testing.assert_close(wide_layer["weight"][:2, :2], narrow_layer["weight"] / 2)
    assert torch.equal(net.stem.weight, other.stem.weight)
    assert torch.equal(net.blocks[0].first_norm.running_mean, other.blocks[0].first_norm.running_mean)
    buffer = optimizer.state[second.conv3[0].convolution.weight]["momentum_buffer"]
    assert buffer.shape == second.conv3[0].convolution.weight.shape
    torch.testing.assert_close(buffer[:2, :2], buffer[2:4, 2:4])
    assert float(buffer.abs().sum()) > 0
    assert len(optimizer.state) == len(list(other.parameters()))


def test_pruning_keeps_the_strongest_and_their_proportions() -> None:
    method = make_method("drnas-progressive", ALPHA)
    before = method.expected().detach()
    method.narrow()
    after = method.expected().detach()
    assert ((after > 0).sum(-1) == 3).all()
    for edge in range(6):
        top = before[edge].topk(3).indices
        torch.testing.assert_close(after[edge, top], before[edge, top] / before[edge, top].sum())
    torch.testing.assert_close(after.sum(-1), torch.ones(6))


def test_draws_after_pruning_are_dirichlet_over_what_is_left() -> None:
    method = make_method("drnas-progressive", ALPHA)
    method.narrow()
    torch.manual_seed(0)
    drawn = torch.stack([method.draw(0.9).detach() for _ in range(5000)])
    mean = method.expected().detach()
    concentration = torch.where(mean > 0, method.concentration().detach(), 0.0)
    variance = mean * (1 - mean) / (concentration.sum(-1, keepdim=True) + 1)
    assert bool(((drawn.mean(0) - mean).abs() <= 5 * (variance / 5000).sqrt()).all())
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.15, atol=1e-3)
    slope = torch.autograd.grad((method.draw(0.9) * torch.randn(6, 5)).sum(), method.alpha)[0]
    assert torch.equal(slope != 0, mean > 0)


def test_alpha_rests_for_the_first_ten_epochs_of_each_stage() -> None:
    method = make_method("drnas-progressive", ALPHA)
    resting = [epoch for epoch in range(100) if not method.moves_alpha(epoch / 99)]
    assert resting == [*range(10), *range(50, 60)]


@pytest.mark.parametrize(("restart", "rates"), [(True, (0.025, 0.0176, 0.00101)), (False, (0.013, 0.0093, 0.001))])
def test_the_second_stage_begins_at_the_first_rate_and_falls_as_the_cosine_does(
    restart: bool, rates: tuple[float, ...]
) -> None:
    """In proportion: torch's chained cosine, set to 0.025 at epoch 50, gives these."""
    spec = search_of("drnas-progressive", channels=4, epochs=100).spec
    search = Search(replace(spec, train_options={"restart": restart}), small_images(), CPU)
    learning_rates = []
    for search.epoch in range(100):
        learning_rates.append(_cosine(search.settings, search.epoch, search._restarted()))
    np.testing.assert_allclose([learning_rates[50], learning_rates[60], learning_rates[99]], rates, atol=6e-5)
    np.testing.assert_allclose(learning_rates[:50], [0.001 + 0.012 * (1 + np.cos(np.pi * e / 100)) for e in range(50)])
    if restart:
        optimizer = torch.optim.SGD([torch.zeros(1)], 0.025)
        optimizer.param_groups[0]["initial_lr"] = 0.025
        chained = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100, 0.001, last_epoch=50)
        chained.last_epoch, optimizer.param_groups[0]["lr"] = 50, 0.025
        for epoch in range(51, 100):
            optimizer.step()
            chained.step()
            assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rates[epoch])


def test_the_second_stage_has_an_optimiser_of_its_own_with_the_momentum_of_the_first() -> None:
    search = search_of("drnas-progressive", channels=4, epochs=4, images=100)
    search.run_epoch()
    search.run_epoch()
    first = search.weight_optimizer
    line = search.run_epoch()
    assert search.weight_optimizer is not first
    assert line["learning_rate"] == 0.025
    assert set(search.weight_optimizer.state) == set(search.net.parameters())


def test_a_search_widens_halfway_and_resumes_bit_for_bit_on_either_side() -> None:
    changes = {"channels": 4, "epochs": 4, "images": 100, "alpha_learning_rate": 0.1}
    undisturbed = run_to_end(search_of("drnas-progressive", **changes))
    assert undisturbed.net.partial == 2
    assert ((undisturbed.arrays()["expected"] > 0).sum(-1) == [[5] * 6] * 2 + [[3] * 6] * 2).all()
    partial = search_of("drnas-progressive", **changes)
    for _ in range(2):
        partial.run_epoch()
    assert partial.net.partial == 4
    for _ in range(2):
        partial = reload(partial)
        partial.run_epoch()
    assert equal(undisturbed.net.state_dict(), partial.net.state_dict())
    assert np.array_equal(undisturbed.arrays()["alphas"], partial.arrays()["alphas"])
    assert undisturbed.read_out(undisturbed.spec)[0] == partial.read_out(partial.spec)[0]


def test_channels_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(UserError, match="partial channels 4 do not divide channels=2"):
        search_of("drnas-progressive", channels=2)
