"""Zero-cost proxies: against what can be worked out by hand, and against NASLib's own figures."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from benchharness import space
from benchharness.data import load_images
from benchharness.data.device_images import Batch, DeviceImages
from benchharness.errors import UserError
from benchharness.models import proxies
from benchharness.models.proxies import Setting, score
from benchharness.models.standalone import Network

SMALL = Setting(channels=4, cells=1)
CONVS, DEAD, SKIPS = (space.CONV3,) * 6, (space.NONE,) * 6, (space.SKIP,) * 6
MEASURED = list(proxies.PROXIES)


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = torch.Generator().manual_seed(0)
    return Batch(torch.randn(8, 3, 16, 16, generator=rng), torch.arange(8) % 10)


@pytest.mark.parametrize("measure", proxies.NAMES)
def test_a_score_is_a_function_of_cell_and_seed_alone(batch: Batch, measure: str) -> None:
    cell = (3, 2, 1, 4, 3, 0)
    first = score(measure, cell, batch, 10, SMALL)
    torch.rand(7)
    score(measure, CONVS, batch, 10, SMALL)
    before = torch.get_rng_state()
    assert score(measure, cell, batch, 10, SMALL) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert math.isfinite(first)
    if measure not in ("params", "flops"):
        assert score(measure, cell, batch, 10, SMALL._replace(seed=1)) != first


@pytest.mark.parametrize("measure", proxies.NAMES)
def test_a_cell_that_computes_more_scores_higher(batch: Batch, measure: str) -> None:
    if measure in ("grasp", "jacob_cov"):
        pytest.skip("is about the form of a network, not about its size")
    assert score(measure, CONVS, batch, 10, SMALL) > score(measure, SKIPS, batch, 10, SMALL)


@pytest.mark.parametrize("measure", MEASURED)
def test_a_cell_that_nothing_passes_is_scored_or_undefined(batch: Batch, measure: str) -> None:
    assert not math.isinf(score(measure, DEAD, batch, 10, SMALL))


def test_synflow_puts_cells_that_nothing_passes_last(batch: Batch) -> None:
    dead_ends = [DEAD, (space.CONV3, 0, 0, 0, 0, 0), (0, 0, 0, 0, space.CONV3, 0), (0, 0, 0, 0, 0, space.SKIP)]
    assert [score("synflow", cell, batch, 10, SMALL) for cell in dead_ends] == [0.0] * 4
    assert score("synflow", (0, 0, 0, space.SKIP, 0, 0), batch, 10, SMALL) > 0


def test_counts_are_those_of_the_closed_forms(batch: Batch) -> None:
    size = space.Network(4, 1, 16, 10)
    net = Network(CONVS, 10, 4, 1)
    assert score("params", CONVS, batch, 10, SMALL) == pytest.approx(net.parameter_count / 1e6)
    assert score("flops", CONVS, batch, 10, SMALL) == pytest.approx(float(space.flops_m(np.array(CONVS), size)))


def test_snip_by_central_differences(batch: Batch) -> None:
    """|w dL/dw| of a weight is how much the loss moves as the weight is scaled."""
    torch.manual_seed(0)
    net = Network((0, 0, 0, 2, 0, 0), 2, 1, 1).double().train()
    images = batch.images[:4, :, :8, :8].double()

    labels = batch.labels[:4] % 2

    def loss() -> float:
        return float(torch.nn.functional.cross_entropy(net(images), labels).detach())

    weights = proxies._weights(net)
    expected = 0.0
    with torch.no_grad():
        for weight in weights:
            for index in range(weight.numel()):
                value = weight.view(-1)[index].item()
                both = []
                for factor in (1 + 1e-5, 1 - 1e-5):
                    weight.view(-1)[index] = value * factor
                    both.append(loss())
                weight.view(-1)[index] = value
                expected += abs(both[0] - both[1]) / 2e-5
    assert proxies.PROXIES["snip"](net, Batch(images, labels)) == pytest.approx(expected, rel=1e-3)


def test_synflow_conserves_what_flows_through_every_layer(batch: Batch) -> None:
    """R is linear in each layer's |w|: of the all-skip cell every layer on the only path has the sum R itself."""
    torch.manual_seed(0)
    net = Network((space.NONE, space.NONE, space.NONE, space.SKIP, space.NONE, space.NONE), 10, 4, 1).train()
    total = proxies.PROXIES["synflow"](net, batch)
    ones = torch.ones(1, 3, 16, 16, dtype=torch.float64)
    flow = float((net(ones).sum() - net.classifier.bias.sum()).detach())
    layer_totals = []
    for weight in (net.stem.weight, net.classifier.weight):
        (slope,) = torch.autograd.grad(net(ones).sum(), weight)
        layer_totals.append(float((weight * slope).sum().detach()))
    assert layer_totals == pytest.approx([flow, flow])
    assert total > math.log(2 * flow)


