"""Describes the environment of a run: versions, git state, processor, GPUs, driver, flags. Never imports torch."""

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

PACKAGES: Final = ("benchharness", "torch", "numpy", "scipy", "pandas", "pyarrow", "joblib")
VARIABLES: Final = ("CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def wait_passively() -> None:
    """Make torch's threads sleep instead of spin while they wait for each other; call it before torch is loaded.

    On two busy cores a small search's selection took 20 to 63 s with spinning threads, and 4 s without (n = 4, 2).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def describe() -> dict[str, Any]:
    """The environment of this process, as JSON; None for what cannot be determined."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "git": _git(),
        "processor": processor(),
        "cores": cores(),
        "gpus": _gpus(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "torch": _torch_flags(),
    }


@cache
def source_sha256() -> str:
    """SHA-256 of the names and contents of this package's Python files; computed once per process.

    Line endings and files that cannot be imported are ignored; empty if there are no files to read.
    """
    package = Path(__file__).resolve().parents[1]
    modules = sorted((path.relative_to(package).with_suffix("").parts, path) for path in package.rglob("*.py"))
    importable = [(module_path, path) for module_path, path in modules if all(map(str.isidentifier, module_path))]
    digest = hashlib.sha256()
    for module_path, path in importable:
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{'.'.join(module_path)} {len(content)}\n".encode() + content)
    return digest.hexdigest() if importable else ""


def cores() -> int:
    """Number of processor cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _git() -> dict[str, Any] | None:
    """Commit of the package's checkout, and whether files were changed since; None for an installed wheel.

    For a copy without git history, the commit in the variable `BENCHHARNESS_COMMIT`.
    """
    package_root = Path(__file__).resolve().parents[2]
    if not (package_root / ".git").exists():
        carried = os.environ.get("BENCHHARNESS_COMMIT")
        return {"commit": carried, "changed": None} if carried else None
    commit = _output("git", "-C", str(package_root), "rev-parse", "HEAD")
    changes = _output(
        "git", "-C", str(package_root), "status", "--porcelain", "--untracked-files=no", "--", "benchharness"
    )
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


@cache
def processor() -> str:
    """The model of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@cache
def _gpus() -> list[dict[str, str]]:
    """Name, driver and memory of every NVIDIA GPU in the machine, from `nvidia-smi`."""
    listing = _output("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    keys = ("name", "driver", "memory")
    rows = [line.split(", ") for line in (listing or "").splitlines()]
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == len(keys)]


def _torch_flags() -> dict[str, Any] | None:
    """The settings of torch that affect results; None if torch is not loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return {
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
    }


def _output(*command: str) -> str | None:
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()
