"""Mixes a cell's operations with four Triton kernels instead of about twenty kernels of torch.

Not measured on any device yet. `MixedCell.forward` is the reference, which the kernels equal to 1e-10 in float64 under
Triton's interpreter (TRITON_INTERPRET=1, on a CPU), and the fallback of a search where a kernel fails.

The forward pass takes the outputs of both convolutions on a node's edges, computes their batch statistics, and then the
features that the node sends along each edge. The backward pass first sums what the normalisations and the edge weights
need, and then computes the gradients. Features are channels-last and treated as matrices: a row is one position of one
image, a column is one channel of one edge.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, attr-defined"
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from benchharness.compute.memory import ran_out
from benchharness.models.formulations import NotFused
from benchharness.models.layers import EPS, MOMENTUM, Fan, Norm, pool
from benchharness.models.supernet import MixedCell, NodeWeights

ROWS, COLUMNS, LONG = 64, 32, 1024
"""Rows and columns that one Triton program reads at a time, and rows that one program of a reduction sums."""


@triton.jit
def _tile(at, row, column, rows, columns, width, kind: tl.constexpr):
    """A block of rows and columns of a matrix that is `width` wide; zeros outside the matrix."""
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    return tl.load(at + row[:, None] * width + column[None, :], mask=inside, other=0.0).to(kind)


@triton.jit
def _moments(narrow, wide, means, squares, rows, columns, long: tl.constexpr, tall: tl.constexpr, broad: tl.constexpr):
    """For both convolutions' outputs: each column's mean over a chunk of rows, and its summed squared deviations."""
    chunk, second = tl.program_id(0), tl.program_id(2)
    kind: tl.constexpr = means.dtype.element_ty
    column = tl.program_id(1) * broad + tl.arange(0, broad)
    count = tl.minimum(rows - chunk * long, long)
    total, around = tl.zeros((broad,), kind), tl.zeros((broad,), kind)
    for start in range(0, long, tall):
        row = chunk * long + start + tl.arange(0, tall)
        if second:
            total += tl.sum(_tile(wide, row, column, rows, columns, columns, kind), 0)
        else:
            total += tl.sum(_tile(narrow, row, column, rows, columns, columns, kind), 0)
    mean = total / count
    for start in range(0, long, tall):
        row = chunk * long + start + tl.arange(0, tall)
        if second:
            away = _tile(wide, row, column, rows, columns, columns, kind) - mean[None, :]
        else:
            away = _tile(narrow, row, column, rows, columns, columns, kind) - mean[None, :]
        around += tl.sum(tl.where((row < rows)[:, None], away * away, 0.0), 0)
    place = (second * tl.num_programs(0) + chunk) * columns + column
    tl.store(means + place, mean, mask=column < columns)
    tl.store(squares + place, around, mask=column < columns)


@triton.jit
def _mix(
    narrow,
    wide,
    node,
    pooled,
    of_column,
    of_edge,
    sent,
    rows,
    columns,
    channels,
    tall: tl.constexpr,
    broad: tl.constexpr,
):
    """The features sent along each edge: the weighted sum of both normalised convolutions, the node and its pooling."""
    row = tl.program_id(0) * tall + tl.arange(0, tall)
    kind: tl.constexpr = of_column.dtype.element_ty
    column = tl.program_id(1) * broad + tl.arange(0, broad)
    within, edge, own = column < columns, column // channels, column % channels
    total = tl.zeros((tall, broad), kind)
    for second in tl.static_range(2):
        mean = tl.load(of_column + 2 * second * columns + column, mask=within, other=0.0)
        scale = tl.load(of_column + (2 * second + 1) * columns + column, mask=within, other=0.0)
        gain = tl.load(of_edge + edge * 4 + second, mask=within, other=0.0)
        if second:
            x = _tile(wide, row, column, rows, columns, columns, kind)
        else:
            x = _tile(narrow, row, column, rows, columns, columns, kind)
        total += (x - mean[None, :]) * (scale * gain)[None, :]
    inside = (row < rows)[:, None] & within[None, :]
    at = row[:, None] * channels + own[None, :]
    for other in tl.static_range(2):
        weight = tl.load(of_edge + edge * 4 + 2 + other, mask=within, other=0.0)
        if other:
            x = tl.load(pooled + at, mask=inside, other=0.0).to(kind)
        else:
            x = tl.load(node + at, mask=inside, other=0.0).to(kind)
        total += x * weight[None, :]
    tl.store(sent + row[:, None] * columns + column[None, :], total.to(sent.dtype.element_ty), mask=inside)


@triton.jit
def _sums(
    slope,
    narrow,
    wide,
    node,
    pooled,
    of_column,
    sums,
    rows,
    columns,
    channels,
    long: tl.constexpr,
    tall: tl.constexpr,
    broad: tl.constexpr,
):
    """Per column and chunk of rows: the sum of the gradient, and of its products with the four mixed inputs."""
    chunk = tl.program_id(0)
    kind: tl.constexpr = of_column.dtype.element_ty
    column = tl.program_id(1) * broad + tl.arange(0, broad)
    within, own = column < columns, column % channels
    mean1 = tl.load(of_column + column, mask=within, other=0.0)[None, :]
    scale1 = tl.load(of_column + columns + column, mask=within, other=0.0)[None, :]
    mean3 = tl.load(of_column + 2 * columns + column, mask=within, other=0.0)[None, :]
    scale3 = tl.load(of_column + 3 * columns + column, mask=within, other=0.0)[None, :]
    alone, by1, by3 = tl.zeros((broad,), kind), tl.zeros((broad,), kind), tl.zeros((broad,), kind)
    by_node, by_pooled = tl.zeros((broad,), kind), tl.zeros((broad,), kind)
    for start in range(0, long, tall):
        row = chunk * long + start + tl.arange(0, tall)
        inside, at = (row < rows)[:, None] & within[None, :], row[:, None] * channels + own[None, :]
        by = _tile(slope, row, column, rows, columns, columns, kind)
        alone += tl.sum(by, 0)
        by1 += tl.sum(by * (_tile(narrow, row, column, rows, columns, columns, kind) - mean1) * scale1, 0)
        by3 += tl.sum(by * (_tile(wide, row, column, rows, columns, columns, kind) - mean3) * scale3, 0)
        by_node += tl.sum(by * tl.load(node + at, mask=inside, other=0.0).to(kind), 0)
        by_pooled += tl.sum(by * tl.load(pooled + at, mask=inside, other=0.0).to(kind), 0)
    place = sums + chunk * 5 * columns + column
    tl.store(place, alone, mask=within)
    tl.store(place + columns, by1, mask=within)
    tl.store(place + 2 * columns, by3, mask=within)
    tl.store(place + 3 * columns, by_node, mask=within)
    tl.store(place + 4 * columns, by_pooled, mask=within)


@triton.jit
def _slopes(
    slope,
    narrow,
    wide,
    of_column,
    of_edge,
    sums,
    to_narrow,
    to_wide,
    to_node,
    to_pooled,
    rows,
    columns,
    channels,
    edges: tl.constexpr,
    tall: tl.constexpr,
    broad: tl.constexpr,
):
    """The gradients of the four mixed inputs; those of the node and of its pooling are summed over edges."""
    row = tl.program_id(0) * tall + tl.arange(0, tall)
    kind: tl.constexpr = of_column.dtype.element_ty
    own = tl.program_id(1) * broad + tl.arange(0, broad)
    within = own < channels
    inside = (row < rows)[:, None] & within[None, :]
    node, pooled = tl.zeros((tall, broad), kind), tl.zeros((tall, broad), kind)
    for edge in tl.static_range(edges):
        column = edge * channels + own
        at = row[:, None] * columns + column[None, :]
        by = tl.load(slope + at, mask=inside, other=0.0).to(kind)
        node += by * tl.load(of_edge + edge * 4 + 2)
        pooled += by * tl.load(of_edge + edge * 4 + 3)
        away = by - (tl.load(sums + column, mask=within, other=0.0) / rows)[None, :]
        for second in tl.static_range(2):
            mean = tl.load(of_column + 2 * second * columns + column, mask=within, other=0.0)[None, :]
            scale = tl.load(of_column + (2 * second + 1) * columns + column, mask=within, other=0.0)[None, :]
            along = (tl.load(sums + (1 + second) * columns + column, mask=within, other=0.0) / rows)[None, :]
            gain = tl.load(of_edge + edge * 4 + second)
            if second:
                x = tl.load(wide + at, mask=inside, other=0.0).to(kind)
                result = (away - (x - mean) * scale * along) * scale * gain
                tl.store(to_wide + at, result.to(to_wide.dtype.element_ty), mask=inside)
            else:
                x = tl.load(narrow + at, mask=inside, other=0.0).to(kind)
                result = (away - (x - mean) * scale * along) * scale * gain
                tl.store(to_narrow + at, result.to(to_narrow.dtype.element_ty), mask=inside)
    at = row[:, None] * channels + own[None, :]
    tl.store(to_node + at, node.to(to_node.dtype.element_ty), mask=inside)
    tl.store(to_pooled + at, pooled.to(to_pooled.dtype.element_ty), mask=inside)


class Size(NamedTuple):
    """Sizes of the matrices: rows, columns, and channels per edge."""

    rows: int
    columns: int
    channels: int

    def chunks(self) -> tuple[int, int]:
        """Number of Triton programs of a reduction, along rows and along columns."""
        return triton.cdiv(self.rows, LONG), triton.cdiv(self.columns, COLUMNS)


def _start(kernel: Any, programs: tuple[int, ...], *arguments: Any, **sizes: int) -> None:
    """Run a kernel; raises `NotFused` where Triton cannot compile or start it."""
    try:
        kernel[programs](*arguments, **sizes)
    except Exception as error:  # of Triton, a C compiler, ptxas or CUDA's driver
        if ran_out(error):
            raise
        message = (str(error).strip() or type(error).__name__).splitlines()[-1][:200]
        raise NotFused(f"the kernel {kernel.fn.__name__.strip('_')} cannot run ({message})") from error


class Mix(torch.autograd.Function):
    """The features that a node sends along its edges, and the batch statistics of both convolutions."""

    @staticmethod
    def forward(
        ctx: Any,
        narrow: Float[Tensor, "batch wide height width"],
        wide: Float[Tensor, "batch wide height width"],
        node: Float[Tensor, "batch channels height width"],
        pooled: Float[Tensor, "batch channels height width"],
        of_edge: Float[Tensor, "edges 4"],
    ) -> tuple[Tensor, Tensor]:
        """The features (batch, edges x channels, height, width), and means and variances (2, 2, edges x channels).

        `of_edge` holds each edge's weights of the 1x1 convolution, the 3x3 convolution, skip and pooling. Variances are
        biased (divided by n).
        """
        size = Size(narrow.numel() // narrow.shape[1], narrow.shape[1], node.shape[1])
        narrow, wide, node, pooled = (_last(tensor) for tensor in (narrow, wide, node, pooled))
        of_edge = of_edge.to(torch.promote_types(narrow.dtype, torch.float32)).contiguous()
        statistics = _statistics(narrow, wide, size, of_edge.dtype)
        of_column = torch.stack([statistics[:, 0], (statistics[:, 1] + EPS).rsqrt()], 1).contiguous()
        sent = torch.empty_like(narrow)
        blocks = triton.cdiv(size.rows, ROWS), triton.cdiv(size.columns, COLUMNS)
        mixed = narrow, wide, node, pooled
        _start(_mix, blocks, *mixed, of_column, of_edge, sent, *size, tall=ROWS, broad=COLUMNS)
        ctx.save_for_backward(narrow, wide, node, pooled, of_column, of_edge)
        ctx.size = size
        ctx.mark_non_differentiable(statistics)
        return sent, statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor, ...]:
        """The gradients of the mixed inputs and of the edge weights."""
        narrow, wide, node, pooled, of_column, of_edge = ctx.saved_tensors
        size, slope = ctx.size, _last(slope)
        parts = of_column.new_empty(size.chunks()[0], 5, size.columns)
        tensors = slope, narrow, wide
        sizes = {"tall": ROWS, "broad": COLUMNS}
        _start(_sums, size.chunks(), *tensors, node, pooled, of_column, parts, *size, long=LONG, **sizes)
        sums = parts.sum(0)
        slopes_of_inputs = [torch.empty_like(tensor) for tensor in (narrow, wide, node, pooled)]
        blocks = triton.cdiv(size.rows, ROWS), triton.cdiv(size.channels, COLUMNS)
        _start(
            _slopes, blocks, *tensors, of_column, of_edge, sums, *slopes_of_inputs, *size, edges=len(of_edge), **sizes
        )
        return *slopes_of_inputs, sums[1:].unflatten(1, (len(of_edge), -1)).sum(2).T


def _last(features: Tensor) -> Tensor:
    return features.contiguous(memory_format=torch.channels_last)


def _statistics(narrow: Tensor, wide: Tensor, size: Size, dtype: torch.dtype) -> Float[Tensor, "2 2 columns"]:
    """Mean and biased variance of each column of both outputs, combined over chunks as in Chan et al. (1979)."""
    chunks, blocks = size.chunks()
    means, squares = (torch.empty(2, chunks, size.columns, dtype=dtype, device=narrow.device) for _ in range(2))
    sizes = {"long": LONG, "tall": ROWS, "broad": COLUMNS}
    _start(_moments, (chunks, blocks, 2), narrow, wide, means, squares, size.rows, size.columns, **sizes)
    counts = torch.full((chunks, 1), LONG, dtype=dtype, device=narrow.device)
    counts[-1].fill_(size.rows - (chunks - 1) * LONG)
    mean = (means * counts).sum(1) / size.rows
    around = squares.sum(1) + ((means - mean.unsqueeze(1)) ** 2 * counts).sum(1)
    return torch.stack([mean, around / size.rows], 1)


def forward(cell: MixedCell, x: Tensor, weights: Sequence[NodeWeights]) -> Tensor:
    """The result of `MixedCell.forward`, up to rounding, for channels-last features `x`; raises `NotFused`."""
    return cell(x, weights, _sent)


def _sent(cell: MixedCell, source: int, node: Tensor, own: NodeWeights) -> Iterable[Tensor]:
    active, fans = F.relu(node), [cast(Fan, kind[source]) for kind in (cell.conv1, cell.conv3)]
    outputs = [fan.convolution(active) for fan in fans]
    of_edge = torch.stack([own.conv1, own.conv3, torch.stack(own.skip), torch.stack(own.pool)], 1)
    sent, statistics = Mix.apply(*outputs, node, pool(node), of_edge)
    for fan, (mean, var) in zip(fans, statistics, strict=True):
        _record(fan.norm, mean, var, sent.numel() // sent.shape[1])
    return sent.split(cell.mixed, 1)


def _record(norm: Norm, mean: Tensor, var: Tensor, count: int) -> None:
    """Move the running statistics towards those of a batch, as `F.batch_norm` does."""
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), MOMENTUM)
    norm.running_var.lerp_((var * (count / (count - 1))).to(norm.running_var.dtype), MOMENTUM)
