"""One architecture's network: the benchmark's parameter counts, and the same function as a plain formulation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness import space
from benchharness.models.standalone import Bundle, Cell, Network
from benchharness.space import CONV1, CONV3, EDGES, NONE, POOL, SKIP, Arch

ARCHS = st.tuples(*[st.integers(0, 4)] * 6)
DEAD_INPUT = (NONE, NONE, CONV3, NONE, CONV1, CONV3)
"""Every node reads zeros, but convolutions of zeros still add the bias of their normalisation."""


class PlainConv(nn.Module):
    """ReLU, convolution, normalisation as released: one module an edge."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.relu(x)))


class PlainCell(nn.Module):
    """Node by node, edge by edge, zeros as zeros."""

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        self.arch = cell.arch
        self.convs = nn.ModuleDict()
        for bundle in cell.bundles:
            assert isinstance(bundle, Bundle)
            kernel = bundle.convolution.kernel_size[0]
            for index, edge in enumerate(bundle.edges):
                own_channels, plain_conv = slice(index * channels, (index + 1) * channels), PlainConv(channels, kernel)
                plain_conv.conv.weight = nn.Parameter(bundle.convolution.weight[own_channels].detach().clone())
                assert bundle.norm.weight is not None
                assert bundle.norm.bias is not None
                plain_conv.norm.weight = nn.Parameter(bundle.norm.weight[own_channels].detach().clone())
                plain_conv.norm.bias = nn.Parameter(bundle.norm.bias[own_channels].detach().clone())
                self.convs[str(edge)] = plain_conv

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            total = torch.zeros_like(x)
            for edge, (node, source) in enumerate(EDGES):
                if node == target:
                    total = total + self._edge(edge, nodes[source])
            nodes.append(total)
        return nodes[3]

    def _edge(self, edge: int, x: Tensor) -> Tensor:
        op = self.arch[edge]
        if op == NONE:
            return x * 0
        if op == SKIP:
            return x
        if op == POOL:
            return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return self.convs[str(edge)](x)  # type: ignore[no-any-return]


def cell_of(arch: Arch, channels: int = 3) -> Cell:
    """A cell with random affine weights, in double precision."""
    torch.manual_seed(0)
    cell = Cell(channels, arch).double()
    for name, weight in cell.named_parameters():
        if "norm" in name:
            nn.init.normal_(weight)
    return cell


@settings(max_examples=60, deadline=None)
@given(ARCHS)
def test_the_same_function_as_the_plain_formulation(arch: Arch) -> None:
    cell = cell_of(arch)
    reference = PlainCell(cell, 3).double()
    x = torch.randn(4, 3, 6, 6, dtype=torch.float64)
    for _ in range(2):  # the second time with statistics that have moved
        assert torch.allclose(cell(x), reference(x), atol=1e-10)
    cell.eval(), reference.eval()
    for bundle in cell.bundles:
        bundle.norm.batch_statistics = False  # type: ignore[union-attr]
    assert torch.allclose(cell(x), reference(x), atol=1e-10)


def test_convolutions_of_zeros_add_their_bias() -> None:
    cell = cell_of(DEAD_INPUT)
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    assert torch.allclose(cell(x), PlainCell(cell, 3).double()(x), atol=1e-10)
    assert cell(x).abs().sum() > 0


@settings(max_examples=20, deadline=None)
@given(ARCHS)
def test_the_same_gradients_as_the_plain_formulation(arch: Arch) -> None:
    cell = cell_of(arch)
    reference = PlainCell(cell, 3).double()
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    images, same_images = x.clone().requires_grad_(), x.clone().requires_grad_()
    (cell(images) * x).sum().backward() if cell(images).requires_grad else None
    (reference(same_images) * x).sum().backward()
    assert same_images.grad is not None
    mine = torch.zeros_like(x) if images.grad is None else images.grad
    assert torch.allclose(mine, same_images.grad, atol=1e-9)


@pytest.mark.parametrize("arch", [(CONV3,) * 6, (SKIP,) * 6, (3, 3, 3, 1, 3, 2), (0, 2, 3, 4, 1, 2), DEAD_INPUT])
def test_the_benchmarks_parameter_counts(arch: Arch) -> None:
    expected = 73_306 + 28_000 * arch.count(CONV1) + 243_040 * arch.count(CONV3)
    assert Network(arch).parameter_count == expected
    assert Network(arch, classes=100).parameter_count == expected + 5_850
    assert Network(arch, classes=120).parameter_count == expected + 7_150
    assert Network(arch).parameter_count == round(1e6 * float(space.params_m(np.array(arch))))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_cell_that_nothing_passes_through_still_gives_logits(layout: torch.memory_format) -> None:
    net = Network((NONE,) * 6, channels=4, cells=1).to(memory_format=layout)  # type: ignore[call-overload]
    logits = net(torch.randn(3, 3, 8, 8))
    logits.sum().backward()
    assert logits.shape == (3, 10)
    assert torch.isfinite(logits).all()
