"""A search step against AutoDL-Projects' supernet: `python benchmarks/autodl.py CHECKOUT`.

Run from the repository's root. CHECKOUT is a clone of https://github.com/D-X-Y/AutoDL-Projects; its `TinyNetworkDarts`
is imported from there and run as its own search runs it: both half-steps are one forward and one whole backward pass.
Ours differentiates what its half-step needs, as our search does. Same images, batch and width; no optimisers.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from timing import Figures, medians, parser, write_report
from torch import nn
from torch.nn import functional as F

from benchharness.models.precision import arithmetic
from benchharness.models.supernet import Supernet
from benchharness.space import EDGES, OPS

PLACES = {".": "xautodl.models.cell_searchs.search_model_darts", "lib": "models.cell_searchs.search_model_darts"}
"""Where the class is in newer and in older checkouts: a folder to import from, and a module."""


def main() -> None:
    """Time weight and alpha half-steps of both supernets in turns and print the ratios."""
    options = parser(__doc__, 7)
    options.add_argument("checkout", type=Path)
    options.add_argument("--commit", help="of the checkout, where it is no git repository")
    options.add_argument("--channels", type=int, default=16)
    options.add_argument("--cells", type=int, default=5)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = options.parse_args()
    args.commit = args.commit or commit_of(args.checkout)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    theirs = network_of(args.checkout)(args.channels, args.cells, 4, 10, list(OPS), False, True).to(args.device)
    ours = Supernet(10, args.channels, args.cells).to(args.device)
    write_report(
        {**steps(ours, theirs, args), "sizes": sizes(ours, theirs)}.items(),
        {**vars(args), "checkout": "AutoDL-Projects"},
        args.out,
    )


def network_of(checkout: Path) -> Callable[..., nn.Module]:
    """AutoDL-Projects' class for the search with all operations at once; exits where there is none."""
    for folder, module in PLACES.items():
        if (checkout / folder / module.replace(".", "/")).with_suffix(".py").is_file():
            sys.path.insert(0, str(checkout / folder))
            network: Callable[..., nn.Module] = import_module(module).TinyNetworkDarts
            return network
    sys.exit(f"{checkout} is no checkout of AutoDL-Projects: {' and '.join(PLACES.values())} are missing")


def commit_of(checkout: Path) -> str | None:
    """The commit that `checkout` is at, None where git does not know."""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return process.stdout.strip() or None


def steps(ours: Supernet, theirs: Any, args: argparse.Namespace) -> dict[str, Figures]:
    """Median seconds of each half-step and of both, and how many times ours theirs takes."""
    images = torch.randn(args.batch, 3, 32, 32, device=args.device)
    labels = torch.randint(10, (args.batch,), device=args.device)
    alpha = torch.zeros(len(EDGES), len(OPS), device=args.device, requires_grad=True)
    acts: dict[str, Callable[[], object]] = {
        "weights": lambda: F.cross_entropy(ours(images, alpha.detach().softmax(-1)), labels).backward(),
        "alpha": lambda: torch.autograd.grad(F.cross_entropy(ours(images, alpha.softmax(-1)), labels), alpha),
        "theirs": lambda: F.cross_entropy(theirs(images)[1], labels).backward(),
    }
    with arithmetic("float32", labels.device):  # on a GPU torch by itself would let both fall to TF32
        seconds = medians(acts, args.repeats, args.clock)
    their_seconds, step_seconds = (
        seconds["theirs"],
        {"ours": seconds["weights"] + seconds["alpha"], "theirs": 2 * seconds["theirs"]},
    )
    half_steps = {
        f"{name} half-step": {"ours": seconds[name], "theirs": their_seconds} for name in ("weights", "alpha")
    }
    return {
        name: {**figures, "theirs over ours": figures["theirs"] / figures["ours"]}
        for name, figures in {**half_steps, "step": step_seconds}.items()
    }


def sizes(ours: nn.Module, theirs: Any) -> Figures:
    """Weights of each, alphas left out: the same where they are the same network."""
    count = sum(weight.numel() for name, weight in theirs.named_parameters() if "arch" not in name)
    return {"weights of ours": sum(weight.numel() for weight in ours.parameters()), "weights of theirs": count}


if __name__ == "__main__":
    main()
