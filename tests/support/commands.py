"""Real command lines in real processes, for tests that kill them; and what may not depend on that."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchharness import cli
from benchharness.store.lock import alive
from tests.support.tiny import SETTINGS

EPOCHS = 6
DETERMINISTIC = ("spec.json", "record.json", "trace.npz")
PREPARED = "import benchharness.report; benchharness.report.build = lambda results, out, *_: out\n"
"""Reports are of no interest here, and take longer than these searches."""

FORKING = """
import os, signal, sys
import benchharness.runs.runner, benchharness.cli.console, benchharness.runs.progress, benchharness.report
import torch._dynamo  # which torch imports for its first optimizer, and which takes longer than these searches
from benchharness import cli
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.stdin = open(os.devnull)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.setpgid(0, 0)
        os._exit(cli.main(line.rstrip("\\n").split("\\t")))
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


def command_line(out: Path, methods: str = "ostr", seeds: str = "0", **options: Any) -> list[str]:
    """A command line for a run of seconds; an underscore in an option's name stands for a dash."""
    settings = [
        f"{key}={value}" for key, value in {**SETTINGS, "epochs": EPOCHS, **options.pop("settings", {})}.items()
    ]
    more = [
        word for key, value in options.items() for word in ([f"--{key}"] if value is True else (f"--{key}", str(value)))
    ]
    target = ["--out", str(out), "--suite", "mine", "--dataset", "cifar10", "--device", "cpu"]
    return ["run", "--methods", methods, "--seeds", seeds, *more, *target, "--set", *settings]


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = cli.DONE) -> str:
    """What a command within this process prints: its answer, or its sentence where it is refused."""
    capsys.readouterr()
    assert cli.main(arguments) == code
    streams = capsys.readouterr()
    return streams.err if code == cli.REFUSED else streams.out


def start(
    out: Path, methods: str = "ostr", seeds: str = "0", before: str = "", **options: Any
) -> subprocess.Popen[str]:
    """The command in a process group of its own, after the Python in `before`."""
    code = f"import sys; from benchharness import cli\n{PREPARED}{before}\nsys.exit(cli.main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *command_line(out, methods, seeds, **options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """What the process prints, once it has ended with `code`."""
    out, err = process.communicate(timeout=500)
    assert process.returncode == code, out + err
    return out + err


class Forks:
    """A process that has loaded torch once and forks off commands, so that a hundred of them start in no time."""

    def __enter__(self) -> "Forks":
        pipe = subprocess.PIPE
        code = PREPARED + FORKING
        self.parent = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, bufsize=1)
        assert self._line() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.parent.kill()
        self.parent.communicate()

    def start(self, out: Path, *args: Any, **options: Any) -> int:
        """Begin a `run`; its process id."""
        return self.begin(command_line(out, *args, **options))

    def begin(self, command: Sequence[str]) -> int:
        """Begin any command; its process id."""
        assert self.parent.stdin is not None
        self.parent.stdin.write("\t".join(command) + "\n")
        return int(self._line())

    def ended(self) -> int:
        """Wait for the command to end; its exit code, negative where a signal ended it."""
        return int(self._line())

    def _line(self) -> str:
        assert self.parent.stdout is not None
        return self.parent.stdout.readline().strip()


def results(folder: Path) -> Mapping[str, bytes]:
    """Every file that may not depend on what happened on the way."""
    return {str(path.relative_to(folder)): path.read_bytes() for name in DETERMINISTIC for path in folder.rglob(name)}


def traces(folder: Path) -> Mapping[str, list[dict[str, Any]]]:
    """Every epoch's line, but for what it took."""
    measured_fields = ("seconds", "processor_seconds", "peak_memory_bytes")
    return {
        str(path.relative_to(folder)): [
            {name: value for name, value in json.loads(line).items() if name not in measured_fields}
            for line in path.read_text().splitlines()
        ]
        for path in folder.rglob("trace.jsonl")
    }


def machines(folder: Path) -> list[dict[str, Any]]:
    """What each run's folder tells about how it came about."""
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("machine.json"))]


def wait_for_epoch(folder: Path, epoch: int, runs: int = 1) -> None:
    """Return once `runs` traces have so many lines."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if sum(path.read_bytes().count(b"\n") >= epoch for path in folder.rglob("trace.jsonl")) >= runs:
            return
        time.sleep(0.005)
    raise AssertionError(f"epoch {epoch} was never reached")


def someone_works(folder: Path) -> bool:
    """Whether a run in `folder` has a living owner."""
    return any(alive(beat.parent) for beat in folder.rglob("heartbeat"))


def alive_in_group(group: int) -> list[str]:
    """Processes of a group that still run; one that has ended and waits for its parent to notice does not."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            name, _, rest = path.read_text().rpartition(")")
            state, _, its_group = rest.split()[:3]
            processes += [name] if its_group == str(group) and state != "Z" else []
    return processes


def leftovers(folder: Path) -> list[Path]:
    """Files that a finished folder has no use for."""
    return [
        path for name in ("*.lock", "heartbeat", "*.tmp", "failure.json", "hung.txt") for path in folder.rglob(name)
    ]


def killed_group(group: int, number: int) -> None:
    """Send a signal to a whole process group, as a scheduler does."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
