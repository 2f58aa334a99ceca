"""Tables measured by training: a sample of architectures, or all of them, on any data set, resumable and in parallel.

One architecture of every functional class is trained and stands for all of its class. Every training is a line in a
journal of its data set and recipe, written as it ends: whatever was trained once is never trained again, whether for a
table or for one look-up.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Int

from benchharness import space
from benchharness.compute import environment, executors
from benchharness.config import TrainConfig, checked
from benchharness.data import ImageSet, load_images, version
from benchharness.errors import UserError
from benchharness.io import catalog, files, ground_truth
from benchharness.io.ground_truth import Training
from benchharness.records import canonical
from benchharness.space import Arch
from benchharness.table import Metric, Table
from benchharness.table.measurements import measured_path, tabulated
from benchharness.table.table import codes as codes_of
from benchharness.training.trainer import Trainer

REFERENCES: Final = (
    (space.CONV3,) * 6,
    (space.SKIP,) * 6,
    (space.CONV1,) * 6,
    (space.POOL,) * 6,
    (3, 3, 3, 1, 3, 2),  # best of NAS-Bench-201 on CIFAR-10 (index 6111)
    (3, 3, 3, 1, 3, 3),  # and on CIFAR-100 (index 9930)
)
"""Architectures that every sample holds."""
_ORDER_SEED: Final = 201
COMPLETED: Final = 1
"""Training seeds for a cell that a table lacks: one places it well enough, in half the time of the table's two."""


class TrainTask(NamedTuple):
    """One training: an architecture and a training seed."""

    code: int
    seed: int
    dataset: str
    recipe: TrainConfig
    device: str
    unfinished: Path
    """File for the state of the training between two epochs."""
    keep: Path | None = None
    """File for the trained weights, if they are to be kept."""


class TrainOptions(NamedTuple):
    """How trainings are run (device, jobs, threads); not part of their identity."""

    jobs: int = 1
    device: str = "cpu"


@cache
def representatives() -> Int[np.ndarray, "classes"]:
    """One code of each of the 6,466 functional classes: those of `REFERENCES` first, the rest in a fixed random order.

    The first n are thus a uniform sample of the classes, but for the references; a greater sample holds a smaller one.
    """
    classes = space.classes()
    order = np.random.default_rng(_ORDER_SEED).permutation(np.unique(classes))
    first = [int(classes[space.to_code(arch)]) for arch in REFERENCES]
    return np.array([*first, *(code for code in order.tolist() if code not in first)])


def settings(recipe: TrainConfig) -> dict[str, Any]:
    """Settings that identify a training; those added later are left out at their default, so old journals hold."""
    later = {"rate_by": "step"}
    return {key: value for key, value in asdict(recipe).items() if key != "name" and later.get(key) != value}


