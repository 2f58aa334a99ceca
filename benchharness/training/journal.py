"""Tables measured by training: a sample of architectures, or all of them, on any data set, resumable and in parallel.

One architecture of every functional class is trained and stands for all of its class. Every training is a line in a
journal of its data set and recipe, written as it ends: whatever was trained once is never trained again, whether for a
table or for one look-up.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Int

from benchharness import space
from benchharness.compute import environment, executors
from benchharness.config import Recipe, checked
from benchharness.data import ImageSet, load_images, version
from benchharness.errors import UserError
from benchharness.io import catalog, files
from benchharness.records import canonical
from benchharness.space import Arch
from benchharness.table import Figure, Table
from benchharness.table.build import build
from benchharness.table.measurements import measured_path
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


class Task(NamedTuple):
    """One training: an architecture and a training seed."""

    code: int
    seed: int
    dataset: str
    recipe: Recipe
    device: str


@dataclass(frozen=True)
class Line:
    """What the journal holds of one training; accuracies in percent, None where the recipe measures none."""

    code: int
    seed: int
    valid: float | None
    test: float | None
    seconds: float


class Means(NamedTuple):
    """What trainings are made with; none of it is part of what they are."""

    jobs: int = 1
    device: str = "cpu"


@cache
def representatives() -> Int[np.ndarray, "classes"]:
    """One code of each of the 6,466 functional classes: those of `REFERENCES` first, the rest in a fixed random order.

    The first n are thus a uniform sample of the classes, but for the references; a greater sample holds a smaller one.
    """
    classes = space.classes()
    drawn = np.random.default_rng(_ORDER_SEED).permutation(np.unique(classes))
    first = [int(classes[space.to_code(arch)]) for arch in REFERENCES]
    return np.array([*first, *(code for code in drawn.tolist() if code not in first)])


def settings(recipe: Recipe) -> dict[str, Any]:
    """What makes a training another one. A later setting is left out at its default, so that older journals hold."""
    later = {"rate_by": "step"}
    return {key: value for key, value in asdict(recipe).items() if key != "name" and later.get(key) != value}


class Journal:
    """Every training made on this machine with one recipe on one data set."""

    def __init__(self, images: ImageSet, recipe: Recipe) -> None:
        self.images, self.recipe = images, recipe
        # Images that came to be moved otherwise make other trainings.
        moved = [version(images.name)] if version(images.name) != 1 else []
        content = canonical([images.name, images.sha256, settings(recipe), *moved])
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.path = catalog.measured_folder() / f"{images.name}-{key}.jsonl"
        self.lock = FileLock(self.path.with_suffix(".lock"))

    def held(self) -> dict[tuple[int, int], Line]:
        """What has been trained, by code of the architecture and training seed."""
        every = [files.converted(line, Line) for line in files.read_lines(self.path, dict[str, Any])]
        lines = [line for line in every if line is not None]
        return {(line.code, line.seed): line for line in lines}

    def missing(self, codes: Iterable[int], seeds: int) -> list[tuple[int, int]]:
        """Of `codes` with training seeds 0 to `seeds` - 1, the pairs that have not been trained."""
        held = self.held()
        return [one for code in codes for seed in range(seeds) if (one := (int(code), seed)) not in held]

    def add(self, line: Line) -> None:
        """Keep a training; it is on disk when this returns."""
        with self.lock:
            files.append_line(self.path, asdict(line))

    def measure(self, codes: Iterable[int], seeds: int, means: Means) -> Iterator[Line]:
        """Train what is not held yet of `codes` with training seeds 0 to `seeds` - 1, yielding each as it ends.

        Raises `UserError` where a training fails; what ended before it is kept.
        """
        lacking = self.missing(codes, seeds)
        work = {key: Task(*one, self.images.name, self.recipe, means.device) for key, one in enumerate(lacking)}
        self._ready()
        done = executors.serial(_try, work) if means.jobs == 1 else executors.processes(_try, work, means.jobs)
        for key, line in done:
            if isinstance(line, Exception):
                arch = space.to_string(space.from_code(work[key].code))
                raise UserError(f"training {arch} on {self.images.name} failed: {line}")
            self.add(line)
            yield line

    def _ready(self) -> None:
        """The file can be added to: what a crash left of its last line is cut off."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.lock:
                files.keep_lines(self.path, len(files.read_lines(self.path, dict[str, Any])))
        except OSError as error:
            told = error.strerror or error
            hint = "set XDG_CACHE_HOME to a folder of yours"
            raise UserError(f"cannot write {self.path.parent} ({told}); {hint}") from None

    def table(self, codes: Sequence[int], seeds: int, name: str = "") -> Table:
        """The table of `codes` (each the first of its functional class), all of which have been measured."""
        held, classes = self.held(), space.classes()
        place = {int(code): row for row, code in enumerate(codes)}
        members = np.flatnonzero(np.isin(classes, list(place)))
        rows = np.array([place[int(code)] for code in classes[members]])
        lines = [[held[int(code), seed] for seed in range(seeds)] for code in codes]
        values = {figure: _column(lines, split)[rows] for figure, split in self.figures().items()}
        by_seed = {figure: runs for figure, runs in values.items() if not np.isnan(runs).all()}
        return build(
            self._about(name or self.images.name, len(codes), seeds),
            space.all_ops()[members],
            {figure: runs.mean(-1) for figure, runs in by_seed.items()},
            by_seed,
            {(self.images.name, self.recipe.epochs): _column(lines, "seconds")[rows].mean(-1)},
        )

    def figures(self) -> dict[Figure, str]:
        """What the recipe measures: each figure as a table calls it, and the split that it is of here.

        CIFAR-10's test after training on half of the images has a name of its own in the benchmark.
        """
        halved = self.images.name == "cifar10" and self.recipe.trained_on != "whole"
        names = {"valid": "valid", "test-halftrain" if halved else "test": "test"}
        return {Figure(self.images.name, name, self.recipe.epochs): split for name, split in names.items()}

    def _about(self, name: str, trained: int, seeds: int) -> dict[str, Any]:
        where = environment.describe()
        asked, images = self.recipe, self.images
        return {
            "name": name,
            "version": f"recipe {asked.name}, {seeds} training seeds, {trained} of {len(representatives())} classes",
            "source": f"trained by benchharness {where['packages']['benchharness']} on {images.label}",
            "seed_rule": f"mean over {seeds} training seeds",
            "recipe": asdict(asked),
            "network": {
                "channels": asked.channels,
                "cells": asked.cells,
                "pixels": images.train.shape[-1],
                "classes": len(images.classes),
            },
            "training_seeds": {str(asked.epochs): list(range(seeds))},
            "classes_trained": trained,
            "images_sha256": images.sha256,
            "environment": {key: where[key] for key in ("processor", "packages", "python", "git")},
        }


