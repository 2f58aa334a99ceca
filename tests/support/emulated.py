"""A CUDA graph for processors: every operation of torch's that a piece of work ends in, and the same ones done again.

As in a CUDA graph, an operation is done again on the same memory with the numbers that Python had computed, nothing of
Python runs, and results lie where they lay the first time; and a number that is read raises, as it does there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchharness import methods

ON_THE_HOST = {"enas", "gdas", "rsps", "setn"}
"""Methods that choose one cell a step and compute its operations alone, so that Python must know which."""
TRAINED = [name for name in methods.names() if methods.load(name).update != "none"]


class Operations(TorchDispatchMode):
    """Keeps the operations within a block."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], list[Tensor]]] = []

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        results = func(*args, **(kwargs or {}))
        input_memory = {tensor.untyped_storage().data_ptr() for tensor in _tensors((args, kwargs))}
        new_outputs = [
            tensor for tensor in _tensors(results) if tensor.untyped_storage().data_ptr() not in input_memory
        ]
        self.kept.append((func, args, dict(kwargs or {}), new_outputs))
        return results

    def again(self) -> None:
        """Do all of them once more."""
        with torch.no_grad():
            for func, args, kwargs, new_outputs in self.kept:
                input_memory = {tensor.untyped_storage().data_ptr() for tensor in _tensors((args, kwargs))}
                repeated_outputs = [
                    t for t in _tensors(func(*args, **kwargs)) if t.untyped_storage().data_ptr() not in input_memory
                ]
                for output, repeated in zip(new_outputs, repeated_outputs, strict=True):
                    output.set_(output.untyped_storage(), output.storage_offset(), output.shape, output.stride())
                    output.copy_(repeated)


class Emulated:
    """Records on a CPU. `count` tells how often."""

    def __init__(self) -> None:
        self.count = 0

    def lane(self) -> AbstractContextManager[None]:
        return nullcontext()

    def record(self, act: Callable[[], None]) -> Callable[[], None]:
        """Unlike a CUDA graph it has to do `act` to record it, and therefore does nothing when first asked to."""
        self.count += 1
        with Operations() as operations:
            act()
        first = True

        def replay() -> None:
            nonlocal first
            if not first:
                operations.again()
            first = False

        return replay


@contextmanager
def adam_on_the_device() -> Iterator[None]:
    """Let Adam count its steps in a tensor on a CPU too, as it does on CUDA where graphs hold its steps."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            import_module("torch.optim.adam"), "_get_capturable_supported_devices", lambda *_, **__: ["cpu", "cuda"]
        )
        yield


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
