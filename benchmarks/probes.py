"""What reads a supernet out: `python benchmarks/probes.py`, from the repository's root.

Operation strength, the ranking of one-hot cells and the Hessian's largest eigenvalue on a supernet after one epoch of
its search; the first two beside the plain way, every candidate by itself with the supernet's own `forward` and
`one_hot`. `alone` skips what a candidate does not need, `together` also shares what candidates have in common. Further,
how much of a pass is preparing its batch and running its stem, and `inference_mode` beside `no_grad`. CIFAR-10 where
it is installed, else `digits`.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from timing import Figures, dataset, medians, of_searches, parser, write_report
from torch import Tensor

from benchharness.config import protocol
from benchharness.data import load_images
from benchharness.methods._updates import tally
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.runs.suite import parse_settings
from benchharness.search import diagnostics, selection
from benchharness.search.evaluation import Evaluation, Score
from benchharness.search.loop import Search
from benchharness.space import SIZE, Arch, from_code

PARTS = ("strength", "ranking", "eigenvalue", "pass")


def main() -> None:
    """Time each part, in turns with the plain way to it, and print a line for it."""
    options = of_searches(parser(__doc__, 3))
    options.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    options.add_argument("--batches", type=int, default=0, help="evaluation batches; 0 takes the whole validation half")
    options.add_argument("--cells", type=int, default=100, help="cells that are ranked")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = options.parse_args()
    args.dataset = dataset(args.dataset)
    torch.set_num_threads(args.threads)
    search = trained_search(args)
    write_report(((name, MEASURED[name](search, args)) for name in args.parts.split(",")), vars(args), args.out)


class Plain(Evaluation):
    """Every candidate alone, by the supernet's own passes."""

    def mixes(self, weights: Sequence[Float[Tensor, "edges ops"]], *options: Any) -> list[Score]:
        """Each pair of edge weights on every batch, before the next."""
        return [self._passes(lambda images, mix=mix: self.net(images, mix), *options) for mix in weights]

    def cells(self, cells: Sequence[Arch], *options: Any) -> list[Score]:
        """Each cell on every batch, before the next."""
        return [self._passes(lambda images, cell=cell: self.net.one_hot(images, cell), *options) for cell in cells]

    @torch.no_grad()
    def _passes(self, logits: Callable[[Tensor], Tensor], data: str, batches: int, bn: str) -> Score:
        sums = torch.zeros(3, dtype=torch.float64, device=self.stream.valid.device)
        with self.net.evaluating(bn):
            for batch in self.stream.fixed(data, batches):
                sums += tally(logits(batch.images), batch)
        loss, correct, count = sums.tolist()
        return Score(loss / count, 100 * correct / count)


class Alone(Evaluation):
    """Every candidate alone, but only what it needs."""

    def mixes(self, weights: Sequence[Float[Tensor, "edges ops"]], *options: Any) -> list[Score]:
        """Each pair of edge weights before the next."""
        return [score for mix in weights for score in super(Alone, self).mixes([mix], *options)]

    def cells(self, cells: Sequence[Arch], *options: Any) -> list[Score]:
        """Each cell before the next."""
        return [score for cell in cells for score in super(Alone, self).cells([cell], *options)]


WAYS = {"together": Evaluation, "alone": Alone, "plain": Plain}


def trained_search(args: argparse.Namespace) -> Search:
    """A DARTS search after one epoch."""
    changes = parse_settings(args.set) | {"epochs": 1, "eigenvalue_every": 0}
    (job,) = make_plan(parse_methods("darts"), (0,), args.dataset, protocol(args.protocol, changes))
    search = Search(job.base, load_images(args.dataset), torch.device(args.device))
    search.run_epoch()
    return search


def strength(search: Search, args: argparse.Namespace) -> Figures:
    """Operation strength over all five operations, 31 evaluations, on `--batches`."""
    select = selection.make_selection("strength", {"batches": args.batches})

    def losses_of(evaluation_class: type[Evaluation]) -> list[float]:
        return [*select(search.method, evaluation_class(search.net, search.stream)).scores.flatten()]

    return compared(losses_of, args)


def ranking(search: Search, args: argparse.Namespace) -> Figures:
    """One-hot cells by accuracy, on `--batches`."""
    codes = torch.randperm(SIZE, generator=torch.Generator().manual_seed(0))[: args.cells].tolist()
    cells = [from_code(code) for code in codes]

    def accuracies_of(evaluation_class: type[Evaluation]) -> list[float]:
        scores = evaluation_class(search.net, search.stream).cells(cells, "valid", args.batches, "batch")
        return [value for score in scores for value in score]

    return {"cells": len(cells), **compared(accuracies_of, args)}


def compared(values_of: Callable[[type[Evaluation]], list[float]], args: argparse.Namespace) -> Figures:
    """Medians of the three ways, how many times faster the first is, and the largest difference of their figures."""
    values_by_way: dict[str, list[float]] = {}
    acts = {name: lambda name=name: values_by_way.__setitem__(name, values_of(WAYS[name])) for name in WAYS}
    seconds = medians(acts, args.repeats, args.clock)
    largest = max(np.nanmax(np.abs(np.subtract(values, values_by_way["plain"]))) for values in values_by_way.values())
    times = {f"plain over {name}": seconds["plain"] / seconds[name] for name in ("alone", "together")}
    return {**seconds, **times, "largest difference": float(largest)}


def eigenvalue(search: Search, args: argparse.Namespace) -> Figures:
    """The Hessian's largest eigenvalue on one training-size batch, and with one gradient alone to compare."""

    def slope() -> None:
        batch = next(search.stream.fixed("valid", 1, search.settings.batch))
        with search.net.evaluating():
            logits = search.net(batch.images, search.method.expected())
            torch.autograd.grad(torch.nn.functional.cross_entropy(logits, batch.labels), search.method.alpha)

    all_batches = lambda: diagnostics.largest_eigenvalue(search.method, search.net, search.stream)  # noqa: E731
    seconds = medians({"eigenvalue": all_batches, "one gradient": slope}, args.repeats, args.clock)
    return {**seconds, "gradients' worth": seconds["eigenvalue"] / seconds["one gradient"]}


def a_pass(search: Search, args: argparse.Namespace) -> Figures:
    """One evaluation batch: preparing it, its stem, the whole pass; and the pass in `inference_mode`."""
    batch = next(search.stream.fixed("valid", 1))
    weights, net = search.method.expected().detach(), search.net

    def in_mode(mode: Callable[[], Any], act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            with mode(), net.evaluating("batch"):
                act()

        return run

    acts = {
        "batch": lambda: next(search.stream.fixed("valid", 1)),
        "stem": in_mode(torch.no_grad, lambda: net.begin(batch.images)),
        "no_grad": in_mode(torch.no_grad, lambda: net(batch.images, weights)),
        "inference_mode": in_mode(torch.inference_mode, lambda: net(batch.images, weights)),
    }
    seconds = medians(acts, 5 * args.repeats, args.clock)
    full_seconds = seconds["no_grad"]
    shares = {"batch's share": seconds["batch"] / full_seconds, "stem's share": seconds["stem"] / full_seconds}
    return {**seconds, **shares, "no_grad over inference_mode": full_seconds / seconds["inference_mode"]}


MEASURED: dict[str, Callable[[Search, argparse.Namespace], Figures]] = {
    "strength": strength,
    "ranking": ranking,
    "eigenvalue": eigenvalue,
    "pass": a_pass,
}


if __name__ == "__main__":
    main()
