"""Errors that say that memory ran out are known in all words; others are not taken for them."""

import pytest
import torch

from benchharness.compute.memory import ran_out


def accelerator_error(message: str, code: int) -> Exception:
    error = torch.AcceleratorError(message)
    error.error_code = code
    return error


@pytest.mark.parametrize(
    ("error", "for_want_of_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), True),
        (accelerator_error("CUDA error: out of memory", 2), True),
        (accelerator_error("CUDA error: an illegal memory access was encountered", 700), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_an_error_for_want_of_memory_is_known(error: Exception, for_want_of_memory: bool) -> None:
    assert ran_out(error) is for_want_of_memory
