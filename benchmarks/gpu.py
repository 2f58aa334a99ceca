"""What needs a GPU, in commands of ten minutes, the best evidence first: `python benchmarks/gpu.py run`.

    pack      here, before: wheels that are missing there, the commit and the data, in pieces small enough to be carried
    plan      prints which minute is for what
    run       does the steps that the time is enough for; the same command goes on with those that are left

It works in runs/gpu, which stays as long as the machine does. Every step has a time of its own and writes its figures
as it goes; one that fails or takes too long is tried once more after all others. Whatever is there so far is archived
after each step and every half minute into the folder OUT (an environment variable, or `--out`): `evidence.tgz`, and
`checkpoint-1.tgz` and so on of runs that are not finished. All of it can be packed again, so that the next machine goes
on from there. `--device cpu --small` rehearses the whole way on a processor. The exit status is 0 once every step has
ended well, 75 where the same command has more to do, and 1 where nothing is left but what failed twice.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import carrying
from carrying import ROOT, WORK

EVERY_SECONDS: Final = 30
PATIENCE: Final = 4
"""By how much steps of a rehearsal may take longer: processors that rehearse have other work."""
ATTEMPTS: Final = 2
MORE: Final = 75
"""Exit status of `benchharness run` where it pauses, and of this script."""
_GRACE_SECONDS: Final = 40
"""Before its limit a search is to pause, since an epoch or a reading may take longer than it was expected to."""


class Step(NamedTuple):
    """One command, and how long it may take."""

    name: str
    words: tuple[str, ...]
    seconds: float
    what: str = ""
    """The evidence that it gives, for the plan."""
    least: float = 20.0
    """Seconds without which it is left for the next command."""
    done: tuple[int, ...] = (0,)
    """Exit statuses of a step that has nothing left to do."""


def main() -> int:
    """Do what the command line asks for; gives the exit status."""
    args = parsed()
    patience = PATIENCE if args.small else 1
    if args.part == "pack":
        carrying.pack(args.data, args.archives)
        return 0
    steps = [step._replace(seconds=step.seconds * patience) for step in steps_of(args)]
    steps = [step for step in steps if not args.only or step.name in args.only.split(",")]
    if args.part == "plan":
        print("\n".join(page(steps, args.seconds)))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    until = time.monotonic() + args.seconds
    carrying.unpack(args.device)
    end_leftover()
    return all_of(steps, args, until)


def parsed() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("pack", "plan", "run"))
    parser.add_argument("--seconds", type=float, default=560, help="for one command")
    parser.add_argument("--only", default="", help="comma-separated names of steps; all of them without it")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny settings, to rehearse")
    parser.add_argument("--suite", default="suites/paper.toml")
    parser.add_argument("--jobs", type=int, default=0, help="searches at a time; 0 takes what `several` found best")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", WORK / "out")))
    parser.add_argument("--data", type=Path, help="pack: the folder of data to be carried")
    parser.add_argument("--archives", type=Path, help="pack: the folder of earlier archives, to go on from")
    return parser.parse_args()


class Words:
    """The words of commands for a device, tiny ones in a rehearsal."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.suite, self.device = args.suite, ("--device", args.device)
        self.small, self.cpu = args.small, args.device == "cpu"
        self.graphs = () if self.cpu else ("--graphs",)
        self.searches = (*self.device, *(("--dataset", "digits", *SMALL) if args.small else ("--protocol", "drnas")))

    def script(self, script: str, name: str, *words: str) -> tuple[str, ...]:
        """A timing of the name `name`, whose figures are written under it."""
        return sys.executable, f"benchmarks/{script}.py", *words, "--out", str(WORK / f"{name}.json")

    def step(self, name: str, *words: str) -> tuple[str, ...]:
        """A timing of half-steps."""
        tiny = ("--channels", "2", "--cells", "1", "--batch", "4", "--threads", "1")
        size = (*tiny, "--repeats", "1") if self.small else ("--repeats", "7")
        return self.script("step", name, *self.device, *size, *self.graphs, *words)

    def run(self, *words: str) -> tuple[str, ...]:
        """Searches of the suite, whose accuracies are looked up elsewhere."""
        places = ("--out", str(WORK / "results"), "--reports", str(WORK / "reports"), "--no-training")
        plan = ("--methods", "darts,ostr", "--seeds", "0", "--dataset", "digits", *SMALL, "epochs=3")
        suite = (*(plan if self.small else ()), "--suite", self.suite)
        return sys.executable, "-m", "benchharness", "run", *suite, *words, *self.device, *self.graphs, *places


def steps_of(args: argparse.Namespace) -> Iterator[Step]:
    """All steps, the most telling first."""
    of = Words(args)
    yield from right(of)
    at_a_time = ("--at-a-time", "1,2" if of.small else "1,2,4", "--epochs", "1", "--repeats", "1")
    yield Step(
        "several",
        of.script("several", "several", *of.searches, *of.graphs, *at_a_time),
        120,
        "searches an hour with 1, 2 and 4 processes at a time; the search takes the best",
        60,
    )
    words, what = ("--jobs", "{jobs}", "--for", "{left}s"), f"the runs of {args.suite}; pauses before the time is up"
    yield Step("search", of.run(*words), args.seconds, what, 90)
    yield from figures(of)


