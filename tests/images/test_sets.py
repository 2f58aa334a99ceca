"""Image sets: their file, their checksum, and the real CIFAR-10."""

from pathlib import Path

import numpy as np
import pytest

from benchharness import npz
from benchharness.errors import UserError
from benchharness.images import ImageSet, load_images
from benchharness.images.kinds import Part
from benchharness.images.sets import KIND, build


def made(count: int = 12) -> ImageSet:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, 3, 16, 16), np.uint8)
    return build("imagenet16-120", Part(images, np.arange(count) % 120), Part(images[:2], np.array([7, 0])))


def test_round_trip(tmp_path: Path) -> None:
    made().save(tmp_path / "images.npz")
    found = ImageSet.open(tmp_path / "images.npz").checked()
    for one, other in zip(found, made(), strict=True):
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("train", np.zeros((12, 3, 32, 32), np.uint8), "training images of imagenet16-120 have shape"),
        ("train", np.zeros((12, 3, 16, 16)), "are float64, labels int64; not uint8 and int64"),
        ("test_labels", np.array([7, 120]), "has labels 0 to 119; got 7 to 120"),
        ("test_labels", np.array([7, -1]), "has labels 0 to 119; got -1 to 7"),
        ("test_labels", np.array([8, 0]), "do not have their own checksum"),
        ("extra", np.array([8, 0]), None),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path: Path, key: str, value: np.ndarray, sentence: str | None) -> None:
    path = tmp_path / "images.npz"
    made().save(path)
    header, arrays = npz.read(path, KIND, 1 << 30)
    npz.write(path, header, arrays | {key: value})
    if sentence is None:
        assert ImageSet.open(path).checked().sha256 == made().sha256
        return
    with pytest.raises(UserError, match=sentence):
        ImageSet.open(path).checked()


@pytest.mark.parametrize("about", [{"name": "cifar10"}, {"name": ["x"]}, {}])
def test_a_header_that_says_too_little_is_refused(tmp_path: Path, about: dict[str, object]) -> None:
    npz.write(tmp_path / "images.npz", {"kind": KIND, "format": 1, "about": about}, {})
    with pytest.raises(UserError, match="is a damaged set of images"):
        ImageSet.open(tmp_path / "images.npz")


def test_another_format_is_refused(tmp_path: Path) -> None:
    npz.write(tmp_path / "images.npz", {"kind": KIND, "format": 2, "about": {}}, {})
    with pytest.raises(UserError, match="format 2; this version reads 1"):
        ImageSet.open(tmp_path / "images.npz")


def test_the_names_of_classes_are_as_many_as_the_classes() -> None:
    part = Part(np.zeros((1, 3, 32, 32), np.uint8), np.array([0]))
    with pytest.raises(UserError, match="cifar10 has 10 classes; got 2 names"):
        build("cifar10", part, part, ("cat", "dog"))


def test_a_misspelt_name_and_a_missing_set(own_home: Path) -> None:
    with pytest.raises(UserError, match="unknown data set 'cifar-10'; did you mean 'cifar10'"):
        load_images("cifar-10")
    with pytest.raises(UserError, match=r"no images 'cifar100' in .*; `benchharness data import PATH` brings it in"):
        load_images("cifar100")


def test_the_real_images(data_folder: Path) -> None:
    found = load_images("cifar10")
    assert (found.label, found.train.shape, found.test.shape) == (
        "CIFAR-10 (JPEG)",
        (50_000, 3, 32, 32),
        (10_000, 3, 32, 32),
    )
    assert np.bincount(found.train_labels).tolist() == [5000] * 10
    assert np.bincount(found.test_labels).tolist() == [1000] * 10
    assert (found.classes[0], found.classes[9]) == ("airplane", "truck")
    pixels = found.train[::10].astype(np.float64) / 255
    np.testing.assert_allclose(pixels.mean(axis=(0, 2, 3)), found.mean, atol=0.005)
    np.testing.assert_allclose(pixels.std(axis=(0, 2, 3)), found.std, atol=0.01)
