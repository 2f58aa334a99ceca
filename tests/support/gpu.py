"""The device that tests marked `gpu` run on: CUDA's, or with DEVICE=cpu the processor, to rehearse them."""

import os

import pytest
import torch

from benchharness.search.cuda_graphs import CudaRecorder, Recorder
from tests.support.emulated import Emulated


def gpu() -> torch.device:
    """The device; a test fails where there is none, since one that is asked for and skipped would show nothing."""
    device = torch.device(os.environ.get("DEVICE", "cuda"))
    if device.type == "cuda" and not torch.cuda.is_available():
        pytest.fail("torch finds no CUDA device; DEVICE=cpu rehearses this test on the processor")
    return device


def recorder(device: torch.device) -> Recorder:
    """What records steps there."""
    return CudaRecorder(device) if device.type == "cuda" else Emulated()
