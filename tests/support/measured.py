"""A table as `table build` makes them: a sample of functional classes, each trained a few times on a small data set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchharness import space
from benchharness.table import Metric, Table
from benchharness.table.build import build_table

VALID, TEST = Metric("cifar10", "valid", 200), Metric("cifar10", "test", 200)

WORTH = np.array([0.0, 3.0, 5.0, 8.0, 2.0])
REFERENCES = tuple((op,) * len(space.EDGES) for op in (space.CONV3, space.SKIP, space.CONV1, space.POOL))
NETWORK = {"channels": 8, "cells": 1, "pixels": 12, "classes": 10}


def measured_table(
    dataset: str = "pets",
    classes: int = 300,
    epochs: int = 7,
    seeds: int = 2,
    without: Sequence[space.Arch] = (),
    **about: Any,
) -> Table:
    """All members of `classes` functional classes, among them `REFERENCES`; noise of half a point between seeds.

    The classes of the architectures `without` which it is to be are not among them.
    """
    every = space.classes()
    rng = np.random.default_rng(0)
    references = [int(every[space.to_code(arch)]) for arch in REFERENCES]
    other = {*references, *(int(every[space.to_code(arch)]) for arch in without)}
    codes = [code for code in rng.permutation(np.unique(every)).tolist() if code not in other]
    first = np.array([*references, *codes][:classes])
    members = np.flatnonzero(np.isin(every, first))
    rows = np.searchsorted(np.sort(first), every[members])
    truth = 40 + WORTH[space.all_ops()[np.sort(first)]].sum(-1)
    by_seed = {
        Metric(dataset, split, epochs): (truth[:, None] - shift + rng.normal(0, 0.5, (classes, seeds)))[rows]
        for split, shift in (("valid", 1.0), ("test", 0.0))
    }
    description = {
        "name": dataset,
        "version": "recipe small",
        "source": "tests",
        "seed_rule": f"mean over {seeds} training seeds",
        "network": NETWORK,
        "recipe": {"name": "small", "epochs": epochs, "batch": 64},
        "training_seeds": {str(epochs): list(range(seeds))},
    }
    means = {metric: runs.mean(-1) for metric, runs in by_seed.items()}
    times = {(dataset, epochs): np.full(len(members), 12.0)}
    return build_table({**description, **about}, space.all_ops()[members], means, by_seed, times)
