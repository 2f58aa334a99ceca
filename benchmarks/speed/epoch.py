"""One epoch of a search: `python benchmarks/speed/epoch.py --methods darts,snas,drnas`, from the repository's root.

Epochs of the real search loop, data and augmentation included, the methods taking turns; the first epoch of each does
not count. Without probes between epochs. CIFAR-10 where it is installed, else `digits`.
"""

import argparse
import statistics
from pathlib import Path

import torch
from turns import Figures, told

from benchharness import folder
from benchharness.images import load_images
from benchharness.plan import make_plan, parse_methods
from benchharness.protocols import protocol
from benchharness.search import Search


def main() -> None:
    """Train every method for some epochs and print seconds an epoch and images a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="darts,snas,drnas,gdas")
    parser.add_argument("--dataset", default="cifar10" if "cifar10" in folder.names("images") else "digits")
    parser.add_argument("--protocol", default="cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="values of the protocol to change")
    parser.add_argument("--repeats", type=int, default=5, help="epochs that count")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    changes = dict(pair.split("=", 1) for pair in args.set) | {"eigenvalue_every": 0, "epochs": args.repeats + 1}
    jobs = make_plan(parse_methods(args.methods), (0,), args.dataset, protocol(args.protocol, changes))
    images = load_images(args.dataset)
    searches = {job.base.method: Search(job.base, images, torch.device(args.device)) for job in jobs}
    seconds: dict[str, list[float]] = {name: [] for name in searches}
    for turn in range(args.repeats + 1):
        for name, search in searches.items():
            line = search.run_epoch()
            if turn:
                seconds[name].append(line["seconds"])
    told({name: figures(searches[name], every) for name, every in seconds.items()}, vars(args), args.out)


def figures(search: Search, seconds: list[float]) -> Figures:
    """Median seconds an epoch, the spread, and images a second, those met for alpha counted with the others."""
    median, met = statistics.median(seconds), search.stream.steps * search.settings.batch * 2
    spread = {"fastest": min(seconds), "slowest": max(seconds)}
    return {"seconds an epoch": median, **spread, "images a second": met / median}


if __name__ == "__main__":
    main()
