"""Searches that take ten steps in any precision, formulation and way, beside the plain formulation."""

from dataclasses import asdict
from typing import Any, Final

import torch
from torch import Tensor

from benchharness import methods
from benchharness.config import protocol
from benchharness.methods._updates import StepContext
from benchharness.models.precision import arithmetic
from benchharness.records import RunSpec
from benchharness.search.cuda_graphs import Recorder
from benchharness.search.loop import Search
from tests.support.plain import PlainInSearch, pairs
from tests.support.sets import as_doubles, small_images

STEPS: Final = 10


def search_on(
    device: torch.device,
    dtype: torch.dtype,
    method: str = "darts",
    recorder: Recorder | None = None,
    formulation: str = "shared",
    steps: int = STEPS,
    **changes: Any,
) -> Search:
    """A search of ten steps an epoch, or so many, of 16x16 images."""
    settings = protocol("drnas", {"epochs": 2, "channels": 4, "cells": 1, "batch": 30, "eval_batch": 100, **changes})
    kind = methods.load(method)
    spec = RunSpec(method, kind.trains_as or method, kind.selection, "cifar10", 0, asdict(settings))
    images = small_images(2 * settings.batch * steps)
    search = Search(spec, images, device, recorder=recorder, formulation=formulation)
    for group in search.alpha_optimizer.param_groups:
        group["capturable"] = recorder is not None
    search.net.to(dtype)
    search.method.to(dtype)
    if dtype == torch.float64:
        as_doubles(search.stream)
    return search


def stepped(search: Search) -> list[Tensor]:
    """The search's alphas and tallies after an epoch of ten steps."""
    assert search.steps is not None
    search.steps.set_rate(0.025)
    search.net.train()
    context = StepContext(0.0, alpha=search.method.moves_alpha(0.0))
    with arithmetic("float32", search.device), search.steps.epoch(context) as step:
        for train, valid in search.stream.epoch(0):
            step(train, valid)
    return [search.method.alpha.detach().cpu().double(), search.steps.sums.cpu()]


def plain_in(search: Search) -> PlainInSearch:
    """The plain twin of the search's supernet, which it trains from now on."""
    reference = PlainInSearch(10, search.settings.channels, search.settings.cells).to(search.method.alpha.dtype)
    with torch.no_grad():
        for ours, theirs in pairs(search.net, reference):
            theirs.data.copy_(ours)
    search._hold(reference)  # type: ignore[arg-type]
    return reference
