"""Candidates measured together get what each gets alone, and up to rounding what the supernet itself gives."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchharness.models.shared_evaluation import logits
from benchharness.models.supernet import Supernet
from benchharness.search.evaluation import Evaluation
from benchharness.space import EDGES, NONE, OPS
from tests.support.searches import search_of

CPU_WIDTHS = [(4, 1), (16, 1)]


def net_and_images(
    channels: int, cells: int, partial: int = 1, weighs_bypass: bool = False, dtype: torch.dtype = torch.float32
) -> tuple[Supernet, torch.Tensor]:
    """A supernet with running statistics unlike any batch's, and images."""
    torch.manual_seed(0)
    net = Supernet(10, channels, cells, partial, weighs_bypass).to(dtype)
    images = torch.randn(8, 3, 16, 16, dtype=dtype)
    with torch.no_grad():
        net(2 * images + 1, torch.full((len(EDGES), len(OPS)), 0.2, dtype=dtype))
    return net, images


def mixtures() -> list[torch.Tensor]:
    """Edge weights as selections ask for them: mixed, some edges decided, one without an operation, some cut off."""
    torch.manual_seed(1)
    weights = torch.randn(len(EDGES), len(OPS)).softmax(-1)
    weights_of_edges = [weights]
    for decided in ({0: 3}, {0: NONE}, {0: 3, 1: 2, 2: 4}, {0: 3, 1: 2, 2: NONE}, {5: NONE}, {4: NONE, 2: NONE}):
        weights_of_edges += [weights.clone()]
        for edge, op in decided.items():
            weights_of_edges[-1][edge] = F.one_hot(torch.tensor(op), len(OPS)).float()
    rescaled, pruned = weights_of_edges[3].clone(), weights.clone()
    rescaled[0] *= weights[0, 3]
    pruned[3, 3] = 0
    cells = [F.one_hot(torch.randint(len(OPS), (len(EDGES),)), len(OPS)).float() for _ in range(4)]
    return [*weights_of_edges, rescaled, pruned, torch.eye(len(OPS))[[NONE] * len(EDGES)], *cells]


def draw_archs(count: int) -> list[tuple[int, ...]]:
    random = np.random.default_rng(0)
    cells = [tuple(cell) for cell in random.integers(0, len(OPS), (count, len(EDGES))).tolist()]
    return [*cells, (NONE,) * 6, (3, 3, 3, 3, 3, NONE), (3, 3, NONE, 1, NONE, 2), (NONE, NONE, 2, NONE, 3, 3)]


@pytest.mark.parametrize("bn", ["running", "batch", "cells"])
@pytest.mark.parametrize(("channels", "cells"), CPU_WIDTHS)
def test_mixtures_together_alone_and_in_the_supernet(channels: int, cells: int, bn: str) -> None:
    net, images = net_and_images(channels, cells, dtype=torch.float64)
    weights_of_edges = [weights.double() for weights in mixtures()]
    with torch.no_grad(), net.evaluating(bn):
        expected = [net(images, weights) for weights in weights_of_edges]
        together = list(logits(net, images, weights_of_edges))
        one_by_one = [next(logits(net, images, [weights])) for weights in weights_of_edges]
    for expected_logits, shared_logits, single in zip(expected, together, one_by_one, strict=True):
        torch.testing.assert_close(shared_logits, expected_logits, rtol=1e-10, atol=1e-10)
        assert torch.equal(shared_logits, single)


@pytest.mark.parametrize("bn", ["running", "batch", "cells"])
@pytest.mark.parametrize(("channels", "cells"), CPU_WIDTHS)
def test_cells_in_any_order_together_alone_and_in_the_supernet(channels: int, cells: int, bn: str) -> None:
    net, images = net_and_images(channels, cells)
    archs = draw_archs(15)
    with torch.no_grad(), net.evaluating(bn):
        expected = [net.one_hot(images, arch) for arch in archs]
        together = list(logits(net, images, archs))
        one_by_one = [next(logits(net, images, [arch])) for arch in archs]
    for expected_logits, shared_logits, single in zip(expected, together, one_by_one, strict=True):
        assert torch.equal(expected_logits, shared_logits)
        assert torch.equal(expected_logits, single)


@pytest.mark.parametrize("weighs_bypass", [False, True])
def test_partial_channels_are_run_whole(weighs_bypass: bool) -> None:
    net, images = net_and_images(8, 1, 4, weighs_bypass)
    with torch.no_grad(), net.evaluating():
        for weights, shared_logits in zip(mixtures(), logits(net, images, mixtures()), strict=True):
            assert torch.equal(net(images, weights), shared_logits)
        for arch, shared_logits in zip(draw_archs(5), logits(net, images, draw_archs(5)), strict=True):
            assert torch.equal(net.one_hot(images, arch), shared_logits)


def test_in_half_precision_logits_agree_to_its_rounding() -> None:
    net, images = net_and_images(4, 1)
    with torch.no_grad(), net.evaluating(), torch.autocast("cpu", torch.bfloat16):
        pairs = [*zip(mixtures(), logits(net, images, mixtures()), strict=True)]
        for weights, shared_logits in pairs:
            assert shared_logits.dtype == torch.float32
            torch.testing.assert_close(shared_logits, net(images, weights).float(), atol=0.02, rtol=0)


def test_only_what_carries_something_is_computed_and_the_stem_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the mixed operations are the stem and six convolutions in the two residual blocks between three cells."""
    net, images = net_and_images(4, 1)
    count, conv2d = [0], F.conv2d
    monkeypatch.setattr(
        F, "conv2d", lambda *args, **more: (count.__setitem__(0, count[0] + 1), conv2d(*args, **more))[1]
    )
    with torch.no_grad(), net.evaluating():
        for arch, fans in (((3, 3, 3, 3, NONE, NONE), 1), ((3, 2, 3, 3, 3, NONE), 2), ((3,) * 6, 3), ((1,) * 6, 0)):
            count[0] = 0
            list(logits(net, images, [F.one_hot(torch.tensor(arch), len(OPS)).float()] * 2))
            assert count[0] == 1 + 2 * (6 + 3 * fans), arch


def test_scores_come_in_the_order_asked_for() -> None:
    search = search_of(channels=2)
    evaluation = Evaluation(search.net, search.stream)
    cells = [*draw_archs(2), *draw_archs(1)]
    for bn in ("batch", "running"):
        assert evaluation.cells(cells, "valid", 1, bn) == [evaluation.one_hot(cell, "valid", 1, bn) for cell in cells]
        pairs = zip(mixtures(), evaluation.mixes(mixtures(), "train", 1, bn), strict=True)
        assert all(evaluation.mixed(weights, "train", 1, bn) == score for weights, score in pairs)
