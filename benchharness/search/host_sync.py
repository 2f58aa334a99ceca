"""Finds host synchronisations: code in which Python waits for the GPU because it reads or writes a tensor's numbers."""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

_READING: Final = frozenset(
    {"item", "tolist", "cpu", "numpy", "nonzero", "equal", "allclose", "is_nonzero", "masked_select", "unique"}
    | {"__bool__", "__int__", "__float__", "__index__", "__array__", "__contains__"}
)
_SENDING: Final = frozenset({"tensor", "as_tensor", "asarray", "from_numpy", "new_tensor"})
_INDEXING: Final = frozenset({"__getitem__", "__setitem__"})


class Read(NamedTuple):
    """One line of source code that reads or writes a tensor's numbers."""

    name: str
    """Name of the torch function, such as `item` or `tensor`."""
    file: str
    line: int


class Reads(TorchFunctionMode):
    """Records every call in a `with` block that would synchronise with a GPU, whichever device the tensors are on.

    It records reads of a tensor's numbers, tensors made from Python numbers, a number assigned to a part of a tensor,
    an index that is a list (it is copied to the device), and an index that is a mask (its true entries are counted).

    Only calls from Python are recorded. To find reads inside torch's own functions, use `no_sync` on a CUDA device, or
    a `meta` device, whose tensors have no numbers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Read] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        sends = name == "__setitem__" and isinstance(args[2], bool | int | float)
        if name in _READING or name in _SENDING or sends or (name in _INDEXING and _waits(args[1])):
            caller = sys._getframe(1)
            self.found.append(Read(name, caller.f_code.co_filename, caller.f_lineno))
        return func(*args, **(kwargs or {}))


def _waits(index: Any) -> bool:
    """Whether indexing with `index` waits for the device."""
    indices = index if isinstance(index, tuple) else (index,)
    return any(isinstance(item, list) or (torch.is_tensor(item) and item.dtype == torch.bool) for item in indices)


@contextmanager
def no_sync() -> Iterator[None]:
    """Within a `with` block, CUDA raises `RuntimeError` if Python waits for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says on every use that the mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