def right(of: Words) -> Iterator[Step]:
    """Steps that show whether what is computed there is right, and how fast one step is."""
    yield Step("device", (sys.executable, "-c", SEEN.format(device=of.device[1])), 60, "CUDA is there, or nothing else")
    first = ("--methods", "darts", "--seeds", "0", "--jobs", "1", "--epochs-now", "1" if of.small else "2")
    what = "two epochs of the first full-size search, to be held beside the published curve"
    yield Step("first", of.run(*first), 90, what, 40, (0, MORE))
    tests = ("tests/search/test_on_gpu.py", *(("-k", "logits and 1-softmax") if of.small else ("tests/search",)))
    yield Step(
        "tests",
        (sys.executable, "-m", "pytest", "-v", "-m", "gpu", "-W", "default", "-p", "no:cacheprovider", *tests),
        200,
        "logits, gradients, ten steps, eigenvalue, selections, kill and resume, against the plain twin in float64",
        60,
    )
    yield Step("step", of.step("step"), 80, "both half-steps: plain, shared work, recorded; in float32", 40)


def figures(of: Words) -> Iterator[Step]:
    """Steps that fill what is left of the table of bounds."""
    for numerics in ("bf16",) if of.cpu else ("bf16", "tf32"):
        name = f"step-{numerics}"
        yield Step(name, of.step(name, "--numerics", numerics), 80, f"the same in {numerics}", 40)
    once = ("--repeats", "1")
    epochs = (*of.searches, *of.graphs, "--methods", "darts,drnas", *once)
    yield Step("epoch", of.script("epoch", "epoch", *epochs), 120, "whole epochs, eager and recorded", 60)
    strength = (*of.searches, "--parts", "strength", *once)
    yield Step("strength", of.script("probes", "strength", *strength), 120, "operation strength", 60)
    compiled = ("--compile", "--numerics", "bf16")
    yield Step("step-compiled", of.step("step-compiled", *compiled), 300, "compiled cells, minutes to compile", 200)


SMALL: Final = (
    *("--protocol", "small", "--set", "images=64", "channels=2", "cells=1", "batch=16", "eval_batch=16"),
    *("ranking=2", "ranking_batches=1"),
)
"""A tiny search."""
SEEN: Final = """
import torch
device = torch.device("{device}")
assert device.type == "cpu" or torch.cuda.is_available(), "torch finds no CUDA device"
print(torch.__version__, torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu")
assert float((torch.ones(8, device=device) * 2).sum()) == 16
"""
"""The first step: without a device all others would tell nothing."""


def page(steps: list[Step], seconds: float) -> Iterator[str]:
    """The plan as a table in Markdown: which minutes of which command each step has, at most."""
    yield "| command | minutes | step | what it gives | at most |"
    yield "| --- | --- | --- | --- | --- |"
    command, begun = 1, 0.0
    for step in steps:
        if begun and seconds - begun < step.seconds and step.name != "search":
            command, begun = command + 1, 0.0
        elif step.name == "search":  # it takes a command of its own, and what others leave of theirs
            command, begun = command + (begun > 0), 0.0
        limit = min(step.seconds, seconds)
        span = f"{begun / 60:.1f}-{(begun + limit) / 60:.1f}"
        yield f"| {command} | {span} | `{step.name}` | {step.what} | {limit:.0f} s |"
        begun += limit


def all_of(steps: list[Step], args: argparse.Namespace, until: float) -> int:
    """Do what is left of the steps while there is time, first those not tried yet; gives the exit status."""
    here: Counter[str] = Counter()
    while step := following(steps, args.device, here, until):
        if step.name != "device" and (lacking := carrying.missing()):
            print(f"more to do: the data lacks its pieces {lacking}; carry them, with the same command")
            return MORE
        here[step.name] += 1
        done(step, args, left(until))
    ends = {step.name: attempts(step, args.device) for step in steps}
    for name, end in ends.items():
        print(f"{name}: {'done' if end is None else f'left, {end.failed} of {ATTEMPTS} attempts failed'}")
    if any(end and end.failed < ATTEMPTS for end in ends.values()):
        print("more to do: the same command goes on", flush=True)
        return MORE
    return 1 if any(ends.values()) else 0


def left(until: float) -> float:
    """Seconds that a step may take."""
    return until - time.monotonic() - 5


def following(steps: list[Step], device: str, here: Mapping[str, int], until: float) -> Step | None:
    """The next step that the time is enough for: of those tried least often the first, and none often in one command.

    So a search that has more to do leaves the other steps their turn.
    """
    tried = [(end.tried, step) for step in steps if (end := attempts(step, device)) and end.failed < ATTEMPTS]
    fits = [(times, step) for times, step in tried if left(until) >= min(step.least, step.seconds)]
    fits = [(times, step) for times, step in fits if here.get(step.name, 0) < ATTEMPTS]
    return min(fits, key=lambda pair: pair[0])[1] if fits else None