class Journal:
    """Every training made on this machine with one recipe on one data set."""

    def __init__(self, images: ImageSet, recipe: TrainConfig) -> None:
        self.images, self.recipe = images, recipe
        # Images that came to be moved otherwise make other trainings.
        versions = [version(images.name)] if version(images.name) != 1 else []
        content = canonical([images.name, images.sha256, settings(recipe), *versions])
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.path = catalog.measured_folder() / f"{images.name}-{key}.jsonl"
        self.lock = FileLock(self.path.with_suffix(".lock"))

    def trainings(self) -> dict[tuple[int, int], Training]:
        """Finished trainings by (architecture code, training seed)."""
        return {(line.code, line.seed): line for line in ground_truth.read_trainings(self.path)}

    def missing(self, codes: Iterable[int], seeds: int) -> list[tuple[int, int]]:
        """Of `codes` with training seeds 0 to `seeds` - 1, the pairs that have not been trained."""
        trainings = self.trainings()
        return [training for code in codes for seed in range(seeds) if (training := (int(code), seed)) not in trainings]

    def add(self, line: Training) -> None:
        """Append a training; it is on disk when this returns."""
        with self.lock:
            files.append_line(self.path, line.line())

    def weights(self, code: int, seed: int = 0) -> Path:
        """File of the weights of a training, if they were kept."""
        return self.path.with_suffix("") / f"{code}-{seed}.pt"

    def unfinished(self, code: int, seed: int) -> Path:
        """File of the state of a training that has begun; it is gone once the training is in the journal."""
        return self.path.with_suffix("") / f"{code}-{seed}.unfinished.pt"

    def measure(
        self, codes: Iterable[int], seeds: int, options: TrainOptions, keep: bool = False
    ) -> Iterator[Training]:
        """Train what is missing of `codes` with training seeds 0 to `seeds` - 1, yielding each as it ends.

        A training that was interrupted goes on from the last epoch saved. If `keep`, the trained weights are kept too,
        up to some megabytes per training.

        Raises `UserError` if a training fails; what ended before it is kept.
        """
        missing_trainings = self.missing(codes, seeds)
        work = {
            key: TrainTask(
                *training,
                self.images.name,
                self.recipe,
                options.device,
                self.unfinished(*training),
                self.weights(*training) if keep else None,
            )
            for key, training in enumerate(missing_trainings)
        }
        self.ready()
        results = executors.serial(_try, work) if options.jobs == 1 else executors.processes(_try, work, options.jobs)
        for key, line in results:
            if isinstance(line, Exception):
                arch = space.to_string(space.from_code(work[key].code))
                raise UserError(f"training {arch} on {self.images.name} failed: {line}")
            self.add(line)
            self.unfinished(line.code, line.seed).unlink(missing_ok=True)
            yield line

    def ready(self) -> None:
        """Make the file ready for appending: cuts off a last line that a crash left incomplete.

        Raises `UserError` if it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.lock:
                files.keep_lines(self.path, len(files.read_lines(self.path, dict[str, Any])))
        except OSError as error:
            reason = error.strerror or error
            hint = "set XDG_CACHE_HOME to a folder of yours"
            raise UserError(f"cannot write {self.path.parent} ({reason}); {hint}") from None

    def table(self, codes: Sequence[int], seeds: int, name: str = "") -> Table:
        """The table of `codes` (each the first of its functional class), all of which have been measured."""
        trainings = self.trainings()
        lines = [trainings[int(code), seed] for code in codes for seed in range(seeds)]
        timed = self.images.name, self.recipe.epochs
        return tabulated(self._about(name or self.images.name, len(codes), seeds), lines, self.figures(), timed)

    def figures(self) -> dict[Metric, str]:
        """What the recipe measures: each figure as a table calls it, and the split that it is of here.

        CIFAR-10's test after training on half of the images has a name of its own in the benchmark.
        """
        halved = self.images.name == "cifar10" and self.recipe.trained_on != "whole"
        names = {"valid": "valid", "test-halftrain" if halved else "test": "test"}
        return {Metric(self.images.name, name, self.recipe.epochs): split for name, split in names.items()}

    def _about(self, name: str, count: int, seeds: int) -> dict[str, Any]:
        environment_facts = environment.describe()
        recipe, images = self.recipe, self.images
        return {
            "name": name,
            "version": f"recipe {recipe.name}, {seeds} training seeds, {count} of {len(representatives())} classes",
            "source": f"trained by benchharness {environment_facts['packages']['benchharness']} on {images.label}",
            "seed_rule": f"mean over {seeds} training seeds",
            "recipe": asdict(recipe),
            "network": {
                "channels": recipe.channels,
                "cells": recipe.cells,
                "pixels": images.train.shape[-1],
                "classes": len(images.classes),
            },
            "training_seeds": {str(recipe.epochs): list(range(seeds))},
            "classes_trained": count,
            "images_sha256": images.sha256,
            "environment": {key: environment_facts[key] for key in ("processor", "packages", "python", "git")},
        }


def recipe_of(table: Table) -> TrainConfig | None:
    """The recipe by which the table was trained; None if it does not say, as the benchmark's own tables."""
    return checked(TrainConfig(**table.about["recipe"])) if "recipe" in table.about else None


def missing_classes(table: Table, archs: Iterable[Arch]) -> list[int]:
    """The functional classes, by their first code, of those of `archs` that `table` has no figures of."""
    classes = space.classes()
    covered = set(classes[codes_of(table.ops)].tolist())
    needed = {int(classes[space.to_code(arch)]) for arch in archs}
    return sorted(needed - covered)


def journal_of(table: Table) -> Journal:
    """The journal of the trainings that `table` was made of, and of more of them.

    Raises `UserError` if the table does not say how it was trained, or was trained on other images than are here.
    """
    recipe = recipe_of(table)
    if recipe is None:
        raise UserError(f"table {table.about['name']!r} does not say how it was trained: nothing can be added to it")
    images = load_images(table.datasets[0])
    if images.sha256 != table.about["images_sha256"]:
        problem = f"table {table.about['name']!r} was trained on other images"
        raise UserError(f"{problem} than the {images.name} that are here")
    return Journal(images, recipe)


def complete(table: Table, codes: Sequence[int], suite: Path, options: TrainOptions) -> Iterator[Training]:
    """Train the classes `codes`, which `table` lacks, once each as its own were; keep them with the results in `suite`.

    Yields each training as it ends; what this machine has trained before is only copied. Raises `UserError` as
    `journal_of` and `Journal.measure` do.
    """
    journal, path = journal_of(table), measured_path(suite, table)
    journal.ready()
    trainings = journal.trainings()
    _keep(
        journal,
        path,
        [trainings[code, seed] for code in codes for seed in range(COMPLETED) if (code, seed) in trainings],
    )
    for line in journal.measure(codes, COMPLETED, options, keep=True):
        _keep(journal, path, [line])
        yield line


def _keep(journal: Journal, path: Path, lines: list[Training]) -> None:
    with journal.lock:
        ground_truth.add_trainings(path, lines)


def _try(task: TrainTask) -> Training | Exception:
    try:
        return _train(task)
    except (ArithmeticError, RuntimeError) as error:  # it diverged, or memory was not enough
        return error


def _train(task: TrainTask) -> Training:
    trainer = _trainer(task.dataset, task.recipe, task.device)
    result = trainer.run(space.from_code(task.code), task.seed, task.keep, task.unfinished)
    valid, test = (None if np.isnan(value) else value for value in result[:2])
    return Training(task.code, task.seed, valid, test, result.seconds, result.train_accuracies)


@lru_cache(maxsize=1)
def _trainer(dataset: str, recipe: TrainConfig, device: str) -> Trainer:
    torch.set_num_threads(1)  # so that the bits depend neither on the cores nor on how many trainings share them
    return Trainer(load_images(dataset), recipe, torch.device(device))
