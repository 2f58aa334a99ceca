"""Folders of images by class: what comes out of them, what is refused, and the whole way to batches."""

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchharness import cli
from benchharness.data import ImageSet, load_images, names
from benchharness.data.decoding import depth, square
from benchharness.data.importers import image_folder
from benchharness.data.install import import_images
from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.runs import data_sets

CLASSES = {"cat": 40, "dog": 120, "wolf": 200}
CAT, BIG, DEEP = (Path("train") / "cat" / name for name in ("000.png", "big.png", "deep.tif"))


def write_images(root: Path, counts: dict[str, int], size: tuple[int, int] = (20, 16), ending: str = "png") -> Path:
    """Images of one grey level a class, brighter by one with each file."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            level = CLASSES.get(name, 240) + index
            Image.new("RGB", size, (level, level, 0)).save(root / name / f"{index:03d}.{ending}")
    return root


@pytest.fixture
def pets_folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "My Pets" / "train", dict.fromkeys(CLASSES, 6))
    write_images(tmp_path / "My Pets" / "valid", {"dog": 2, "cat": 1})
    return tmp_path / "My Pets"


def read_images(path: Path, **options: object) -> ImageSet:
    return image_folder.ByClass("pets", **options).read_source(path)  # type: ignore[arg-type]


def test_classes_are_folders_and_images_are_square(pets_folder: Path) -> None:
    images = read_images(pets_folder, size=12)
    assert (images.name, images.label, images.classes) == ("pets", "pets", ("cat", "dog", "wolf"))
    assert (images.train.shape, images.test.shape) == ((18, 3, 12, 12), (3, 3, 12, 12))
    levels = np.array([*CLASSES.values()])[images.train_labels]
    assert (images.train[:, 0, 5, 5] - levels < 6).all(), "every image kept its label"
    assert (images.train[:, 2] == 0).all()
    assert (images.flip, images.crop) == (True, 1)


def test_the_order_is_shuffled_and_always_the_same(pets_folder: Path, tmp_path: Path) -> None:
    first = read_images(pets_folder)
    assert sorted(first.train_labels.tolist()) != first.train_labels.tolist()
    second = read_images(Path(shutil.copytree(pets_folder, tmp_path / "elsewhere")))
    assert first.sha256 == second.sha256


def test_mean_and_deviation_are_those_of_the_training_images(pets_folder: Path) -> None:
    images = read_images(pets_folder)
    pixels = images.train.astype(float) / 255
    np.testing.assert_allclose(images.mean, pixels.mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(images.std[:2], pixels.std((0, 2, 3))[:2], atol=1e-5)
    assert images.std[2] == pytest.approx(1 / 255, abs=1e-6), (
        "a channel that is black everywhere is not divided by zero"
    )


def test_without_test_images_a_fifth_of_every_class_is_drawn(tmp_path: Path) -> None:
    images = read_images(write_images(tmp_path / "pets", {"cat": 10, "dog": 5, "wolf": 2}))
    assert np.bincount(images.train_labels).tolist() == [8, 4, 1]
    assert np.bincount(images.test_labels).tolist() == [2, 1, 1]
    assert images.label == "pets (a fifth of the images drawn as test images)"
    levels = {(int(label), int(image[0, 0, 0])) for split in ("train", "test") for image, label in both(images, split)}
    assert len(levels) == 17, "no image is in both"


def both(images: ImageSet, split: str) -> list[tuple[np.ndarray, int]]:
    return list(zip(getattr(images, split), getattr(images, f"{split}_labels"), strict=True))


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
    pixels = square(tmp_path / "x.png", 8)
    assert (pixels.shape, pixels.dtype) == ((3, 8, 8), np.uint8)
    assert tuple(pixels[:, 4, 4]) == pixel


def test_photographs_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16))
    image.paste((255, 255, 255), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(tmp_path / "x.png", exif=exif)
    assert square(tmp_path / "x.png", 8)[0, [0, 7], 4].tolist() == [0, 255]


def test_an_imported_set_is_a_data_set_like_any_other(own_home: Path, pets_folder: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert "my-pets" not in names()
    assert cli.main(["data", "import", str(pets_folder), "--no-flip", "--size", "8"]) == cli.DONE
    assert "my-pets" in names()
    images = load_images("my-pets").checked()
    assert (images.label, images.flip, images.crop, images.train.shape[-1]) == ("my-pets", False, 1, 8)
    assert [item.problem for item in data_sets.verify()] == [""]
    assert cli.main(["data", "import", str(pets_folder), "--name", "Wolves"]) == cli.DONE
    assert load_images("Wolves").flip
    (first, second) = sorted(data_sets.installed(), key=lambda item: item.name)
    assert first.source_sha256 == second.source_sha256
    next((pets_folder / "train" / "cat").iterdir()).unlink()
    assert import_images(pets_folder).source_sha256 != second.source_sha256


def test_nothing_that_merely_lies_in_the_data_folder_is_taken_for_images_by_class(
    own_home: Path, pets_folder: Path
) -> None:
    shutil.move(pets_folder, catalog.data_folder() / "stray")
    assert data_sets.installed() == []
    assert "stray" not in names()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / CAT).write_bytes(b"\x89PNG\r\n\x1a\n"), "cat/000.png cannot be read"),
        (lambda root: (root / CAT).write_bytes(b""), "cat/000.png cannot be read as an image"),
        (lambda root: (root / "valid" / "bird").mkdir(), "bird holds no images; known endings: .png, .jpg"),
        (lambda root: write_images(root / "valid", {"bird": 1}), "has a class 'bird' that .*train lacks"),
        (lambda root: [shutil.rmtree(root / "train" / name) for name in ("cat", "dog")], "has 1 folders of"),
        (lambda root: Image.new("1", (9000, 9000)).save(root / BIG), "big.png has too many pixels: 9000x"),
        (lambda root: Image.new("F", (8, 8)).save(root / DEEP), "pixels of mode F; save it with 8"),
        (lambda root: shutil.rmtree(root / "train"), "has a folder 'valid' but no folder 'train' with training images"),
        (lambda root: shutil.copytree(root / "valid", root / "Val"), "has both 'Val' and 'valid'; which holds the val"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(own_home: Path, pets_folder: Path, spoil, sentence: str) -> None:  # type: ignore[no-untyped-def]
    spoil(pets_folder)
    with pytest.raises(UserError, match=sentence):
        import_images(pets_folder, "pets")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "cifar10"}, "'cifar10' is the name of another data set or table; give this one its own with --name"),
        ({"name": "auto"}, "'auto' is the name of another"),
        ({"name": "../x"}, "'../x' is not a valid name"),
        ({"size": 30}, "images cannot have 30x30 pixels; take a multiple of 4 from 8 to 224"),
        ({"size": 0}, "images cannot have 0x0 pixels"),
        ({"size": 256}, "images cannot have 256x256 pixels"),
    ],
)
def test_names_and_sizes_that_cannot_be(own_home: Path, pets_folder: Path, options, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=sentence):
        import_images(pets_folder, **options)


def test_more_images_than_memory_has_room_for_are_refused(pets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "LIMIT_BYTES", (1 << 24) + 20 * 3 * 32**2)
    with pytest.raises(UserError, match="has 21 images; at 32x32 pixels at most 19 are taken: try a smaller --size"):
        read_images(pets_folder)


def test_an_import_of_something_else_lists_this_layout_too(own_home: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match=r"a folder of images by class \(PATH/train/CLASS/\*\.png"):
        data_sets.install(tmp_path / "nothing")


def notes(path: Path) -> list[str]:
    return [note.replace(f"{path}", "PATH") for note in image_folder.files(path).notes]


@pytest.mark.parametrize(
    ("train", "test"), [("Train", "Test"), ("TRAIN", "TESTING"), ("training", "test"), ("train", "Test")]
)
def test_parts_are_called_so_in_whatever_case(tmp_path: Path, train: str, test: str) -> None:
    root = tmp_path / "pets"
    write_images(root / train, {"cat": 4, "dog": 5})
    write_images(root / test, {"cat": 1, "dog": 2})
    images = read_images(root)
    assert (len(images.train), len(images.test), images.label) == (9, 3, "pets")
    assert notes(root) == []


def test_validation_images_are_the_test_images_where_there_are_no_others(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    write_images(root / "train", {"cat": 4, "dog": 5})
    write_images(root / "validation", {"cat": 1, "dog": 2})
    images = read_images(root)
    assert (len(images.train), len(images.test)) == (9, 3)
    assert notes(root) == ["the images in validation are the test images"]


def test_of_training_images_alone_a_fifth_is_drawn(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    write_images(root / "train", {"cat": 10, "dog": 5})
    images = read_images(root)
    assert (len(images.train), len(images.test)) == (12, 3)
    assert images.label == "pets (a fifth of the images drawn as test images)"
    assert notes(root) == ["PATH has no test images apart: a fifth of each class was drawn as such"]


def test_of_three_parts_validation_joins_training(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    write_images(root / "train", {"cat": 4, "dog": 5})
    write_images(root / "val", {"dog": 3})
    write_images(root / "test", {"cat": 2, "dog": 2})
    images = read_images(root)
    assert (np.bincount(images.train_labels).tolist(), np.bincount(images.test_labels).tolist()) == ([4, 8], [2, 2])
    assert images.label == "pets (train and val joined)"
    assert notes(root) == ["the images in val join those in train: searches halve the training images themselves"]
    write_images(root / "val", {"wolf": 3})
    with pytest.raises(UserError, match=r"val has a class 'wolf' that .*train lacks"):
        read_images(root)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images = read_images(write_images(tmp_path / "vehicles", {"car": 5, "train": 5, "val": 5}))
    assert images.classes == ("car", "train", "val")


def test_nothing_is_left_out_unsaid(pets_folder: Path) -> None:
    write_images(pets_folder / "unlabelled", {"x": 1})
    (pets_folder / "train" / "cat" / "notes.txt").write_text("mine")
    (pets_folder / "train" / "cat" / "Thumbs.db").write_text("not on purpose")
    (pets_folder / "train" / "dog" / "more").mkdir()
    for index in range(6):
        (pets_folder / "valid" / "dog" / f"{index}.heic").write_bytes(b"")
    Image.new("RGB", (8, 8)).save(pets_folder / "train" / "stray.png")
    assert notes(pets_folder) == [
        "left out of PATH: unlabelled",
        "left out of PATH/train: cat/notes.txt, dog/more, stray.png",
        "left out of PATH/valid: dog/0.heic, dog/1.heic, dog/2.heic, dog/3.heic, dog/4.heic and 1 more",
        "the images in valid are the test images",
    ]


def test_an_import_says_what_it_found_and_what_it_replaces(own_home: Path, pets_folder: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert cli.main(["data", "import", str(pets_folder)]) == cli.DONE
    output = capsys.readouterr().out
    assert "the images in valid are the test images" in output
    line = (
        "images my-pets: 18 training and 3 test images of 3 classes (cat, dog, wolf), 32x32 pixels, labelled 'my-pets'"
    )
    assert line in output
    assert "before" not in output
    assert cli.main(["data", "import", str(pets_folder)]) == cli.DONE
    assert "images my-pets: the same as before" in capsys.readouterr().out
    next((pets_folder / "train" / "cat").iterdir()).unlink()
    assert cli.main(["data", "import", str(pets_folder)]) == cli.DONE
    assert f"images my-pets: took the place of what {pets_folder} had given (sha256 " in capsys.readouterr().out


@pytest.mark.parametrize(
    "spoil",
    [lambda root: shutil.rmtree(root / "train"), lambda root: shutil.rmtree(root / "train" / "cat")],
)
def test_what_a_folder_lacks_is_said_by_the_command_too(own_home: Path, pets_folder: Path, spoil, capsys) -> None:  # type: ignore[no-untyped-def]
    spoil(pets_folder)
    assert cli.main(["data", "import", str(pets_folder)]) == cli.REFUSED
    assert "known:" not in capsys.readouterr().err


def deep(path: Path, values: list[int]) -> None:
    pixels = np.resize(np.array(values, np.uint16), (8, 8))
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("bits", "brightest"), [(8, 255), (10, 1000), (12, 4095), (12, 2100), (14, 16000), (16, 65535)]
)
def test_deep_images_keep_their_levels(tmp_path: Path, bits: int, brightest: int) -> None:
    root = tmp_path / "scans"
    write_images(root, {"a": 1, "b": 2}, size=(8, 8))
    deep(root / "a" / "bright.png", [0, brightest])
    deep(root / "a" / "dark.tif", [0, brightest // 4])
    assert depth([root / "a" / "bright.png", root / "a" / "dark.tif", root / "b" / "000.png"]) == bits
    levels = {image.max() for image in read_images(root, size=8).train} | {
        image.max() for image in read_images(root, size=8).test
    }
    assert brightest >> (bits - 8) in levels
    assert (brightest // 4) >> (bits - 8) in levels, "one that is darker is measured by the same scale"


def test_without_deep_images_nothing_is_scaled(pets_folder: Path) -> None:
    assert depth(sorted(pets_folder.rglob("*.png"))) == 16
    assert depth([pets_folder / "missing.png"]) == 16


def test_dim_colours_of_16_bits_are_refused(tmp_path: Path) -> None:
    """What Pillow reads of them is their upper 8 bits: of 12 bits it would be 16 levels."""
    root = write_images(tmp_path / "scans", {"a": 2, "b": 2}, size=(8, 8))
    (root / "a" / "deep.png").write_bytes(png16(np.full((8, 8, 3), 4095, ">u2")))
    with pytest.raises(UserError, match=r"deep\.png has 16 bits per channel but uses few of them; save such images"):
        read_images(root)
    (root / "a" / "deep.png").write_bytes(png16(np.full((8, 8, 3), 60_000, ">u2")))
    assert read_images(root, size=8).classes == ("a", "b")


def png16(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel in colour, which Pillow reads and does not write."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
