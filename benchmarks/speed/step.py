"""One search step of the shared-work supernet against the plain formulation: `python benchmarks/speed/step.py`.

Both take turns in one process, so that a drift of the machine's speed meets both; the ratio is that of the medians.
Run from the repository's root, where the plain twin lies under tests/.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchharness.environment import describe
from benchharness.space import EDGES, OPS
from benchharness.supernet import Supernet
from tests.parity.plain import PlainSupernet


def main() -> None:
    """Time both networks' weight and alpha steps and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    nets = {kind.__name__: kind(10, args.channels, args.cells).to(args.device) for kind in (PlainSupernet, Supernet)}
    images = torch.randn(args.batch, 3, 32, 32, device=args.device)
    labels = torch.randint(10, (args.batch,), device=args.device)
    alpha = torch.zeros(len(EDGES), len(OPS), device=args.device, requires_grad=True)
    steps = {
        "weights": lambda net: F.cross_entropy(net(images, alpha.detach().softmax(-1)), labels).backward(),
        "alpha": lambda net: torch.autograd.grad(F.cross_entropy(net(images, alpha.softmax(-1)), labels), alpha),
    }
    found = {name: compared(step, nets, args.repeats) for name, step in steps.items()}
    for name, figures in found.items():
        print(f"{name} step: {figures['PlainSupernet']:.4f} s plain, {figures['Supernet']:.4f} s shared work, "
              f"ratio {figures['ratio']:.2f}")  # fmt: skip
    if args.out:
        options = {key: value for key, value in vars(args).items() if key != "out"}
        args.out.write_text(json.dumps({"options": options, "seconds": found, "environment": describe()}, indent=1))


def compared(step: Callable[[nn.Module], object], nets: dict[str, nn.Module], repeats: int) -> dict[str, float]:
    """Median seconds of each network over `repeats` turns after one warm-up, and plain over shared."""
    taken: dict[str, list[float]] = {name: [] for name in nets}
    for turn in range(repeats + 1):
        for name, net in nets.items():
            seconds = timed(lambda net=net: step(net))
            if turn:
                taken[name].append(seconds)
    medians = {name: statistics.median(all_) for name, all_ in taken.items()}
    return {**medians, "ratio": medians["PlainSupernet"] / medians["Supernet"]}


def timed(call: Callable[[], Tensor | object]) -> float:
    """Seconds that `call` takes, the device's work included."""
    _finish()
    started = time.perf_counter()
    call()
    _finish()
    return time.perf_counter() - started


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
