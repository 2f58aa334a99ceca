"""Imports the benchmark's split files: JSON lists of image indices, in the released form or as plain lists."""

import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchharness.data.splits import Split, check_benchmark_split, load_split
from benchharness.errors import UserError
from benchharness.io.files import write_text

LAYOUT: Final = "the benchmark's split files (cifar-split.txt, cifar100-test-split.txt, imagenet-16-120-test-split.txt)"
_TESTS: Final = {10_000: "cifar100", 6_000: "imagenet16-120"}
"""Data sets by their number of test images, which are divided into x-valid and x-test."""


class SplitFile(NamedTuple):
    """A split, and the data set to which it belongs."""

    dataset: str
    split: Split

    def save(self, path: Path) -> None:
        """Write the split to `path` as plain lists."""
        halves = (self.split.train, self.split.valid) if self.dataset == "cifar10" else (self.split.valid,)
        names = ("train", "valid") if self.dataset == "cifar10" else ("xvalid",)
        lists = {name: half.tolist() for name, half in zip(names, halves, strict=True)}
        if self.dataset != "cifar10":
            total = next(count for count, name in _TESTS.items() if name == self.dataset)
            lists["xtest"] = np.setdiff1d(np.arange(total), self.split.valid).tolist()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(lists))


def recognises(path: Path) -> str | None:
    """The data set whose split file is at `path`; None if it is not a split file."""
    if path.suffix not in (".txt", ".json") or not path.is_file():
        return None
    try:
        return _dataset(load_split(path))
    except (UserError, OSError):
        return None


def read_source(path: Path) -> SplitFile:
    """The split at `path`; raises `UserError` if it is not the benchmark's, nor a division of test images."""
    split = load_split(path)
    dataset = _dataset(split)
    if dataset == "cifar10":
        return SplitFile(dataset, check_benchmark_split(split))
    if dataset is None:
        raise UserError(f"{path} divides neither CIFAR-10's training images nor the test images of another data set")
    return SplitFile(dataset, split)


def _dataset(split: Split) -> str | None:
    """The data set of a split: CIFAR-10 for two halves of 25,000 training images; else by the number of test images."""
    if len(split.train) == len(split.valid) == 25_000:
        return "cifar10"
    return None if len(split.train) else _TESTS.get(2 * len(split.valid))
