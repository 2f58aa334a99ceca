"""Reads the pickles of released data sets without executing code that a pickle refers to.

Allowed are the instructions that arrays, plain values and official benchmark files need, and the names of NumPy's
arrays and numbers, `OrderedDict` and `set`; our own stand-ins are called in their place. The memory of an entry is
limited: a file cannot request gigabytes, nest until the stack overflows, or use dictionary keys that all collide. These
rules are stricter than `torch.load(weights_only=True)`; reading needs no torch, and reads a file of gigabytes entry by
entry.

The reader extends Python's unpickler that is written in Python, since the one in C allocates as much memory as a memo
index requests. An architecture of the benchmark takes 25 ms, and unpacking it 6 more (one core of an AMD EPYC, n = 9).
"""

import io
import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import numpy as np

from benchharness.errors import UserError

LIMIT_BYTES: Final = 1 << 28
"""Size limit of a pickle, and of the memory of an entry, counted as `_READ_BYTES` for every value read."""
_READ_BYTES: Final = 128
_TUPLE_BYTES: Final = LIMIT_BYTES // 10_000
"""Memory that a tuple counts for; bounds nesting, as Python hashes nested tuples by unchecked recursion."""
_LONG_BYTES: Final = 8
"""Most bytes of an integer; longer ones can be made to have equal hashes."""
_NAME_BYTES: Final = 200
_TOO_MUCH: Final = "it would take up too much memory"
_STOP, _SET_ITEM = b".", b"s"
_AFTER_ENTRY: Final = frozenset((b"K", b"M", b"J", b"u", _SET_ITEM))
"""Instructions that may follow an entry with an integer key: the next key, or adding entries to a dictionary."""
_KINDS: Final = frozenset({"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
_FAMILIAR_ENTRIES: Final = 64
_BUFFER_BYTES: Final = 1 << 20
_KEPT_LIMIT: Final = 1 << 21
"""Most texts and parts of entries that a streamed file may refer back to."""


class _Dtype:
    """Stand-in for `numpy.dtype`; plain numbers only."""

    def __init__(self, name: str, *_: Any) -> None:
        if name not in _KINDS:
            raise UserError(f"an array of {str(name)[:40]!r} is not read; plain numbers are")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def real(self) -> np.dtype[Any]:
        """The NumPy type."""
        return np.dtype(f"{self.order}{self.name}")


class _Array:
    """Stand-in for `numpy.ndarray`; `array` is the real array, made from the bytes in the file."""

    array: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        content = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        values = np.frombuffer(content, dtype.real())
        if math.prod(shape) != len(values):
            raise UserError(f"an array of shape {str(shape)[:60]} holds {len(values)} values")
        self.array = values.reshape(shape, order="F" if fortran else "C")


class _StandIn:
    """Stand-in for a function or class that a pickle refers to; it can only be called."""

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


class _Reader(pickle._Unpickler):
    """Reads one pickle within limits. Call `entries` first; `value` then is the pickle without these entries."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        super().__init__(file, encoding="latin1")
        self.memo: dict[int, Any] = {}
        self._raw = file
        self.stack: list[Any] = []
        self.metastack: list[list[Any]] = []
        self.append = self.stack.append
        self._left, self._places, self._remembered = LIMIT_BYTES, 0, 0
        self._texts: set[str] = set()

    @property
    def value(self) -> Any:
        """The unpickled object."""
        return self.stack[-1]

    def read(self, size: int) -> bytes:
        """The next `size` bytes; raises `UserError` if the entry's memory is used up or the file ends."""
        self._left -= size + _READ_BYTES
        if self._left < 0:
            raise UserError(_TOO_MUCH)
        data = self._raw.read(size)
        if len(data) < size:
            raise UserError("it ends too early")
        return data

    def readline(self) -> bytes:
        """The next line, cut to the longest possible name."""
        return self._raw.readline(_NAME_BYTES)

    def spend(self, size: int) -> None:
        """Count `size` bytes against the memory of the entry; raises `UserError` if it is used up."""
        self._left -= size
        if self._left < 0:
            raise UserError(_TOO_MUCH)

    def entries(self, inside: str = "") -> Iterator[tuple[Any, Any]]:
        """The entries of dictionaries under the key `inside`, each when it is complete; nothing of them is kept."""
        entries = 0
        while (code := self.read(1)) != _STOP:
            if code in _AFTER_ENTRY and inside and (entry := self._entry(code, inside)):
                yield entry
                entries += 1
                self._forget(familiar=entries <= _FAMILIAR_ENTRIES)
                self._left = LIMIT_BYTES
            if code not in _INSTRUCTIONS:
                raise UserError(f"it uses the pickle instruction {code!r}, which no data set needs")
            _INSTRUCTIONS[code](self)

    def _entry(self, code: bytes, inside: str) -> tuple[Any, Any] | None:
        """The entry that ends before the instruction `code`, taken from the stack; None if none does."""
        stack = self.stack
        if code == _SET_ITEM:  # how Python writes a single entry; None takes the place of the value
            if len(stack) < 4 or stack[-4] != inside:
                return None
            value, stack[-1] = stack[-1], None
            return stack[-2], value
        above = self.metastack[-1] if self.metastack else []
        if len(stack) != 2 or isinstance(stack[1], _StandIn) or len(above) < 2 or above[-2] != inside:
            return None
        key, value = stack
        stack.clear()
        return key, value

    def _forget(self, familiar: bool) -> None:
        """Drop memo entries except those that later entries may refer to: names, and texts when first seen."""
        for key in list(islice(reversed(self.memo), len(self.memo) - self._remembered)):
            value = self.memo[key]
            is_text = isinstance(value, str)
            if not isinstance(value, _StandIn | _Dtype) and not (is_text and (familiar or value not in self._texts)):
                del self.memo[key]
            elif is_text:
                self._texts.add(value)
        self._remembered = len(self.memo)
        if self._remembered > _KEPT_LIMIT:
            raise UserError(f"it has more than {_KEPT_LIMIT} different texts")

    def memoize(self) -> None:
        """Instruction MEMOIZE: remember the topmost object under the next number."""
        self.memo[self._places] = self.stack[-1]
        self._places += 1

    def integer(self) -> None:
        """Instruction LONG1: read an integer; raises `UserError` if it is longer than 8 bytes."""
        size = self.read(1)[0]
        if size > _LONG_BYTES:
            raise UserError(f"it holds an integer of {size} bytes, more than any data set needs")
        self.append(int.from_bytes(self.read(size), "little", signed=True))

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for `module.name`; raises `UserError` if no data set needs that name."""
        key = (_NUMPY.get(module, module), name)
        if key not in _STAND_INS:
            raise UserError(f"it names {f'{module}.{name}'[:80]!r}, which no data set needs")
        return _STAND_INS[key]


def _counted(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def counted(reader: _Reader) -> None:
        """Load a tuple, which counts for `_TUPLE_BYTES`."""
        reader.spend(_TUPLE_BYTES)
        load(reader)

    return counted


_PLAIN: Final = b"\x80N\x88\x89KMJGUTCBX\x8c\x8d\x8e)]}\x8f(uesa\x90qrhjcRb\x93"
"""Instructions as Python runs them: constants, numbers, texts, containers and what fills them, memo, names, calls."""
_INSTRUCTIONS: Final[dict[bytes, Callable[[Any], None]]] = {
    **{bytes([code]): pickle._Unpickler.dispatch[code] for code in _PLAIN},
    **{bytes([code]): _counted(pickle._Unpickler.dispatch[code]) for code in b"t\x85\x86\x87"},
    b"\x94": _Reader.memoize,
    b"\x8a": _Reader.integer,
    b"\x95": lambda reader: reader.spend(len(reader.read(8))),  # a frame's size, of no use without frames
}


def read_pickle(data: bytes, source: object) -> dict[Any, Any]:
    """The dictionary pickled in `data`: plain values and NumPy arrays. Errors name `source`.

    Raises `UserError` if the pickle is too large or damaged, refers to a class or function that no data set needs, or
    is not a dictionary.
    """
    if len(data) > LIMIT_BYTES:
        raise UserError(f"{source} has {len(data)} bytes; a pickle of more than {LIMIT_BYTES} is not read")
    with _refusing(source):
        reader = _Reader(io.BytesIO(data))
        list(reader.entries())
        if not isinstance(reader.value, dict):
            raise UserError(f"it holds a {type(reader.value).__name__}, not a dictionary")
        return {key: value.array if isinstance(value, _Array) else value for key, value in reader.value.items()}


def stream(file: io.BufferedIOBase, source: object, inside: str) -> Iterator[tuple[Any, Any]]:
    """The entries of the dictionary under the key `inside` of the dictionary pickled in `file`, one at a time.

    Needs memory for one entry and for the strings that entries share. Raises `UserError` as `read_pickle` does, and if
    there is no such dictionary, if its keys are not integers, or if an entry refers to a part of another.
    """
    with _refusing(source):
        buffered = io.BufferedReader(file, _BUFFER_BYTES)
        reader = _Reader(buffered)
        try:
            yield from reader.entries(inside)
        finally:
            buffered.detach()  # else it would close the file
        rest = reader.value.get(inside) if isinstance(reader.value, dict) else None
        if not isinstance(rest, dict) or any(value is not None for value in rest.values()):
            raise UserError(f"it holds no dictionary with the key {inside!r} whose keys are integers")


@contextmanager
def _refusing(source: object) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{source} is refused: {error}") from None
    except Exception as error:  # damaged bytes make the unpickler raise nearly anything
        raise UserError(f"{source} is a damaged pickle ({type(error).__name__}: {str(error)[:120]})") from None
