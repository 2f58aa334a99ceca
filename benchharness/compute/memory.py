"""Recognises out-of-memory errors of all libraries involved by their messages."""

from typing import Final

import torch

_CUDA_ERROR_MEMORY_ALLOCATION: Final = 2
_WORDS: Final = ("can't allocate memory", "ALLOC_FAILED", "ALLOCATION_FAILED", "CUDA error: out of memory")
"""Parts of the messages of the CPU's allocator, of cuBLAS and cuDNN, and of CUDA outside of torch's allocator."""


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that the CPU's or a GPU's memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, torch.AcceleratorError) and getattr(error, "error_code", 0) == _CUDA_ERROR_MEMORY_ALLOCATION:
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _WORDS)
