"""The images of a data set on the device, as batches in fixed order or with augmentation by tensor operations."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.nn import functional as F

from benchharness.data import ImageSet


class Batch(NamedTuple):
    """Normalised images and their labels."""

    images: Float[Tensor, "batch 3 height width"]
    labels: Integer[Tensor, " batch"]


class Draw(NamedTuple):
    """The random choices for the batches of one half in one epoch, drawn on the CPU and then copied to the device."""

    sizes: tuple[int, ...]
    """Number of images in each batch."""
    images: Integer[Tensor, " images"]
    """Positions of the images in the half, one batch after the other."""
    shift: Integer[Tensor, "2 images"]
    """Rows and columns by which each image's crop is moved down and to the right in the padded image."""
    mirrored: Bool[Tensor, " images"]


class DeviceImages:
    """The images of a set at the positions `index`, where test images are counted after the training images.

    Augmentation follows the image set: random crops after padding with a black border of `images.crop` pixels, and
    random mirroring with probability 1/2 if `images.flip`.
    """

    def __init__(self, images: ImageSet, index: Integer[np.ndarray, " images"], device: torch.device) -> None:
        self.device, self.crop, self.flip = device, images.crop, images.flip
        total = len(images.train_labels)
        inner, outer = index[index < total], index[index >= total] - total
        pixels = torch.from_numpy(np.concatenate([images.train[inner], images.test[outer]]))
        labels = torch.from_numpy(np.concatenate([images.train_labels[inner], images.test_labels[outer]])).long()
        self.padded, self.labels = F.pad(pixels, (self.crop,) * 4).to(device), labels.to(device)
        shape = (1, 3, 1, 1)
        self.mean = torch.tensor(images.mean, device=device).view(shape) * 255
        self.std = torch.tensor(images.std, device=device).view(shape) * 255

    def __len__(self) -> int:
        return len(self.labels)

    def augmented(self, order: Tensor, size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Augmented batches of `size` images in this `order`; all random numbers are drawn before the first batch."""
        return self.moved(order.split(size), rng)

    def moved(self, index_parts: Sequence[Tensor], rng: torch.Generator | None) -> Iterator[Batch]:
        """A batch of the images at each of `index_parts`, augmented with random numbers from `rng` if there is one.

        All random numbers are copied to the device before the first batch, so that no later batch waits for a copy.
        """
        return self.batches(self.draw(index_parts, rng))

    def draw(self, index_parts: Sequence[Tensor], rng: torch.Generator | None) -> Draw:
        """The random choices for batches of the images at `index_parts`, drawn from `rng`; does not use the device."""
        sizes, images = tuple(map(len, index_parts)), torch.cat(list(index_parts))
        count = len(images)
        if rng is None:
            return Draw(sizes, images, torch.full((2, count), self.crop), torch.zeros(count, dtype=torch.bool))
        shift = torch.randint(2 * self.crop + 1, (2, count), generator=rng)
        mirrored = torch.rand(count, generator=rng) < 0.5
        return Draw(sizes, images, shift, mirrored & self.flip)

    def batches(self, draw: Draw) -> Iterator[Batch]:
        """The batches of `draw`. Its numbers are copied to the device first, in three copies of some kilobytes."""
        images, (down, right), mirrored = (tensor.to(self.device) for tensor in draw[1:])
        height, width = (torch.arange(extent - 2 * self.crop, device=self.device) for extent in self.padded.shape[2:])
        columns = torch.where(mirrored.unsqueeze(1), width.flip(0), width) + right.unsqueeze(1)
        return self._batches(images.split(list(draw.sizes)), height + down.unsqueeze(1), columns)

    def fixed(self, size: int, batches: int = 0) -> Iterator[Batch]:
        """Batches of `size` images in fixed order without augmentation; the first `batches`, or all for 0."""
        count = -(-len(self) // size)
        inner = slice(self.crop, self.padded.shape[2] - self.crop), slice(self.crop, self.padded.shape[3] - self.crop)
        for start in range(0, min(count, batches or count) * size, size):
            pixels = self.padded[start : start + size, :, *inner]
            yield Batch(self._normalised(pixels), self.labels[start : start + size])

    def _batches(self, index_parts: Sequence[Tensor], rows: Tensor, columns: Tensor) -> Iterator[Batch]:
        channels, start = torch.arange(3, device=self.device).view(1, 3, 1, 1), 0
        for index in index_parts:
            span = slice(start, start + len(index))
            pixel_index = (index.view(-1, 1, 1, 1), channels, rows[span, None, :, None], columns[span, None, None, :])
            yield Batch(self._normalised(self.padded[pixel_index]), self.labels[index])
            start += len(index)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (pixels.float() - self.mean) / self.std
