"""Searches at a time on one device: `python benchmarks/several.py --at-a-time 1,2,4`, from the repository's root.

Each is a process of its own, as with `run --jobs`, and trains epochs of the real search loop, another seed each. They
begin together once all have trained a first epoch, which does not count. Told are epochs an hour of all together (0
where one of them found no memory), and how many times that is what the first number made. CIFAR-10 where it is
installed, else `digits`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import torch
from timing import Figures, dataset, finish, of_searches, parser, write_report

from benchharness.config import protocol
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.runs.suite import parse_settings
from benchharness.runs.worker import open_search
from benchharness.search import cuda_graphs, diagnostics


def main() -> None:
    """Let every number of searches train at a time, in turns, and print epochs an hour."""
    options = of_searches(parser(__doc__, 3))
    options.add_argument(
        "--at-a-time", default="1,2,4", help="numbers of searches; the first is what others are held to"
    )
    options.add_argument("--method", default="darts")
    options.add_argument("--epochs", type=int, default=3, help="epochs that count, of each search")
    options.add_argument("--graphs", action="store_true", help="on a GPU: with recorded steps")
    options.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    args = options.parse_args()
    cuda_graphs.check_device(args.graphs, args.device)
    args.dataset = dataset(args.dataset)
    if args.seed is not None:
        print(json.dumps(run_search(args)))
        return
    write_report(figures_by_number([int(number) for number in args.at_a_time.split(",")], args), vars(args), args.out)


def figures_by_number(numbers: list[int], args: argparse.Namespace) -> Iterator[tuple[str, Figures]]:
    """What is known of each number at a time, after each time that it trained."""
    turns_by_number: dict[int, list[Figures]] = {}
    for _ in range(args.repeats):
        for number in numbers:
            turns_by_number.setdefault(number, []).append(together(number, args.epochs))
            title = f"{number} at a time"
            yield title, compared(turns_by_number)[title]


def run_search(args: argparse.Namespace) -> Figures:
    """One search's epochs, begun when a line comes in: when they began and ended, and the memory at their peak."""
    torch.set_num_threads(1)
    settings = protocol(args.protocol, parse_settings(args.set) | {"eigenvalue_every": 0, "epochs": args.epochs + 1})
    (job,) = make_plan(parse_methods(args.method), (args.seed,), args.dataset, settings)
    search = open_search(job, torch.device(args.device), graphs=args.graphs)
    search.run_epoch()
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.monotonic()
    for _ in range(args.epochs):
        search.run_epoch()
    finish()
    return {"began": start, "ended": time.monotonic(), "peak": diagnostics.peak_memory_bytes(torch.device(args.device))}


def together(number: int, epochs: int) -> Figures:
    """Epochs an hour of `number` searches at a time, and the most memory that one of them took."""
    command = [sys.executable, __file__, *sys.argv[1:], "--seed"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    searches = [subprocess.Popen([*command, str(seed)], **pipes) for seed in range(number)]  # type: ignore[call-overload]
    if [search.stdout.readline() for search in searches] != ["ready\n"] * number:
        for search in searches:
            search.kill()
            search.communicate()
        return {"epochs an hour": 0.0, "peak memory of one in MB": 0.0}
    for search in searches:
        search.stdin.write("go\n")
        search.stdin.flush()
    reports = [json.loads(search.communicate()[0]) for search in searches]
    seconds = max(each["ended"] for each in reports) - min(each["began"] for each in reports)
    peak = max(each["peak"] for each in reports)
    return {"epochs an hour": 3600 * number * epochs / seconds, "peak memory of one in MB": peak / 1e6}


def compared(turns_by_number: dict[int, list[Figures]]) -> dict[str, Figures]:
    """Medians for every number at a time, and times the epochs an hour of the first."""
    medians = {
        number: {name: statistics.median(each[name] for each in figures) for name in figures[0]}
        for number, figures in turns_by_number.items()
    }
    first = next(iter(medians.values()))["epochs an hour"]
    ratios = {number: figures["epochs an hour"] / first if first else 0.0 for number, figures in medians.items()}
    return {
        f"{number} at a time": {**figures, "times the first": ratios[number]} for number, figures in medians.items()
    }


if __name__ == "__main__":
    main()
