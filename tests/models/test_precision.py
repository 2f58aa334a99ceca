"""Arithmetic: what bfloat16 changes and what it leaves alone, and flags that are put back."""

from dataclasses import asdict

import pytest
import torch

from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.models import precision
from benchharness.models.supernet import Supernet
from benchharness.records import RunSpec
from benchharness.search.loop import Search
from benchharness.space import EDGES, OPS
from tests.support.sets import small_images

CPU = torch.device("cpu")


def search_in(arithmetic: str, epochs: int = 2) -> Search:
    changes = {"epochs": epochs, "channels": 4, "cells": 1, "batch": 50, "eval_batch": 100, "numerics": arithmetic}
    settings = asdict(protocol("drnas", changes))
    return Search(RunSpec("darts", "darts", "magnitude", "cifar10", 0, settings), small_images(), CPU)


def test_bf16_rounds_products_and_leaves_weights_losses_and_alphas_in_float32() -> None:
    torch.manual_seed(0)
    net, images = Supernet(10, 4, 1), torch.randn(8, 3, 16, 16)
    weights = torch.rand(len(EDGES), len(OPS))
    exact = net(images, weights).detach()
    with precision.arithmetic("bf16", CPU):
        rounded = net(images, weights).detach()
        assert net.stem(images).dtype == torch.bfloat16
    assert rounded.dtype == exact.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, atol=0.1 * float(exact.std()), rtol=0.05)


def test_bf16_computes_with_weights_as_they_are_and_not_as_they_were_when_the_block_began() -> None:
    conv, images = torch.nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)
    with precision.arithmetic("bf16", CPU):
        before = conv(images).detach()
        with torch.no_grad():
            conv.weight.mul_(-1)
            conv.bias.mul_(-1)
        torch.testing.assert_close(conv(images), -before)


def test_a_search_in_bf16_learns_as_one_in_float32_does_and_resumes_bit_for_bit() -> None:
    undisturbed, exact, partial = search_in("bf16"), search_in("float32"), search_in("bf16")
    lines = [(undisturbed.run_epoch(), exact.run_epoch()) for _ in range(2)]
    for rounded, true in lines:
        assert rounded["train_loss"] == pytest.approx(true["train_loss"], rel=0.1)
        assert rounded["train_loss"] != true["train_loss"]
    assert {weight.dtype for weight in [*undisturbed.net.parameters(), undisturbed.method.alpha]} == {torch.float32}
    partial.run_epoch()
    resumed_search = search_in("bf16")
    resumed_search.load(partial.state())
    resumed_search.run_epoch()
    assert torch.equal(resumed_search.method.alpha, undisturbed.method.alpha)
    pairs = zip(resumed_search.net.parameters(), undisturbed.net.parameters(), strict=True)
    assert all(torch.equal(value, other_value) for value, other_value in pairs)
    record, _ = undisturbed.read_out(undisturbed.spec)
    assert record.measures["mixed_batch_loss"] == pytest.approx(lines[-1][0]["valid_loss"], rel=0.5)


def test_tf32_is_of_cuda_devices() -> None:
    with pytest.raises(UserError, match="numerics='tf32' needs a CUDA device, and this run uses 'cpu'"):
        search_in("tf32")
    precision.check_numerics("tf32", "cuda:1")


@pytest.mark.parametrize("name", ["float32", "tf32", "bf16"])
def test_flags_hold_for_the_block_alone(name: str) -> None:
    flags = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [flag.allow_tf32 for flag in flags]
    with precision.arithmetic(name, CPU):
        assert [flag.allow_tf32 for flag in flags] == [name == "tf32"] * 2
        assert torch.is_autocast_enabled("cpu") == (name == "bf16")
    assert [flag.allow_tf32 for flag in flags] == before
    assert not torch.is_autocast_enabled("cpu")
