"""Image sets: their file, their checksum, and the real CIFAR-10."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchharness.data import ImageSet, canonical_name, load_images, names, official
from benchharness.data.image_set import KIND, build_image_set
from benchharness.data.kinds import KNOWN, Part
from benchharness.data.official import OFFICIAL, Digests, is_reordered
from benchharness.errors import UserError
from benchharness.io import catalog, npz


def image_set(count: int = 12) -> ImageSet:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, 3, 16, 16), np.uint8)
    return build_image_set("imagenet16-120", Part(images, np.arange(count) % 120), Part(images[:2], np.array([7, 0])))


def test_round_trip(tmp_path: Path) -> None:
    image_set().save(tmp_path / "images.npz")
    images = ImageSet.open(tmp_path / "images.npz").checked()
    for array, other in zip(images, image_set(), strict=True):
        assert np.array_equal(array, other) if isinstance(array, np.ndarray) else array == other


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
    image_set().save(path)
    header, arrays = npz.read_arrays(path, KIND, 1 << 30)
    npz.write_arrays(path, header, arrays | {key: value})
    if sentence is None:
        assert ImageSet.open(path).checked().sha256 == image_set().sha256
        return
    with pytest.raises(UserError, match=sentence):
        ImageSet.open(path).checked()


@pytest.mark.parametrize("about", [{"name": "cifar10"}, {"name": ["x"]}, {}])
def test_a_header_that_says_too_little_is_refused(tmp_path: Path, about: dict[str, object]) -> None:
    npz.write_arrays(tmp_path / "images.npz", {"kind": KIND, "format": 1, "about": about}, {})
    with pytest.raises(UserError, match="is a damaged set of images"):
        ImageSet.open(tmp_path / "images.npz")


def test_another_format_is_refused(tmp_path: Path) -> None:
    npz.write_arrays(tmp_path / "images.npz", {"kind": KIND, "format": 2, "about": {}}, {})
    with pytest.raises(UserError, match="format 2; this version reads 1"):
        ImageSet.open(tmp_path / "images.npz")


def test_the_names_of_classes_are_as_many_as_the_classes() -> None:
    split = Part(np.zeros((1, 3, 32, 32), np.uint8), np.array([0]))
    with pytest.raises(UserError, match="cifar10 has 10 classes; got 2 names"):
        build_image_set("cifar10", split, split, ("cat", "dog"))


def test_a_misspelt_name_and_a_missing_set(own_home: Path) -> None:
    with pytest.raises(UserError, match="unknown data set 'cifar-11'; did you mean 'cifar10'"):
        load_images("cifar-11")
    with pytest.raises(UserError, match=r"no images 'cifar100' in .*; `benchharness data import PATH` brings it in"):
        load_images("cifar100")


def of_ten(count: int = 20) -> tuple[Part, Part]:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count + 4, 3, 32, 32), np.uint8)
    labels = draw.integers(0, 10, count + 4)
    return Part(images[:count], labels[:count]), Part(images[count:], labels[count:])


@pytest.fixture
def ten(monkeypatch: pytest.MonkeyPatch) -> tuple[Part, Part]:
    """24 images that are the whole of CIFAR-10 for a test."""
    train, test = of_ten()
    labels = hashlib.sha256(np.concatenate([train.labels, test.labels]).data).hexdigest()
    digests = Digests(build_image_set("cifar10", train, test).sha256, labels, official.unordered((train, test)))
    monkeypatch.setitem(OFFICIAL, "cifar10", digests)
    monkeypatch.setitem(KNOWN, "cifar10", KNOWN["cifar10"]._replace(counts=(20, 4)))
    return train, test


def test_only_the_official_pixels_bear_the_plain_label(ten: tuple[Part, Part]) -> None:
    train, test = ten
    assert build_image_set("cifar10", train, test).label == "CIFAR-10"
    pixels = train.images.copy()
    pixels[3, 1, 5, 5] ^= 1
    assert build_image_set("cifar10", Part(pixels, train.labels), test).label == "CIFAR-10 (other pixels)"
    assert build_image_set("cifar10", Part(pixels, train.labels), test, reencoded="JPEG").label == "CIFAR-10 (JPEG)"
    assert (
        build_image_set("cifar10", Part(train.images, train.labels[::-1].copy()), test).label
        == "CIFAR-10 (other pixels)"
    )
    order = np.arange(20)[::-1]
    reordered = Part(train.images[order], train.labels[order])
    assert build_image_set("cifar10", reordered, test).label == "CIFAR-10 (other order)"
    assert is_reordered("cifar10", reordered.labels, test.labels)
    assert not is_reordered("cifar10", train.labels, test.labels)
    assert not is_reordered("cifar100", reordered.labels, test.labels), "whose order is not known"


def test_a_plain_label_in_a_file_of_old_is_not_believed(ten: tuple[Part, Part], tmp_path: Path) -> None:
    train, test = ten
    other = build_image_set("cifar10", Part(255 - train.images, train.labels), test)
    other._replace(label="CIFAR-10").save(tmp_path / "old.npz")
    assert ImageSet.open(tmp_path / "old.npz").label == "CIFAR-10 (other pixels)"
    build_image_set("cifar10", train, test).save(tmp_path / "right.npz")
    assert ImageSet.open(tmp_path / "right.npz").label == "CIFAR-10"


def test_images_that_changed_where_they_are_installed_are_not_searched_on(own_home: Path) -> None:
    pets()._replace(sha256="0" * 64).save(catalog.data_folder() / "images" / "pets.npz")
    with pytest.raises(UserError, match="the images of pets do not have their own checksum; import them again"):
        load_images("pets")


def test_the_real_images(data_folder: Path) -> None:
    images = load_images("cifar10")
    originals = images.sha256 == OFFICIAL["cifar10"].whole
    assert images.label == ("CIFAR-10" if originals else "CIFAR-10 (JPEG)")
    assert (images.train.shape, images.test.shape) == ((50_000, 3, 32, 32), (10_000, 3, 32, 32))
    assert is_reordered("cifar10", images.train_labels, images.test_labels) is not originals
    assert np.bincount(images.train_labels).tolist() == [5000] * 10
    assert np.bincount(images.test_labels).tolist() == [1000] * 10
    assert (images.classes[0], images.classes[9]) == ("airplane", "truck")
    pixels = images.train[::10].astype(np.float64) / 255
    np.testing.assert_allclose(pixels.mean(axis=(0, 2, 3)), images.mean, atol=0.005)
    np.testing.assert_allclose(pixels.std(axis=(0, 2, 3)), images.std, atol=0.01)


def pets(pixels: int = 12, classes: int = 3, **more: object) -> ImageSet:
    images = np.random.default_rng(0).integers(0, 256, (9, 3, pixels, pixels), np.uint8)
    split = Part(images, np.arange(9) % classes)
    return build_image_set("pets", split, split, tuple(map(str, range(classes))), **more)  # type: ignore[arg-type]


def test_a_set_of_ones_own_has_any_number_of_classes_and_any_size(tmp_path: Path) -> None:
    pet_images = pets(flip=False, crop=0, label="Pets at home")
    pet_images.save(tmp_path / "pets.npz")
    images = ImageSet.open(tmp_path / "pets.npz").checked()
    assert (images.name, images.label, images.flip, images.crop) == ("pets", "Pets at home", False, 0)
    assert (images.mean, images.std) == (pet_images.mean, pet_images.std)


def test_images_that_are_not_mirrored_are_others_but_in_files_of_old(tmp_path: Path) -> None:
    assert pets(flip=False).sha256 != pets().sha256
    pets(flip=False)._replace(sha256=pets().sha256).save(tmp_path / "old.npz")
    assert ImageSet.open(tmp_path / "old.npz").checked().sha256 == pets().sha256


def test_a_file_of_old_says_neither_flip_nor_crop_and_means_those_of_its_data_set(tmp_path: Path) -> None:
    image_set().save(tmp_path / "images.npz")
    header, arrays = npz.read_arrays(tmp_path / "images.npz", KIND, 1 << 30)
    older_about = {key: value for key, value in header["about"].items() if key not in ("flip", "crop")}
    npz.write_arrays(tmp_path / "old.npz", header | {"about": older_about}, arrays)
    images = ImageSet.open(tmp_path / "old.npz").checked()
    assert (images.flip, images.crop) == (True, 2)


@pytest.mark.parametrize(
    "change",
    [{"flip": "yes"}, {"crop": -1}, {"crop": 1.5}, {"std": [0.1, 0.0, 0.1]}, {"mean": [0.1]}, {"classes": [1, 2, 3]}],
)
def test_a_set_that_says_what_none_can_be_is_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    pets().save(tmp_path / "pets.npz")
    header, arrays = npz.read_arrays(tmp_path / "pets.npz", KIND, 1 << 30)
    npz.write_arrays(tmp_path / "pets.npz", header | {"about": header["about"] | change}, arrays)
    with pytest.raises(UserError, match="is a damaged set of images"):
        ImageSet.open(tmp_path / "pets.npz")


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"pixels": 30}, "images cannot have 30x30 pixels; take a multiple of 4 from 8 to 224"),
        ({"pixels": 4}, "images cannot have 4x4 pixels"),
        ({"classes": 1}, "pets has 1 classes; a data set needs 2 or more"),
    ],
)
def test_what_no_network_can_learn_is_refused(sizes: dict[str, int], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        pets(**sizes)


def test_names_are_the_known_ones_and_what_is_installed(own_home: Path) -> None:
    assert names() == ("cifar10", "cifar100", "imagenet16-120", "digits")
    pets().save(catalog.data_folder() / "images" / "pets.npz")
    pets()._replace(name="stray").save(catalog.data_folder() / "elsewhere" / "x.npz")
    assert names()[4:] == ("pets", "stray")
    assert load_images("pets").name == "pets"
    assert load_images("stray").name == "stray"
    with pytest.raises(
        UserError, match=r"unknown data set 'pest'; did you mean 'pets'\?.*`benchharness data import PATH`"
    ):
        canonical_name("pest")
