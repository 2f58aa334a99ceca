"""Where Python reads a tensor's numbers: on a GPU each such place waits for all that the device was given before."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

_READING: Final = frozenset(
    {"item", "tolist", "cpu", "numpy", "nonzero", "equal", "allclose", "is_nonzero", "masked_select", "unique"}
    | {"__bool__", "__int__", "__float__", "__index__", "__array__", "__contains__"}
)


class Read(NamedTuple):
    """One place where a number was read."""

    name: str
    """Of the function, such as `item`."""
    file: str
    line: int


class Reads(TorchFunctionMode):
    """Notes every read of a tensor's numbers within a `with` block, whichever device the tensor is on.

    It sees what Python asks for; numbers that torch's own kernels read it cannot see, which on a CUDA device `no_sync`
    does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Read] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _READING:
            caller = sys._getframe(1)
            self.found.append(Read(name, caller.f_code.co_filename, caller.f_lineno))
        return func(*args, **(kwargs or {}))


@contextmanager
def no_sync() -> Iterator[None]:
    """A block in which CUDA raises `RuntimeError` wherever Python waits for it."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
