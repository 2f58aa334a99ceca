"""How rounding grows over the steps of a search: `python benchmarks/rounding.py`, from the repository's root.

Searches of one seed take the same steps in float32, by the plain formulation and by the supernet that shares work, and
in float64 from weights that are a little off. Told after some of the steps is how far alpha is from that of the plain
formulation in float64, as a share of how far it has moved, and how far the slope that moved it is. `--smooth` puts
softplus in the place of every ReLU: what is left then did not come from ReLU's kinks.
"""

from collections.abc import Iterator
from dataclasses import asdict

import torch
from timing import Figures, parser, write_report
from torch import Tensor
from torch.nn import functional as F

from benchharness.config import protocol
from benchharness.methods._updates import StepContext
from benchharness.models.precision import arithmetic
from benchharness.records import RunSpec
from benchharness.search.loop import Search
from tests.support.plain import PlainInSearch, pairs, softplus
from tests.support.sets import as_doubles, small_images

CPU, BATCH, CHANNELS = torch.device("cpu"), 30, 4


def main() -> None:
    """Take the steps and print a line for each way after each step that is told."""
    options = parser(__doc__, 10)
    options.add_argument(
        "--off", default="1e-7,1e-6,1e-5", help="by what share of themselves float64's weights are off"
    )
    options.add_argument("--told", default="1,2,3,5,10", help="the steps after which figures are told")
    options.add_argument("--smooth", action="store_true", help="softplus instead of ReLU")
    args = options.parse_args()
    if args.smooth:
        F.relu = softplus
    torch.set_num_threads(1)
    telling = {int(step) for step in args.told.split(",")}
    write_report(figures_by_way(args.repeats, args.off.split(","), telling), vars(args), args.out)


def figures_by_way(steps: int, off: list[str], telling: set[int]) -> Iterator[tuple[str, Figures]]:
    """Distances after each step that is told."""
    searches = {
        "float32, plain": search_of(torch.float32, is_plain=True),
        "float32, shared work": search_of(torch.float32),
    }
    searches |= {f"float64, weights off by {share}": search_of(torch.float64, float(share)) for share in off}
    exact = search_of(torch.float64, is_plain=True)
    first_alpha = exact.method.alpha.detach().clone()
    batches = {name: iter(search.stream.epoch(0)) for name, search in {"exact": exact, **searches}.items()}
    for step in range(1, steps + 1):
        alpha, slope = stepped(exact, batches["exact"])
        for name, search in searches.items():
            distance, by = stepped(search, batches[name])
            of_alpha, of_slope = (
                (distance - alpha).norm() / (alpha - first_alpha).norm(),
                (by - slope).norm() / slope.norm(),
            )
            if step in telling:
                yield f"step {step}, {name}", {"alpha": float(of_alpha), "slope": float(of_slope)}


def search_of(dtype: torch.dtype, off: float = 0.0, is_plain: bool = False) -> Search:
    """A search of 16x16 images at its beginning; by the plain formulation with the same weights where `is_plain`."""
    settings = protocol("drnas", {"epochs": 2, "channels": CHANNELS, "cells": 1, "batch": BATCH, "eval_batch": 100})
    spec = RunSpec("darts", "darts", "magnitude", "cifar10", 0, asdict(settings))
    search = Search(spec, small_images(2 * BATCH * 20), CPU)
    search.net.to(dtype)
    search.method.to(dtype)
    if dtype == torch.float64:
        as_doubles(search.stream)
    rng = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in search.net.parameters():
            weight.mul_(1 + off * torch.randn(weight.shape, dtype=dtype, generator=rng))
    if is_plain:
        twin = PlainInSearch(10, CHANNELS, 1).to(dtype)
        for ours, theirs in pairs(search.net, twin):
            theirs.data.copy_(ours.data)
        search._hold(twin)  # type: ignore[arg-type]
    assert search.steps is not None
    search.steps.set_rate(settings.learning_rate)
    search.net.train()
    return search


def stepped(search: Search, batches: Iterator[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Alpha after the next step, and the slope that moved it."""
    train, valid = next(batches)
    assert search.update is not None
    with arithmetic("float32", CPU):
        search.update.step(train, valid, StepContext(0.0))
    assert search.method.alpha.grad is not None
    return search.method.alpha.detach().double(), search.method.alpha.grad.double()


if __name__ == "__main__":
    main()
