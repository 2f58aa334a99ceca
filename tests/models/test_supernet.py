from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from benchharness.models import formulations
from benchharness.models.layers import Norm, pool
from benchharness.models.supernet import MixedCell, Supernet
from benchharness.space import EDGES, from_code
from tests.support.plain import one_hot, pairs, twins, weights_of

CELLS = [7284, 1953 * 5, 15624, 0, 3906, 6111, 12345]


def images(size: int = 8, count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("partial", "count"), [(1, 1_686_106), (2, 476_506), (4, 174_106)], ids=["whole", "k=2", "k=4"]
)
def test_weight_counts_are_the_published_ones(partial: int, count: int) -> None:
    assert sum(parameter.numel() for parameter in Supernet(partial=partial).parameters()) == count


@pytest.mark.parametrize("kind", ["softmax", "unnormalised", "one zero", "one-hot"])
@pytest.mark.parametrize("partial", [1, 2])
def test_agrees_with_the_plain_twin_in_training(kind: str, partial: int) -> None:
    net, plain = twins(partial=partial)
    found = []
    for module in (net, plain):
        weights = weights_of(kind).requires_grad_()
        logits = module(images(), weights)
        F.cross_entropy(logits, torch.arange(6)).backward()
        found.append((logits, weights.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    for ours, theirs in pairs(net, plain):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("partial", [1, 2])
def test_weight_gradients_agree_with_the_plain_twin(partial: int) -> None:
    net, plain = twins(partial=partial)
    for module in (net, plain):
        F.cross_entropy(module(images(), weights_of("softmax")), torch.arange(6)).backward()
    for cell, twin in zip(
        (cell for stage in net.stages for cell in stage), (c for stage in plain.stages for c in stage), strict=True
    ):
        for edge, (_, source) in enumerate(EDGES):
            for op, fans in ((2, cell.conv1), (3, cell.conv3)):
                place = [e for e, pair in enumerate(EDGES) if pair[1] == source].index(edge)
                span = slice(place * cell.mixed, (place + 1) * cell.mixed)
                ours, theirs = fans[source].convolution.weight.grad[span], twin.edges[edge].ops[op][1].weight.grad
                torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(net.stem.weight.grad, plain.stem[0].weight.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("partial", [1, 2])
def test_agrees_with_the_plain_twin_in_evaluation(partial: int) -> None:
    net, plain = twins(partial=partial)
    plain.eval()
    with net.evaluating(), torch.no_grad():
        ours = net(images(), weights_of("softmax"))
    torch.testing.assert_close(ours, plain(images(), weights_of("softmax")), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("partial", [1, 2])
@pytest.mark.parametrize("code", CELLS)
def test_one_cell_equals_one_hot_weights(code: int, partial: int) -> None:
    net, plain = twins(partial=partial)
    with net.evaluating(), torch.no_grad():
        alone, mixed = net.one_hot(images(), from_code(code)), net(images(), one_hot(code))
    torch.testing.assert_close(alone, mixed, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(alone, plain.eval()(images(), one_hot(code)), rtol=1e-10, atol=1e-10)


def test_batch_statistics_at_evaluation_equal_training_and_are_not_recorded() -> None:
    net, _ = twins()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with net.evaluating("batch"), torch.no_grad():
        evaluated = net(images(), weights_of("softmax"))
        cell = net.one_hot(images(), from_code(7284))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    torch.testing.assert_close(evaluated, net(images(), weights_of("softmax")))
    torch.testing.assert_close(cell, net.one_hot(images(), from_code(7284)))


def test_training_one_cell_leaves_other_operations_alone() -> None:
    net, _ = twins(cells=1)
    cell = next(net.mixed_cells())
    used, unused = (
        from_code(7284),
        [(e, op) for e, chosen in enumerate(from_code(7284)) for op in (2, 3) if op != chosen],
    )
    before = {pair: cell.operation(*pair)["mean"].clone() for pair in unused}
    net.one_hot(images(), used)
    assert all(torch.equal(cell.operation(*pair)["mean"], mean) for pair, mean in before.items())


def test_operations_without_weights_hold_none() -> None:
    assert MixedCell(4).operation(0, 1) == {}
    assert Norm(3, affine=False).weight is None


@pytest.mark.parametrize("size", [(8, 8), (5, 7), (2, 1), (1, 1)])
def test_pool_is_average_pooling_without_counting_the_border(size: tuple[int, int]) -> None:
    x = torch.randn(2, 4, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for layout in (x, x.contiguous(memory_format=torch.channels_last).requires_grad_(), x[:, :2]):
        expected = F.avg_pool2d(layout, 3, stride=1, padding=1, count_include_pad=False)
        torch.testing.assert_close(pool(layout), expected)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradcheck(pool, x)
    assert torch.autograd.gradgradcheck(pool, x)


@pytest.mark.parametrize("options", [{}, {"partial": 2}, {"partial": 2, "weighs_bypass": True}], ids=str)
def test_second_derivatives_agree_with_the_plain_twin(options: dict[str, Any]) -> None:
    net, plain = twins(**options)
    derivatives = []
    for module, stem in ((net, net.stem), (plain, plain.stem[0])):
        weights = weights_of("unnormalised").requires_grad_()
        loss = F.cross_entropy(module(images(), weights), torch.arange(6))
        (slopes,) = torch.autograd.grad(loss, weights, create_graph=True)
        inputs = [weights, stem.weight, module.classifier.weight]
        derivatives.append([loss, slopes, *torch.autograd.grad(slopes[2].sum(), inputs)])
    torch.testing.assert_close(*derivatives, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("partial", [1, 2])
def test_features_and_gradients_keep_channels_last_through_a_training_step(partial: int) -> None:
    net = Supernet(10, 4, 2, partial)
    layouts: list[bool] = []

    def note(x: torch.Tensor) -> None:
        layouts.append(x.is_contiguous(memory_format=torch.channels_last))

    def hook(_module: object, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        note(inputs[0] if partial == 1 else output)
        note(output)
        output.register_hook(note)

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(hook)
    F.cross_entropy(net(images().float(), weights_of("softmax").float()), torch.arange(6)).backward()
    net.one_hot(images().float(), from_code(7284)).sum().backward()
    assert len(layouts) > 140
    assert all(layouts)


class Scaled(TorchDispatchMode):
    """Notes the types of what takes part in every `addcmul`."""

    def __init__(self) -> None:
        super().__init__()
        self.types: list[set[torch.dtype]] = []

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.addcmul.default:
            self.types.append({tensor.dtype for tensor in args})
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("formulation", ["shared", "padded"])
def test_in_bf16_nothing_widens_the_features(formulation: str) -> None:
    """CUDA's autocast takes `addcmul` in the widest type of what takes part, even of one number."""
    net, alpha = Supernet(10, 4, 1), weights_of("softmax").float().requires_grad_()
    formulations.attach(net, formulation)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False), Scaled() as scaled:
        F.cross_entropy(net(images().float(), alpha), torch.arange(6)).backward()
    assert scaled.types == [{torch.bfloat16}] * 2 * len(EDGES) * 3
    assert alpha.grad is not None
    assert alpha.grad.dtype == torch.float32
