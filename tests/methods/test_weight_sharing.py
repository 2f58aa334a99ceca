"""Draws, penalties and rests of the weight-sharing methods against theory."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from benchharness import methods
from benchharness.config import protocol
from benchharness.methods import Method
from benchharness.methods._updates import StepContext
from benchharness.methods.sdarts_rs import distributions
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.search.loop import Search
from benchharness.space import EDGES
from tests.support.methods import ALPHA, draws, make_method
from tests.support.searches import CPU, equal, reload, run_to_end, search_of
from tests.support.sets import small_images

SEARCHED = (
    "gdas", "setn", "rsps", "pc-darts", "beta-darts", "sdarts-rs", "sdarts-adv", "darts-es", "darts-pt-fixed",
    "darts2", "snas-single",
)  # fmt: skip
FULL = torch.randn(6, 5, generator=torch.Generator().manual_seed(3))


def no_loss(weights: torch.Tensor) -> torch.Tensor:
    raise AssertionError("this method does not look at the loss")


@pytest.mark.parametrize("name", SEARCHED)
def test_every_method_searches_resumes_bit_for_bit_and_reads_out(name: str) -> None:
    """Read out by magnitude where its own selection would tune."""
    changes = {"epochs": 2, "images": 100, "channels": 4}
    undisturbed, partial = run_to_end(search_of(name, **changes)), search_of(name, **changes)
    partial.run_epoch()
    torch.manual_seed(123)
    resumed_search = run_to_end(reload(partial))
    assert equal(undisturbed.net.state_dict(), resumed_search.net.state_dict())
    assert equal(undisturbed.method.state_dict(), resumed_search.method.state_dict())
    spec = (
        undisturbed.spec
        if undisturbed.spec.selection != "prune"
        else undisturbed.spec.read_out_as("m", "magnitude", {})
    )
    record = undisturbed.read_out(spec)[0]
    assert record == resumed_search.read_out(spec)[0]
    assert {"mixed_batch_loss", "derived_batch_accuracy_pct"} <= set(record.measures)


def test_gdas_draws_one_operation_as_often_as_the_softmax_says() -> None:
    drawn = draws(make_method("gdas"), 0.7, 8000)
    assert sorted(set(drawn.flatten().round(decimals=5).tolist())) == [0, 1]
    torch.testing.assert_close(drawn.sum(-1), torch.ones(8000, 2))
    for edge in range(2):
        observed = drawn[:, edge].round().sum(0).double().numpy()
        expected = 8000 * ALPHA[edge].softmax(-1).double().numpy()
        assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


def test_gdas_draws_are_exactly_one_hot() -> None:
    drawn = draws(make_method("gdas"), 0.3, 500)
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}


def test_gdas_gradient_is_that_of_the_soft_draw() -> None:
    hard, soft = make_method("gdas"), make_method("snas", tau_min=0.1)
    weights = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    slopes = []
    for method in (hard, soft):
        torch.manual_seed(7)
        slopes.append(torch.autograd.grad((weights * method.draw(0.5)).sum(), method.alpha)[0])
    torch.testing.assert_close(*slopes)
    assert bool((slopes[0] != 0).all())


@pytest.mark.parametrize("name", ["rsps", "setn"])
def test_a_uniform_cell_a_step(name: str) -> None:
    torch.manual_seed(0)
    method = make_method(name, FULL)
    cells = torch.tensor([method.draw_for_weights(0.5, no_loss) for _ in range(4000)])
    counts = torch.stack([torch.bincount(cells[:, edge], minlength=5) for edge in range(6)]).numpy()
    assert all(stats.chisquare(row).pvalue > 1e-3 for row in counts)


def test_a_single_path_step_is_the_cells_own_and_moves_the_rest_by_decay_alone() -> None:
    search, twin = search_of("rsps"), search_of("rsps")
    batch, _ = next(search.stream.epoch(0))
    torch.manual_seed(2)
    cell = search.method.draw_for_weights(0.0, no_loss)
    assert isinstance(cell, tuple)
    torch.manual_seed(2)
    search.update.step_weights(batch, StepContext(0.0))
    F.cross_entropy(twin.net.one_hot(batch.images, cell), batch.labels).backward()
    torch.nn.utils.clip_grad_norm_(twin.net.parameters(), 5.0)
    for weight in twin.net.parameters():
        weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
    twin.weight_optimizer.step()
    torch.testing.assert_close(search.net.state_dict(), twin.net.state_dict())


def test_rsps_and_fixed_alpha_leave_alpha_at_zero() -> None:
    for name in ("rsps", "darts-pt-fixed"):
        search = search_of(name, epochs=2, images=100)
        line = run_to_end(search).arrays()
        assert not line["alphas"].any()
        assert np.allclose(line["expected"], 0.2)


def test_setn_learns_alpha_on_the_softmax_mix() -> None:
    setn, darts = search_of("setn", order="alpha-first"), search_of("darts")
    train, valid = next(setn.stream.epoch(0))
    for search in (setn, darts):
        search.update.step_alpha(train, valid, StepContext(0.0))
    assert torch.equal(setn.method.alpha, darts.method.alpha)


def test_pc_darts_edge_weights_are_a_softmax_per_node() -> None:
    method = make_method("pc-darts", FULL)
    with torch.no_grad():
        method.beta.copy_(torch.arange(6.0))
    edge_weights = method.edge_weights().detach()
    assert edge_weights[0] == 1
    torch.testing.assert_close(edge_weights[1:3], torch.tensor([1.0, 2.0]).softmax(-1))
    torch.testing.assert_close(edge_weights[3:], torch.tensor([3.0, 4.0, 5.0]).softmax(-1))
    torch.testing.assert_close(method.expected().sum(-1).detach(), edge_weights)
    assert torch.equal(method.probabilities().argmax(-1), method.expected().argmax(-1))
    slopes = torch.autograd.grad((method.draw(0.0) * FULL).sum(), [method.alpha, method.beta])
    assert bool((slopes[0] != 0).all())
    assert slopes[1][0] == 0, "the only edge into its node"
    assert bool((slopes[1][1:] != 0).all())


def test_pc_darts_without_edge_weights_is_darts_on_partial_channels() -> None:
    torch.testing.assert_close(make_method("pc-darts", FULL, weigh_edges=False).expected(), FULL.softmax(-1))
    spec = replace(search_of("pc-darts", epochs=1, channels=4, images=100).spec, train_options={"weigh_edges": False})
    search = Search(spec, small_images(), CPU)
    before = search.method.state_dict()["beta"].clone()
    run_to_end(search)
    assert equal({"beta": before}, {"beta": search.method.state_dict()["beta"]}), "no gradient and no decay"
    assert float(search.method.alpha.detach().std()) > 0


def test_pc_darts_mixes_a_quarter_of_the_channels() -> None:
    search = search_of("pc-darts", channels=4)
    assert search.net.partial == 4
    assert next(search.net.mixed_cells()).weighs_bypass
    assert not make_method("pc-darts", FULL, warmup=0.3).moves_alpha(0.29)
    assert make_method("pc-darts", FULL, warmup=0.3).moves_alpha(0.3)


def test_beta_penalty_grows_linearly_and_pulls_every_alpha_down_by_its_softmax() -> None:
    method = make_method("beta-darts")
    assert method.penalty(ALPHA, 0.0) == 0
    full = method.penalty(ALPHA, 1.0)
    torch.testing.assert_close(full.detach(), 50 * ALPHA.exp().sum(-1).log().mean())
    torch.testing.assert_close(method.penalty(ALPHA, 0.25), full / 4)
    torch.testing.assert_close(torch.autograd.grad(full, method.alpha)[0], 50 * ALPHA.softmax(-1) / 2)


@pytest.mark.parametrize("name", ["sdarts-rs", "sdarts-adv"])
def test_perturbed_weights_are_distributions(name: str) -> None:
    method = make_method(name, FULL)
    torch.manual_seed(0)
    for progress in (0.0, 1.0):
        for _ in range(200):
            drawn = method.draw_for_weights(progress, lambda weights: (FULL * weights).sum())
            assert bool((drawn >= 0).all())
            torch.testing.assert_close(drawn.sum(-1), torch.ones(6))
    assert torch.equal(method.draw(0.5), method.expected()), "alpha's own step is not perturbed"


def test_smoothing_noise_is_uniform_before_rows_are_brought_to_sum_to_one() -> None:
    """At eps 0.03 around 0.2 nothing is clamped, so that ratios of a row are those of centre and noise."""
    method = make_method("sdarts-rs", torch.zeros(6, 5))
    torch.manual_seed(0)
    drawn = torch.stack([method.draw_for_weights(0.0, no_loss) for _ in range(1000)])
    torch.manual_seed(0)
    noise = torch.stack([torch.empty(6, 5).uniform_(-1, 1) for _ in range(1000)])
    noisy = 0.2 + 0.03 * noise
    torch.testing.assert_close(drawn, noisy / noisy.sum(-1, keepdim=True))
    assert stats.kstest(noise.flatten().numpy(), "uniform", (-1, 2)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("row", "distribution"),
    [
        ([0.5, -0.2, 0.5, 0.0, 0.0], [0.5, 0, 0.5, 0, 0]),
        ([1.2, 0.25, 0.0, -0.1, 0.0], [0.8, 0.2, 0, 0, 0]),
        ([-0.3, -0.1, -0.2, -0.1, -0.3], [0, 1, 0, 0, 0]),
    ],
)
def test_rows_are_clamped_and_divided_and_an_empty_one_goes_to_its_largest(
    row: list[float], distribution: list[float]
) -> None:
    torch.testing.assert_close(distributions(torch.tensor([row])), torch.tensor([distribution]).float())


def test_the_radius_grows_by_epoch_over_epochs() -> None:
    search = search_of("sdarts-rs", epochs=10)
    radii = [search.method.radius(epoch / 9) for epoch in range(10)]
    np.testing.assert_allclose(radii, [0.03 + 0.27 * epoch / 10 for epoch in range(10)])


def test_the_attack_climbs_a_linear_loss_and_projects_after_every_step() -> None:
    method = make_method("sdarts-adv", FULL)
    slope = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    centre = method.expected().detach()

    def loss(weights: torch.Tensor) -> torch.Tensor:
        return (slope * weights).sum()

    for progress, radius in ((0.0, 0.03), (0.5, 0.165), (1.0, 0.3)):
        torch.manual_seed(0)
        perturbed = method.draw_for_weights(progress, loss)
        torch.manual_seed(0)
        at = distributions(centre + torch.empty(6, 5).uniform_(-1, 1) * radius)
        for _ in range(7):
            at = distributions((at + 2 * radius / 7 * slope.sign()).clamp(centre - radius, centre + radius))
        torch.testing.assert_close(perturbed, at)
        assert loss(perturbed) > loss(centre)


def test_an_attack_that_lowered_the_loss_is_undone() -> None:
    """The gradient of this loss points away from where it grows."""
    method = make_method("sdarts-adv", FULL)
    centre = method.expected().detach()

    def misleading(weights: torch.Tensor) -> torch.Tensor:
        distance = ((weights - centre) ** 2).sum()
        return 2 * distance.detach() * -1 + distance

    torch.manual_seed(0)
    assert torch.equal(method.draw_for_weights(1.0, misleading), centre)
    torch.manual_seed(0)
    assert not torch.equal(method.draw_for_weights(1.0, lambda weights: ((weights - centre) ** 2).sum()), centre)


def test_the_attack_sees_the_supernet_in_evaluation_mode() -> None:
    search = search_of("sdarts-adv", epochs=2, channels=4, images=200)
    search.run_epoch()
    train, _ = next(search.stream.epoch(0))
    at = search.method.expected().detach()
    with search.net.evaluating(), torch.no_grad():
        expected = F.cross_entropy(search.net(train.images, at), train.labels)
    assert torch.equal(search.update._loss(train)(at).detach(), expected)


def test_the_attack_raises_a_real_loss_more_than_noise_and_records_nothing() -> None:
    losses = {}
    for name in ("sdarts-rs", "sdarts-adv"):
        search = search_of(name, epochs=10, channels=4)
        for _ in range(4):  # until running statistics are those of the weights
            search.run_epoch()
        train, _ = next(search.stream.epoch(0))
        before = {key: value.clone() for key, value in search.net.state_dict().items()}
        torch.manual_seed(0)
        loss = search.update._loss(train)
        losses[name] = float(loss(search.method.draw_for_weights(1.0, loss)).detach())
        losses["centre " + name] = float(loss(search.method.expected()).detach())
        assert equal(before, search.net.state_dict())
    assert losses["sdarts-adv"] > losses["centre sdarts-adv"] + abs(losses["sdarts-rs"] - losses["centre sdarts-rs"])


@pytest.mark.parametrize(
    ("eigenvalues", "epoch"),
    [
        ([1.0] * 9, None),
        ([1.0] * 20, None),
        ([1.0] * 5 + [1.3] * 5, None),
        ([1.0] * 5 + [1.4] * 5, 3),
        ([1.0] * 8 + [1.0, 1.0, 1.1, 1.5, 2.2], 6),
        ([-1.0] * 5 + [-5.0] * 5, None),
    ],
)
def test_early_stopping_compares_averages_of_five_epochs_around_epochs_five_apart(
    eigenvalues: list[float], epoch: int | None
) -> None:
    assert make_method("darts-es").stop(eigenvalues) == epoch


def test_early_stopping_as_in_the_authors_code() -> None:
    """Measured after epochs 1, 3, 5 and so on; the first decision is after epoch 23, for epoch 11."""
    method = make_method("darts-es", every=2, back=4, ratio=0.7692, earliest=11)
    grown = [1.1**epoch for epoch in range(60)]
    assert [method.stop(grown[:epochs]) for epochs in (*range(10, 23), 24)] == [None] * 14
    assert [method.stop(grown[:epochs]) for epochs in (23, 25)] == [11, 13]
    assert method.stop([1.02**epoch for epoch in range(23)]) is None, "1.02^8 is below 1.3"


def test_a_stopped_search_goes_back_to_earlier_alphas_and_stays_stopped() -> None:
    spec = replace(
        search_of("darts-es", epochs=6, images=100).spec, train_options={"window": 1, "back": 1, "ratio": 50.0}
    )
    search = run_to_end(Search(spec, small_images(), CPU))
    assert search.stopped > 0
    assert search.epoch == search.stopped + 1 < 6
    assert np.array_equal(search.method.alpha.detach().numpy(), search.arrays()["alphas"][search.stopped - 1])
    assert np.isfinite(search.arrays()["eigenvalue"]).all(), "measured after every epoch, whatever the protocol says"
    other = Search(spec, small_images(), CPU)
    other.load(search.state())
    assert other.finished
    assert other.read_out(spec)[0].notes["stopped_epoch"] == search.stopped


def test_perturbation_is_told_by_accuracy_in_random_order_with_tuning() -> None:
    (job,) = make_plan(parse_methods("darts-pt"), (0,), "cifar10", protocol("cpu"))
    (reading,) = job.readouts
    assert (job.base.trains, reading.method, reading.selection) == ("darts", "darts-pt", "prune")
    keys = ("metric", "order", "tuning", "early", "bn", "batches", "tune_alpha")
    options = {key: reading.selection_options[key] for key in keys}
    assert options == {
        "metric": "accuracy",
        "order": "random",
        "tuning": 5,
        "early": 1,
        "bn": "batch",
        "batches": 0,
        "tune_alpha": True,
    }
    (fixed_alpha_job,) = make_plan(parse_methods("darts_pt_fixed"), (0,), "cifar10", protocol("cpu"))
    assert (fixed_alpha_job.base.method, fixed_alpha_job.base.selection, fixed_alpha_job.readouts) == (
        "darts-pt-fixed",
        "prune",
        (),
    )


def test_tuning_restarts_momentum_once_and_keeps_fixed_alpha_fixed() -> None:
    search = run_to_end(search_of("darts-pt-fixed", epochs=1, images=100))
    decided = {0: 3, 4: 2}
    momenta = {
        parameter: state["momentum_buffer"].clone() for parameter, state in search.weight_optimizer.state.items()
    }
    search._tune(decided, 1, alpha=True)
    assert search.weight_optimizer.param_groups[0]["lr"] == 0.0025
    assert not search.method.alpha.detach().any()
    tuned = {parameter: state["momentum_buffer"].clone() for parameter, state in search.weight_optimizer.state.items()}
    assert any(not torch.equal(momenta[parameter], tuned[parameter]) for parameter in momenta)
    search._tune(decided, 0, alpha=True)
    assert all(torch.equal(tuned[p], state["momentum_buffer"]) for p, state in search.weight_optimizer.state.items())


def test_a_name_may_be_spelt_with_underscores_and_is_one_method() -> None:
    assert methods.load("darts_pt") is methods.load("darts-pt")
    assert "darts-pt" in methods.names()
    assert not any("_" in name for name in methods.names())


def test_sampled_cells_follow_the_distribution() -> None:
    method: Method = make_method("darts", FULL)
    torch.manual_seed(0)
    cells = np.array([method.sample() for _ in range(3000)])
    for edge in range(len(EDGES)):
        expected = 3000 * FULL[edge].double().softmax(-1).numpy()
        assert stats.chisquare(np.bincount(cells[:, edge], minlength=5), expected).pvalue > 1e-3
    assert math.isclose(float(method.probabilities().sum().detach()), 6, rel_tol=1e-5)


def test_the_selection_of_a_method_of_ones_own_has_options(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom benchharness import Method, Selection\n"
        "@dataclass(frozen=True)\nclass Own(Selection):\n    '''Own.'''\n    depth: int = 2\n"
        "class Mine(Method):\n    '''Mine.'''\n    selection = Own\n"
    )
    (job,) = make_plan(parse_methods(f"{file}:depth=3"), (0,), "cifar10", protocol("cpu"))
    assert (job.base.selection, job.base.selection_options) == ("own", {"none": True, "depth": 2})
    assert job.readouts[0].selection_options["depth"] == 3
