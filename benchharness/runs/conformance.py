"""Conformance checks that every method must pass; each failure says why."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchharness import methods
from benchharness.config import protocol
from benchharness.data import ImageSet
from benchharness.errors import UserError
from benchharness.io.files import path_of
from benchharness.methods import Method
from benchharness.records import RunSpec
from benchharness.runs.blame import error_line
from benchharness.runs.plan import Job, make_plan, parse_methods
from benchharness.search import selection
from benchharness.search.host_sync import Reads, no_sync
from benchharness.search.loop import Search
from benchharness.seeding import seeded
from benchharness.space import EDGES, OPS

SHAPE: Final = (len(EDGES), len(OPS))
EXTREME: Final = 40.0
"""An alpha whose exponential and its inverse are close to the limits of float32."""
SLOW: Final = 300.0
"""A draw may take this many times as long as DARTS's: about 1 ms on a CPU, where the smallest steps take 30 ms.

The slowest built-in method, drnas-progressive, takes 21 (one core of an AMD EPYC, shortest of 20 draws)."""
TINY: Final = {
    "epochs": 2,
    "images": 32,
    "channels": 4,
    "cells": 1,
    "batch": 16,
    "eval_batch": 16,
    "eigenvalue_every": 0,
    "ranking": 0,
}
CHEAP: Final = {"tuning": 1, "batches": 1, "samples": 4, "controller_steps": 2, "controller_samples": 2}
"""Values for options of methods and selections that would otherwise make checks slow."""


class Finding(NamedTuple):
    """The result of one check."""

    check: str
    state: Literal["passed", "failed", "skipped", "slow"]
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.state:8}{self.check}" + (f": {self.reason}" if self.reason else "")


class Nonconforming(Exception):  # noqa: N818
    """Raised by a check that fails, with the reason."""


class Slow(Exception):  # noqa: N818
    """Raised by a check to warn that the method is correct but slow."""


class Skipped(Exception):  # noqa: N818
    """Raised by a check that does not apply to the method."""


def check_method(name: str | Path) -> list[Finding]:
    """Run every check on the method called `name`, or defined by that file.

    If the first check fails (draws are distributions) the others are skipped, since they build on it. A file with a
    selection and no method is checked on the supernet of DARTS. Raises `UserError` if there is no such method, or if
    options follow its name: it is checked with the defaults.
    """
    plain_name, colon, options = str(name).partition(":")
    if colon and not path_of(name).exists():
        raise UserError(f"{options[:80]!r} after {plain_name} sets options; a method is checked without: {plain_name}")
    supernet, plus, rule = str(name).partition("+")
    if plus and not path_of(name).exists():
        raise UserError(f"{rule[:80]!r} after {supernet}+ derives the cell; it is checked by itself: {rule}")
    file = path_of(name).resolve() if str(name).endswith(".py") else None
    if file and not methods.classes_in(methods.module_at(file), Method):
        selection.in_file(file)
        return [_finding(f"darts+{name}", searches, file)]
    kind = methods.load(name)
    first = _finding(kind, CHECKS[0], file)
    if first.state == "failed":
        return [first, Finding(f"{len(CHECKS)} other checks", "skipped", "they all build on that one")]
    cheap_options = "".join(f":{key}={value}" for key, value in CHEAP.items() if key in methods.options(kind))
    others = [_finding(kind, check, file) for check in CHECKS[1:]]
    return [first, *others, _finding(f"{name}{cheap_options}", searches, file)]


def _finding(subject: Any, check: Callable[[Any], None], file: Path | None) -> Finding:
    title = (check.__doc__ or check.__name__).splitlines()[0].rstrip(".")
    try:
        with seeded("conformance", check.__name__):
            check(subject)
    except Skipped as reason:
        return Finding(title, "skipped", str(reason))
    except Slow as reason:
        return Finding(title, "slow", str(reason))
    except Nonconforming as reason:
        return Finding(title, "failed", str(reason))
    except Exception as error:  # a user's code may raise anything
        return Finding(
            title, "failed", " ".join(filter(None, (f"{type(error).__name__}: {error}", error_line(error, file))))
        )
    return Finding(title, "passed")


def draws_on_the_support(kind: type[Method]) -> None:
    """Draws and means are finite, non-negative and sum to 1 on every edge."""
    method = method_with_alphas(kind)
    for progress in (0.0, 0.5, 1.0):
        _distribution(method.draw(progress), f"draw({progress})", kind.weighs_bypass)
    _distribution(method.expected(), "expected()", kind.weighs_bypass)
    _distribution(method.probabilities(), "probabilities()", False)
    if not bool(torch.isfinite(method.penalty(method.draw(0.5), 0.5))):
        raise Nonconforming("penalty() is not finite")


def gradients_reach_every_alpha(kind: type[Method]) -> None:
    """The gradient of a draw reaches every alpha."""
    method = _learning(kind)
    reached = torch.zeros(SHAPE)
    for turn in range(20):
        (slope,) = torch.autograd.grad((method.draw(turn / 40) * torch.randn(SHAPE)).sum(), method.alpha)
        reached += slope.abs()
    if not bool((reached > 0).all()):
        edge, op = (int(index) for index in (reached == 0).nonzero()[0])
        raise Nonconforming(f"none of 20 draws gave alpha[{edge}, {op}] a gradient: is it detached or cut off?")


def same_seed_same_draws(kind: type[Method]) -> None:
    """The same seed gives the same draws."""
    method = method_with_alphas(kind)
    first, second = (_five_draws(method) for _ in range(2))
    if not torch.equal(first, second):
        raise Nonconforming("two draws with one seed differ: draw from torch's global generator alone")


def survives_extremes(kind: type[Method]) -> None:
    """Draws, means and gradients stay finite at |alpha| = 40."""
    method = method_with_alphas(kind)
    signs = torch.randint(2, SHAPE) * 2.0 - 1
    for pattern in (signs, torch.ones(SHAPE), -torch.ones(SHAPE)):
        _set(method, EXTREME * pattern)
        for progress in (0.0, 1.0):
            weights = method.draw(progress)
            _distribution(weights, f"draw({progress}) at |alpha| = 40", kind.weighs_bypass)
            if weights.requires_grad:
                (slope,) = torch.autograd.grad((weights * torch.randn(SHAPE)).sum(), method.alpha, allow_unused=True)
                if slope is not None and not bool(slope.isfinite().all()):
                    raise Nonconforming(f"the gradient of draw({progress}) is not finite at |alpha| = 40")
        _distribution(method.expected(), "expected() at |alpha| = 40", kind.weighs_bypass)


def state_round_trip(kind: type[Method]) -> None:
    """A method loaded from its state draws the same."""
    method, other = method_with_alphas(kind), method_with_alphas(kind)
    file = BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    if not torch.equal(_five_draws(method), _five_draws(other)):
        raise Nonconforming("what it draws depends on more than its state: keep numbers in parameters or buffers")


def equivariant(kind: type[Method]) -> None:
    """Operations are treated alike: permuting alpha permutes the means."""
    method = method_with_alphas(kind)
    order = torch.randperm(len(OPS))
    before = method.expected().detach()
    _set(method, method.alpha.detach()[:, order])
    if not torch.allclose(method.expected(), before[:, order], atol=1e-6):
        raise Nonconforming("expected() favours an operation by its place; say so in the docstring if that is meant")


def options_round_trip(kind: type[Method]) -> None:
    """Options can be spelt on the command line."""
    defaults = methods.options(kind)
    reparsed = methods.options(methods.configured(kind, {key: str(value) for key, value in defaults.items()}))
    if reparsed != defaults:
        changed_keys = sorted(key for key in defaults if reparsed.get(key) != defaults[key])
        raise Nonconforming(f"{', '.join(changed_keys)} came back from text as something else")


def reads_nothing_back(kind: type[Method]) -> None:
    """A draw, its mean and its penalty do not copy numbers between Python and the device."""
    method = method_with_alphas(kind)
    method.draw(0.5)  # a tensor that is made once and kept may be copied
    with Reads() as reads:
        weights = method.draw(0.5)
        method.penalty(weights, 0.5)
        method.expected()
    if reads.found:
        name, file, line = reads.found[0]
        raise Nonconforming(f"{name} in line {line} of {Path(file).name}: on a GPU every step would wait for it")


def draws_take_little_time(kind: type[Method]) -> None:
    """A draw takes little time beside a training step."""
    own_method, darts = method_with_alphas(kind), method_with_alphas(methods.load("darts"))
    seconds_by_method = {method: min(_draw_seconds(method) for _ in range(20)) for method in (darts, own_method)}
    times = seconds_by_method[own_method] / seconds_by_method[darts]
    if times > SLOW:
        milliseconds = 1000 * seconds_by_method[own_method]
        raise Slow(f"it takes {times:,.0f} times as long as DARTS's, {milliseconds:.1f} ms, in every step")


def runs_on_cuda(kind: type[Method]) -> None:
    """A draw does not wait for the GPU, and can be captured in a CUDA graph."""
    if not torch.cuda.is_available():
        raise Skipped("no CUDA device here")
    method = method_with_alphas(kind).cuda()
    for _ in range(3):
        method.draw(0.5)
    with no_sync():
        method.draw(0.5)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        weights = method.draw(0.5)
    graph.replay()
    _distribution(weights.cpu(), "draw(0.5) replayed from a CUDA graph", kind.weighs_bypass)


def searches(request: str) -> None:
    """A search of two epochs trains, resumes bit for bit and derives a cell."""
    (job,) = make_plan(parse_methods(request), (0,), "cifar10", protocol("cpu", TINY))
    undisturbed, interrupted = (_search(job) for _ in range(2))
    if undisturbed.finished:
        raise Skipped("it trains nothing")
    first = undisturbed.run_epoch()
    undisturbed.run_epoch()
    interrupted.run_epoch()
    interrupted.load(interrupted.state())
    continued = _search(job)
    continued.load(interrupted.state())
    continued.run_epoch()
    if not np.array_equal(undisturbed.arrays()["alphas"], continued.arrays()["alphas"]):
        raise Nonconforming("a resumed search differs from an uninterrupted one: something is missing from its state")
    if not np.isfinite(first["train_loss"]):
        raise Nonconforming("the training loss is not finite after one epoch")
    state = undisturbed.state()
    for spec in job.specs:
        undisturbed.load(state)
        undisturbed.read_out(_cheaper(spec), job.files.get(spec.selection_source))


CHECKS: Final[tuple[Callable[[type[Method]], None], ...]] = (
    draws_on_the_support,
    gradients_reach_every_alpha,
    same_seed_same_draws,
    survives_extremes,
    state_round_trip,
    equivariant,
    options_round_trip,
    reads_nothing_back,
    draws_take_little_time,
    runs_on_cuda,
)


def method_with_alphas(kind: type[Method]) -> Method:
    """A method whose alphas all differ."""
    method = kind(*SHAPE)
    _set(method, torch.randn(SHAPE))
    return method


def images() -> ImageSet:
    """Forty images of noise per class at 16x16; the brightness depends on the class."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 10
    pixels = (random.integers(0, 120, (120, 3, 16, 16)) + 12 * labels[:, None, None, None]).astype(np.uint8)
    names = tuple(map(str, range(10)))
    halves = (pixels[:80], labels[:80], pixels[80:], labels[80:])
    return ImageSet("cifar10", "noise", *halves, names, (0.4,) * 3, (0.2,) * 3, "0" * 64)


