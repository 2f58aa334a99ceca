"""Reads cells in the spellings of other tools."""

import re
from collections.abc import Mapping
from contextlib import suppress
from numbers import Number
from typing import Any, Final

import numpy as np
from jaxtyping import Int

from benchharness import space
from benchharness.errors import UserError
from benchharness.space import EDGES, OPS, Arch, check_arch, from_string

NASLIB_OPS: Final = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""Operations that NASLib numbers 0 to 4 (Mehta et al., ICLR 2022)."""
NASLIB_EDGES: Final = tuple(sorted(EDGES, key=lambda edge: (edge[1], edge[0])))
"""NASLib lists edges by their source, the benchmark by their target."""
_ALIASES: Final[Mapping[str, str]] = {
    **{name: name for name in OPS},
    **dict(zip(("none", "skip", "c1", "c3", "pool"), OPS, strict=True)),
    **dict(zip(("Identity", "Zero", "ReLUConvBN3x3", "ReLUConvBN1x1", "AvgPool1x1"), NASLIB_OPS, strict=True)),
}
_STRUCTURE: Final = re.compile(r"Structure\(4 nodes with (.*)\)", re.DOTALL)
_NUMBERS: Final = re.compile(r"[(\[]?\s*[0-4](\s*[,\s]\s*[0-4]){5}\s*,?\s*[)\]]?", re.ASCII)
_PAIR: Final = re.compile(r"[(\[]\s*['\"](\w{1,40})['\"]\s*,\s*(\d)\s*[)\]]", re.ASCII)
_EDGE: Final = re.compile(r"['\"]?(\d)\s*<-\s*(\d)['\"]?\s*[:=]\s*['\"]?(\w{1,40})", re.ASCII)
_SHORT: Final = re.compile(r"{0}\|{0}[·*]{0}\|{0}[·*]{0}[·*]{0}".format("(none|skip|c1|c3|pool)"))
_LONGEST: Final = 2_000
EXPECTED: Final = (
    "expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', Structure(4 nodes with ...), six (operation, source) pairs, "
    "'1<-0': operation, ..., or NASLib's six numbers"
)


def read_cell(notation: Any) -> Arch:
    """The architecture that `notation` describes; raises `UserError` if it is not a valid description.

    Texts: the benchmark's own string, alone or as `Structure(4 nodes with ...)`; six pairs of operation and source
    node, as nested tuples or in a DARTS-style `Genotype`; operations by edge (`'1<-0': 'none', ...`); the short form
    that `space.short` gives; and six numbers, which are NASLib's, in NASLib's order of edges. A tuple of six numbers is
    an `Arch`, a list of six is NASLib's; any other object is read as it prints.
    """
    if isinstance(notation, tuple) and all(
        isinstance(op, int | np.integer) and not isinstance(op, bool) for op in notation
    ):
        return check_arch(tuple(map(int, notation)))
    text = str(notation).strip()
    if len(text) > _LONGEST:
        raise UserError(f"{text[:40]!r}... has {len(text):,} characters, more than a cell takes; {EXPECTED}")
    if structure := _STRUCTURE.fullmatch(text):
        text = structure[1].strip()
    if "~" in text:
        return from_string(text)
    if _SHORT.fullmatch(text):
        return tuple(OPS.index(_ALIASES[name]) for name in re.findall(r"\w+", text))
    if is_naslib(text):
        return from_naslib([int(digit) for digit in re.findall(r"\d", text)])
    by_edge = [((int(target), int(source)), name) for target, source, name in _EDGE.findall(text)]
    return _from_edges(by_edge or _by_node(text), text)


def read_index(notation: Any) -> int:
    """The benchmark's index of the architecture `notation`; raises `UserError` if it is not one architecture.

    `notation` is an index, also as text, or a cell in any spelling that `read_cell` knows.
    """
    indices = read_indices(notation)
    if indices.ndim:
        raise UserError(
            f"{_told(notation)} is a list of {indices.size}; expected one architecture, by index or as a cell"
        )
    return int(indices)


def read_indices(notation: Any) -> Int[np.ndarray, "*archs"]:
    """Like `read_index`, for one architecture, a list of them, or an array of indices of any shape."""
    indices = _indices(notation)
    if indices.dtype.kind not in "iu" or (indices.size and (indices.min() < 0 or indices.max() >= space.SIZE)):
        problem = f"{_told(notation)} is no index of an architecture"
        raise UserError(f"{problem}; indices are whole numbers of 0 to {space.SIZE - 1}")
    return indices


def _indices(notation: Any) -> Int[np.ndarray, "*archs"]:
    """The benchmark's indices of `notation`, not yet checked where they are numbers."""
    if isinstance(notation, str) and _is_number(notation):
        return np.asarray(int(notation.strip()[:9]) if notation.strip().isdecimal() else np.nan)
    if isinstance(notation, list) and not _is_of_numbers(notation):
        return _of_list(notation)
    if isinstance(notation, list | Number | range) or hasattr(notation, "__array__"):
        with suppress(ValueError):  # lists of different lengths in one list
            return np.asarray(notation)
    return np.asarray(space.indices()[space.to_code(read_cell(notation))])


def _of_list(items: list[Any]) -> Int[np.ndarray, "*archs"]:
    """The indices of several cells, or of the one that the list spells as a whole."""
    try:
        return np.array([read_index(item) for item in items])
    except UserError:
        with suppress(UserError):
            return np.asarray(space.indices()[space.to_code(read_cell(items))])
        raise


def _is_of_numbers(items: list[Any]) -> bool:
    return all(isinstance(item, Number) or (isinstance(item, list) and _is_of_numbers(item)) for item in items)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _told(notation: Any) -> str:
    return " ".join(str(notation)[:80].split()) or repr(notation)


def is_naslib(text: str) -> bool:
    """Whether `text` is six of NASLib's operation numbers."""
    return _NUMBERS.fullmatch(text.strip()) is not None


def from_naslib(numbers: list[int] | tuple[int, ...]) -> Arch:
    """The architecture with these operation numbers of NASLib, in NASLib's order of edges."""
    by_edge = dict(zip(NASLIB_EDGES, numbers, strict=True))
    return tuple(OPS.index(NASLIB_OPS[by_edge[edge]]) for edge in EDGES)


def to_naslib(arch: Arch) -> Arch:
    """NASLib's six operation numbers for `arch`."""
    by_edge = dict(zip(EDGES, arch, strict=True))
    return tuple(NASLIB_OPS.index(OPS[by_edge[edge]]) for edge in NASLIB_EDGES)


def _by_node(text: str) -> list[tuple[tuple[int, int], str]]:
    """Six pairs of operation and source: one for the first node, two for the second, three for the third."""
    pairs = _PAIR.findall(text)
    if len(pairs) != len(EDGES):
        raise UserError(f"{text[:200]!r} is not an architecture; {EXPECTED}")
    return [((target, int(source)), name) for (target, _), (name, source) in zip(EDGES, pairs, strict=True)]


def _from_edges(by_edge: list[tuple[tuple[int, int], str]], text: str) -> Arch:
    if sorted(edge for edge, _ in by_edge) != sorted(EDGES):
        raise UserError(f"{text[:200]!r} does not give each of the six edges one operation; {EXPECTED}")
    for _, name in by_edge:
        if name not in _ALIASES:
            raise UserError(f"{name!r} is not an operation of NAS-Bench-201; it has {', '.join(OPS)}")
    names = dict(by_edge)
    return tuple(OPS.index(_ALIASES[names[edge]]) for edge in EDGES)
