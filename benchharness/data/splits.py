"""Split files: lists of the indices of the images that train the weights and of those that validate."""

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
"""SHA-256 of the comma-separated, sorted indices of the benchmark's training and validation halves."""
_LIMIT_BYTES: Final = 1 << 24


class Split(NamedTuple):
    """Sorted indices of the images of two halves, and a description of their origin."""

    train: Int[np.ndarray, "train"]
    """Empty in a split of the test images; weights then learn from all training images."""
    valid: Int[np.ndarray, "valid"]
    """Indices into the training images; in a split of the test images (x-valid), into the test images. A search counts
    the test images after the training images."""
    words: str

    @property
    def sha256(self) -> str:
        """SHA-256 of both halves' sorted indices, which does not depend on the file's format."""
        return hashlib.sha256("|".join(",".join(map(str, half.tolist())) for half in self[:2]).encode()).hexdigest()


def load_split(path: Path | str) -> Split:
    """The split in the file at `path`.

    The file is JSON, `{"train": [...], "valid": [...]}`, with plain lists or the benchmark's form
    (`["int", ["0", ...]]`); or JSON with `xvalid` and `xtest`, which together must be all test images; or two lines of
    text with indices separated by commas or spaces, training first. Raises `UserError` if it is none of these, or if an
    index occurs twice.
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
    description = f"split file {path.name}"
    if "xtest" not in halves:
        return Split(halves["train"], halves["valid"], description)
    if len(first) != len(second) or max(first[-1], second[-1]) != 2 * len(first) - 1:
        raise UserError(f"{path} does not divide test images: {len(first)} x-valid and {len(second)} x-test indices")
    return Split(np.array([], np.int64), halves["xvalid"], description)


def check_benchmark_split(split: Split) -> Split:
    """`split`, described as the benchmark's own; raises `UserError` if it is another split."""
    for name, half, expected in zip(("training", "validation"), split[:2], _BENCHMARK, strict=True):
        sha256 = hashlib.sha256(",".join(map(str, np.sort(half).tolist())).encode()).hexdigest()
        if sha256 != expected:
            problem = f"the {name} half of {split.words} is not the benchmark's own"
            raise UserError(f"{problem}: sha256 {sha256[:16]}... where it should be {expected[:16]}...")
    return split._replace(words="the benchmark's own split")


def _from_json(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
        names = ("xvalid", "xtest") if "xtest" in value else ("train", "valid")
        halves = {name: value[name] for name in names}
    except (ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is not a split file: {type(error).__name__} {str(error)[:80]}") from None
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
        raise UserError(f"{path}: index {indices[times > 1][0]} occurs twice in {name!r}")
    return np.asarray(indices)
