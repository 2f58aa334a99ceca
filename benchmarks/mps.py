"""A command under NVIDIA's Multi-Process Service: `python benchmarks/mps.py COMMAND ...`.

Without it, processes on one GPU take turns; with it, kernels of several processes run at the same time. Its daemon is
started for the command alone and ended with it, on pipes of its own, and no setting of the GPU is touched. Where there
is no such daemon, or it does not start, the command runs without, after a line that says so.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

CONTROL: Final = "nvidia-cuda-mps-control"
PATIENCE_SECONDS: Final = 20


def main() -> int:
    """Run the command; gives its exit status."""
    if len(sys.argv) < 2:
        sys.exit("give the command to run: python benchmarks/mps.py COMMAND ...")
    with serving() as variables:
        return subprocess.run(sys.argv[1:], env={**os.environ, **variables}, check=False).returncode


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """A block in which the daemon serves those who have the variables that this gives; none where it cannot."""
    if not shutil.which(CONTROL):
        print(f"without MPS: there is no {CONTROL}", flush=True)
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        variables = {f"CUDA_MPS_{name}_DIRECTORY": str(Path(folder) / name.lower()) for name in ("PIPE", "LOG")}
        for folder_name in variables.values():
            Path(folder_name).mkdir()
        if reason := control_output("-d", variables=variables):
            print(f"without MPS: {reason}", flush=True)
            yield {}
            return
        try:
            print("with MPS", flush=True)
            yield variables
        finally:
            control_output(instructions="quit\n", variables=variables)


def control_output(*options: str, instructions: str = "", variables: dict[str, str]) -> str:
    """What went wrong as the daemon was started, or told `instructions`; empty where nothing did."""
    try:
        process = subprocess.run(
            [CONTROL, *options],
            input=instructions,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (
        "" if process.returncode == 0 else f"{CONTROL} ended with {process.returncode} ({process.stderr.strip()[:200]})"
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
