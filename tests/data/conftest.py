"""Small data sets in exactly the layouts the real ones are released in."""

import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image


class _Python2(pickle._Pickler):  # type: ignore[name-defined]
    """Pickles as Python 2 wrote them, the form in which CIFAR and ImageNet16 are released: texts are byte strings."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def _text(self, value: str | bytes) -> None:
        raw = value.encode("latin1") if isinstance(value, str) else value
        short = len(raw) < 256
        head = (
            pickle.SHORT_BINSTRING + bytes([len(raw)]) if short else pickle.BINSTRING + len(raw).to_bytes(4, "little")
        )
        self.write(head + raw)
        self.memoize(value)

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__qualname__}\n".encode())
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = _text


def _python2(value: Any) -> bytes:
    file = io.BytesIO()
    _Python2(file, protocol=2).dump(value)
    return file.getvalue()


def _images(count: int, pixels: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, pixels, pixels), np.uint8)


@pytest.fixture(scope="session")
def python2() -> Callable[[Any], bytes]:
    return _python2


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    """The unpacked CIFAR-10 archive, four images a batch, labels 0 to 9 in turn."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for index, name in enumerate(names):
        labels = [(4 * index + item) % 10 for item in range(4)]
        batch = {
            "batch_label": f"batch {index}",
            "labels": labels,
            "data": _images(4, 32, index).reshape(4, 3072),
            "filenames": [f"{item}.png" for item in range(4)],
        }
        (folder / name).write_bytes(_python2(batch))
    meta = {"num_cases_per_batch": 4, "label_names": [f"class{item}" for item in range(10)], "num_vis": 3072}
    (folder / "batches.meta").write_bytes(_python2(meta))
    (folder / "readme.html").write_text("<html>")
    return folder


@pytest.fixture
def cifar100(tmp_path: Path) -> Path:
    """The unpacked CIFAR-100 archive with six training and three test images."""
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, count, seed in (("train", 6, 0), ("test", 3, 1)):
        batch = {
            "filenames": ["x"] * count,
            "batch_label": "all",
            "fine_labels": list(range(90, 90 + count)),
            "coarse_labels": [0] * count,
            "data": _images(count, 32, seed).reshape(count, 3072),
        }
        (folder / name).write_bytes(_python2(batch))
    names = {"fine_label_names": [f"fine{item}" for item in range(100)], "coarse_label_names": ["coarse"] * 20}
    (folder / "meta").write_bytes(_python2(names))
    return folder


@pytest.fixture
def imagenet16(tmp_path: Path) -> Path:
    """The official batches of ImageNet at 16x16, six images each; labels count from 1 and pass 120."""
    folder = tmp_path / "ImageNet16"
    folder.mkdir()
    names = [*(f"train_data_batch_{number}" for number in range(1, 11)), "val_data"]
    for index, name in enumerate(names):
        images = _images(6, 16, index).reshape(6, 768)
        batch = {"data": images, "labels": [1, 120, 121, 1000, index + 2, 500], "mean": images.mean(axis=0)}
        (folder / name).write_bytes(_python2(batch))
    return folder


@pytest.fixture
def hf_folder(tmp_path: Path) -> Callable[..., Path]:
    """Folders in the layout of the Hugging Face data sets."""

    def write(format: str = "PNG", label: str = "label", names: list[str] | None = None, pixels: int = 32) -> Path:  # noqa: A002
        folder = tmp_path / f"hf-{format}-{label}"
        folder.mkdir()
        for split, count, seed in (("train", 5, 0), ("test", 3, 1)):
            files = [_encoded(image, format) for image in _images(count, pixels, seed)]
            columns = {"img": [{"bytes": item, "path": None} for item in files], label: list(range(count))}
            table = pa.table(columns)
            if names:
                features = {"info": {"features": {"img": {"_type": "Image"}, label: {"names": names}}}}
                table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
            half = -(-count // 2)
            for shard in range(2):
                parquet.write_table(table.slice(shard * half, half), folder / f"{split}-0000{shard}-of-00002.parquet")
        return folder

    return write


def _encoded(image: np.ndarray, format: str) -> bytes:  # noqa: A002
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, format=format)
    return file.getvalue()


@pytest.fixture
def pack() -> Callable[[Path], Path]:
    """The `.tar.gz` of a folder, beside it."""

    def archive_of(folder: Path) -> Path:
        path = folder.parent / f"{folder.name}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, folder.name)
        return path

    return archive_of