def recipe_of(table: Table) -> Recipe | None:
    """How the table's figures were trained; None where it does not say, as the benchmark's own does not."""
    return checked(Recipe(**table.about["recipe"])) if "recipe" in table.about else None


def lacking(table: Table, archs: Iterable[Arch]) -> list[int]:
    """The functional classes, by their first code, of those of `archs` that `table` has no figures of."""
    classes = space.classes()
    held = set(classes[codes_of(table.ops)].tolist())
    wanted = {int(classes[space.to_code(arch)]) for arch in archs}
    return sorted(wanted - held)


def seeds_of(table: Table) -> int:
    """How many times each architecture of a measured table was trained."""
    return len(next(iter(table.about["training_seeds"].values())))


def complete(table: Table, archs: Iterable[Arch], means: Means) -> Iterator[Line]:
    """Train those of `archs` that `table` lacks as its own were trained, and keep them beside it.

    Yields each training as it ends. Raises `UserError` where the table does not say how it was trained, or was trained
    on other images than are here.
    """
    asked, codes = recipe_of(table), lacking(table, archs)
    if asked is None:
        raise UserError(f"table {table.about['name']!r} does not say how it was trained: nothing can be added to it")
    if not codes:
        return
    figure = table.figures()[0]
    images, seeds = load_images(figure.dataset), seeds_of(table)
    if images.sha256 != table.about["images_sha256"]:
        told = f"table {table.about['name']!r} was trained on other images"
        raise UserError(f"{told} than the {images.name} that are here")
    journal = Journal(images, asked)
    yield from journal.measure(codes, seeds, means)
    held = journal.held()
    whole = {code for code, _ in held if all((code, seed) in held for seed in range(seeds))}
    own = set(space.classes()[codes_of(table.ops[~table.measured_here])].tolist())
    journal.table(sorted(whole - own), seeds, str(table.about["name"])).save(measured_path(table))


def _column(lines: Sequence[Sequence[Line]], name: str) -> Any:
    return np.array([[getattr(line, name) for line in runs] for runs in lines], np.float64)


def _try(task: Task) -> Line | Exception:
    try:
        return _train(task)
    except (ArithmeticError, RuntimeError) as error:  # it diverged, or memory was not enough
        return error


def _train(task: Task) -> Line:
    trained = _trainer(task.dataset, task.recipe, task.device).run(space.from_code(task.code), task.seed)
    valid, test = (None if np.isnan(value) else value for value in trained[:2])
    return Line(task.code, task.seed, valid, test, trained.seconds)


@lru_cache(maxsize=1)
def _trainer(dataset: str, recipe: Recipe, device: str) -> Trainer:
    torch.set_num_threads(1)  # so that the bits depend neither on the cores nor on how many trainings share them
    return Trainer(load_images(dataset), recipe, torch.device(device))
