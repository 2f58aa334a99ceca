"""The steps of the half hour on a GPU that `benchmarks/gpu.py` does: their commands, limits and order."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from carrying import WORK

MORE: Final = 75
"""Exit status of `benchharness run` where it pauses, and of `gpu.py`."""
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


class Words:
    """The words of commands for a device, tiny ones in a rehearsal."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.suite, self.device = args.suite, ("--device", args.device)
        self.small, self.cpu = args.small, args.device == "cpu"
        self.graphs = () if self.cpu else ("--graphs",)
        self.searches = (*self.device, *(("--dataset", "digits", *SMALL) if args.small else ("--protocol", "drnas")))

    def script(self, script: str, name: str, *arguments: str) -> tuple[str, ...]:
        """A timing of the name `name`, whose figures are written under it."""
        return sys.executable, f"benchmarks/{script}.py", *arguments, "--out", str(WORK / f"{name}.json")

    def step(self, name: str, *arguments: str) -> tuple[str, ...]:
        """A timing of half-steps."""
        tiny = ("--channels", "2", "--cells", "1", "--batch", "4", "--threads", "1")
        size = (*tiny, "--repeats", "1") if self.small else ("--repeats", "7")
        return self.script("step", name, *self.device, *size, *self.graphs, *arguments)

    def run(self, *arguments: str) -> tuple[str, ...]:
        """Searches of the suite, whose accuracies are looked up elsewhere."""
        folders = ("--out", str(WORK / "results"), "--reports", str(WORK / "reports"), "--no-training")
        plan = ("--methods", "darts,ostr", "--seeds", "0", "--dataset", "digits", *SMALL, "epochs=3")
        suite = (*(plan if self.small else ()), "--suite", self.suite)
        return sys.executable, "-m", "benchharness", "run", *suite, *arguments, *self.device, *self.graphs, *folders


def steps_of(args: argparse.Namespace) -> Iterator[Step]:
    """All steps, the most telling first."""
    of = Words(args)
    yield from checks_of_results(of)
    several = (*of.searches, *of.graphs, "--epochs", "1", "--repeats", "1", "--at-a-time")
    numbers, purpose = "1,2" if of.small else "1,2,4", "searches an hour with 1, 2 and 4 processes at a time"
    yield Step("several", of.script("several", "several", *several, numbers), 120, purpose, 60)
    purpose = "the same for 4 under MPS, where there is one; the search takes the best of both"
    yield Step("several-mps", (*MPS, *of.script("several", "several-mps", *several, numbers[-1])), 80, purpose, 40)
    arguments, purpose = (
        ("--jobs", "{jobs}", "--for", "{left}s"),
        f"the runs of {args.suite}; pauses before the time is up",
    )
    yield Step("search", ("{mps}", *of.run(*arguments)), args.seconds, purpose, 90)
    yield from figures(of)


def checks_of_results(of: Words) -> Iterator[Step]:
    """Steps that show whether what is computed there is right, and how fast one step is."""
    yield Step("device", (sys.executable, "-c", SEEN.format(device=of.device[1])), 60, "CUDA is there, or nothing else")
    first = ("--methods", "darts", "--seeds", "0", "--jobs", "1", "--epochs-now", "1" if of.small else "2")
    purpose = "two epochs of the first full-size search, to be held beside the published curve"
    yield Step("first", of.run(*first), 90, purpose, 40, (0, MORE))
    more = ("-k", "logits and 1-softmax") if of.small else ("tests/search", "tests/models")
    tests = ("tests/search/test_on_gpu.py", *more)
    yield Step(
        "tests",
        (sys.executable, "-m", "pytest", "-v", "-m", "gpu", "-W", "default", "-p", "no:cacheprovider", *tests),
        200,
        "logits, gradients, ten steps, eigenvalue, selections, kill and resume, against the plain twin in float64",
        60,
    )
    what = "both half-steps: plain, shared work, padded kernels, recorded; in float32"
    yield Step("step", of.step("step", "--padded"), 80, what, 40)


def figures(of: Words) -> Iterator[Step]:
    """Steps that fill what is left of the table of bounds."""
    for numerics in ("bf16",) if of.cpu else ("bf16", "tf32"):
        name = f"step-{numerics}"
        yield Step(name, of.step(name, "--padded", "--numerics", numerics), 80, f"the same in {numerics}", 40)
    if not of.cpu:
        fused = of.step("step-fused", "--fused", "--numerics", "bf16")
        yield Step("step-fused", fused, 120, "cells mixed by Triton kernels, in float32 and bf16", 60)
    once = ("--repeats", "1")
    epochs = (*of.searches, *of.graphs, "--methods", "darts,drnas", *once)
    yield Step("epoch", of.script("epoch", "epoch", *epochs), 120, "whole epochs, eager and recorded", 60)
    strength = (*of.searches, "--parts", "strength", *once)
    yield Step("strength", of.script("probes", "strength", *strength), 120, "operation strength", 60)
    compiled = ("--compile", *(() if of.small else ("--numerics", "bf16")))
    yield Step("step-compiled", of.step("step-compiled", *compiled), 300, "compiled cells, minutes to compile", 200)


MPS: Final = (sys.executable, "benchmarks/mps.py")
"""What the words of a command follow that is to run under the Multi-Process Service."""
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
    command, begin_seconds = 1, 0.0
    for step in steps:
        limit = min(step.seconds, seconds)
        if step.name == "search":  # it takes what is left of a command, if that is at least half of one
            limit = seconds - begin_seconds if begin_seconds <= seconds / 2 else seconds
        if begin_seconds + limit > seconds:
            command, begin_seconds = command + 1, 0.0
        span = f"{begin_seconds / 60:.1f}-{(begin_seconds + limit) / 60:.1f}"
        yield f"| {command} | {span} | `{step.name}` | {step.what} | {limit:.0f} s |"
        begin_seconds += limit


class Way(NamedTuple):
    """How many searches are made at a time, and whether under MPS."""

    jobs: int = 3
    mps: bool = False


def best_way() -> Way:
    """What made most epochs an hour, as `several` and `several-mps` found; three at a time where they found nothing."""
    rates: dict[Way, float] = {}
    for name in ("several", "several-mps"):
        with suppress(OSError, ValueError, KeyError):
            figures_by_number = json.loads((WORK / f"{name}.json").read_text())["figures"]
            rates |= {
                Way(int(title.split()[0]), name != "several"): figures["epochs an hour"]
                for title, figures in figures_by_number.items()
            }
    return max(rates, key=lambda way: rates[way], default=Way())


def filled_words(step: Step, jobs: int, limit: float) -> list[str]:
    """The step's words, with how long it has and how many searches are best made at a time."""
    best = best_way()
    values = {"{left}s": f"{max(5, limit - _GRACE_SECONDS):.0f}s", "{jobs}": str(jobs or best.jobs)}
    command = [values.get(word, word) for word in step.words]
    return [word_part for word in command for word_part in ((MPS if best.mps else ()) if word == "{mps}" else (word,))]
