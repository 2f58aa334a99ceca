"""The NAS-Bench-201 cell: 6 edges, 5 operations, 15,625 architectures (Dong & Yang, ICLR 2020).

An architecture is a tuple of six small ints: the operation on each edge in the order of `EDGES`. Its `code` is the
tuple read as a base-5 number; its `index` is its position in the benchmark's order.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Integer, UInt8
from numpy.typing import ArrayLike

from benchharness.errors import UserError, unknown

Arch = tuple[int, ...]

OPS: Final = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(5)
PARAMETER_FREE: Final = (NONE, SKIP, POOL)
_SHORT: Final = ("none", "skip", "c1", "c3", "pool")
EDGES: Final = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(target node, source node); node 0 is the cell's input, node 3 its output."""
EDGE_NAMES: Final = tuple(f"{target}<-{source}" for target, source in EDGES)
SIZE: Final = len(OPS) ** len(EDGES)

_PLACE = len(OPS) ** np.arange(len(EDGES))[::-1]


class Network(NamedTuple):
    """The size of a stand-alone network; the defaults are the benchmark's for CIFAR-10."""

    channels: int = 16
    """Channels C of the stem and the first stage; the second and third stages have 2C and 4C."""
    cells: int = 5
    """Cells per stage, N in the benchmark's notation."""
    pixels: int = 32
    """Height and width of the images."""
    classes: int = 10

    @property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """Channels and number of feature map positions (height x width) of each of the three stages."""
        return tuple((self.channels << stage, (self.pixels >> stage) ** 2) for stage in range(3))


NETWORKS: Final = {
    "cifar10": Network(),
    "cifar100": Network(classes=100),
    "imagenet16-120": Network(pixels=16, classes=120),
}
"""Sizes of the networks of NAS-Bench-201, by data set."""
_FIXED_FLOPS: Final = 7_943_872
"""FLOPs outside the cells of the benchmark's network on CIFAR-10, as its authors count them."""


def to_string(arch: Arch) -> str:
    """`arch` in the benchmark's spelling, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    ops = [f"{OPS[op]}~{source}" for op, (_, source) in zip(arch, EDGES, strict=True)]
    return f"|{ops[0]}|+|{'|'.join(ops[1:3])}|+|{'|'.join(ops[3:])}|"


def from_string(text: str) -> Arch:
    """The architecture with the benchmark's spelling `text`; raises `UserError` if it is not a valid spelling."""
    nodes = text.strip().split("+")
    tokens = [token for node in nodes for token in node.strip("|").split("|")]
    if len(nodes) != 3 or len(tokens) != len(EDGES):
        raise UserError(f"{text[:200]!r} is not an architecture; expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'")
    arch = []
    for token, (_, source) in zip(tokens, EDGES, strict=True):
        name, _, index = token.partition("~")
        if name not in OPS:
            raise unknown("operation", name[:50], OPS)
        if index != str(source):
            raise UserError(f"{token[:80]!r} stands where an edge from node {source} belongs: write '{name}~{source}'")
        arch.append(OPS.index(name))
    if to_string(tuple(arch)) != text.strip():
        raise UserError(f"{text[:200]!r} is not spelt as the benchmark does: {to_string(tuple(arch))!r}")
    return tuple(arch)


def short(arch: Arch) -> str:
    """`arch` in at most 30 characters, node by node: `c3|c3·c1|skip·pool·none`."""
    names = [_SHORT[op] for op in arch]
    return "|".join("·".join(names[edge] for edge, (to, _) in enumerate(EDGES) if to == node) for node in (1, 2, 3))


def to_code(arch: Arch) -> int:
    """The architecture as one base-5 number, 0 (all `none`) to 15,624."""
    return int(np.dot(arch, _PLACE))


def check_arch(arch: tuple[int, ...]) -> Arch:
    """`arch` itself; raises `UserError` if it is not six operations."""
    if len(arch) != len(EDGES) or not all(0 <= op < len(OPS) for op in arch):
        expected = f"{len(EDGES)} operations of 0 to {len(OPS) - 1}"
        raise UserError(f"{str(arch)[:80]} is not an architecture; expected {expected}")
    return arch


@cache
def order() -> Integer[np.ndarray, "archs"]:
    """The codes of all architectures in the order of the benchmark's index; read-only, since it is cached.

    The benchmark's authors shuffled the architectures with Python's generator and seed 88, and numbered them.
    """
    codes = list(range(SIZE))
    random.Random(88).shuffle(codes)
    return _constant(codes)


@cache
def indices() -> Integer[np.ndarray, "archs"]:
    """The benchmark's index of every architecture code; read-only."""
    return _constant(np.argsort(order()))


