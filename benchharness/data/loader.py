"""Splits a data set into two halves, for the weights and for alpha, and gives their batches epoch by epoch."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Integer
from torch import Tensor

from benchharness.config import SearchConfig
from benchharness.data import ImageSet
from benchharness.data.device_images import Batch, DeviceImages, Draw
from benchharness.data.official import is_reordered
from benchharness.data.splits import Split
from benchharness.seeding import generator

_MISSING = " (drawn by seed: the benchmark's own split file is not installed)"
_REORDERED = " (whose indices count the images in their official order, and these are in another)"


def split(images: ImageSet, settings: SearchConfig, seed: int, benchmark_split: Split | None = None) -> Split:
    """The two halves of `images` according to `settings`; `settings.images` limits their size by a draw with `seed`.

    The `benchmark` split halves CIFAR-10's training images. On other data sets it is NATS-Bench's: weights learn from
    all training images, and alpha from the x-valid half of the test images. `benchmark_split` is that of the released
    file; without it, a seeded draw replaces it, and `Split.words` says so.
    """
    total = len(images.train_labels)
    if settings.split == "benchmark" and images.name != "cifar10":
        halves = _nats(images, benchmark_split)
    elif settings.split == "benchmark" and benchmark_split is not None:
        reordered = is_reordered(images.name, images.train_labels, images.test_labels)
        halves = benchmark_split._replace(words=benchmark_split.words + _REORDERED * reordered)
    elif settings.split == "halves":
        halves = Split(np.arange(total // 2), np.arange(total // 2, total), "first half / last half")
    else:
        missing = _MISSING if settings.split == "benchmark" else ""
        halves = Split(*_random_halves(images.name, total), f"seeded random halves{missing}")
    if not settings.images or settings.images // 2 > min(map(len, halves[:2])):
        return halves
    return _part(halves, images.name, settings.images // 2, seed)


def _nats(images: ImageSet, benchmark_split: Split | None) -> Split:
    total = len(images.train_labels)
    validating = (
        _random_halves(images.name, len(images.test_labels))[1] if benchmark_split is None else benchmark_split.valid
    )
    missing = _MISSING if benchmark_split is None else ""
    description = f"all training images / x-valid half of the test images{missing}"
    return Split(np.arange(total), total + validating, description)


def _random_halves(name: str, count: int) -> tuple[Integer[np.ndarray, " train"], Integer[np.ndarray, " valid"]]:
    order = torch.randperm(count, generator=generator("split", name)).numpy()
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def _part(halves: Split, name: str, size: int, seed: int) -> Split:
    rng = generator("images", name, seed)
    train, valid = (half[torch.randperm(len(half), generator=rng)[:size].numpy()] for half in halves[:2])
    return Split(train, valid, f"{size} + {size} images drawn by seed from: {halves.words}")


class Stream:
    """Batches of both halves; they depend only on data set, seed and epoch, so checkpoints store nothing of them."""

    def __init__(
        self,
        images: ImageSet,
        settings: SearchConfig,
        seed: int,
        device: torch.device,
        benchmark_split: Split | None = None,
    ) -> None:
        self.settings, self.seed, self.name = settings, seed, images.name
        self.split = split(images, settings, seed, benchmark_split)
        self.train, self.valid = (DeviceImages(images, index, device) for index in self.split[:2])
        self.about: dict[str, Any] = {
            "label": images.label,
            "sha256": images.sha256,
            "train_images": len(self.train),
            "valid_images": len(self.valid),
            "classes": len(images.classes),
            "split": self.split.words,
            "split_sha256": _digest(self.split),
            **_unlike_cifar(images),
        }
        self._ahead: ThreadPoolExecutor | None = None
        self._next: dict[int, Future[tuple[Draw, Draw]]] = {}
        if device.type == "cuda":
            self.draw_ahead()

    @property
    def steps(self) -> int:
        """Number of steps in an epoch; the last batch may be smaller."""
        return -(-len(self.train) // self.settings.batch)

    def epoch(self, number: int) -> Iterator[tuple[Batch, Batch]]:
        """Augmented (training, validation) batches of an epoch; all random numbers are drawn before the first batch."""
        ahead = self._next.pop(number, None)
        train, valid = ahead.result() if ahead else self._draws(number)
        self._next.clear()
        if self._ahead and number + 1 < self.settings.epochs:
            self._next[number + 1] = self._ahead.submit(self._draws, number + 1)
        yield from zip(self.train.batches(train), self.valid.batches(valid), strict=True)

    def draw_ahead(self) -> None:
        """From now on, draw the next epoch's orders and crops in a thread while the device computes the current epoch.

        Most of the time goes into permutations of all images, one per step, if the protocol has fresh validation
        batches: 0.07 s an epoch of 25,000 images, one core of an Intel Xeon, n = 9. Searches on a CPU do not use it.
        """
        self._ahead = ThreadPoolExecutor(1, "draws")

    def fixed(self, which: str = "valid", batches: int = 0, size: int = 0) -> Iterator[Batch]:
        """Batches of a half (`train` or `valid`) in fixed order without augmentation.

        `size` images per batch (0: the protocol's `eval_batch`); the first `batches`, or all for 0.
        """
        half = self.valid if which == "valid" else self.train
        return half.fixed(size or self.settings.eval_batch, batches)

    def shuffled(self, which: str = "valid", size: int = 0, augmented: bool = True) -> Iterator[Batch]:
        """Batches of a half in an order drawn with torch's global generator; `size` 0 is the size of a step's batch."""
        half, rng = self.valid if which == "valid" else self.train, torch.default_generator
        order = torch.randperm(len(half), generator=rng)
        return half.moved(order.split(size or self.settings.batch), rng if augmented else None)

    def _draws(self, number: int) -> tuple[Draw, Draw]:
        """The random choices of both halves' batches of an epoch, from a generator seeded for that epoch."""
        rng = generator("batches", self.name, self.seed, number)
        order = torch.randperm(len(self.train), generator=rng)
        other = self._valid_order(order, rng)
        return self.train.draw(order.split(self.settings.batch), rng), self.valid.draw(other, rng)

    def _valid_order(self, order: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        """The validation images of each step: one for every training image, or a fresh random batch."""
        count, size = len(self.valid), self.settings.batch
        if self.settings.alpha_batch == "paired":
            return torch.randint(count, order.shape, generator=rng).split(size)
        return tuple(torch.randperm(count, generator=rng)[:size] for _ in range(self.steps))


def _unlike_cifar(images: ImageSet) -> dict[str, Any]:
    """Describes the augmentation of these images if it is not CIFAR-10's."""
    default = ImageSet._field_defaults
    return {key: getattr(images, key) for key in ("flip", "crop") if getattr(images, key) != default[key]}


def _digest(halves: Split) -> str:
    text = "|".join(",".join(map(str, sorted(half.tolist()))) for half in halves[:2])
    return hashlib.sha256(text.encode()).hexdigest()
