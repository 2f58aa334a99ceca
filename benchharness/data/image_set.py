"""`ImageSet`: all images of a data set with their labels, and its file format."""

import hashlib
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from benchharness.data import official
from benchharness.data.kinds import CROP, KNOWN, RESERVED, Part, check_parts, moments
from benchharness.errors import UserError
from benchharness.io import npz
from benchharness.io.files import path_of

KIND: Final = "benchharness images"
FORMAT: Final = 1
LIMIT_BYTES: Final = 1 << 30
LIMIT_CROP: Final = 64
_ARRAYS: Final = ("train", "train_labels", "test", "test_labels")


class ImageSet(NamedTuple):
    """A data set: images (images, channels, height, width), and labels that number the `classes` from 0."""

    name: str
    label: str
    """Name of these images in reports; it says so if they differ from the official ones."""
    train: UInt8[np.ndarray, "images 3 height width"]
    train_labels: Int[np.ndarray, "images"]
    test: UInt8[np.ndarray, "tests 3 height width"]
    test_labels: Int[np.ndarray, "tests"]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    """Mean of each channel over the official training images; 1 is full brightness."""
    std: tuple[float, ...]
    sha256: str
    """SHA-256 of all images and labels; for a user's own images also of whether training mirrors them."""
    flip: bool = True
    """Whether training mirrors images, as a mirrored image still belongs to its class."""
    crop: int = CROP
    """Pixels of black border that training adds before random crops; 0 for no crops."""

    @classmethod
    def open(cls, path: Path | str) -> "ImageSet":
        """The image set that `save` wrote to `path`; raises `UserError` if the file is missing, damaged or not one."""
        header, arrays = npz.read_arrays(path_of(path), KIND, LIMIT_BYTES)
        if header.get("format") != FORMAT:
            raise UserError(f"{path} holds images of format {header.get('format')!r}; this version reads {FORMAT}")
        values: dict[str, Any] = {name: arrays[name] for name in _ARRAYS if name in arrays}
        values |= {name: tuple(value) if isinstance(value, list) else value for name, value in header["about"].items()}
        if not _is_whole(values):
            raise UserError(f"{path} is a damaged set of images: it holds {sorted(map(str, values))}")
        images = cls(**values)
        if images.name in KNOWN:  # older files state defaults of that time
            images = images._replace(crop=KNOWN[images.name].crop)
        train, test = Part(images.train, images.train_labels), Part(images.test, images.test_labels)
        check_parts(images.name, train, test, images.classes)
        if images.name in KNOWN and images.label == KNOWN[images.name].title:  # older files state this for any pixels
            return images._replace(label=_known_label(images.name, train, test, images.sha256))
        return images

    def save(self, path: Path | str) -> None:
        """Write the images to `path`; an existing file is replaced atomically."""
        values = self._asdict()
        arrays = {name: values.pop(name) for name in _ARRAYS}
        npz.write_arrays(path_of(path), {"kind": KIND, "format": FORMAT, "about": values}, arrays)

    def checked(self) -> "ImageSet":
        """The image set itself; raises `UserError` if its images do not have the stated checksum."""
        content = _digest(*self[2:6])  # older files state this one
        if self.sha256 not in (content, _as_learnt(self.name, content, self.flip)):
            raise UserError(f"the images of {self.name} do not have their own checksum; import them again")
        return self


def build_image_set(
    name: str,
    train: Part,
    test: Part,
    classes: tuple[str, ...] = (),
    reencoded: str = "",
    label: str = "",
    flip: bool = True,
    crop: int | None = None,
) -> ImageSet:
    """The image set `name` with these parts; `reencoded` names a lossy format in which the images were stored.

    The benchmark's data sets are normalised as in papers, and labelled by their title if the images are the official
    ones. Other sets are labelled `label` or `name`, and normalised by their own training images. `crop` defaults to the
    benchmark's. Raises `UserError` if shapes, types, classes or labels do not fit the data set.
    """
    kind = KNOWN.get(name)
    classes = classes or tuple(map(str, range(kind.classes if kind else int(train.labels.max(initial=-1)) + 1)))
    check_parts(name, train, test, classes)
    sha256 = _as_learnt(name, _digest(*train, *test), flip)
    label = _known_label(name, train, test, sha256, reencoded) if kind else label or name
    mean, std = (kind.mean, kind.std) if kind else moments(train.images)
    border = crop if crop is not None else kind.crop if kind else CROP
    return ImageSet(name, label, *train, *test, classes, mean, std, sha256, flip, border)


def _known_label(name: str, train: Part, test: Part, sha256: str, reencoded: str = "") -> str:
    """The data set's title, followed by how these images differ from the official ones, if they do."""
    counts = (len(train.labels), len(test.labels))
    marks = [mark] if (mark := reencoded or official.difference(name, sha256, train, test)) else []
    marks += [f"{counts[0]} + {counts[1]} images"] * (counts != KNOWN[name].counts)
    return f"{KNOWN[name].title} ({', '.join(marks)})" if marks else KNOWN[name].title


def _is_whole(values: dict[str, Any]) -> bool:
    """Whether `values` has an image set's required fields with the right types; older files have fewer fields."""
    fields, lately = set(ImageSet._fields), set(ImageSet._field_defaults)
    if not fields - lately <= set(values) <= fields:
        return False
    texts = all(isinstance(values[key], str) and values[key] for key in ("name", "label", "sha256"))
    numbers = all(_are(values[key], float | int) and len(values[key]) == 3 for key in ("mean", "std"))
    flip, crop = values.get("flip", True), values.get("crop", CROP)
    is_augmentation = type(flip) is bool and type(crop) is int and 0 <= crop < LIMIT_CROP
    return texts and numbers and is_augmentation and _are(values["classes"], str) and min(values["std"]) > 0


def _are(values: Any, kind: Any) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)


def _as_learnt(name: str, content: str, flip: bool) -> str:
    """The digest of images and labels (`content`), combined with whether training mirrors them."""
    return content if flip or name in RESERVED else hashlib.sha256(f"{content} unmirrored".encode()).hexdigest()


def _digest(*arrays: Any) -> str:
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype.str} {array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()
