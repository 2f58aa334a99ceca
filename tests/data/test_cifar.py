"""The official archives of CIFAR: right images out of right files, a refusal out of anything else."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchharness.data.importers import cifar
from benchharness.errors import UserError
from benchharness.runs import data_sets


def test_cifar10_folder(cifar10: Path) -> None:
    assert cifar.recognises(cifar10) == "cifar10"
    images = cifar.read_source(cifar10)
    assert (images.train.shape, images.test.shape) == ((20, 3, 32, 32), (4, 3, 32, 32))
    np.testing.assert_array_equal(
        images.train[8:12], np.random.default_rng(2).integers(0, 256, (4, 3, 32, 32), np.uint8)
    )
    assert images.train_labels.tolist() == [item % 10 for item in range(20)]
    assert images.test_labels.tolist() == [0, 1, 2, 3]
    assert images.classes == tuple(f"class{item}" for item in range(10))
    assert (images.label, images.mean) == ("CIFAR-10 (other pixels, 20 + 4 images)", (0.4914, 0.4822, 0.4465))


def test_packed_and_unpacked_are_the_same(cifar10: Path, pack: Callable[[Path], Path]) -> None:
    path = pack(cifar10)
    renamed = path.rename(path.with_name("downloaded.tgz"))
    assert cifar.recognises(renamed) == "cifar10"
    assert cifar.read_source(renamed).sha256 == cifar.read_source(cifar10).sha256


def test_cifar100_takes_the_fine_labels(cifar100: Path, pack: Callable[[Path], Path]) -> None:
    path = pack(cifar100)
    assert cifar.recognises(path) == "cifar100"
    images = cifar.read_source(path)
    assert images.train_labels.tolist() == [90, 91, 92, 93, 94, 95]
    assert (images.classes[95], images.test.shape) == ("fine95", (3, 3, 32, 32))


def test_a_missing_batch_is_named(cifar10: Path) -> None:
    (cifar10 / "data_batch_4").unlink()
    with pytest.raises(UserError, match="has no 'data_batch_4'; it is not the whole archive"):
        cifar.read_source(cifar10)


def test_a_truncated_archive_is_refused(cifar10: Path, pack: Callable[[Path], Path]) -> None:
    path = pack(cifar10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="damaged archive"):
        cifar.read_source(path)


@pytest.mark.parametrize(
    "batch",
    [
        {"labels": [1, 2]},
        {"data": np.zeros((2, 100), np.uint8), "labels": [1, 2]},
        {"data": [1, 2], "labels": [1, 2]},
        {"data": np.zeros((2, 3072), np.uint8), "labels": ["cat", "dog"]},
    ],
)
def test_a_batch_of_something_else_is_refused(cifar10: Path, python2: Callable[[Any], bytes], batch: Any) -> None:
    (cifar10 / "data_batch_2").write_bytes(python2(batch))
    with pytest.raises(UserError, match="data_batch_2 is not a batch of CIFAR"):
        cifar.read_source(cifar10)


@pytest.mark.parametrize(
    ("batch", "sentence"),
    [
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [3, 10]}, "cifar10 has labels 0 to 9; got 0 to 10"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [3]}, "for 17 labels"),
        ({"data": np.zeros((2, 3072)), "labels": [3, 4]}, "training images of cifar10 are float64"),
    ],
)
def test_images_that_are_not_cifars_are_refused(
    cifar10: Path, python2: Callable[[Any], bytes], batch: Any, sentence: str
) -> None:
    (cifar10 / "data_batch_5").write_bytes(python2(batch))
    with pytest.raises(UserError, match=sentence):
        cifar.read_source(cifar10)


@pytest.mark.parametrize("name", ["/etc/data_batch_1", "cifar-10-batches-py/../../data_batch_1"])
def test_a_path_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is a link or leads out of the archive"):
        cifar.read_source(archive_with(tmp_path, tarfile.TarInfo(name)))
    assert [item.name for item in tmp_path.iterdir()] == ["odd.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_in_the_archive_is_refused(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    link.type, link.linkname = kind, "/etc/passwd"
    with pytest.raises(UserError, match="'cifar-10-batches-py/data_batch_1' is a link"):
        cifar.read_source(archive_with(tmp_path, link))


def test_an_archive_of_too_many_members_is_refused(
    cifar10: Path, pack: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar, "_MEMBERS_LIMIT", 3)
    with pytest.raises(UserError, match="it has more than 3 members"):
        cifar.read_source(pack(cifar10))


def test_a_batch_that_claims_to_be_huge_is_refused(cifar10: Path, tmp_path: Path) -> None:
    with (cifar10 / "data_batch_1").open("r+b") as file:
        file.truncate(1 << 29)
    with pytest.raises(UserError, match="has 536870912 bytes; more than"):
        cifar.read_source(cifar10)


def archive_with(folder: Path, member: tarfile.TarInfo) -> Path:
    path = folder / "odd.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        top = tarfile.TarInfo("cifar-10-batches-py")
        top.type = tarfile.DIRTYPE
        archive.addfile(top)
        archive.addfile(member, io.BytesIO(b""))
    return path


def test_other_files_are_not_recognised(cifar10: Path, tmp_path: Path) -> None:
    shutil.copytree(cifar10, tmp_path / "renamed")
    (tmp_path / "empty.tar.gz").write_bytes(b"")
    (tmp_path / "junk.tar.gz").write_bytes(b"junk" * 1000)
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(cifar10 / "batches.meta", "elsewhere/batches.meta")
    others = ["renamed", "empty.tar.gz", "junk.tar.gz", "other.tar.gz", "missing.tar.gz"]
    assert [cifar.recognises(tmp_path / name) for name in others] == [None] * 5


@pytest.mark.parametrize("spoil", ["checksum", "tail"])
def test_cifar_with_a_wrong_end_is_not_installed(
    own_home: Path, cifar10: Path, pack: Callable[[Path], Path], spoil: str
) -> None:
    path = pack(cifar10)
    content = bytearray(path.read_bytes())
    if spoil == "tail":
        content = content[:-6]
    else:
        content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"cifar-10-batches-py\.tar\.gz is a damaged archive"):
        data_sets.install(path)
    assert data_sets.installed() == []


@pytest.mark.parametrize(
    "name",
    ["evil/data_batch_1", "data_batch_1", "cifar-10-batches-py/more/data_batch_1", "cifar-10-batches-py2/batches.meta"],
)
def test_a_batch_in_another_folder_is_refused(
    cifar10: Path, pack: Callable[[Path], Path], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "two.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(cifar10, cifar10.name)
        archive.add(cifar10 / "data_batch_2", name)
    with pytest.raises(UserError, match=f"'{name}' does not lie in cifar-10-batches-py"):
        cifar.read_source(path)


@pytest.mark.parametrize("ending", ["bz2", "xz"])
def test_cifar_packed_otherwise_is_the_same(cifar10: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mine.tar.{ending}"
    with tarfile.open(path, f"w:{ending}") as archive:  # type: ignore[call-overload]
        archive.add(cifar10, cifar10.name)
    assert cifar.recognises(path) == "cifar10"
    assert cifar.read_source(path).sha256 == cifar.read_source(cifar10).sha256
