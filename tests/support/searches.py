"""Tiny searches on made-up images, and how two of them compare."""

from dataclasses import asdict
from io import BytesIO

import torch

from benchharness import methods
from benchharness.config import protocol
from benchharness.records import RunSpec
from benchharness.search.loop import Search
from tests.support.sets import small_images

CPU = torch.device("cpu")
TINY = {"epochs": 3, "channels": 2, "cells": 1, "batch": 50, "eval_batch": 100}


def search_of(method: str = "darts", seed: int = 0, preset: str = "drnas", **changes: object) -> Search:
    settings = asdict(protocol(preset, {**TINY, **changes}))
    selection = methods.load(method).selection
    return Search(RunSpec(method, method, selection, "cifar10", seed, settings), small_images(), CPU)


def run_to_end(search: Search) -> Search:
    while not search.finished:
        search.run_epoch()
    return search


def reload(search: Search) -> Search:
    """The search as another process would find it in its checkpoint."""
    file = BytesIO()
    torch.save(search.state(), file)
    file.seek(0)
    other = Search(search.spec, small_images(), CPU)
    other.load(torch.load(file, weights_only=True))
    return other


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())
