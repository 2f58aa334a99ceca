"""The table against nas_201_api: `python benchmarks/table.py --archs 1000`, from the repository's root.

The package reads an official file that is made up here with its own classes: whole trainings, every epoch of them, of
`--archs` of the 15,625 architectures, since a file of all of them, as Python objects, needs more memory than most
machines have. Its time for a full table is what it took times 15,625 over `--archs`, and marked as scaled. Ours is the
installed table of all architectures, which holds final accuracies and no learning curves. Needs the real table.
"""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
from nas_201_api import NASBench201API
from timing import Figures, medians, parser, timed, write_report

from benchharness import space
from benchharness.table import Table, load_table
from tests.support import releases

BOUNDS = {"load": 20e-3, "one look-up": 5e-6, "all architectures, six figures": 1e-3}
SIX = [(name, split) for name in ("cifar10", "cifar100", "imagenet16-120") for split in ("valid", "test")]
ASKED = {
    "cifar10-valid": ["valid"],
    "cifar10": ["test"],
    "cifar100": ["valid", "test"],
    "ImageNet16-120": ["valid", "test"],
}
"""What the package is asked for, to give the same six figures."""


def main() -> None:
    """Time loading, looking up and reading whole figures, and print a line for each."""
    options = parser(__doc__, 7)
    options.add_argument("--archs", type=int, default=1000, help="architectures in the package's file")
    args = options.parse_args()
    table = load_table()
    with tempfile.TemporaryDirectory() as scratch:
        file = make_release(Path(scratch) / "official.pth", args.archs)
        megabytes = file.stat().st_size / 1e6
        before = psutil.Process().memory_info().rss
        api, load = load_timed(file, args.clock)
        memory = {
            "archs": args.archs,
            "file MB": megabytes,
            "memory MB": (psutil.Process().memory_info().rss - before) / 1e6,
        }
    factor = space.SIZE / args.archs
    figures_by_part = {
        "load": {
            "ours": medians({"": load_table}, args.repeats, args.clock)[""],
            "nas_201_api": load,
            "scaled": load * factor,
        },
        "one look-up": looked_up(table, api, args.repeats, args.clock),
        "all architectures, six figures": every(table, api, args.repeats, args.clock),
    }
    verdicts = {name: {**figures, **verdict(figures, BOUNDS[name])} for name, figures in figures_by_part.items()}
    write_report({"nas_201_api's file": memory, **verdicts}.items(), vars(args), args.out)


def make_release(path: Path, archs: int) -> Path:
    """An official file of `archs` architectures, spread over the space, each with all its trainings."""
    codes = np.linspace(0, space.SIZE - 1, archs).astype(int).tolist()
    ops = {index: tuple(space.all_ops()[index].tolist()) for index in codes}
    with patch.dict(releases.ARCHS, ops, clear=True):
        return releases.as_pth(path, zipped=True)


def load_timed(path: Path, clock: str) -> tuple[Any, float]:
    """The package's own table and the seconds it took; torch's default would refuse the file, which is ours."""
    apis: list[Any] = []
    with patch.dict(os.environ, {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}), warnings.catch_warnings(action="ignore"):
        seconds = timed(lambda: apis.append(NASBench201API(str(path), verbose=False)), clock)
    return apis[0], seconds


def looked_up(table: Table, api: Any, repeats: int, clock: str) -> Figures:
    """Seconds of one look-up of a test accuracy, a mean over 100 of them."""
    index = api.evaluated_indexes[len(api.evaluated_indexes) // 2]
    name = str(space.to_string(table.arch(index)))
    acts: dict[str, Callable[[], object]] = {
        "ours": lambda: table.accuracy(index, "cifar10", "test", 200),
        "ours, by name": lambda: table.accuracy(name, "cifar10", "test", 200),
        "nas_201_api": lambda: api.get_more_info(index, "cifar10", hp="200", is_random=False)["test-accuracy"],
    }
    times = medians({key: lambda act=act: [act() for _ in range(100)] for key, act in acts.items()}, 5 * repeats, clock)
    return {key: seconds / 100 for key, seconds in times.items()}


def every(table: Table, api: Any, repeats: int, clock: str) -> Figures:
    """Seconds of six figures of all architectures that each of them has."""
    rows = np.arange(len(table))

    def ask_all() -> None:
        for index in api.evaluated_indexes:
            for name, names_of_splits in ASKED.items():
                info = api.get_more_info(index, name, hp="200", is_random=False)
                [info[f"{split}-accuracy"] for split in names_of_splits]

    times = medians({"ours": lambda: [table.accuracy(rows, *figure, 200) for figure in SIX]}, 10 * repeats, clock)
    theirs = medians({"": ask_all}, max(1, repeats // 2), clock, warm=0)[""]
    return {**times, "nas_201_api": theirs, "scaled": theirs * space.SIZE / len(api.evaluated_indexes)}


def verdict(figures: Figures, bound: float) -> Figures:
    """How many times ours the package's time is, and ours beside its bound."""
    theirs = figures.get("scaled", figures["nas_201_api"])
    return {
        "nas_201_api over ours": theirs / figures["ours"],
        "bound": bound,
        "ours over bound": figures["ours"] / bound,
    }


if __name__ == "__main__":
    main()
