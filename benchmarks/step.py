"""One search step of the shared-work supernet against the plain formulation: `python benchmarks/step.py`.

All take turns in one process, so that a drift of the machine's speed meets each; ratios are those of the medians.
`--numerics`, `--compile`, `--padded`, `--fused` and `--graphs` let more take part: the supernet in other arithmetic,
with its cells compiled by torch.compile, which takes minutes at first, with 1x1 kernels padded into 3x3 ones, and on a
GPU with cells mixed by Triton kernels, and with half-steps recorded as CUDA graphs; the seconds of the first half-step
are told apart. `--before FILE` times the supernet of another version of that module too, such as one that
`git show COMMIT:benchharness/models/supernet.py` prints. Counted are the operations of torch's that a half-step is, and
the memory that they read and write. Run from the repository's root, where the plain twin lies under tests/.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import torch
from timing import Figures, finish, medians, parser, write_report
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness.models import formulations
from benchharness.models.precision import arithmetic
from benchharness.models.supernet import Supernet
from benchharness.search import cuda_graphs
from benchharness.search.cuda_graphs import CudaRecorder, Recorder
from benchharness.space import EDGES, OPS
from tests.support.plain import PlainSupernet


class Way(NamedTuple):
    """A network on its images, in one arithmetic."""

    net: nn.Module
    images: Tensor
    numerics: str = "float32"
    recorder: Recorder | None = None
    """What records its half-steps, where they are to be replayed."""


def main() -> None:
    """Time every network's weight and alpha half-steps and print the ratios."""
    options = parser(__doc__, 7)
    options.add_argument("--channels", type=int, default=16)
    options.add_argument("--cells", type=int, default=5)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--numerics", nargs="*", default=[], help="others than float32 to be timed too: bf16 tf32")
    options.add_argument("--compile", action="store_true", help="time the compiled cells too")
    options.add_argument("--padded", action="store_true", help="time cells with 1x1 kernels padded into 3x3 ones too")
    options.add_argument("--fused", action="store_true", help="on a GPU: time cells mixed by Triton kernels too")
    options.add_argument("--before", type=Path, help="another version's module of the supernet, to be timed too")
    options.add_argument(
        "--graphs", action="store_true", help="on a GPU: time recorded half-steps too, in each numerics"
    )
    args = options.parse_args()
    cuda_graphs.check_device(args.graphs, args.device)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    images = torch.randn(args.batch, 3, 32, 32, device=args.device)
    size = (10, args.channels, args.cells)
    supernet = Supernet(*size).to(args.device)
    ways = {"plain": Way(PlainSupernet(*size).to(args.device), images), "shared work": Way(supernet, images)}
    ways |= {"before": Way(supernet_of(args.before)(*size).to(args.device), images)} if args.before else {}
    ways |= {f"shared work, {name}": Way(supernet, images, name) for name in args.numerics}
    for name, batch in {"compiled": args.batch, "padded": 0, "fused": 0}.items():
        if vars(args)["compile" if batch else name]:
            net = Supernet(*size).to(args.device)
            formulations.attach(net, "shared" if batch else name, batch)
            ways[name] = Way(net, images)
            ways |= {f"{name}, {numerics}": Way(net, images, numerics) for numerics in args.numerics}
    if args.graphs:
        recorder = CudaRecorder(torch.device(args.device))
        ways |= {f"{name}, graphs": way._replace(recorder=recorder) for name, way in ways.items()}
    write_report(compared(ways, args.repeats, args.clock), vars(args), args.out)


def supernet_of(file: Path) -> Callable[..., nn.Module]:
    """The supernet's class in another version of its module."""
    spec = spec_from_file_location("before", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    supernet_class: Callable[..., nn.Module] = module.Supernet
    return supernet_class


def compared(ways: dict[str, Way], repeats: int, clock: str) -> Iterator[tuple[str, Figures]]:
    """Per half-step: each way's first and median seconds, and the plain one's over every other's."""
    labels = torch.randint(10, (len(ways["plain"].images),), device=ways["plain"].images.device)
    alpha = torch.zeros(len(EDGES), len(OPS), device=labels.device, requires_grad=True)

    def weights(way: Way) -> None:
        with arithmetic(way.numerics, labels.device):  # backward too, or it would fall to TF32
            loss(way, alpha.detach()).backward()

    def alphas(way: Way) -> None:
        with arithmetic(way.numerics, labels.device):
            with way.net.holding_weights() if isinstance(way.net, Supernet) else nullcontext():
                value = loss(way, alpha)
            torch.autograd.grad(value, alpha)

    def loss(way: Way, at: Tensor) -> Tensor:
        return F.cross_entropy(way.net(way.images, at.softmax(-1)), labels)

    yield "weights half-step", raced(weights, ways, repeats, clock)
    yield "alpha half-step", raced(alphas, ways, repeats, clock)


def raced(step: Callable[[Way], None], ways: dict[str, Way], repeats: int, clock: str) -> Figures:
    """First and median seconds of one half-step by each way, what it asks of the device, and the ratios."""
    acts = {name: act_of(way, step) for name, way in ways.items()}
    first = {f"{name}, first": seconds(act) for name, act in acts.items()}
    for name in filter(ways.__contains__, ("plain", "shared work", "padded")):
        with Work() as work:
            step(ways[name])
        first |= {f"{name}, operations": work.operations, f"{name}, GB": work.bytes / 1e9}
    seconds_by_way = medians(acts, repeats, clock, warm=1)
    ratios = {f"plain over {name}": seconds_by_way["plain"] / seconds_by_way[name] for name in ways if name != "plain"}
    ratios |= (
        {"before over shared work": seconds_by_way["before"] / seconds_by_way["shared work"]}
        if "before" in ways
        else {}
    )
    return {**first, **seconds_by_way, **ratios}


class Work(TorchDispatchMode):
    """Counts torch's operations that write something, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.bytes = 0, 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Do it and count it, unless all it gives is another view of what it was given."""
        results = func(*args, **(kwargs or {}))
        inputs, outputs = (tensors(tree) for tree in ((args, kwargs), results))
        input_memory = {tensor.untyped_storage().data_ptr() for tensor in inputs}
        new_outputs = [tensor for tensor in outputs if tensor.untyped_storage().data_ptr() not in input_memory]
        if new_outputs or func._schema.is_mutable:
            self.operations += 1
            self.bytes += sum(tensor.nbytes for tensor in (*inputs, *new_outputs))
        return results


def tensors(tree: Any) -> list[Tensor]:
    """The tensors in whatever an operation is given or gives."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def act_of(way: Way, step: Callable[[Way], None]) -> Callable[[], None]:
    """What takes a half-step: Python, or what was recorded once a first one had been taken."""
    if way.recorder is None:
        return lambda: step(way)
    with way.recorder.lane():
        step(way)
        return way.recorder.record(lambda: step(way))


def seconds(act: Callable[[], None]) -> float:
    """Seconds by the clock on the wall that `act` takes, compilers that it starts included."""
    start = time.perf_counter()
    act()
    finish()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
