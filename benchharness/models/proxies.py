"""Zero-cost proxies: scores of an untrained stand-alone network from one batch, as in Abdelfattah et al. (ICLR 2021).

Higher is better. Sums run over the weights of convolutions and of the classifier. A proxy needs one or two forward and
backward passes of a network, where a training needs thousands.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from benchharness.data.device_images import Batch
from benchharness.errors import UserError, unknown
from benchharness.models.layers import Norm
from benchharness.models.standalone import Network
from benchharness.seeding import seeded
from benchharness.space import SIZES, Arch, to_code
from benchharness.space import Network as Size

_GAMMA: Final = 0.01
"""Scale of the random change that zen adds to its input."""
_ROUNDS: Final = 4
"""Number of random inputs that zen averages over; its paper takes 32."""
_JITTER: Final = 1e-5


class Setting(NamedTuple):
    """The networks that proxies score: channels of the stem, cells per stage, and seed of the initial weights."""

    channels: int = 16
    cells: int = 5
    seed: int = 0

    def checked(self) -> "Setting":
        """The setting itself; raises `UserError` if channels or cells are out of range."""
        if not (1 <= self.channels <= 1024 and 1 <= self.cells <= 64):
            raise UserError(f"channels={self.channels}, cells={self.cells}: take 1 to 1024, and 1 to 64")
        return self


def score(measure: str, arch: Arch, batch: Batch, classes: int, setting: Setting = Setting()) -> float:  # noqa: B008
    """Score of `arch` by the proxy `measure` on `batch`; NaN if undefined, as for a cell that passes nothing through.

    A cell's initial weights depend on the cell and the setting's seed only, not on which cells were scored before.
    Raises `UserError` if there is no proxy called `measure`.
    """
    check_measure(measure)
    if measure in SIZES:
        size = Size(setting.channels, setting.cells, batch.images.shape[-1], classes)
        return float(SIZES[measure](np.array(arch), size))
    with seeded("proxy", setting.seed, to_code(arch)):
        net = Network(arch, classes, setting.channels, setting.cells).to(batch.images.device)
        value = PROXIES[measure](net.train(), batch)
    return value if math.isfinite(value) else math.nan


def check_measure(measure: str) -> None:
    """Raise `UserError` if there is no proxy of this name."""
    if measure not in NAMES:
        raise unknown("proxy", measure, NAMES)


def _snip(net: Network, batch: Batch) -> float:
    """Sensitivity of the loss to each weight: sum of |w dL/dw| (Lee, Ajanthan & Torr, ICLR 2019)."""
    weights = _weights(net)
    return _total((w * slope).abs() for w, slope in zip(weights, _slopes(net, batch, weights), strict=True))


def _grasp(net: Network, batch: Batch) -> float:
    """Preservation of gradient flow: -sum of w (Hg), with the loss's gradient g and Hessian H.

    Wang, Zhang & Grosse (ICLR 2020)."""
    weights = _weights(net)
    slopes = _slopes(net, batch, weights, twice_differentiable=True)
    product = sum(((slope * slope.detach()).sum() for slope in slopes), torch.zeros(()))
    if not product.requires_grad:
        return math.nan
    curved = torch.autograd.grad(product, weights, allow_unused=True)
    return _total(-w * bend for w, bend in zip(weights, curved, strict=True) if bend is not None)


def _fisher(net: Network, batch: Batch) -> float:
    """Contribution of channels: (sum over positions of activation times gradient)² / 2 (Turner et al., ICLR 2020).

    The sum runs over weights, as in the code of Abdelfattah et al.: a channel counts once for each of its weights.
    """
    with _outputs(net) as outputs:
        loss = F.cross_entropy(net(batch.images), batch.labels)
        slopes = torch.autograd.grad(loss, [out for _, out in outputs], allow_unused=True)
    saliencies = []
    for (weights, out), slope in zip(outputs, slopes, strict=True):
        if slope is not None:
            # A classifier's outputs have no positions to sum over.
            product = (out.detach() * slope).flatten(2).sum(-1) if out.ndim > 2 else out.detach() * slope
            saliencies.append(weights * product.square().mean(0) / 2)
    return _total(iter(saliencies))


def _synflow(net: Network, batch: Batch) -> float:
    """Strength of the paths through the network: sum of |w dR/dw| at |w|, without data (Tanaka et al., NeurIPS 2020).

    R is the sum of the logits for an input of ones, without batch normalisation, as is usual for this proxy. The score
    is log(1 + sum), which keeps the order and is 0 for cells that pass nothing through.
    """
    net = net.double()
    for module in net.modules():
        if isinstance(module, Norm):
            vars(module)["forward"] = _unchanged
    with torch.no_grad():
        for weight in net.parameters():
            weight.abs_()
    weights = _weights(net)
    ones = torch.ones_like(batch.images[:1], dtype=torch.float64)
    slopes = torch.autograd.grad(net(ones).sum(), weights, allow_unused=True)
    total = _total((w * slope).abs() for w, slope in zip(weights, slopes, strict=True) if slope is not None)
    return math.log1p(total)


def _jacob_cov(net: Network, batch: Batch) -> float:
    """Distinctness of the responses to different images, by correlations of the Jacobian (Mellor et al., 2020)."""
    images = batch.images.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(net(images).sum(), images, allow_unused=True)
    if slopes is None:
        return math.nan
    correlation = torch.corrcoef(slopes.flatten(1).double())
    if not bool(correlation.isfinite().all()):
        return math.nan
    values = torch.linalg.eigvalsh(correlation) + _JITTER
    return float(-(values.log() + 1 / values).sum())


@torch.no_grad()
def _zen(net: Network, batch: Batch) -> float:
    """Zen-score (Lin et al., ICCV 2021): change of the features under a random change of random input; needs no data.

    The logarithm of the mean change, plus the logarithms of the standard deviations that the normalisations divide by,
    averaged over four random inputs. Skips of the cell and of the residual blocks between the stages are left in.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight)
    scores = []
    for _ in range(_ROUNDS):
        start, move = torch.randn_like(batch.images), torch.randn_like(batch.images)
        with _deviations(net) as deviations:
            before = _features(net, start)
        change = (before - _features(net, start + _GAMMA * move)).abs().sum((1, 2, 3)).mean()
        scores.append(float(change.log()) + sum(deviations))
    return sum(scores) / len(scores)


