import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchharness.methods._updates import with_decided
from benchharness.search import diagnostics
from benchharness.search.evaluation import Evaluation
from benchharness.search.loop import Diverged, Search
from benchharness.space import from_string
from tests.support.searches import CPU, equal, reload, run_to_end, search_of
from tests.support.sets import as_doubles, small_images


@pytest.mark.parametrize("method", ["darts", "snas", "drnas"])
@pytest.mark.parametrize("preset", ["drnas", "nb201"])
def test_a_resumed_search_equals_an_uninterrupted_one_bit_for_bit(method: str, preset: str) -> None:
    undisturbed = run_to_end(search_of(method, preset=preset))
    partial = search_of(method, preset=preset)
    partial.run_epoch()
    torch.manual_seed(123)
    resumed_search = run_to_end(reload(partial))
    assert equal(undisturbed.net.state_dict(), resumed_search.net.state_dict())
    assert equal(undisturbed.method.state_dict(), resumed_search.method.state_dict())
    assert np.array_equal(undisturbed.arrays()["alphas"], resumed_search.arrays()["alphas"])
    assert undisturbed.read_out(undisturbed.spec)[0] == resumed_search.read_out(resumed_search.spec)[0]


def change_part(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state | {key: value}


def of_other_weights(state: dict[str, Any]) -> dict[str, Any]:
    optimizer = state["weight_optimizer"]
    buffers = {key: {"momentum_buffer": torch.zeros(7)} for key in optimizer["state"]}
    return state | {"weight_optimizer": optimizer | {"state": buffers}}


UNSOUND: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a list": lambda state: [state],
    "None": lambda state: None,
    "a tensor": lambda state: torch.zeros(3),
    "nothing": lambda state: {},
    **{f"epoch {value!r}": change_part("epoch", value) for value in ("x", 1.5, -1, True, None, 2, 99, 2**70)},
    **{f"stopped {value!r}": change_part("stopped", value) for value in (-1, 2, "1")},
    **{f"partial {value!r}": change_part("partial", value) for value in (0, -2, 3, 64, "1", 1.0)},
    **{f"history {value!r}": change_part("history", value) for value in ([], {}, {"alphas": 3}, None)},
    "a history of other shapes": lambda state: (
        state | {"history": state["history"] | {"alphas": [torch.zeros(3)], "expected": [torch.zeros(3)]}}
    ),
    "a history of numbers": lambda state: state | {"history": state["history"] | {"alphas": [1.0]}},
    "other weights": lambda state: state | {"net": dict(list(state["net"].items())[:-1])},
    "weights that are no tensors": lambda state: state | {"net": dict.fromkeys(state["net"], 1)},
    "weights of other shapes": lambda state: state | {"net": {key: torch.zeros(1, 2, 3) for key in state["net"]}},
    "another method's alphas": lambda state: state | {"method": {"beta": torch.zeros(6, 5)}},
    "momentum of other shapes": of_other_weights,
    "an optimiser of no groups": change_part("alpha_optimizer", {"state": {}, "param_groups": []}),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_no_state_of_this_search_is_refused_before_anything_is_trained(name: str) -> None:
    partial = search_of()
    partial.run_epoch()
    with pytest.raises(Exception):  # noqa: B017  of which kind is of no interest: the worker begins anew
        search_of().load(UNSOUND[name](partial.state()))


def test_the_same_seed_gives_the_same_alphas_and_another_seed_others() -> None:
    first, repeat, other = (run_to_end(search_of(seed=seed)).arrays()["alphas"] for seed in (1, 1, 2))
    assert np.array_equal(first, repeat)
    assert not np.array_equal(first, other)


def test_a_search_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(()), np.random.random()
    torch.manual_seed(5)
    np.random.seed(5)
    search_of(epochs=1).run_epoch()
    assert (torch.rand(()), np.random.random()) == expected


def test_methods_of_one_seed_start_from_the_same_supernet_and_see_the_same_images() -> None:
    darts, snas = search_of("darts"), search_of("snas")
    assert equal(darts.net.state_dict(), snas.net.state_dict())
    assert torch.equal(darts.method.alpha, snas.method.alpha)
    for batches, other_batches in zip(darts.stream.epoch(0), snas.stream.epoch(0), strict=True):
        assert torch.equal(batches[0].images, other_batches[0].images)


@pytest.mark.parametrize("preset", ["drnas", "nb201"])
def test_an_epoch_is_the_plain_alternation_of_both_optimisers(preset: str) -> None:
    """The first epoch again, written out step by step with torch's own optimisers."""
    search, twin = search_of(preset=preset), search_of(preset=preset)
    settings, net, alpha = twin.settings, twin.net, twin.method.alpha
    weight_optimizer = torch.optim.SGD(
        net.parameters(), 0.025, 0.9, weight_decay=settings.weight_decay, nesterov=settings.nesterov
    )
    alpha_optimizer = torch.optim.Adam([alpha], 3e-4, (0.5, 0.999), weight_decay=1e-3)
    net.train()
    for train, valid in twin.stream.epoch(0):
        for turn in ("alpha", "weights") if preset == "drnas" else ("weights", "alpha"):
            batch = valid if turn == "alpha" else train
            weight_optimizer.zero_grad()
            alpha_optimizer.zero_grad()
            F.cross_entropy(net(batch.images, alpha.softmax(-1)), batch.labels).backward()
            if turn == "weights":
                torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            (alpha_optimizer if turn == "alpha" else weight_optimizer).step()
    search.run_epoch()
    torch.testing.assert_close(search.method.alpha, alpha)
    torch.testing.assert_close(search.net.stem.weight, net.stem.weight)


def test_the_learning_rate_falls_on_a_cosine_per_epoch() -> None:
    rates = [finished_line["learning_rate"] for finished_line in _lines(search_of(epochs=4, images=100))]
    expected = [0.001 + 0.012 * (1 + np.cos(np.pi * epoch / 4)) for epoch in range(4)]
    np.testing.assert_allclose(rates, expected)


def _lines(search: Search) -> list[dict[str, float]]:
    lines = []
    while not search.finished:
        lines.append(search.run_epoch())
    return lines


def test_a_line_of_the_trace_says_what_happened() -> None:
    (line,) = _lines(search_of(epochs=1))
    assert line["epoch"] == 1
    assert 0 <= line["valid_accuracy_pct"] <= 100
    assert line["train_loss"] > 0
    assert abs(line["entropy"] - np.log(5)) < 1e-3
    assert line["seconds"] > 0
    assert line["processor_seconds"] > 0
    assert line["peak_memory_bytes"] > 1e6
    from_string(str(line["arch"]))


def test_searching_learns() -> None:
    lines = _lines(search_of(epochs=5, channels=4, batch=20))
    assert lines[-1]["train_loss"] < lines[0]["train_loss"] - 0.2
    assert lines[-1]["valid_accuracy_pct"] > 2 * 10


def test_divergence_fails_with_its_reason() -> None:
    search = search_of(learning_rate=1e30, clip=0.0)
    with pytest.raises(Diverged, match="not finite in epoch"):
        run_to_end(search)


def test_reading_out_twice_trains_nothing_and_finds_the_same() -> None:
    search = run_to_end(search_of())
    before = {name: value.clone() for name, value in search.net.state_dict().items()}
    spec = search.spec.read_out_as("ostr", "strength", {})
    first, second = search.read_out(spec), search.read_out(spec)
    assert first[0] == second[0]
    assert first[0].supernet == search.spec.run_id != first[0].run_id
    assert equal(before, search.net.state_dict())


def test_strength_on_a_real_supernet_is_the_change_of_its_loss() -> None:
    search = run_to_end(search_of())
    _, arrays = search.read_out(search.spec.read_out_as("ostr", "strength", {"none": False}))
    evaluation = Evaluation(search.net, search.stream)
    weights = search.method.expected().detach()
    mixed = evaluation.mixed(weights, bn="batch").loss
    loss_alone = evaluation.mixed(with_decided(weights, {0: 3}), bn="batch").loss
    assert arrays["scores"][0, 3] == pytest.approx(mixed - loss_alone)


def test_tuning_between_decisions_trains_and_is_repeatable() -> None:
    search = run_to_end(search_of(images=100))
    state = reload(search)
    spec = search.spec.read_out_as("ostr", "strength", {"tuning": 1, "none": False})
    before = search.net.stem.weight.clone()
    first = search.read_out(spec)
    assert not torch.equal(before, search.net.stem.weight)
    assert first[0] == state.read_out(spec)[0]


def test_the_gradient_in_the_edge_weights_is_the_derivative_of_the_loss() -> None:
    search = run_to_end(search_of(epochs=1))
    evaluation = Evaluation(search.net.double(), search.stream)
    as_doubles(search.stream)
    weights = search.method.expected().detach().double()
    slope = evaluation.gradient(weights, bn="batch")
    for edge, op in ((0, 1), (3, 3), (5, 4)):
        step = torch.zeros_like(weights)
        step[edge, op] = 1e-7
        ahead, behind = (evaluation.mixed(weights + sign * step, bn="batch").loss for sign in (1, -1))
        assert float(slope[edge, op]) == pytest.approx((ahead - behind) / 2e-7, abs=1e-6)
    assert bool((slope[:, 0] == 0).all()), "`none` adds nothing, so the loss does not depend on its weight"


def test_the_eigenvalue_is_that_of_the_hessian_by_finite_differences() -> None:
    search = search_of(epochs=1)
    search.net.double()
    search.method.double()
    as_doubles(search.stream)
    eigenvalue = diagnostics.largest_eigenvalue(search.method, search.net, search.stream)
    batch = next(search.stream.fixed("valid", 1, 50))

    def slope(alpha: torch.Tensor) -> torch.Tensor:
        at = alpha.clone().requires_grad_()
        with search.net.evaluating():
            loss = F.cross_entropy(search.net(batch.images, at.softmax(-1)), batch.labels)
        return torch.autograd.grad(loss, at)[0].flatten()

    alpha = search.method.alpha.detach()
    steps = 1e-5 * torch.eye(30, dtype=torch.float64).view(30, 6, 5)
    hessian = torch.stack([(slope(alpha + step) - slope(alpha - step)) / 2e-5 for step in steps])
    assert eigenvalue == pytest.approx(float(torch.linalg.eigvalsh((hessian + hessian.T) / 2)[-1]), rel=1e-4)


def test_probes_that_are_asked_for_are_recorded() -> None:
    search = run_to_end(search_of(eigenvalue_every=2, ranking=4))
    eigenvalue = search.arrays()["eigenvalue"]
    assert np.isfinite(eigenvalue).tolist() == [False, True, True]
    _, arrays = search.read_out(search.spec)
    assert arrays["ranking_codes"].shape == arrays["ranking_accuracy_pct"].shape == (4,)


def test_a_method_without_training_is_finished_at_once() -> None:
    search = search_of("random", seed=3)
    assert search.finished
    record, arrays = search.read_out(search.spec)
    assert record.measures == {}
    assert arrays["scores"].shape == (6, 5)
    assert record.arch == search_of("random", seed=3).read_out(search.spec)[0].arch
    others = {search_of("random", seed=seed).read_out(replace(search.spec, seed=seed))[0].arch for seed in range(5)}
    assert len(others) > 3


def test_a_users_file_is_searched_with(tmp_path: Path) -> None:
    file = tmp_path / "sharp.py"
    file.write_text(
        "from benchharness import Method\nclass Sharp(Method):\n    '''Sharper.'''\n    by = 2.0\n"
        "    def expected(self):\n        return (self.by * self.alpha).softmax(-1)\n"
    )
    spec = replace(search_of(epochs=1).spec, method="sharp", trains="sharp", train_options={"by": 5.0})
    search = Search(spec, small_images(), CPU, file)
    torch.testing.assert_close(search.method.expected(), (5 * search.method.alpha).softmax(-1))
    search.run_epoch()


def test_the_searching_side_cannot_reach_the_table() -> None:
    """In a fresh process, importing the search loads neither the table nor the store."""
    code = (
        "import sys, benchharness.search.loop;"
        "print(sorted(m for m in sys.modules if m.startswith(('benchharness.table', 'benchharness.store'))))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize("preset", ["drnas", "nats"])
def test_the_gap_is_measured_by_batch_statistics_under_every_protocol(preset: str) -> None:
    search = run_to_end(search_of(preset=preset))
    record, _ = search.read_out(search.spec)
    evaluation = Evaluation(search.net, search.stream)
    mixed = evaluation.mixed(search.method.expected().detach(), bn="batch")
    derived_score = evaluation.one_hot(from_string(record.arch), bn="batch")
    assert record.measures == {
        "mixed_batch_loss": mixed.loss,
        "mixed_batch_accuracy_pct": mixed.accuracy_pct,
        "derived_batch_loss": derived_score.loss,
        "derived_batch_accuracy_pct": derived_score.accuracy_pct,
    }
    assert derived_score != evaluation.one_hot(from_string(record.arch), bn="running"), "they do differ"
