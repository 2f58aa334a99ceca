"""Types and array shapes that readers rely on in a run's folder, besides its spec and record."""

from collections.abc import Mapping
from typing import Final, Required, TypedDict

import numpy as np

from benchharness.space import EDGES, OPS, SIZE


class Gpu(TypedDict):
    """A GPU as reported by its driver."""

    name: str
    driver: str
    memory: str


class Git(TypedDict, total=False):
    """The package's checkout."""

    commit: str | None
    changed: bool | None


class Environment(TypedDict, total=False):
    """Machine and software that a run was made with."""

    python: str
    platform: str
    packages: dict[str, str | None]
    git: Git | None
    processor: str
    cores: int
    gpus: list[Gpu]


class Attempt(TypedDict, total=False):
    """One attempt at a run: its options, and its first epoch."""

    started: str
    epoch: int
    device: str
    threads: int
    compiled: bool
    graphs: bool
    formulation: str
    anew: str


class Machine(TypedDict, total=False):
    """`machine.json`: everything that depends on machine and time."""

    attempts: list[Attempt]
    environment: Environment
    device: str
    threads: int
    compiled: bool
    graphs: bool
    formulation: str
    train_seconds: float
    selection_seconds: float
    train_processor_seconds: float
    selection_processor_seconds: float
    compile_seconds: float
    peak_memory_bytes: float
    dataset_choice: str
    finished: str


class Failure(TypedDict, total=False):
    """`failure.json`: why a run stopped."""

    type: Required[str]
    message: Required[str]
    when: str
    traceback: str


class Line(TypedDict, total=False):
    """A line of `trace.jsonl`: one epoch."""

    epoch: Required[int]
    learning_rate: float
    train_loss: float
    train_accuracy_pct: float
    valid_loss: float
    valid_accuracy_pct: float
    entropy: float
    arch: str
    seconds: float
    processor_seconds: float
    compile_seconds: float
    peak_memory_bytes: float


class Reading(TypedDict):
    """`reading.json`: the share of the selection that is done."""

    share: float


class Owner(TypedDict, total=False):
    """`heartbeat`: the process that works on a run."""

    host: str
    pid: int


_CELL: Final = (len(EDGES), len(OPS))
_SHAPES: Final[Mapping[str, tuple[int | str, ...]]] = {
    "alphas": ("epochs", *_CELL),
    "expected": ("epochs", *_CELL),
    "eigenvalue": ("epochs",),
    "scores": _CELL,
    "magnitude": _CELL,
    "ranking_codes": ("ranking",),
    "ranking_accuracy_pct": ("ranking",),
}
"""Shapes of the arrays in `trace.npz`; axes with one name have one size."""


def fitting(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays of a `trace.npz` have the shapes on which readers rely, and all codes are valid."""
    sizes: dict[str, int] = {}
    for name in arrays.keys() & _SHAPES.keys():
        shape, axes = arrays[name].shape, _SHAPES[name]
        for axis, size in zip(axes, shape, strict=False):
            sizes.setdefault(str(axis), size if isinstance(axis, str) else axis)
        if list(shape) != [sizes.get(str(axis)) for axis in axes]:
            return False
    codes = arrays.get("ranking_codes", np.zeros(0, int))
    return codes.dtype.kind in "iu" and bool(((codes >= 0) & (codes < SIZE)).all())
