"""Diagnostics at the end of every epoch: entropy, argmax cell, peak memory, largest eigenvalue."""

import resource
import sys
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from benchharness.data.loader import Stream
from benchharness.methods import Method
from benchharness.models.supernet import Supernet
from benchharness.space import Arch, to_string


def entropy(weights: Float[Tensor, "edges ops"]) -> float:
    """Entropy of the mean edge weights in nats, averaged over edges: ln 5 if uniform, 0 if one-hot."""
    return float(torch.special.entr(weights.double()).sum(-1).mean())


def argmax_arch(weights: Float[Tensor, "edges ops"]) -> Arch:
    """The architecture with the largest mean edge weight on every edge."""
    return tuple(weights.argmax(-1).tolist())


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory so far in bytes: allocated on a GPU, or resident in this process on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit


def forget_peak(device: torch.device) -> None:
    """Reset a GPU's peak memory, so that a run does not report the peak of an earlier run in the same process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def state_of(method: Method) -> dict[str, Any]:
    """Entropy and argmax cell of a method, as fields of one line of the trace."""
    weights = method.probabilities().detach()
    return {"entropy": entropy(weights), "arch": to_string(argmax_arch(weights))}


def largest_eigenvalue(method: Method, net: Supernet, stream: Stream, bn: str = "running") -> float:
    """Largest eigenvalue of the Hessian in alpha of the loss at the mean edge weights, on one validation batch.

    Zela et al. (ICLR 2020), who also use one batch. Exact: the whole Hessian is computed, one backward pass per row.
    All rows in one batched pass took 2.6 times as long, and excluding the supernet's weights from autograd saved 4 %
    (C=8, N=1, one thread of an AMD EPYC, n=3), both with the same bits.
    """
    hessian = torch.stack(list(hessian_rows(method, net, stream, bn))).double()
    return float(torch.linalg.eigvalsh((hessian + hessian.T) / 2)[-1])


def hessian_rows(method: Method, net: Supernet, stream: Stream, bn: str = "running") -> Iterator[Tensor]:
    """The rows of that loss's Hessian in alpha, one at a time; the time of the first row includes the loss's."""
    alpha = method.alpha
    batch = next(stream.fixed("valid", 1, stream.settings.batch))
    with net.evaluating(bn):
        loss = F.cross_entropy(net(batch.images, method.expected()), batch.labels)
    (slopes,) = torch.autograd.grad(loss, alpha, create_graph=True)
    for slope in slopes.flatten():
        yield torch.autograd.grad(slope, alpha, retain_graph=True)[0].flatten()
