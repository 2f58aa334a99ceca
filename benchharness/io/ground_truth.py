"""Stores trainings of derived cells that a table lacks: `SUITE/ground-truth/TABLE-SHA256.jsonl`, a line each.

They lie beside the results, so that whoever has the results has these accuracies too.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchharness.io import files

FOLDER: Final = "ground-truth"
"""In a suite's folder."""
_ABOVE: Final = 3
"""Levels from a suite's folder down to that of one run."""


@dataclass(frozen=True)
class Training:
    """Result of one training; accuracies in percent, None if the recipe measures none."""

    code: int
    """Code of the architecture: the first of its functional class."""
    seed: int
    valid: float | None
    test: float | None
    seconds: float
    train_accuracies: tuple[float, ...] = ()
    """Accuracy on the training images in each epoch; empty in files of older versions."""

    def line(self) -> dict[str, Any]:
        """The fields as written to the file, without empty ones."""
        return {key: value for key, value in asdict(self).items() if value != ()}


def read_trainings(path: Path) -> list[Training]:
    """The trainings in the file at `path`, up to the first line that is damaged; none without a file."""
    lines = (files.convert(line, Training) for line in files.read_lines(path, dict[str, Any]))
    return [line for line in lines if line is not None and _is_possible(line)]


def _is_possible(line: Training) -> bool:
    accuracies = (line.valid, line.test, *line.train_accuracies)
    return all(0 <= value <= 100 for value in accuracies if value is not None) and line.seed >= 0


def add_trainings(path: Path, trainings: Iterable[Training]) -> None:
    """Add `trainings` to the file at `path`, atomically and sorted.

    A training that the file already holds is kept. Raises `UnwritableError` if the file cannot be written.
    """
    saved_lines = {(line.code, line.seed): line for line in read_trainings(path)}
    every = {(line.code, line.seed): line for line in trainings} | saved_lines
    if every != saved_lines:
        with files.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        files.write_lines(path, [every[key].line() for key in sorted(every)])


def journals(results: Path, name: str = "*.jsonl") -> list[Path]:
    """Files called `name` of every suite at or below `results`; else of the suite that `results` is a part of."""
    below = sorted({*results.glob(f"{FOLDER}/{name}"), *results.glob(f"*/{FOLDER}/{name}")})
    return below or sorted(
        path for suite in results.resolve().parents[:_ABOVE] for path in suite.glob(f"{FOLDER}/{name}")
    )
