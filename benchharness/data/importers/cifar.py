"""Imports CIFAR-10 and CIFAR-100 from their official Python archives (`.tar.gz`) or the unpacked folders of pickles."""

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np

from benchharness.data.image_set import ImageSet, build_image_set
from benchharness.data.kinds import Part
from benchharness.errors import UserError
from benchharness.io import archives, pickles
from benchharness.io.files import SOURCE_BYTES, open_file

LAYOUT: Final = "CIFAR-10 or CIFAR-100 as the official python archive (.tar.gz, or its folder)"
_ENDINGS: Final = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz")
_MEMBERS_LIMIT: Final = 1000


class _Layout(NamedTuple):
    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels: str
    classes: str


_LAYOUTS: Final = {
    "cifar-10-batches-py": _Layout(
        "cifar10",
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        ("test_batch",),
        "batches.meta",
        "labels",
        "label_names",
    ),
    "cifar-100-python": _Layout("cifar100", ("train",), ("test",), "meta", "fine_labels", "fine_label_names"),
}


def recognises(path: Path) -> str | None:
    """`cifar10` or `cifar100` if `path` is its archive or unpacked folder, else None."""
    layout = _layout(path)
    return layout.name if layout else None


def read_source(path: Path) -> ImageSet:
    """The images of the archive or folder at `path`; its pickles cannot execute code.

    Raises `UserError` if a batch is missing, damaged or refers to a class, or if a path in the archive leads out of it.
    """
    layout = _layout(path)
    if layout is None:
        raise UserError(f"{path} is not an archive of CIFAR, or is damaged")
    members: dict[str, Any] = {}
    for name, data in _members(path, _folder(layout), {*layout.train, *layout.test, layout.meta}):
        batch = pickles.read_pickle(data, f"{path}: {name}")
        members[name] = batch[layout.classes] if name == layout.meta else _part(batch, layout.labels, f"{path}: {name}")
    for name in (*layout.train, *layout.test, layout.meta):
        if name not in members:
            raise UserError(f"{path} has no {name!r}; it is not the whole archive")
    train, test = (_joined([members[name] for name in names]) for names in (layout.train, layout.test))
    return build_image_set(layout.name, train, test, tuple(map(str, members[layout.meta])))


def _folder(layout: _Layout) -> str:
    return next(folder for folder, other in _LAYOUTS.items() if other == layout)


def _layout(path: Path) -> _Layout | None:
    if path.is_dir():
        layout = _LAYOUTS.get(path.name)
        return layout if layout and (path / layout.meta).is_file() else None
    if not path.name.endswith(_ENDINGS) or not path.is_file():
        return None
    try:
        with open_file(path, SOURCE_BYTES) as file, tarfile.open(fileobj=file) as archive:
            first = archive.next()
        return _LAYOUTS.get(PurePosixPath(first.name).parts[0]) if first else None
    except (UserError, *archives.DAMAGE, IndexError):
        return None


def _members(path: Path, folder: str, names: set[str]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in `names`, from a folder or archive; nothing is unpacked to disk."""
    if path.is_dir():
        for name in sorted(names):
            if (path / name).is_file():
                with open_file(path / name, pickles.LIMIT_BYTES) as file:
                    yield name, file.read()
        return
    for member, read_file in archives.members(path, _MEMBERS_LIMIT, pickles.LIMIT_BYTES):
        if member.name in names and str(member.parent) != folder:
            raise UserError(f"{path} is refused: its file {str(member)[:80]!r} does not lie in {folder}")
        if member.name in names:
            yield member.name, read_file()


def _part(batch: dict[str, Any], labels: str, source: str) -> Part:
    try:
        return Part(batch["data"].reshape(-1, 3, 32, 32), np.array(batch[labels], np.int64))
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{source} is not a batch of CIFAR ({type(error).__name__}: {str(error)[:80]})") from None


def _joined(batches: list[Part]) -> Part:
    return Part(
        np.concatenate([batch.images for batch in batches]), np.concatenate([batch.labels for batch in batches])
    )
