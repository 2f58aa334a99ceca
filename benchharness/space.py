"""The NAS-Bench-201 cell: 6 edges, 5 operations, 15,625 architectures (Dong & Yang, ICLR 2020).

An architecture is a tuple of six small ints, the operation on each edge in the order of `EDGES`; its `code` is that
tuple read as a base-5 number. The benchmark's own index order is a property of the table, not of the space.
"""

from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Float, Integer, UInt8

from benchharness.errors import UserError, unknown

Arch = tuple[int, ...]

OPS: Final = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(5)
PARAMETER_FREE: Final = (NONE, SKIP, POOL)
EDGES: Final = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(target node, source node); node 0 is the cell's input, node 3 its output."""
EDGE_NAMES: Final = tuple(f"{target}<-{source}" for target, source in EDGES)
SIZE: Final = len(OPS) ** len(EDGES)

_PLACE = len(OPS) ** np.arange(len(EDGES))[::-1]
_HEAD_PARAMS_M = {"cifar10": 0.0, "cifar100": 0.00585, "imagenet16-120": 0.00715}


def to_string(arch: Arch) -> str:
    """The benchmark's spelling, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    ops = [f"{OPS[op]}~{source}" for op, (_, source) in zip(arch, EDGES, strict=True)]
    return f"|{ops[0]}|+|{'|'.join(ops[1:3])}|+|{'|'.join(ops[3:])}|"


def from_string(text: str) -> Arch:
    """The architecture that `text` spells; raises `UserError` naming what is wrong with it."""
    nodes = text.strip().split("+")
    parts = [part for node in nodes for part in node.strip("|").split("|")]
    if len(nodes) != 3 or len(parts) != len(EDGES):
        raise UserError(f"{text[:200]!r} is not an architecture; expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'")
    arch = []
    for part, (_, source) in zip(parts, EDGES, strict=True):
        name, _, index = part.partition("~")
        if name not in OPS:
            raise unknown("operation", name[:50], OPS)
        if index != str(source):
            raise UserError(f"{part[:80]!r} stands where an edge from node {source} should: write '{name}~{source}'")
        arch.append(OPS.index(name))
    if to_string(tuple(arch)) != text.strip():
        raise UserError(f"{text[:200]!r} is not spelt as the benchmark does: {to_string(tuple(arch))!r}")
    return tuple(arch)


def to_code(arch: Arch) -> int:
    """The architecture as one base-5 number, 0 (all `none`) to 15,624."""
    return int(np.dot(arch, _PLACE))


def from_code(code: int) -> Arch:
    """The architecture numbered `code`; raises `UserError` outside 0..15,624."""
    if not 0 <= code < SIZE:
        raise UserError(f"{code} is not an architecture number; expected 0 to {SIZE - 1}")
    return tuple(int(code // place % len(OPS)) for place in _PLACE)


def all_ops() -> UInt8[np.ndarray, "archs edges"]:
    """Every architecture, row `code` holding the operations of architecture `code`."""
    return (np.arange(SIZE)[:, None] // _PLACE % len(OPS)).astype(np.uint8)


def count(ops: Integer[np.ndarray, "*archs edges"], *which: int) -> Integer[np.ndarray, "*archs"]:
    """How many edges carry one of the operations `which`."""
    return np.asarray(np.isin(ops, which).sum(axis=-1))


def params_m(ops: Integer[np.ndarray, "*archs edges"], dataset: str = "cifar10") -> Float[np.ndarray, "*archs"]:
    """Parameters in millions of the stand-alone network (C=16, N=5) with `dataset`'s classifier, in closed form."""
    if dataset not in _HEAD_PARAMS_M:
        raise unknown("data set", dataset, _HEAD_PARAMS_M)
    fixed = 0.073306 + _HEAD_PARAMS_M[dataset]
    return np.asarray(fixed + 0.028 * count(ops, CONV1) + 0.24304 * count(ops, CONV3))


def flops_m(ops: Integer[np.ndarray, "*archs edges"]) -> Float[np.ndarray, "*archs"]:
    """Multiply-adds in millions at 32x32 with the CIFAR-10 classifier, in closed form."""
    convolutions = 4.36224 * count(ops, CONV1) + 35.81952 * count(ops, CONV3)
    return np.asarray(7.943872 + convolutions + 1.29024 * count(ops, POOL))


def class_string(arch: Arch) -> str:
    """What the cell computes, with zeroed paths and skips resolved: equal strings mean the same function.

    The benchmark's own rule, which yields its 6,466 classes. It keeps a mark for every zeroed edge, so it is finer than
    equality of functions: summing like terms as well would leave 4,930.
    """
    nodes = ["0"]
    for target in (1, 2, 3):
        terms = []
        for op, (node, source) in zip(arch, EDGES, strict=True):
            if node == target:
                zero = op == NONE or nodes[source] == "#"
                terms.append("#" if zero else nodes[source] if op == SKIP else f"({nodes[source]})@{OPS[op]}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def classes() -> Integer[np.ndarray, "archs"]:
    """For every architecture code, the smallest code of its functional class."""
    first: dict[str, int] = {}
    archs = product(range(len(OPS)), repeat=len(EDGES))
    return np.array([first.setdefault(class_string(arch), code) for code, arch in enumerate(archs)])


def reaches_output(arch: Arch) -> bool:
    """Whether any path of the cell carries its input to its output."""
    alive = {0}
    for op, (target, source) in zip(arch, EDGES, strict=True):
        if op != NONE and source in alive:
            alive.add(target)
    return 3 in alive
