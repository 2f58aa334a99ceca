"""Split files in the data folder: the benchmark's own, recognised, checked and found again."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchharness.data import benchmark_split, load_split
from benchharness.data.importers import SPLITS, split_file
from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.runs import data_sets


@pytest.fixture
def data(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    return own_home / "data"


def write_lists(path: Path, **halves: object) -> Path:
    path.write_text(json.dumps(halves))
    return path


def halves(total: int) -> dict[str, object]:
    order = np.random.default_rng(0).permutation(total).tolist()
    return {
        "xvalid": ["int", list(map(str, order[: total // 2]))],
        "xtest": ["int", list(map(str, order[total // 2 :]))],
    }


@pytest.mark.parametrize(("name", "total"), [("cifar100", 10_000), ("imagenet16-120", 6_000)])
def test_halves_of_test_images_are_installed(data: Path, tmp_path: Path, name: str, total: int) -> None:
    path = write_lists(tmp_path / "test-split.txt", **halves(total))
    (item,) = data_sets.install(path)
    assert (item.kind, item.name, item.path) == ("splits", name, data / "splits" / f"{name}.json")
    split = load_split(item.path)
    assert (len(split.train), split.valid.tolist()) == (0, load_split(path).valid.tolist())
    assert len(split.valid) == total // 2
    assert [checked.problem for checked in data_sets.verify()] == [""]
    item.path.write_text("{}")
    assert "has changed since it was installed" in data_sets.verify()[0].problem


def test_halves_of_the_training_images_are_the_benchmarks_or_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lists(tmp_path / "split.json", train=list(range(25_000)), valid=list(range(25_000, 50_000)))
    with pytest.raises(UserError, match=r"the training half of split file split\.json is not the benchmark's own"):
        data_sets.install(path)
    monkeypatch.setattr(split_file, "check_benchmark_split", lambda split: split)
    (item,) = data_sets.install(path)
    assert (item.name, load_split(item.path).valid[0]) == ("cifar10", 25_000)


@pytest.mark.parametrize(
    "lists",
    [
        {"train": [0, 1], "valid": [2, 3]},
        {"xvalid": [0, 1], "xtest": [2, 3]},
        {"xvalid": list(range(5000)), "xtest": list(range(5001, 10_001))},
        {"xvalid": list(range(4000)), "xtest": list(range(4000, 10_000))},
    ],
)
def test_other_lists_are_no_split_of_the_benchmark(data: Path, tmp_path: Path, lists: dict[str, object]) -> None:
    path = write_lists(tmp_path / "split.json", **lists)
    with pytest.raises(UserError, match="holds nothing that can be imported"):
        data_sets.install(path)
    with pytest.raises(UserError):
        split_file.read_source(path)


def test_a_split_that_stands_in_the_folder_is_found(data: Path) -> None:
    data.mkdir(parents=True)
    write_lists(data / "cifar100-test-split.txt", **halves(10_000))
    assert len(load_split(catalog.find_installed(SPLITS, "cifar100")).valid) == 5_000
    assert [(item.kind, item.name) for item in data_sets.installed()] == [("splits", "cifar100")]
    assert [checked.problem for checked in data_sets.verify()] == [""]
    with pytest.raises(UserError, match="no split file 'cifar10' in"):
        catalog.find_installed(SPLITS, "cifar10")


def test_a_split_in_a_folder_called_splits_is_found_where_it_stands(data: Path) -> None:
    (data / "splits").mkdir(parents=True)
    write_lists(data / "splits" / "cifar100-test-split.txt", **halves(10_000))
    assert [(item.kind, item.name) for item in data_sets.installed()] == [("splits", "cifar100")]
    split = benchmark_split("cifar100")
    assert split is not None
    data_sets.install(data / "splits" / "cifar100-test-split.txt")
    assert [item.path.name for item in data_sets.installed()] == ["cifar100.json"], "once installed, it is offered once"
    installed = benchmark_split("cifar100")
    assert installed is not None
    assert installed.sha256 == split.sha256


def test_the_released_split_files_are_used_in_place(data_folder: Path) -> None:
    if not (data_folder / "splits" / "cifar-split.txt").exists():
        pytest.skip("this data folder holds no split files")
    sizes = {"cifar10": (25_000, 25_000), "cifar100": (0, 5_000), "imagenet16-120": (0, 3_000)}
    for name, (train, valid) in sizes.items():
        split = benchmark_split(name)
        assert split is not None
        assert (len(split.train), len(split.valid)) == (train, valid)


def test_a_split_is_the_same_installed_standing_and_however_spelt(data: Path, tmp_path: Path) -> None:
    assert benchmark_split("cifar100") is None
    data.mkdir()
    source = write_lists(data / "cifar100-test-split.txt", **halves(10_000))
    split = benchmark_split("cifar100")
    assert split is not None
    assert split.sha256 == load_split(source).sha256
    assert benchmark_split("imagenet16-120") is None
    data_sets.install(source)
    installed = benchmark_split("cifar100")
    assert installed is not None
    assert installed.sha256 == split.sha256
    (data / "splits" / "cifar10.json").write_text(json.dumps({"train": [0, 1], "valid": [2, 3]}))
    with pytest.raises(UserError, match=r"the training half of split file cifar10\.json is not the benchmark's own"):
        benchmark_split("cifar10")
