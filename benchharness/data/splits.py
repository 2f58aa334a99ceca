"""Split files: which training images train the weights and which validate, as lists of indices."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Int

from benchharness.errors import UserError
from benchharness.io.files import open_file, path_of

_BENCHMARK: Final = (
    "b32573c51d975768a11c0d1540e625040790e2287a603c857413bd78ca68eb94",
    "fe150dfa5a16fd2cab96300e44d12835a5427d45b6aa3dc7f039b0df1539f5ce",
)
"""SHA-256 of the sorted indices of the benchmark's training and validation half, joined by commas."""
_LIMIT_BYTES: Final = 1 << 24


class Split(NamedTuple):
    """Sorted indices of images, and where they come from in words."""

    train: Int[np.ndarray, "train"]
    """Empty in a split of test images, where weights learn from all training images."""
    valid: Int[np.ndarray, "valid"]
    """Indices into the training images; in a file that splits test images, into those: x-valid. A search counts the
    training images first, then the test images."""
    words: str

    @property
    def sha256(self) -> str:
        """Of both halves' sorted indices, so that it does not depend on how the file spells them."""
        return hashlib.sha256("|".join(",".join(map(str, half.tolist())) for half in self[:2]).encode()).hexdigest()


def load_split(path: Path | str) -> Split:
    """The split in the file at `path`.

    The file is JSON, `{"train": [...], "valid": [...]}`, each list plain or as the benchmark's own file has it
    (`["int", ["0", ...]]`), or the same with `xvalid` and `xtest`, which are to divide the test images; or text of two
    lines of indices, training first, separated by commas or spaces. Raises `UserError` where it is none of these, or
    where an index comes twice or in both halves.
    """
    path = path_of(path)
    try:
        with open_file(path, _LIMIT_BYTES) as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the split file {path}: {error}") from None
    lists = _from_json(path, text) if text.lstrip().startswith("{") else _from_text(path, text)
    halves = {name: _indices(path, name, half) for name, half in lists.items()}
    first, second = halves.values()
    if both := np.intersect1d(first, second).tolist():
        raise UserError(f"{path} has {len(both)} indices in both halves, the first {both[0]}")
    words = f"split file {path.name}"
    if "xtest" not in halves:
        return Split(halves["train"], halves["valid"], words)
    if len(first) != len(second) or max(first[-1], second[-1]) != 2 * len(first) - 1:
        raise UserError(f"{path} does not divide test images: {len(first)} x-valid and {len(second)} x-test indices")
    return Split(np.array([], np.int64), halves["xvalid"], words)


def check_benchmark_split(split: Split) -> Split:
    """`split` with words that say it is the benchmark's own; raises `UserError` where it is another one."""
    for name, half, known in zip(("training", "validation"), split[:2], _BENCHMARK, strict=True):
        sha256 = hashlib.sha256(",".join(map(str, np.sort(half).tolist())).encode()).hexdigest()
        if sha256 != known:
            problem = f"the {name} half of {split.words} is not the benchmark's own"
            raise UserError(f"{problem}: sha256 {sha256[:16]}... where it should be {known[:16]}...")
    return split._replace(words="the benchmark's own split")


def _from_json(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
        names = ("xvalid", "xtest") if "xtest" in value else ("train", "valid")
        halves = {name: value[name] for name in names}
    except (ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is no split file: {type(error).__name__} {str(error)[:80]}") from None
    return {
        name: half[1] if isinstance(half, list) and half[:1] == ["int"] and len(half) == 2 else half
        for name, half in halves.items()
    }


def _from_text(path: Path, text: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) != 2:
        raise UserError(f"{path} has {len(lines)} lines; a split file has two, training and validation indices")
    halves = [re.split(r"[\s,]+", re.sub(r"^\s*(train|valid)\s*:", "", line).strip(" \t,")) for line in lines]
    return dict(zip(("train", "valid"), halves, strict=True))


def _indices(path: Path, name: str, values: Any) -> Int[np.ndarray, "images"]:
    texts = [str(value) for value in values] if isinstance(values, list) else []
    if not texts or not all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts):
        bad = next((text for text in texts if not (text.isascii() and text.isdigit())), "nothing")
        raise UserError(f"{path}: {name!r} must be a list of indices; found {bad[:40]!r}")
    indices, times = np.unique(np.array(texts, np.int64), return_counts=True)
    if (times > 1).any():
        raise UserError(f"{path}: index {indices[times > 1][0]} comes twice in {name!r}")
    return np.asarray(indices)