def from_code(code: int) -> Arch:
    """The architecture numbered `code`; raises `UserError` outside 0..15,624."""
    if not 0 <= code < SIZE:
        raise UserError(f"{code} is not an architecture number; expected 0 to {SIZE - 1}")
    return tuple(int(code // place_value % len(OPS)) for place_value in _PLACE)


def all_ops() -> UInt8[np.ndarray, "archs edges"]:
    """All architectures: row `code` holds the operations of architecture `code`."""
    return (np.arange(SIZE)[:, None] // _PLACE % len(OPS)).astype(np.uint8)


def count(ops: Integer[np.ndarray, "*archs edges"], *counted_ops: int) -> Integer[np.ndarray, "*archs"]:
    """Number of edges with one of `counted_ops`."""
    return np.asarray(np.isin(ops, counted_ops).sum(axis=-1))


def parameter_free_counts(ops: Integer[np.ndarray, "*archs edges"]) -> dict[str, Integer[np.ndarray, "*archs"]]:
    """Number of edges with a skip connection (`skips`), and with none, skip or pool (`parameter_free`)."""
    return {"skips": count(ops, SKIP), "parameter_free": count(ops, *PARAMETER_FREE)}


def params_m(
    ops: Integer[np.ndarray, "*archs edges"], network: Network | str = NETWORKS["cifar10"]
) -> Float[np.ndarray, "*archs"]:
    """Parameters of the stand-alone network in millions, in closed form; `network` may be a data set of the benchmark.

    A 3x3 convolution with w channels has 9w² weights, its normalisation 2w; every stage has N of each.
    """
    size = _network(network)
    fixed_params = 29 * size.channels + 8 * size.channels + (4 * size.channels + 1) * size.classes
    fixed_params += sum(56 * width**2 + 8 * width for width, _ in size.stages[:2])
    conv1_params, conv3_params = (
        size.cells * sum(area * width**2 + 2 * width for width, _ in size.stages) for area in (1, 9)
    )
    return np.asarray(
        fixed_params / 1e6 + conv1_params / 1e6 * count(ops, CONV1) + conv3_params / 1e6 * count(ops, CONV3)
    )


def flops_m(
    ops: Integer[np.ndarray, "*archs edges"], network: Network | str = NETWORKS["cifar10"]
) -> Float[np.ndarray, "*archs"]:
    """Multiply-adds of the stand-alone network in millions, in closed form, counted as NAS-Bench-201 counts them.

    An element costs 1 in a ReLU, 2 in a normalisation, and k² in a k x k pooling. For the benchmark's network the part
    outside the cells is its authors' constant. Our count of that part is 1,088 operations (0.014 %) lower, which
    nothing in the network explains; for other networks our count is used.
    """
    size = _network(network)
    fixed_flops = (
        _FIXED_FLOPS if size._replace(cells=NETWORKS["cifar10"].cells) == NETWORKS["cifar10"] else _fixed(size)
    )
    elements = sum(width * area for width, area in size.stages)
    products = sum(width**2 * area for width, area in size.stages)
    conv1_flops, conv3_flops, pool = (
        size.cells * cost / 1e6 for cost in (products + 3 * elements, 9 * products + 3 * elements, 9 * elements)
    )
    convolutions = conv1_flops * count(ops, CONV1) + conv3_flops * count(ops, CONV3)
    return np.asarray(fixed_flops / 1e6 + convolutions + pool * count(ops, POOL))


SIZES: Final[Mapping[str, Callable[..., Float[np.ndarray, "*archs"]]]] = {"params": params_m, "flops": flops_m}
"""Sizes of a network that have a closed form, in millions, by the name of the proxy."""


def _network(network: Network | str) -> Network:
    if isinstance(network, Network):
        return network
    if network not in NETWORKS:
        raise unknown("data set", network, NETWORKS)
    return NETWORKS[network]


def _fixed(size: Network) -> int:
    """Multiply-adds outside the cells: stem, residual blocks, last normalisation, global pooling, classifier."""
    (width, area), (_, half), (wide, quarter) = size.stages
    stem = 27 * width * area + 2 * width * area
    blocks = 0
    for narrow, before, after in ((width, area, half), (2 * width, half, quarter)):
        convolutions = (18 + 36 + 2) * narrow**2 * after
        norms, active, pooled = 2 * 2 * 2 * narrow * after, narrow * before + 2 * narrow * after, 4 * narrow * after
        blocks += convolutions + norms + active + pooled
    return stem + blocks + (2 + 1 + 1) * wide * quarter + wide * size.classes


def class_string(arch: Arch) -> str:
    """A description of the function that the cell computes; equal strings mean equal functions.

    This is the benchmark's rule, which resolves skips and zeroed paths and yields 6,466 classes. It keeps a mark for
    every zeroed edge, so it distinguishes some equal functions: merging equal terms, too, would leave 4,930 classes.
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


@cache
def classes() -> Integer[np.ndarray, "archs"]:
    """The smallest code of the functional class of every architecture code; read-only, since it is cached."""
    first: dict[str, int] = {}
    archs = product(range(len(OPS)), repeat=len(EDGES))
    return _constant([first.setdefault(class_string(arch), code) for code, arch in enumerate(archs)])


def _constant(values: ArrayLike) -> Integer[np.ndarray, "archs"]:
    array = np.array(values, np.int64)
    array.setflags(write=False)
    return array


def reaches_output(arch: Arch) -> bool:
    """Whether a path without `none` leads from the cell's input to its output."""
    live = live_edges([op != NONE for op in arch])
    return any(is_live and source == 0 for is_live, (_, source) in zip(live, EDGES, strict=True))


def live_edges(carries: Sequence[bool]) -> list[bool]:
    """For each edge, whether its features reach the cell's output; `carries` says which edges pass any on."""
    needed, live = {3}, [False] * len(EDGES)
    for edge in reversed(range(len(EDGES))):
        target, source = EDGES[edge]
        live[edge] = target in needed and carries[edge]
        needed |= {source} if live[edge] else set()
    return live
