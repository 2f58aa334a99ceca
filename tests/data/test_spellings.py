"""Known data sets in other spellings are the same data set wherever one is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchharness import cli
from benchharness.data import load_images
from benchharness.data.install import import_images
from benchharness.data.kinds import canonical
from benchharness.errors import UserError
from benchharness.runs.suite import Suite, load_suite
from benchharness.table import DATASETS, Metric, Table, load_for
from benchharness.table.build import build_table

SPELT = {
    "cifar10": ("CIFAR10", "cifar-10", "Cifar 10", "CIFAR_10"),
    "cifar100": ("CIFAR100", "CIFAR-100", "cifar_100"),
    "imagenet16-120": ("ImageNet16-120", "imagenet16_120", "ImageNet-16-120", "IMAGENET16120"),
    "digits": ("Digits", "DIGITS"),
}
PAIRS = [(name, other) for name, others in SPELT.items() for other in others]


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_a_run_of_it_is_the_same_run(name: str, other: str) -> None:
    assert canonical(other) == name
    assert Suite(dataset=other) == Suite(dataset=name)
    assert Suite(dataset=other).resolved()[0].name == Suite(dataset=name).resolved()[0].name


@pytest.mark.parametrize("name", ["pets", "Pets", "cifar10c", "cifar", "cifar-10-py", "auto", "my digits"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert canonical(name) == name


def test_tables_answer_to_them() -> None:
    """As they are asked in Python, whatever the table holds."""
    figures = {Metric(name, split, 200): np.array([50.0, 60.0]) for name in DATASETS for split in ("valid", "test")}
    about = {"name": "x", "version": "0", "source": "a test"}
    table: Table = build_table(
        about, np.array([[1] * 6, [3] * 6]), figures, None, {("cifar10", 200): np.array([1.0, 2.0])}
    )
    cell = (3,) * 6
    for name, other in PAIRS[:-2]:
        assert table.accuracy(cell, other, "test") == 60 == table.optimum(other, "valid").accuracy
        assert (table.rank(cell, other, "test"), table.epochs(other)) == (1, 200)
        assert table.network(other) == table.network(name)
    assert table.train_seconds("CIFAR-10").tolist() == [1, 2]
    assert load_for("Digits").about["name"] == "digits"


def test_images_answer_to_them() -> None:
    assert load_images("Digits").sha256 == load_images("digits").sha256


@pytest.mark.parametrize("name", ["CIFAR10", "cifar-100", "ImageNet16_120", "Digits"])
def test_images_of_ones_own_may_not_be_called_so(own_home: Path, name: str) -> None:
    (own_home / "photos").mkdir()
    with pytest.raises(UserError, match="is the name of another data set or table"):
        import_images(own_home / "photos", name)


def test_commands_and_suites_take_them(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(own_home)
    assert cli.main(["run", "--methods", "random", "--seeds", "0", "--dataset", "Digits", "--dry-run"]) == cli.DONE
    assert "results/digits-small: 1 runs" in capsys.readouterr().out
    assert cli.main(["query", "13714", "--dataset", "DIGITS"]) in (cli.DONE, cli.REFUSED)
    assert "unknown data set" not in capsys.readouterr().err
    Path("a.toml").write_text('dataset = "CIFAR-10"\n')
    assert load_suite(Path("a.toml")).dataset == "cifar10"


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbfmethods = "darts"\nseeds = "0-1"\ndataset = "digits"\n',
        b'\xef\xbb\xbfmethods = "darts"\r\nseeds = "0-1"\r\ndataset = "digits"\r\n',
        b'\xef\xbb\xbf# by Notepad\n\nmethods = ["darts"]\nseeds = [0, 1]\ndataset = "digits"',
        b'\xef\xbb\xbf\r\ndataset = "Digits"\r\nseeds = "0-1"\r\nmethods = "darts"',
    ],
)
def test_a_suite_with_a_byte_order_mark_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bom.toml").write_bytes(content)
    suite = load_suite(tmp_path / "bom.toml")
    assert (suite.methods, suite.dataset, suite.given_name) == ("darts", "digits", "bom")
    assert suite.seeds in ("0-1", "0,1")


@pytest.mark.parametrize("coding", ["utf-16", "utf-32", "utf-16-le"])
def test_a_suite_in_another_coding_is_refused_in_a_sentence(tmp_path: Path, coding: str) -> None:
    (tmp_path / "a.toml").write_bytes('methods = "darts"\n'.encode(coding))
    with pytest.raises(UserError, match=r"a\.toml is no suite file") as refusal:
        load_suite(tmp_path / "a.toml")
    assert "\n" not in str(refusal.value)


def test_split_files_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    from benchharness.data import load_split

    (tmp_path / "split.json").write_bytes(b'\xef\xbb\xbf{"train": [0, 2], "valid": [1, 3]}')
    assert load_split(tmp_path / "split.json").train.tolist() == [0, 2]


def test_what_images_were_imported_as_is_found_under_their_name(own_home: Path) -> None:
    """A name that only looks like a known one is one's own."""
    for split in ("train", "test"):
        for label in ("a", "b"):
            folder = own_home / "photos" / split / label
            folder.mkdir(parents=True)
            for index in range(2):
                Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / f"{index}.png")
    import_images(own_home / "photos", "cifar10c", 8)
    assert load_images("cifar10c").name == "cifar10c"