def test_grasp_is_minus_the_weights_times_the_curvature_of_the_slopes(batch: Batch) -> None:
    torch.manual_seed(0)
    net = Network((3, 1, 0, 1, 2, 1), 10, 2, 1).double().train()
    images = batch.images.double()
    weights = proxies._weights(net)
    loss = torch.nn.functional.cross_entropy(net(images), batch.labels)
    slopes = torch.autograd.grad(loss, weights, allow_unused=True)
    direction = [torch.zeros_like(w) if s is None else s.detach() for w, s in zip(weights, slopes, strict=True)]
    step, shifted_slopes = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, slope in zip(weights, direction, strict=True):
                weight.add_(sign * step * slope)
        loss = torch.nn.functional.cross_entropy(net(images), batch.labels)
        shifted_slopes.append(
            [
                torch.zeros_like(w) if s is None else s
                for w, s in zip(weights, torch.autograd.grad(loss, weights, allow_unused=True), strict=True)
            ]
        )
        with torch.no_grad():
            for weight, slope in zip(weights, direction, strict=True):
                weight.sub_(sign * step * slope)
    expected = -sum(
        float((w * (up - down)).sum().detach()) / (2 * step)
        for w, up, down in zip(weights, *shifted_slopes, strict=True)
    )
    assert proxies.PROXIES["grasp"](net, Batch(images, batch.labels)) == pytest.approx(expected, rel=1e-3)


def test_fisher_counts_a_channel_once_for_each_of_its_weights(batch: Batch) -> None:
    """Of the all-skip cell: stem, both residual blocks' convolutions and classifier, from their own outputs."""
    torch.manual_seed(0)
    net = Network(SKIPS, 10, 2, 1).double().train()
    images, layers = (
        batch.images.double(),
        [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)],
    )
    outputs: dict[torch.nn.Module, torch.Tensor] = {}
    handles = [m.register_forward_hook(lambda m, _given, out: outputs.__setitem__(m, out)) for m in layers]
    loss = torch.nn.functional.cross_entropy(net(images), batch.labels)
    slopes = dict(zip(outputs, torch.autograd.grad(loss, list(outputs.values())), strict=True))
    for handle in handles:
        handle.remove()
    expected = 0.0
    for layer, out in outputs.items():
        for channel in range(out.shape[1]):
            of_images = (out[:, channel] * slopes[layer][:, channel]).detach().reshape(len(images), -1).sum(1)
            expected += float((of_images**2).mean() / 2) * layer.weight[channel].numel()
    assert len(outputs) == len(layers)
    assert proxies.PROXIES["fisher"](net, Batch(images, batch.labels)) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [Setting(0, 1), Setting(4, 0), Setting(5000, 1)])
def test_settings_and_names_that_are_none_are_refused(batch: Batch, bad: Setting) -> None:
    with pytest.raises(UserError, match="take 1 to 1024, and 1 to 64"):
        bad.checked()
    with pytest.raises(UserError, match="unknown proxy 'synflo'; did you mean 'synflow'"):
        score("synflo", CONVS, batch, 10)


NASLIB = """
9127 50.566625 8.196961 0.076488 0.028189 -72.680623
14956 25.132902 4.747122 -0.191491 0.008219 -500.775442
11725 36.006198 34.536209 4.323727 0.183163 -36.360345
2842 51.880564 35.989895 9.161272 0.222329 -32.343707
5278 50.651605 8.452091 -0.331384 0.013618 -61.221943
8842 65.467481 115.652069 35.169891 1.375592 -32.329603
6821 71.892744 43.257267 4.716650 0.128277 -34.018856
6586 36.110014 23.423742 3.490794 0.115008 -35.674121
10216 56.388989 49.455685 5.059311 0.228608 -37.005332
11755 67.907688 243.107056 10.555176 3.491682 -32.330464
14677 31.797724 29.322306 4.678427 0.127724 -32.325960
11676 36.046524 11.242125 0.427752 0.024191 -32.325103
"""
"""Index, and NASLib's synflow, snip, grasp, fisher and jacov on CIFAR-10, of twelve architectures drawn by seed."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "column", "least"),
    [("synflow", 1, 0.95), ("snip", 2, 0.9), ("grasp", 3, 0.5), ("fisher", 4, 0.9), ("jacob_cov", 5, 0.9)],
)
def test_scores_rank_cells_as_naslibs_do(data_folder: Path, measure: str, column: int, least: float) -> None:
    """Other images and other weights drawn: what is left to agree on is the ranking."""
    naslib = np.array([line.split() for line in NASLIB.split("\n") if line], float)
    images = DeviceImages(load_images("cifar10"), np.arange(64), torch.device("cpu"))
    batch = next(images.fixed(32, 1))
    cells = [space.from_code(int(space.order()[int(index)])) for index in naslib[:, 0]]
    scores = [score(measure, cell, batch, 10) for cell in cells]
    assert spearmanr(scores, naslib[:, column]).statistic > least
