"""Training one architecture from scratch: to build a table of ground truth, or to check one.

A training is a function of (architecture, data set, recipe, training seed); on one thread of one kind of processor its
figures come out the same to the last bit.
"""

import time
from collections.abc import Iterator
from math import cos, pi
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Integer
from torch.nn import functional as F

from benchharness.config import TrainConfig, checked
from benchharness.data import ImageSet, benchmark_split
from benchharness.data.device_images import Batch, DeviceImages
from benchharness.errors import UserError
from benchharness.models.precision import arithmetic
from benchharness.models.saving import save_tensors
from benchharness.models.standalone import Network
from benchharness.seeding import generator, seeded
from benchharness.space import Arch, to_string
from benchharness.training.unfinished import TrainProgress, Unfinished

_EVAL_BATCH: Final = 500


class Parts(NamedTuple):
    """Indices into the training images followed by the test images."""

    train: Integer[np.ndarray, " train"]
    valid: Integer[np.ndarray, " valid"]
    test: Integer[np.ndarray, " test"]


class TrainResult(NamedTuple):
    """The result of one training: accuracies in percent (NaN if the recipe measures none) and its cost."""

    valid: float
    test: float
    seconds: float
    loss: float
    """Cross-entropy in nats, the mean over the last epoch's steps."""
    train_accuracies: tuple[float, ...]
    """Accuracy in percent on the augmented training batches of each epoch, measured while the weights change."""


class TrainCurve(NamedTuple):
    """Loss and accuracies over the epochs of one training."""

    loss: float
    """As in `TrainResult`."""
    train_accuracies: tuple[float, ...]
    """As in `TrainResult`."""


