"""ENAS's controller: its marginals, its learning on a reward with a known optimum, and a whole search."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchharness.config import for_method, protocol
from benchharness.methods.enas import Enas
from benchharness.search.loop import Search
from tests.support.methods import make_method
from tests.support.searches import CPU, equal, reload, run_to_end, search_of
from tests.support.sets import small_images

BEST = (3, 1, 2, 4, 3, 0)


def controller(**options: object) -> Enas:
    torch.manual_seed(0)
    method = make_method("enas", torch.zeros(6, 5), **options)
    assert isinstance(method, Enas)
    return method


def sharpened() -> Enas:
    method = controller(hidden=8)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.mul_(50)
    return method


def test_marginals_are_those_of_the_samples() -> None:
    method = sharpened()
    marginals = method.marginals()
    torch.testing.assert_close(marginals.sum(-1), torch.ones(6))
    assert float(marginals.std()) > 0.05, "a distribution worth the check"
    cells, chances, entropies = method.sampled(20_000)
    observed = torch.nn.functional.one_hot(cells, 5).double().mean(0)
    assert float((observed - marginals).abs().max()) < 5 * 0.5 / 20_000**0.5
    assert abs(float((entropies + chances).mean().detach())) < 0.1, "entropy is minus the mean log-probability"


def test_alpha_records_the_marginals() -> None:
    method = sharpened()
    method.record()
    torch.testing.assert_close(method.expected(), method.marginals())
    assert not method.alpha.requires_grad


def test_the_controller_learns_most_of_the_best_cell_of_a_known_reward() -> None:
    """With a learning rate that gets there in seconds: the published one, with its eps of 1e-3, takes thousands.

    The first epoch has each accuracy as its own baseline and teaches next to nothing.
    """
    method = controller(controller_steps=40, controller_samples=20)
    optimizer = torch.optim.Adam(method.parameters(), 5e-3)
    before = method.marginals()[range(6), BEST].mean()

    def reward(cell: tuple[int, ...]) -> float:
        return float(np.mean([op == best_op for op, best_op in zip(cell, BEST, strict=True)]))

    for _ in range(12):
        method.learn(reward, optimizer)
    assert method.marginals()[range(6), BEST].mean() > before + 0.4
    assert 0.3 < float(method.baseline) < 1


def test_an_operation_has_one_embedding_on_all_edges() -> None:
    assert controller().embedding.weight.shape == (5, 32)


def learn_from(moves: str, rewards: list[float], before: float, to_mean: bool = False) -> tuple[list[float], float]:
    """What REINFORCE weighs each of six cells by, two a step, and the baseline afterwards."""
    method = controller(controller_steps=3, controller_samples=2, entropy_weight=0.0, baseline_moves=moves)
    method.baseline.fill_(before)
    rewards_left, advantages = iter(rewards), []
    sampled = method.sampled

    def recording_sample(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cells, chances, entropies = sampled(count)
        chances.register_hook(lambda slope: advantages.extend((-count * slope).tolist()))
        return cells, chances, entropies

    method.sampled = recording_sample  # type: ignore[method-assign]
    method.learn(lambda cell: next(rewards_left), torch.optim.SGD(method.parameters(), 0.0), to_mean)
    return advantages, float(method.baseline)


def test_the_baseline_of_an_epoch_is_the_last_of_the_one_before_blended_with_each_reward() -> None:
    rewards = [0.1, 0.5, 0.3, 0.9, 0.2, 0.7]
    advantages, after = learn_from("epoch", rewards, 0.4)
    np.testing.assert_allclose(advantages, [0.99 * (reward - 0.4) for reward in rewards], rtol=1e-5)
    np.testing.assert_allclose(after, 0.4 + 0.01 * (0.7 - 0.4))


@pytest.mark.parametrize(("moves", "before"), [("epoch", 0.4), ("epoch", -1.0), ("reward", 0.4)])
def test_the_baseline_of_an_epoch_can_be_the_mean_over_its_cells_as_in_nats_benchs_code(
    moves: str, before: float
) -> None:
    """The advantages of the epoch itself stay the same; a moving average over all rewards has no epochs."""
    rewards = [0.1, 0.5, 0.3, 0.9, 0.2, 0.7]
    advantages, after = learn_from(moves, rewards, before, to_mean=True)
    expected_advantages, last = learn_from(moves, rewards, before)
    assert advantages == expected_advantages
    mean = 0.45 if before < 0 else 0.4 + 0.01 * (0.45 - 0.4)
    np.testing.assert_allclose(after, last if moves == "reward" else mean)


@pytest.mark.parametrize(("name", "momentum", "after"), [("nats", 0.5, "mean"), ("nb201", 0.0, "last")])
def test_the_controller_learns_as_in_the_protocols_code(
    name: str, momentum: float, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = for_method(protocol(name), "enas")
    assert controller().optimizer(settings).param_groups[0]["betas"] == (momentum, 0.999)
    seen: list[bool] = []
    monkeypatch.setattr(Enas, "learn", lambda _, __, ___, to_mean: seen.append(to_mean))
    search = search_of("enas", epochs=1, images=100, controller=settings.controller)
    run_to_end(search)
    assert seen == [after == "mean"]


def test_the_first_epoch_has_each_cells_accuracy_as_baseline() -> None:
    advantages, after = learn_from("epoch", [0.1, 0.5, 0.3, 0.9, 0.2, 0.7], -1.0)
    assert advantages == [0.0] * 6
    assert after == 0.7


def test_a_baseline_per_reward_moves_with_each() -> None:
    rewards, baseline, expected = [0.1, 0.5, 0.3, 0.9, 0.2, 0.7], 0.4, []
    for reward in rewards:
        baseline += 0.01 * (reward - baseline)
        expected.append(reward - baseline)
    advantages, after = learn_from("reward", rewards, 0.4)
    np.testing.assert_allclose(advantages, expected, rtol=1e-5)
    np.testing.assert_allclose(after, baseline)


def test_a_constant_reward_teaches_nothing_but_the_baseline() -> None:
    method = controller(controller_steps=3, entropy_weight=0.0)
    before = method.marginals()
    method.learn(lambda cell: 0.5, method.optimizer(protocol("cpu")))
    torch.testing.assert_close(method.marginals(), before)
    assert float(method.baseline) == 0.5


def test_enas_searches_and_resumes_bit_for_bit() -> None:
    spec = search_of("enas", epochs=2, images=100, eigenvalue_every=1).spec
    spec = replace(spec, train_options={"controller_steps": 2, "controller_samples": 4})
    undisturbed, partial = run_to_end(Search(spec, small_images(), CPU)), Search(spec, small_images(), CPU)
    partial.run_epoch()
    resumed_search = run_to_end(reload(partial))
    assert equal(undisturbed.method.state_dict(), resumed_search.method.state_dict())
    assert equal(undisturbed.net.state_dict(), resumed_search.net.state_dict())
    assert undisturbed.read_out(undisturbed.spec)[0] == resumed_search.read_out(resumed_search.spec)[0]
    alphas = undisturbed.arrays()["alphas"]
    assert not np.array_equal(alphas[0], alphas[1])
    assert "eigenvalue" not in undisturbed.arrays(), "there is no derivative in alpha to take"
