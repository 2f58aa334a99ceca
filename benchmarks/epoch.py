"""One epoch of a search: `python benchmarks/epoch.py --methods darts,snas,drnas`, from the repository's root.

Epochs of the real search loop, data and augmentation included, the methods taking turns; the first epoch of each does
not count. Without probes between epochs. `--graphs` lets each method take part a second time, with its steps recorded.
CIFAR-10 where it is installed, else `digits`.
"""

import argparse
import statistics
from collections.abc import Iterator

import torch
from timing import Figures, dataset, of_searches, parser, timed, write_report

from benchharness.config import protocol
from benchharness.data import load_images
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.runs.suite import parse_settings
from benchharness.search import cuda_graphs
from benchharness.search.cuda_graphs import CudaRecorder
from benchharness.search.loop import Search


def main() -> None:
    """Train every method for some epochs and print seconds an epoch and images a second."""
    options = of_searches(parser(__doc__, 5))
    options.add_argument("--methods", default="darts,snas,drnas,gdas")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--graphs", action="store_true", help="on a GPU: epochs of recorded steps too")
    args = options.parse_args()
    cuda_graphs.check_device(args.graphs, args.device)
    args.dataset = dataset(args.dataset)
    torch.set_num_threads(args.threads)
    changes = parse_settings(args.set) | {"eigenvalue_every": 0, "epochs": args.repeats + 1}
    jobs = make_plan(parse_methods(args.methods), (0,), args.dataset, protocol(args.protocol, changes))
    images = load_images(args.dataset)
    device = torch.device(args.device)
    searches = {job.base.method: Search(job.base, images, device) for job in jobs}
    if args.graphs:
        graph_searches = {
            job.base.method: Search(job.base, images, device, recorder=CudaRecorder(device)) for job in jobs
        }
        searches |= {f"{name}, graphs": search for name, search in graph_searches.items()}
    write_report(figures_by_method(searches, args), vars(args), args.out)


def figures_by_method(searches: dict[str, Search], args: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """What is known of each search after each of its epochs but the first."""
    figures_so_far: dict[str, Figures] = {}
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    for turn in range(args.repeats + 1):
        for name, search in searches.items():
            epoch_seconds = timed(search.run_epoch, args.clock)
            if not turn:
                continue
            seconds[name].append(epoch_seconds)
            figures_so_far[name] = figures(search, seconds[name])
            if base := figures_so_far.get(name.removesuffix(", graphs")) if name.endswith(", graphs") else None:
                figures_so_far[name]["times as fast"] = (
                    base["seconds an epoch"] / figures_so_far[name]["seconds an epoch"]
                )
            yield name, figures_so_far[name]


def figures(search: Search, seconds: list[float]) -> Figures:
    """Median seconds an epoch, the spread, and images a second, those met for alpha counted with the others."""
    median, images_seen = statistics.median(seconds), search.stream.steps * search.settings.batch * 2
    spread = {"fastest": min(seconds), "slowest": max(seconds)}
    return {"seconds an epoch": median, **spread, "images a second": images_seen / median}


if __name__ == "__main__":
    main()
