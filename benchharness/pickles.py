"""Reading the pickles that data sets are released as, without running anything that a pickle may ask for.

Only arrays and plain values come out: a file that names any other class or function is refused with the name, and
numpy's own are replaced by stand-ins, so that nothing in the file reaches numpy's unpickling code either.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from benchharness.errors import UserError

LIMIT_BYTES: Final = 1 << 28
_LIMIT_STEPS: Final = 1 << 22
"""Instructions in a pickle; the longest official file has some 300,000."""
_KINDS: Final = frozenset({"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})


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


def _encoded(text: str, codec: str = "latin1") -> bytes:
    if codec != "latin1":
        raise UserError(f"it asks for the codec {str(codec)[:40]!r}")
    return text.encode(codec)


def _empty(*_: Any) -> _Array:
    return _Array()


_STAND_INS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encoded,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise UserError(f"it names {f'{module}.{name}'[:80]!r}, which no data set needs")
        return _STAND_INS[module, name]


def read(data: bytes, where: object) -> dict[str, Any]:
    """The dictionary pickled in `data`: plain values and numpy arrays. `where` is named in errors.

    Raises `UserError` where it names a class or function other than numpy's arrays, is too large, damaged, or no
    dictionary.
    """
    if len(data) > LIMIT_BYTES:
        raise UserError(f"{where} has {len(data)} bytes; a pickle of more than {LIMIT_BYTES} is not read")
    try:
        _survey(data)
        found = _Reader(io.BytesIO(data), encoding="latin1").load()
        if not isinstance(found, dict):
            raise UserError(f"it holds a {type(found).__name__}, not a dictionary")
        return {str(key): value.array if isinstance(value, _Array) else value for key, value in found.items()}
    except UserError as error:
        raise UserError(f"{where} is refused: {error}") from None
    except Exception as error:  # damaged bytes make the unpickler raise nearly anything
        raise UserError(f"{where} is a damaged pickle ({type(error).__name__}: {str(error)[:120]})") from None


def _survey(data: bytes) -> None:
    """Refuse, before anything is built, what would take memory out of all proportion to the file."""
    for step, (code, argument, _) in enumerate(pickletools.genops(data)):
        if step > _LIMIT_STEPS or (code.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(data)):
            raise UserError("it would take up too much memory")