def image_parts(images: ImageSet, recipe: TrainConfig) -> Parts:
    """Which images train and which measure, as `recipe.trained_on` says.

    Raises `UserError` if that needs the benchmark's split file and the data folder has none.
    """
    total, tests = len(images.train_labels), len(images.test_labels)
    outer = total + np.arange(tests)
    if recipe.trained_on == "benchmark" and images.name == "cifar10":
        selected = Parts(*_benchmark_halves(), outer)
    elif recipe.trained_on != "whole":
        selected = Parts(np.arange(total // 2), np.arange(total // 2, total), outer)
    elif images.name == "cifar10":
        selected = Parts(np.arange(total), np.arange(0), outer)
    else:
        order = total + torch.randperm(tests, generator=generator("split", images.name)).numpy()
        selected = Parts(np.arange(total), np.sort(order[: tests // 2]), np.sort(order[tests // 2 :]))
    limits = (recipe.images, recipe.measured, recipe.measured)
    return Parts(*(index[:limit] if limit else index for index, limit in zip(selected, limits, strict=True)))


def _benchmark_halves() -> tuple[Integer[np.ndarray, " train"], Integer[np.ndarray, " valid"]]:
    halves = benchmark_split("cifar10")
    if halves is None:
        hint = "`benchharness data import PATH` brings it in, and --set trained_on=half takes the first half instead"
        raise UserError(f"this recipe trains on the benchmark's half of CIFAR-10, whose split file is missing; {hint}")
    return halves.train, halves.valid


class Trainer:
    """Trains architectures on one data set by one recipe; the images are brought to the device once."""

    def __init__(self, images: ImageSet, recipe: TrainConfig, device: torch.device) -> None:
        self.images, self.recipe, self.device = images, checked(recipe), device
        self.train, *self.measured = (DeviceImages(images, index, device) for index in image_parts(images, recipe))

    @property
    def steps(self) -> int:
        """Steps in an epoch; the last batch may be smaller."""
        return -(-len(self.train) // self.recipe.batch)

    def network(self, arch: Arch, seed: int) -> Network:
        """The initial network of `arch`; architectures share the initial weights of what they have in common."""
        with seeded("network", self.images.name, seed):
            net = Network(arch, len(self.images.classes), self.recipe.channels, self.recipe.cells)
        # 1.3 to 1.5 times as fast as the default layout (C=8, N=1, 12x12, batch 64, one thread of an AMD EPYC).
        return net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, arch: Arch, seed: int, keep: Path | None = None, unfinished: Path | None = None) -> TrainResult:
        """Train `arch` with one training seed and measure it; its weights are kept in the file `keep`, if one is named.

        Its epochs are saved in the file `unfinished`, if one is named, and a training that is saved there goes on; its
        seconds are those of all sittings. Raises `FloatingPointError` if the loss stops being a finite number.
        """
        start = time.perf_counter()
        state = Unfinished(unfinished, f"{to_string(arch)} seed {seed}")
        net = self.network(arch, seed)
        optimizer = self.optimizer(net)
        progress = TrainProgress()
        if state.exists():
            progress = state.load(net, optimizer, self.recipe.epochs)
            if not progress.train_accuracies:  # the file may have changed some of the weights
                net = self.network(arch, seed)
                optimizer = self.optimizer(net)
        with arithmetic("float32", self.device):
            course = self._fit(net, optimizer, seed, state, progress)
            with torch.no_grad(), net.evaluating():
                valid, test = (self._accuracy_pct(net, pictures) for pictures in self.measured)
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
            save_tensors(keep, net.state_dict())
        return TrainResult(valid, test, progress.seconds + time.perf_counter() - start, *course)

    def fit(self, net: Network, seed: int) -> TrainCurve:
        """Train `net` in place through all epochs; raises `FloatingPointError` as `run` does."""
        return self._fit(net, self.optimizer(net), seed, Unfinished(None, ""), TrainProgress())

    def optimizer(self, net: Network) -> torch.optim.SGD:
        """The recipe's optimiser of the weights of `net`."""
        recipe = self.recipe
        return torch.optim.SGD(
            net.parameters(),
            recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
        )

    def _fit(
        self, net: Network, optimizer: torch.optim.SGD, seed: int, state: Unfinished, progress: TrainProgress
    ) -> TrainCurve:
        start = time.perf_counter()
        mean = torch.zeros((), device=self.device)
        accuracies = list(progress.train_accuracies)
        for epoch in range(len(accuracies), self.recipe.epochs):
            net.train()
            losses = []
            correct = torch.zeros((), dtype=torch.int64, device=self.device)
            for step, batch in enumerate(self._epoch(seed, epoch)):
                optimizer.param_groups[0]["lr"] = self.rate(epoch * self.steps + step)
                logits = net(batch.images)
                loss = F.cross_entropy(logits, batch.labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
                correct += (logits.detach().argmax(1) == batch.labels).sum()
            accuracies.append(100 * int(correct) / len(self.train))
            mean = torch.stack(losses).mean()
            if epoch + 1 < self.recipe.epochs:
                seconds = progress.seconds + time.perf_counter() - start
                state.save(net, optimizer, TrainProgress(tuple(accuracies), seconds))
        if not torch.isfinite(mean):
            raise FloatingPointError(f"the loss of {net.arch} became {mean.item()} in training seed {seed}")
        return TrainCurve(float(mean), tuple(accuracies))

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted over all epochs."""
        step -= step % self.steps if self.recipe.rate_by == "epoch" else 0
        total = self.steps * self.recipe.epochs
        rising = self.recipe.warmup * total
        if step < rising:
            return self.recipe.learning_rate * (step + 1) / (rising + 1)
        return self.recipe.learning_rate * 0.5 * (1 + cos(pi * (step - rising) / (total - rising)))

    def _epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        rng = generator("training", self.images.name, seed, epoch)
        order = torch.randperm(len(self.train), generator=rng)
        yield from self.train.augmented(order, self.recipe.batch, rng)

    def _accuracy_pct(self, net: Network, pictures: DeviceImages) -> float:
        if not len(pictures):
            return float("nan")
        correct = torch.zeros((), device=self.device)
        for batch in pictures.fixed(_EVAL_BATCH):
            correct += (net(batch.images).argmax(-1) == batch.labels).sum()
        return 100 * float(correct) / len(pictures)