class Attempts(NamedTuple):
    """How often a step was tried, and how often of these it failed: not where it was cut short, or has more to do."""

    tried: int
    failed: int


def attempts(step: Step, device: str) -> Attempts | None:
    """What steps.jsonl says of a step; None once it is done."""
    lines = [line for line in noted() if line["step"] == step.name and line["device"] == device]
    if any(line["exit"] in step.done for line in lines):
        return None
    cut_short = sum(line["exit"] is None and line["limit"] < step.seconds - 1 for line in lines)
    return Attempts(len(lines), len(lines) - cut_short - sum(line["exit"] == MORE for line in lines))


def noted() -> list[dict[str, Any]]:
    """The lines of steps.jsonl; one that a kill has torn does not count."""
    found = []
    for line in (WORK / "steps.jsonl").read_text().splitlines() if (WORK / "steps.jsonl").exists() else ():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def done(step: Step, args: argparse.Namespace, most: float) -> int | None:
    """How a step ended; None where it took longer than it may, or than `most` seconds."""
    limit, started = min(step.seconds, most), time.monotonic()
    words = filled(step, args.jobs, limit)
    print(f"{step.name}: begins, for {limit:.0f} s at most", flush=True)
    with (WORK / f"{step.name}.txt").open("ab") as log:
        log.write(f"$ {' '.join(words)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            words, cwd=ROOT, env=around(args), stdout=log, stderr=subprocess.STDOUT, process_group=0
        )
    (WORK / "going").write_text(str(process.pid))
    try:
        code = waited(process, started + limit, args.out)
    finally:
        end(process.pid, process)  # also what it started and left, and where this script is to end itself
        (WORK / "going").unlink()
    note(step, args.device, limit, code, time.monotonic() - started)
    print((WORK / f"{step.name}.txt").read_text(errors="replace")[-1500:], flush=True)
    carrying.archive(args.out)
    if step.name == "device" and code != 0:
        sys.exit(f"no use without the device: {WORK / 'device.txt'} says why")
    return code


def filled(step: Step, jobs: int, limit: float) -> list[str]:
    """The step's words, with how long it has and how many searches are best made at a time."""
    given = {"{left}s": f"{max(5, limit - _GRACE_SECONDS):.0f}s", "{jobs}": str(jobs or best_jobs())}
    return [given.get(word, word) for word in step.words]


def best_jobs() -> int:
    """How many searches at a time made most epochs an hour, as `several` found; 3 where it found nothing."""
    try:
        found = json.loads((WORK / "several.json").read_text())["found"]
    except (OSError, ValueError, KeyError):
        return 3
    rates = {int(part.split()[0]): figures["epochs an hour"] for part, figures in found.items()}
    return max(rates, key=lambda number: rates[number], default=3)


def waited(process: subprocess.Popen[bytes], until: float, out: Path) -> int | None:
    """The exit status of `process`, archiving meanwhile; None where its time is up."""
    archived = time.monotonic()
    while time.monotonic() < until:
        try:
            return process.wait(timeout=min(1.0, max(0.01, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() - archived > EVERY_SECONDS:
                carrying.archive(out)
                archived = time.monotonic()
    return None


def end(group: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """End all processes of a group: by a word first, then without."""
    for number, patience in ((signal.SIGINT, 10.0), (signal.SIGKILL, 5.0)):
        until = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.killpg(group, number)
            while time.monotonic() < until:
                if process:
                    process.poll()  # or it would stay in its group, as one that nobody has asked how it ended
                os.killpg(group, 0)
                time.sleep(0.05)


def end_leftover() -> None:
    """End the step that an earlier command of this script left going when it was killed."""
    place = WORK / "going"
    group = int(place.read_text()) if place.exists() and place.read_text().isdigit() else 0
    if group and str(ROOT).encode() == Path(os.path.realpath(f"/proc/{group}/cwd")).as_posix().encode():
        print(f"ending process {group}, which an earlier command left")
        end(group)
    place.unlink(missing_ok=True)


def note(step: Step, device: str, limit: float, code: int | None, seconds: float) -> None:
    """Add a line on a step to steps.jsonl, and print it."""
    times = {"seconds": round(seconds, 1), "limit": round(limit, 1)}
    line = {"step": step.name, "device": device, **times, "exit": code, "words": step.words}
    with (WORK / "steps.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(f"{step.name}: exit {code} after {seconds:.1f} of {limit:.0f} s", flush=True)


def around(args: argparse.Namespace) -> dict[str, str]:
    """The environment of every step: wheels and data that were carried, and the commit that this is of."""
    paths = [str(WORK / "site"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    given = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1", "DEVICE": args.device}
    if args.device == "cpu":
        given |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait would take their time
    if (WORK / "data").is_dir():
        given["BENCHHARNESS_DATA"] = str(WORK / "data")
    if (WORK / "commit").is_file():
        given["BENCHHARNESS_COMMIT"] = (WORK / "commit").read_text().strip()
    return {**os.environ, **given}


if __name__ == "__main__":
    sys.exit(main())
