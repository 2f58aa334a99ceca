"""Mixed cells in training with one 3x3 convolution and one batch normalisation per source node.

The 1x1 kernels of a node's edges are padded with zeros into 3x3 ones and stand beside them: half as many kernels for a
GPU to start, and almost twice as many multiplications. Weights, statistics and their names in checkpoints stay
those of `MixedCell`, and so do evaluations.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from benchharness.models.layers import EPS, MOMENTUM, Fan
from benchharness.models.supernet import MixedCell, NodeWeights


def forward(cell: MixedCell, x: Tensor, weights: Sequence[NodeWeights]) -> Tensor:
    """What `MixedCell.forward` gives, up to rounding."""
    return cell(x, weights, _sent)


def _sent(cell: MixedCell, source: int, node: Tensor, own: NodeWeights) -> Iterable[Tensor]:
    return cell.sent(source, node, own, _convolved)


def _convolved(cell: MixedCell, source: int, active: Tensor, own: NodeWeights) -> Tensor:
    """Both convolutions on the edges that leave node `source` as one: first all 1x1 ones, then all 3x3 ones."""
    fans = [cast(Fan, kind[source]) for kind in (cell.conv1, cell.conv3)]
    narrow, wide = (fan.convolution.weight for fan in fans)
    features = F.conv2d(active, torch.cat([F.pad(narrow, (1, 1, 1, 1)), wide]), padding=1)
    gains = torch.cat([own.conv1, own.conv3]).repeat_interleave(cell.mixed)
    statistics = [*(fan.norm.running_mean for fan in fans), *(fan.norm.running_var for fan in fans)]
    joined = torch.cat(statistics)
    mean, var = joined.chunk(2)
    whole = F.batch_norm(features, mean, var, gains, None, True, MOMENTUM, EPS)
    torch._foreach_copy_(statistics, joined.chunk(4))  # four small copies in one kernel
    first, second = whole.chunk(2, 1)
    return first + second
