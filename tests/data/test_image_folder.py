"""Folders of images by class: what comes out of them, what is refused, and the whole way to batches."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchharness import cli
from benchharness.data import ImageSet, load_images, names
from benchharness.data.decoding import square
from benchharness.data.importers import image_folder
from benchharness.data.install import import_images
from benchharness.errors import UserError
from benchharness.io import catalog

CLASSES = {"cat": 40, "dog": 120, "wolf": 200}
CAT, BIG, DEEP = (Path("train") / "cat" / name for name in ("000.png", "big.png", "deep.tif"))


def write(root: Path, counts: dict[str, int], size: tuple[int, int] = (20, 16), ending: str = "png") -> Path:
    """Images of one grey level a class, brighter by one with each file."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for place in range(count):
            level = CLASSES.get(name, 240) + place
            Image.new("RGB", size, (level, level, 0)).save(root / name / f"{place:03d}.{ending}")
    return root


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    write(tmp_path / "My Pets" / "train", dict.fromkeys(CLASSES, 6))
    write(tmp_path / "My Pets" / "valid", {"dog": 2, "cat": 1})
    return tmp_path / "My Pets"


def read(path: Path, **asked: object) -> ImageSet:
    return image_folder.ByClass("pets", **asked).read(path)  # type: ignore[arg-type]


def test_classes_are_folders_and_images_are_square(apart: Path) -> None:
    found = read(apart, size=12)
    assert (found.name, found.label, found.classes) == ("pets", "pets", ("cat", "dog", "wolf"))
    assert (found.train.shape, found.test.shape) == ((18, 3, 12, 12), (3, 3, 12, 12))
    levels = np.array([*CLASSES.values()])[found.train_labels]
    assert (found.train[:, 0, 5, 5] - levels < 6).all(), "every image kept its label"
    assert (found.train[:, 2] == 0).all()
    assert (found.flip, found.crop) == (True, 1)


def test_the_order_is_shuffled_and_always_the_same(apart: Path, tmp_path: Path) -> None:
    first = read(apart)
    assert sorted(first.train_labels.tolist()) != first.train_labels.tolist()
    again = read(Path(shutil.copytree(apart, tmp_path / "elsewhere")))
    assert first.sha256 == again.sha256


def test_mean_and_deviation_are_those_of_the_training_images(apart: Path) -> None:
    found = read(apart)
    pixels = found.train.astype(float) / 255
    np.testing.assert_allclose(found.mean, pixels.mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(found.std[:2], pixels.std((0, 2, 3))[:2], atol=1e-5)
    assert found.std[2] == pytest.approx(1 / 255, abs=1e-6), "a channel that is black everywhere is not divided by zero"


def test_without_test_images_a_fifth_of_every_class_is_drawn(tmp_path: Path) -> None:
    found = read(write(tmp_path / "pets", {"cat": 10, "dog": 5, "wolf": 2}))
    assert np.bincount(found.train_labels).tolist() == [8, 4, 1]
    assert np.bincount(found.test_labels).tolist() == [2, 1, 1]
    assert found.label == "pets (a fifth of the images drawn as test images)"
    levels = {(int(label), int(image[0, 0, 0])) for part in ("train", "test") for image, label in both(found, part)}
    assert len(levels) == 17, "no image is in both"


def both(found: ImageSet, part: str) -> list[tuple[np.ndarray, int]]:
    return list(zip(getattr(found, part), getattr(found, f"{part}_labels"), strict=True))


@pytest.mark.parametrize(
    ("mode", "colour", "pixel"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (0, 0, 0)),
        ("LA", (90, 255), (90, 90, 90)),
        ("I;16", 0x4D12, (77, 77, 77)),
    ],
)
def test_pixels_of_every_kind(tmp_path: Path, mode: str, colour: object, pixel: tuple[int, ...]) -> None:
    Image.new(mode, (9, 7), colour).save(tmp_path / "x.png")  # type: ignore[arg-type]
    found = square(tmp_path / "x.png", 8)
    assert (found.shape, found.dtype) == ((3, 8, 8), np.uint8)
    assert tuple(found[:, 4, 4]) == pixel


