"""Reading the pickles that data sets are released as, without running anything that a pickle may ask for.

Two fences. `opcodes` passes on only the instructions that arrays and plain values need, so that what reaches Python's
unpickler is small, flat and made up by us; here, whatever names a class or function other than numpy's arrays and
numbers, `OrderedDict` and `set` is refused with the name, and those few are stand-ins of our own. It is narrower than
`torch.load(weights_only=True)`, needs no torch, and reads a file of gigabytes an entry at a time.
"""

import io
import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from benchharness.errors import UserError
from benchharness.io.pickle_filter import Chunk, Rewriter

LIMIT_BYTES: Final = 1 << 28
_KINDS: Final = frozenset({"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
_FAMILIAR_CHUNKS: Final = 64
_KEPT_LIMIT: Final = 1 << 21
"""Texts, and parts of entries, that a streamed file may refer back to."""


class _Dtype:
    """Stands in for `numpy.dtype`: only plain numbers."""

    def __init__(self, name: str, *_: Any) -> None:
        if name not in _KINDS:
            raise UserError(f"an array of {str(name)[:40]!r} is not read; plain numbers are")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def real(self) -> np.dtype[Any]:
        return np.dtype(f"{self.order}{self.name}")


class _Array:
    """Stands in for `numpy.ndarray`; `array` is the real one, made from the bytes in the file and of their size."""

    array: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        content = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        values = np.frombuffer(content, dtype.real())
        if math.prod(shape) != len(values):
            raise UserError(f"an array of shape {str(shape)[:60]} holds {len(values)} values")
        self.array = values.reshape(shape, order="F" if fortran else "C")


class _StandIn:
    """What a name in the file gets: it can be called, and nothing else can be done to it."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, _: object) -> None:
        raise UserError("it sets the state of a function")


def _encoded(text: str, codec: str = "latin1") -> bytes:
    if codec != "latin1":
        raise UserError(f"it asks for the codec {str(codec)[:40]!r}")
    return text.encode(codec)


def _scalar(dtype: _Dtype, raw: str | bytes) -> int | float | bool:
    content = raw.encode("latin1") if isinstance(raw, str) else raw
    (value,) = np.frombuffer(content, dtype.real()).tolist()
    return value


def _empty(*_: Any) -> _Array:
    return _Array()


_CALLS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("multiarray", "_reconstruct"): _empty,
    ("multiarray", "scalar"): _scalar,
    ("numpy", "ndarray"): _empty,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): dict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
}
_STAND_INS: Final = {key: _StandIn(call) for key, call in _CALLS.items()}
_NUMPY: Final = {"numpy.core.multiarray": "multiarray", "numpy._core.multiarray": "multiarray"}


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes, kept: dict[int, Any]) -> None:
        self._kept = kept
        super().__init__(io.BytesIO(content), encoding="latin1")

    def persistent_load(self, place: int) -> Any:
        if place not in self._kept:
            raise UserError(f"an entry refers back to a part of another, number {place}")
        return self._kept[place]

    def find_class(self, module: str, name: str) -> Any:
        key = (_NUMPY.get(module, module), name)
        if key not in _STAND_INS:
            raise UserError(f"it names {f'{module}.{name}'[:80]!r}, which no data set needs")
        return _STAND_INS[key]


def read(data: bytes, where: object) -> dict[Any, Any]:
    """The dictionary pickled in `data`: plain values and numpy arrays. `where` is named in errors.

    Raises `UserError` where it names a class or function that no data set needs, is too large, damaged, or no
    dictionary.
    """
    if len(data) > LIMIT_BYTES:
        raise UserError(f"{where} has {len(data)} bytes; a pickle of more than {LIMIT_BYTES} is not read")
    with _refusing(where):
        found = _Reader(Rewriter(io.BytesIO(data)).whole(), {}).load()
        if not isinstance(found, dict):
            raise UserError(f"it holds a {type(found).__name__}, not a dictionary")
        return {key: value.array if isinstance(value, _Array) else value for key, value in found.items()}


def stream(file: io.BufferedIOBase, where: object, inside: str) -> Iterator[tuple[Any, Any]]:
    """The entries of the dictionary under the key `inside` of the dictionary pickled in `file`, one at a time.

    Memory is that of one entry and of the texts that entries share. Raises `UserError` as `read` does, and where an
    entry refers back to a part of another that is long gone.
    """
    kept: dict[int, Any] = {}
    known: set[str] = set()
    with _refusing(where):
        for count, chunk in enumerate(Rewriter(file).entries(inside)):
            reader = _Reader(chunk.content, kept)
            part = reader.load()
            if chunk.inside:
                yield part[-2:]
            _keep(chunk, reader, kept, known, familiar=count < _FAMILIAR_CHUNKS)


def _keep(chunk: Chunk, reader: pickle.Unpickler, kept: dict[int, Any], known: set[str], familiar: bool) -> None:
    """Remember what later entries may refer to: names, and texts when first seen; early on, every text."""
    memo: dict[int, Any] = reader.memo.copy()
    for place, old in enumerate(chunk.memo):
        value = memo[place]
        if isinstance(value, _StandIn | _Dtype) or (isinstance(value, str) and (familiar or value not in known)):
            kept[old] = value
            known.add(value) if isinstance(value, str) else None
    if len(kept) > _KEPT_LIMIT:
        raise UserError(f"it has more than {_KEPT_LIMIT} different texts")


@contextmanager
def _refusing(where: object) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{where} is refused: {error}") from None
    except Exception as error:  # damaged bytes make the unpickler raise nearly anything
        raise UserError(f"{where} is a damaged pickle ({type(error).__name__}: {str(error)[:120]})") from None
