"""What a search computes on a GPU, beside the plain formulation in double precision on the processor.

`DEVICE=cpu pytest -m gpu` rehearses these tests where there is no GPU, with steps recorded by the emulated recorder.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from io import BytesIO
from typing import Any, Final

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchharness.models import formulations
from benchharness.models.precision import arithmetic
from benchharness.models.supernet import Supernet
from benchharness.search import diagnostics, selection
from benchharness.search.evaluation import Evaluation
from benchharness.search.loop import Search
from tests.support.emulated import adam_on_the_device
from tests.support.gpu import gpu, recorder
from tests.support.plain import pairs, softplus, twins, weights_of
from tests.support.stepping import plain_in, search_on, stepped

pytestmark = pytest.mark.gpu
NEAR: Final = {torch.float64: 1e-8, torch.float32: 1e-3}
"""By how much results may differ from those of the plain formulation; CUDA sums in an order of its own."""


@pytest.fixture(autouse=True)
def as_on_a_gpu() -> Iterator[None]:
    with adam_on_the_device() if gpu().type == "cpu" else nullcontext():
        yield


@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize("kind", ["softmax", "one zero"])
@pytest.mark.parametrize("partial", [1, 2])
def test_logits_and_gradients_are_those_of_the_plain_formulation(
    dtype: torch.dtype, kind: str, partial: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dtype == torch.float32:
        monkeypatch.setattr(F, "relu", softplus)
    device, (net, reference) = gpu(), twins(partial=partial)
    images = torch.randn(6, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    net.to(device, dtype)
    outputs = []
    for module, module_device, of in ((net, device, dtype), (reference, torch.device("cpu"), torch.float64)):
        weights = weights_of(kind).to(module_device, of).requires_grad_()
        with arithmetic("float32", module_device):
            logits = module(images.to(module_device, of), weights)
            F.cross_entropy(logits, torch.arange(6, device=module_device)).backward()
        assert weights.grad is not None
        stem = module.stem.weight.grad if isinstance(module, Supernet) else module.stem[0].weight.grad
        outputs.append([each.detach().cpu().double() for each in (logits, weights.grad, stem)])
    torch.testing.assert_close(*outputs, rtol=NEAR[dtype], atol=NEAR[dtype])
    for ours, theirs in pairs(net, reference):
        torch.testing.assert_close(ours.detach().cpu().double(), theirs.detach(), rtol=NEAR[dtype], atol=NEAR[dtype])


@pytest.mark.parametrize("graphs", [False, True], ids=["steps", "graphs"])
@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize("formulation", formulations.CHOICES)
def test_ten_steps_are_those_of_the_plain_formulation(
    formulation: str, dtype: torch.dtype, graphs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 without ReLU's kinks, where rounding flips units and grows to a fifth of how far alpha moves."""
    if formulation == "fused" and gpu().type == "cpu":
        pytest.skip("kernels are for CUDA; tests/models/test_fused.py has their interpreter take the steps")
    if dtype == torch.float32:
        monkeypatch.setattr(F, "relu", softplus)
    reference = search_on(torch.device("cpu"), torch.float64)
    search = search_on(gpu(), dtype, recorder=recorder(gpu()) if graphs else None, formulation=formulation)
    reference_search = plain_in(reference)
    first_alpha = search.method.alpha.detach().cpu().double().clone()
    alpha, sums = stepped(search)
    expected, expected_sums = stepped(reference)
    tolerance = max(NEAR[dtype], 1e-6 if graphs else 0.0)  # recorded steps read the learning rate in float32
    loss, correct, count = (sums - expected_sums).abs().unbind(1)
    assert (loss < tolerance * expected_sums[:, 0]).all()
    assert (correct <= (0 if dtype == torch.float64 else 1)).all(), "a logit beside its equal may win"
    assert not count.any()
    assert (alpha - expected).norm() < 50 * tolerance * (expected - first_alpha).norm()
    for ours, theirs in pairs(search.net, reference_search):
        torch.testing.assert_close(ours.detach().cpu().double(), theirs.detach(), rtol=tolerance, atol=tolerance)


def trained_twins(device: torch.device, method: str = "darts", graphs: bool = False) -> tuple[Search, Search]:
    """The same trained search in double precision on `device` and on the processor."""
    on_gpu, on_cpu = (
        search_on(device, torch.float64, method, recorder(device) if graphs else None),
        search_on(torch.device("cpu"), torch.float64, method),
    )
    stepped(on_cpu)
    on_gpu.load(stored_state(on_cpu))
    return on_gpu, on_cpu


def stored_state(search: Search) -> dict[str, Any]:
    """The search's state, out of a file."""
    torch.save(search.state(), file := BytesIO())
    file.seek(0)
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def test_the_eigenvalue_is_that_of_the_processor() -> None:
    on_gpu, on_cpu = trained_twins(gpu())
    values = [diagnostics.largest_eigenvalue(search.method, search.net, search.stream) for search in (on_gpu, on_cpu)]
    assert values[0] == pytest.approx(values[1], rel=1e-8)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("magnitude", {}),
        ("uniform", {}),
        ("strength", {}),
        ("strength", {"tuning": 1}),
        ("strength", {"exact": False, "order": "margin"}),
        ("prune", {}),
        ("best", {"samples": 10}),
    ],
    ids=str,
)
@pytest.mark.parametrize("graphs", [False, True], ids=["steps", "graphs"])
def test_selections_derive_what_they_derive_on_the_processor(name: str, changes: dict[str, Any], graphs: bool) -> None:
    if graphs and "tuning" not in changes:
        pytest.skip("trains nothing, so that there is nothing to record")
    on_gpu, on_cpu = trained_twins(gpu(), "rsps" if name == "best" else "darts", graphs)
    archs = []
    for search in (on_gpu, on_cpu):
        with search._random("selection", name):
            select = selection.make_selection(name, changes)
            archs.append(select(search.method, Evaluation(search.net, search.stream, search._tune)))
    assert archs[0].arch == archs[1].arch
    np.testing.assert_allclose(archs[0].scores, archs[1].scores, rtol=1e-6, atol=1e-8)
    if graphs:
        assert on_gpu.steps is not None
        assert on_gpu.steps.trace_fields()["replayed_steps"] > 0


@pytest.mark.parametrize("graphs", [False, True], ids=["steps", "graphs"])
@pytest.mark.parametrize("method", ["snas", "drnas", "gdas"])
def test_a_search_that_was_ended_goes_on_and_one_seed_gives_one_search(method: str, graphs: bool) -> None:
    undisturbed, repeat, partial, resumed_search = (
        search_on(gpu(), torch.float32, method, recorder(gpu()) if graphs else None) for _ in range(4)
    )
    lines = [[search.run_epoch() for _ in range(2)] for search in (undisturbed, repeat)]
    partial.run_epoch()
    resumed_search.load(stored_state(partial))
    went_on = resumed_search.run_epoch()
    for line in (lines[1][1], went_on):
        assert line["train_loss"] == pytest.approx(lines[0][1]["train_loss"], rel=2e-3)
    for search in (repeat, resumed_search):
        torch.testing.assert_close(search.method.alpha, undisturbed.method.alpha, rtol=1e-2, atol=1e-4)
    if gpu().type == "cpu":
        assert torch.equal(resumed_search.method.alpha, undisturbed.method.alpha)