def test_photographs_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16))
    image.paste((255, 255, 255), (0, 0, 16, 8))
    turned = Image.Exif()
    turned[0x0112] = 3
    image.save(tmp_path / "x.png", exif=turned)
    assert square(tmp_path / "x.png", 8)[0, [0, 7], 4].tolist() == [0, 255]


def test_an_imported_set_is_a_data_set_like_any_other(own_home: Path, apart: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert "my-pets" not in names()
    assert cli.main(["data", "import", str(apart), "--no-flip", "--size", "8"]) == cli.DONE
    assert "my-pets" in names()
    found = load_images("my-pets").checked()
    assert (found.label, found.flip, found.crop, found.train.shape[-1]) == ("my-pets", False, 1, 8)
    assert [item.problem for item in catalog.verify()] == [""]
    assert cli.main(["data", "import", str(apart), "--name", "Wolves"]) == cli.DONE
    assert load_images("Wolves").flip
    (first, second) = sorted(catalog.installed(), key=lambda item: item.name)
    assert first.source_sha256 == second.source_sha256
    next((apart / "train" / "cat").iterdir()).unlink()
    assert import_images(apart).source_sha256 != second.source_sha256


def test_nothing_that_merely_lies_in_the_data_folder_is_taken_for_images_by_class(own_home: Path, apart: Path) -> None:
    shutil.move(apart, catalog.data_folder() / "stray")
    assert catalog.installed() == []
    assert "stray" not in names()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / CAT).write_bytes(b"\x89PNG\r\n\x1a\n"), "cat/000.png cannot be read"),
        (lambda root: (root / CAT).write_bytes(b""), "cat/000.png cannot be read as an image"),
        (lambda root: (root / "valid" / "bird").mkdir(), "bird holds no images; known endings: .png, .jpg"),
        (lambda root: write(root / "valid", {"bird": 1}), "has a class 'bird' that .*train has not"),
        (lambda root: [shutil.rmtree(root / "train" / name) for name in ("cat", "dog")], "has 1 folders of"),
        (lambda root: Image.new("1", (9000, 9000)).save(root / BIG), "big.png is refused: 9000x"),
        (lambda root: Image.new("F", (8, 8)).save(root / DEEP), "pixels of mode F; save it with 8"),
        (lambda root: shutil.rmtree(root / "valid"), "train holds no images"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(own_home: Path, apart: Path, spoil, sentence: str) -> None:  # type: ignore[no-untyped-def]
    spoil(apart)
    with pytest.raises(UserError, match=sentence):
        import_images(apart, "pets")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"name": "cifar10"}, "'cifar10' is the name of another data set or table; give this one its own with --name"),
        ({"name": "auto"}, "'auto' is the name of another"),
        ({"name": "../x"}, "'../x' is no name"),
        ({"size": 30}, "images of 30 pixels are not to be had; take a multiple of 4 from 8 to 224"),
        ({"size": 0}, "images of 0 pixels"),
        ({"size": 256}, "images of 256 pixels"),
    ],
)
def test_names_and_sizes_that_cannot_be(own_home: Path, apart: Path, asked, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=sentence):
        import_images(apart, **asked)


def test_more_images_than_memory_has_room_for_are_refused(apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "LIMIT_BYTES", (1 << 24) + 20 * 3 * 32**2)
    with pytest.raises(UserError, match="has 21 images; at 32x32 pixels at most 19 are taken: try a smaller --size"):
        read(apart)


def test_an_import_of_something_else_lists_this_layout_too(own_home: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match=r"a folder of images by class \(PATH/train/CLASS/\*\.png"):
        catalog.install(tmp_path / "nothing")