PROXIES: Final[Mapping[str, Callable[[Network, Batch], float]]] = {
    "synflow": _synflow,
    "snip": _snip,
    "grasp": _grasp,
    "fisher": _fisher,
    "jacob_cov": _jacob_cov,
    "zen": _zen,
}
VERSIONS: Final = {"fisher": 2, "synflow": 2}
"""Proxies whose scores changed after version 1: `fisher` was summed over channels, `synflow` scored no dead cells."""
NAMES: Final = (*PROXIES, *SIZES)
"""The names of all proxies."""


def _unchanged(x: Tensor, gain: Tensor | None = None) -> Tensor:  # noqa: ARG001
    return x


def _weights(net: nn.Module) -> list[Tensor]:
    return [module.weight for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def _slopes(net: Network, batch: Batch, weights: list[Tensor], twice_differentiable: bool = False) -> list[Tensor]:
    """Gradients of the loss, zeros for weights that do not affect it; differentiable if `twice_differentiable`."""
    loss = F.cross_entropy(net(batch.images), batch.labels)
    slopes = torch.autograd.grad(loss, weights, create_graph=twice_differentiable, allow_unused=True)
    return [torch.zeros_like(w) if slope is None else slope for w, slope in zip(weights, slopes, strict=True)]


def _total(tensors: Iterator[Tensor]) -> float:
    return float(sum((tensor.detach().double().sum() for tensor in tensors), torch.zeros((), dtype=torch.float64)))


def _features(net: Network, images: Tensor) -> Float[Tensor, "batch channels height width"]:
    """The features before the global pooling."""
    outputs: list[Tensor] = []
    handle = net.last_norm.register_forward_hook(lambda _module, _given, out: outputs.append(out))
    try:
        net(images)
    finally:
        handle.remove()
    return F.relu(outputs[0])


@contextmanager
def _outputs(net: nn.Module) -> Iterator[list[tuple[int, Tensor]]]:
    """Within a `with` block, collects the output of every convolution and of the classifier.

    Each comes with the number of weights per output channel."""
    outputs: list[tuple[int, Tensor]] = []

    def note(module: nn.Module, _given: object, out: Tensor) -> None:
        """Store what the module computed."""
        assert isinstance(module.weight, Tensor)
        outputs.append((module.weight[0].numel(), out))

    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _deviations(net: nn.Module) -> Iterator[list[float]]:
    """Within a `with` block, collects the logarithm of the standard deviation that every normalisation divides by."""
    deviations: list[float] = []

    def note(_module: nn.Module, inputs: tuple[Tensor, ...], _out: Tensor) -> None:
        """Store what the module was given."""
        variance = inputs[0].var((0, 2, 3)).mean()
        deviations.append(0.5 * float((variance + _JITTER).log()))

    handles = [module.register_forward_hook(note) for module in net.modules() if isinstance(module, Norm)]
    try:
        yield deviations
    finally:
        for handle in handles:
            handle.remove()
