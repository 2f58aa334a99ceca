"""The available devices, the number of searches that run on them at a time, and their names."""

import torch

from benchharness.compute import environment
from benchharness.errors import UserError, unknown


def devices(device: str, jobs: int) -> list[str]:
    """The devices that `jobs` workers use in turn; raises `UserError` if a device does not exist."""
    gpus = torch.cuda.device_count()
    kind, _, index = device.partition(":")
    if jobs < 1:
        raise UserError(f"jobs={jobs} is out of range; it must be 1 or more")
    if kind.lower() in ("gpu", "nvidia"):
        raise UserError(f"unknown device {device!r}; did you mean 'cuda'? known: auto, cpu, cuda, cuda:N")
    if kind not in ("auto", "cpu", "cuda"):
        raise unknown("device", device, ("auto", "cpu", "cuda", *(f"cuda:{gpu}" for gpu in range(gpus))))
    if kind == "cpu" or (kind == "auto" and not gpus):
        return ["cpu"]
    if not gpus or (index and not (index.isdecimal() and int(index) < gpus)):
        raise UserError(f"device {device!r} is not there: torch finds {gpus} CUDA devices; try --device cpu")
    return [f"cuda:{index}"] if index else [f"cuda:{gpu}" for gpu in range(gpus)]


def slots(device: str, most: int) -> int:
    """Number of runs at a time on this machine, at most `most`: one per GPU if `device` means GPUs, else per core."""
    usable = devices(device, 1)
    return max(1, min(most, environment.cores() if usable == ["cpu"] else len(usable)))


def name_of(device: str) -> str:
    """The GPU's model name, or `cpu`."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