def _distribution(weights: Tensor, title: str, below_one: bool) -> None:
    if tuple(weights.shape) != SHAPE:
        raise Nonconforming(f"{title} has shape {tuple(weights.shape)}, not {SHAPE}: one row per edge")
    if not bool(weights.isfinite().all()):
        raise Nonconforming(f"{title} is not finite")
    if bool((weights < -1e-6).any()):
        raise Nonconforming(f"{title} is negative: {float(weights.min().detach()):g}")
    sums = weights.detach().sum(-1)
    if bool(((sums - 1).abs() > 1e-4).any()) and not (below_one and bool((sums < 1 + 1e-4).all())):
        raise Nonconforming(f"{title} sums to {float(sums[(sums - 1).abs().argmax()]):.4f} on an edge, not to 1")


def _draw_seconds(method: Method) -> float:
    start = perf_counter()
    method.draw(0.5)
    return perf_counter() - start


def _learning(kind: type[Method]) -> Method:
    method = method_with_alphas(kind)
    if not method.alpha.requires_grad or not method.draw(0.5).requires_grad:
        if method.alpha.requires_grad and any(method.moves_alpha(tenth / 10) for tenth in range(11)):
            raise Nonconforming("draw() does not depend on alpha, or is detached from it")
        raise Skipped("its alpha does not learn by gradient")
    return method


def _five_draws(method: Method) -> Tensor:
    torch.manual_seed(3)
    return torch.stack([method.draw(quarter / 4).detach() for quarter in range(5)])


def _set(method: Method, alpha: Tensor) -> None:
    with torch.no_grad():
        method.alpha.copy_(alpha)


def _search(job: Job) -> Search:
    return Search(job.base, images(), torch.device("cpu"), job.source_path)


def _cheaper(spec: RunSpec) -> RunSpec:
    options: Mapping[str, Any] = spec.selection_options
    cheap = {
        key: min(value, options[key]) if options[key] else options[key]
        for key, value in CHEAP.items()
        if key in options
    }
    return replace(spec, selection_options={**options, **cheap})
