"""A data set as uint8 tensors on the device: halves to search on, and augmented batches without any per-image work."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor
from torch.nn import functional as F

from benchharness.errors import UserError
from benchharness.images import ImageSet
from benchharness.protocols import Protocol
from benchharness.seeds import generator

_MISSING = " (drawn by seed: the benchmark's own split file is not installed)"


class Batch(NamedTuple):
    """Normalised images and their labels."""

    images: Float[Tensor, "batch 3 height width"]
    labels: Integer[Tensor, " batch"]


class Half(NamedTuple):
    """One half of the images searched on: bordered by the set's `crop` black pixels, on the device."""

    padded: UInt8[Tensor, "images 3 high wide"]
    labels: Integer[Tensor, " images"]


class Split(NamedTuple):
    """Indices into the training images followed by the test images, and how they were chosen in words."""

    train: Integer[np.ndarray, " train"]
    valid: Integer[np.ndarray, " valid"]
    words: str


def split(images: ImageSet, settings: Protocol, seed: int, given: Split | None = None) -> Split:
    """The two halves that `settings` asks for; with `settings.images`, a part of each drawn by `seed`.

    The `benchmark` split halves CIFAR-10's training images; on any other data set it is the NATS-Bench one, where
    weights learn from all training images and alphas from the x-valid half of the test images. `given` is the released
    file of either; without it a seeded draw takes its place and `words` says so.
    """
    total = len(images.train_labels)
    if settings.split == "benchmark" and images.name != "cifar10":
        whole = _nats(images, given)
    elif settings.split == "benchmark" and given is not None:
        whole = given
    elif settings.split == "halves":
        whole = Split(np.arange(total // 2), np.arange(total // 2, total), "first half / last half")
    else:
        missing = _MISSING if settings.split == "benchmark" else ""
        whole = Split(*_random_halves(images.name, total), f"seeded random halves{missing}")
    if not settings.images:
        return whole
    if settings.images // 2 > min(map(len, whole[:2])):
        told = f"images={settings.images} is more than {images.label} has: {total} training images"
        raise UserError(f"{told}; images=0 takes them all")
    return _part(whole, images.name, settings.images // 2, seed)


def _nats(images: ImageSet, given: Split | None) -> Split:
    total = len(images.train_labels)
    validating = _random_halves(images.name, len(images.test_labels))[1] if given is None else given.valid
    missing = _MISSING if given is None else ""
    words = f"all training images / x-valid half of the test images{missing}"
    return Split(np.arange(total), total + validating, words)


def _random_halves(name: str, count: int) -> tuple[Integer[np.ndarray, " train"], Integer[np.ndarray, " valid"]]:
    order = torch.randperm(count, generator=generator("split", name)).numpy()
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def _part(whole: Split, name: str, size: int, seed: int) -> Split:
    drawn = generator("images", name, seed)
    train, valid = (half[torch.randperm(len(half), generator=drawn)[:size].numpy()] for half in whole[:2])
    return Split(train, valid, f"{size} + {size} images drawn by seed from: {whole.words}")


class Stream:
    """Batches of both halves. A pure function of (data set, seed, epoch): nothing to save, nothing to lose."""

    def __init__(
        self, images: ImageSet, settings: Protocol, seed: int, device: torch.device, given: Split | None = None
    ) -> None:
        self.settings, self.seed, self.name, self.device = settings, seed, images.name, device
        self.flip, self.crop = images.flip, images.crop
        self.split = split(images, settings, seed, given)
        self.train, self.valid = (_half(images, index, device) for index in self.split[:2])
        shape = (1, 3, 1, 1)
        self.mean = torch.tensor(images.mean, device=device).view(shape) * 255
        self.std = torch.tensor(images.std, device=device).view(shape) * 255
        self.about: dict[str, Any] = {
            "label": images.label,
            "sha256": images.sha256,
            "train_images": len(self.train.labels),
            "valid_images": len(self.valid.labels),
            "split": self.split.words,
            "split_sha256": _digest(self.split),
            **_unlike_cifar(images),
        }

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last batch may be smaller."""
        return -(-len(self.train.labels) // self.settings.batch)

    def epoch(self, number: int) -> Iterator[tuple[Batch, Batch]]:
        """Augmented (training, validation) batches of one epoch; everything random is drawn before the first batch."""
        drawn = generator("batches", self.name, self.seed, number)
        order = torch.randperm(len(self.train.labels), generator=drawn)
        other = self._valid_order(order, drawn)
        size = self.settings.batch
        plans = [(self.train, order.split(size)), (self.valid, other)]
        moved = [(half, parts, *self._moves(half, sum(map(len, parts)), drawn)) for half, parts in plans]
        for step in range(self.steps):
            first, second = (self._batch(*plan, step) for plan in moved)
            yield first, second

    def fixed(self, which: str = "valid", batches: int = 0, size: int = 0) -> Iterator[Batch]:
        """A half in fixed order without augmentation, in batches of `size`; only the first `batches` unless 0."""
        half = self.valid if which == "valid" else self.train
        size = size or self.settings.eval_batch
        count = -(-len(half.labels) // size)
        for start in range(0, min(count, batches or count) * size, size):
            height, width = self._size(half)
            inner = (slice(self.crop, self.crop + height), slice(self.crop, self.crop + width))
            pixels = half.padded[start : start + size, :, *inner]
            yield Batch(self._normalised(pixels), half.labels[start : start + size])

    def _valid_order(self, order: Tensor, drawn: torch.Generator) -> tuple[Tensor, ...]:
        """Which validation images each step sees: one for every training image, or a fresh batch."""
        count, size = len(self.valid.labels), self.settings.batch
        if self.settings.alpha_batch == "paired":
            return torch.randint(count, order.shape, generator=drawn).split(size)
        return tuple(torch.randperm(count, generator=drawn)[:size] for _ in range(self.steps))

    def _moves(self, half: Half, count: int, drawn: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows and columns of `half.padded` that a cropped and perhaps flipped image takes: each (images, size)."""
        height, width = self._size(half)
        down, right = torch.randint(2 * self.crop + 1, (2, count, 1), generator=drawn)
        columns = torch.arange(width).expand(count, width)
        flipped = torch.rand(count, 1, generator=drawn) < (0.5 if self.flip else 0.0)
        columns = torch.where(flipped, width - 1 - columns, columns) + right
        return (torch.arange(height) + down).to(self.device), columns.to(self.device)

    def _size(self, half: Half) -> tuple[int, int]:
        """Height and width of the images without their border."""
        return half.padded.shape[2] - 2 * self.crop, half.padded.shape[3] - 2 * self.crop

    def _batch(self, half: Half, parts: tuple[Tensor, ...], rows: Tensor, columns: Tensor, step: int) -> Batch:
        index = parts[step].to(self.device)
        start = step * self.settings.batch
        span = slice(start, start + len(index))
        channels = torch.arange(3, device=self.device).view(1, 3, 1, 1)
        place = (index.view(-1, 1, 1, 1), channels, rows[span, None, :, None], columns[span, None, None, :])
        return Batch(self._normalised(half.padded[place]), half.labels[index])

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (pixels.float() - self.mean) / self.std


def _half(images: ImageSet, index: Integer[np.ndarray, " images"], device: torch.device) -> Half:
    total = len(images.train_labels)
    inner, outer = index[index < total], index[index >= total] - total
    pixels = torch.from_numpy(np.concatenate([images.train[inner], images.test[outer]]))
    labels = torch.from_numpy(np.concatenate([images.train_labels[inner], images.test_labels[outer]])).long()
    return Half(F.pad(pixels, (images.crop,) * 4).to(device), labels.to(device))


def _unlike_cifar(images: ImageSet) -> dict[str, Any]:
    """How images are moved in training, where that is not as on CIFAR-10."""
    default = ImageSet._field_defaults
    return {key: getattr(images, key) for key in ("flip", "crop") if getattr(images, key) != default[key]}


def _digest(halves: Split) -> str:
    text = "|".join(",".join(map(str, sorted(half.tolist()))) for half in halves[:2])
    return hashlib.sha256(text.encode()).hexdigest()
