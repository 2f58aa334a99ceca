"""Imports CIFAR-10 and CIFAR-100 from the Parquet files of their Hugging Face data sets (encoded images and labels)."""

import io
import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchharness.data.image_set import ImageSet, build_image_set
from benchharness.data.kinds import Part
from benchharness.errors import UserError
from benchharness.io import arrow
from benchharness.io.files import SOURCE_BYTES, open_file

LAYOUT: Final = "CIFAR-10 or CIFAR-100 as a Hugging Face folder (train-*.parquet, test-*.parquet)"
_LABELS: Final = {"label": "cifar10", "fine_label": "cifar100"}
_FORMATS: Final = ("PNG", "JPEG")
_PIXELS: Final = 32
_ROWS_LIMIT: Final = 1 << 20
_SHARD: Final = re.compile(r"-(\d{5})-of-(\d{5})\.parquet", re.ASCII)


def recognises(path: Path) -> str | None:
    """`cifar10` or `cifar100` if the folder `path` has this layout, else None."""
    if not path.is_dir() or not all(_files(path, split) for split in ("train", "test")):
        return None
    try:
        names = _schema(path).names
    except (OSError, ValueError):
        return None
    return _LABELS[_label(names)] if "img" in names and _label(names) else None


def read_source(path: Path) -> ImageSet:
    """The decoded images of the folder `path`; raises `UserError` if files are missing or an image is not 32x32 RGB."""
    for split in ("train", "test"):
        _check_shards(_files(path, split))
    schema = _schema(path)
    label = _label(schema.names)
    with arrow.reading():
        splits = {split: _read(_files(path, split), label) for split in ("train", "test")}
    formats = {name for _, formats_of_part in splits.values() for name in formats_of_part}
    reencoded = "JPEG" if "JPEG" in formats else ""
    return build_image_set(_LABELS[label], splits["train"][0], splits["test"][0], _classes(schema, label), reencoded)


def _files(path: Path, split: str) -> list[Path]:
    return sorted(path.glob(f"{split}-*.parquet"))


def _check_shards(files: list[Path]) -> None:
    """Raise `UserError` if files numbered as `00000-of-00002` belong to several sets, or if one is missing."""
    numbers = [match.groups() for file in files if (match := _SHARD.search(file.name))]
    totals = sorted({int(total) for _, total in numbers})
    if len(totals) > 1:
        problem = f"{files[0].parent} mixes files of {totals[0]} and of {totals[1]}, such as {files[0].name}"
        raise UserError(f"{problem}; keep those of one set")
    if totals and (missing := set(range(totals[0])) - {int(number) for number, _ in numbers}):
        raise UserError(f"{files[0].parent} lacks file {min(missing):05d} of {totals[0]} beside {files[0].name}")


def _schema(path: Path) -> Any:
    import pyarrow.parquet as parquet  # takes 0.2 s, and is only needed to import images

    with arrow.reading(), open_file(_files(path, "train")[0], SOURCE_BYTES) as file:
        return parquet.read_schema(file)


def _label(names: list[str]) -> str:
    return next((name for name in reversed(_LABELS) if name in names), "")


def _classes(schema: Any, label: str) -> tuple[str, ...]:
    """The class names that the files state; empty if they state none."""
    try:
        metadata = json.loads((schema.metadata or {})[b"huggingface"])
        return tuple(map(str, metadata["info"]["features"][label]["names"]))
    except (KeyError, ValueError, TypeError):
        return ()


def _read(files: list[Path], label: str) -> tuple[Part, set[str]]:
    """All images of `files` in order, and the names of their image formats."""
    import pyarrow.parquet as parquet

    with ExitStack() as stack:
        parquet_files = [parquet.ParquetFile(stack.enter_context(open_file(file, SOURCE_BYTES))) for file in files]
        rows = sum(file.metadata.num_rows for file in parquet_files)
        if rows > _ROWS_LIMIT:
            raise UserError(f"{files[0].parent} has {rows} images; CIFAR has 60,000")
        images = np.empty((rows, 3, _PIXELS, _PIXELS), np.uint8)
        labels, formats, row = np.empty(rows, np.int64), set(), 0
        for file in parquet_files:
            for batch in file.iter_batches(1024, columns=["img", label]):
                labels[row : row + len(batch)] = batch.column(label).to_numpy(zero_copy_only=False)
                for content in batch.column("img").field("bytes"):
                    images[row], kind = _decoded(content.as_py(), row)
                    formats.add(kind)
                    row += 1
    return Part(images, labels), formats


def _decoded(content: bytes | None, row: int) -> tuple[Any, str]:
    """One image as (channels, height, width), and the name of its format."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(content or b""), formats=_FORMATS)
        if image.size != (_PIXELS, _PIXELS) or image.mode != "RGB":
            raise UserError(f"image {row} is {image.size[0]}x{image.size[1]} {image.mode}; expected 32x32 RGB")
        return np.asarray(image).transpose(2, 0, 1), str(image.format)
    except UserError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"image {row} cannot be decoded: {str(error)[:120]}") from None
