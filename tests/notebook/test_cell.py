"""One architecture in a notebook."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import benchharness as bh
from benchharness import space
from benchharness.config import RECIPES
from benchharness.data import load_images
from benchharness.data.image_set import build_image_set
from benchharness.data.kinds import Part
from benchharness.errors import UserError
from benchharness.models.standalone import Network
from benchharness.table import DATASETS
from benchharness.training.journal import Journal, TrainOptions, complete
from tests.training.test_journal import TINY

ABSENT = (3, 0, 2, 1, 4, 3)


def test_a_cell_by_its_index(data_folder: object) -> None:
    cell = bh.cell(6111)
    assert str(cell) == space.to_string(cell.arch)
    assert bh.cell(str(cell)) == bh.cell("6111") == bh.cell(space.short(cell.arch)) == bh.cell(cell.arch) == cell
    assert bh.cell(" 6111 ") == bh.cell(np.int64(6111)) == bh.cell(tuple(map(np.uint8, cell.arch))) == cell
    best = cell.accuracies.query("dataset == 'cifar10' and split == 'test' and epochs == 200").iloc[0]
    assert (round(best["accuracy_pct"], 2), best["rank"]) == (94.37, 1)
    assert cell.costs["dataset"].tolist() == list(DATASETS)
    html = cell._repr_html_()
    assert "<svg" in html
    assert "94.37" in html


def test_its_network_and_picture(own_home: Path) -> None:
    cell = bh.cell(6111)
    assert cell.about == {}
    assert len(cell.accuracies) == len(cell.costs) == 0
    assert not cell.trained
    assert cell.network(classes=7, channels=4, cells=1).eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    ax = cell.plot(plt.figure(figsize=(2, 2)).add_subplot())
    assert ax.get_title() == "#6111"
    assert tuple(ax.figure.get_size_inches()) == (2, 2)


@pytest.mark.parametrize(
    ("dataset", "classes"), [("cifar10", 10), ("cifar100", 100), ("ImageNet16-120", 120), ("digits", 10), ("mine", 3)]
)
def test_its_network_has_the_classes_of_the_data_set(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, classes: int
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    part = Part(np.zeros((6, 3, 8, 8), np.uint8), np.arange(6) % 3)
    (own_home / "data" / "images").mkdir(parents=True)
    build_image_set("mine", part, part, ("a", "b", "c")).save(own_home / "data" / "images" / "mine.npz")
    net = bh.cell(6111, dataset).network(channels=2, cells=1).eval()
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, classes)


def test_its_parameters_are_those_of_its_costs() -> None:
    cell = bh.cell(6111, "cifar100")
    params_m = sum(weights.numel() for weights in cell.network().parameters()) / 1e6
    assert params_m == pytest.approx(float(space.params_m(np.array(cell.arch), "cifar100")))


def test_a_misspelt_data_set_is_refused(own_home: Path) -> None:
    with pytest.raises(UserError, match="unknown data set 'cfar10'; did you mean 'cifar10'"):
        bh.cell(6111, "cfar10")
    assert len(bh.cell(6111, "cifar100").accuracies) == 0


@pytest.mark.parametrize(
    "index",
    [15625, -1, 6111.7, np.float64(6111), True, np.True_, float("nan"), "15625", "6111.7", "-1", "9" * 5_000, [True]],
)
def test_no_index(index: int) -> None:
    with pytest.raises(UserError, match="is no index of an architecture; indices are whole numbers of 0 to 15624"):
        bh.cell(index)


@pytest.mark.parametrize("arch", [None, [6111], np.array([6111]), b"6111", {}, (), "six", (1.0,) * 6])
def test_no_architecture(arch: space.Arch) -> None:
    with pytest.raises(UserError, match=r"is not an architecture|is a list of"):
        bh.cell(arch)


def test_what_was_trained_for_results_comes_with_its_weights(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = load_images("digits")
    journal = Journal(images, TINY)
    code = int(space.classes()[space.to_code(ABSENT)])
    codes = [space.to_code((3,) * 6)]
    list(journal.measure(codes, 1, TrainOptions()))
    table = journal.table(codes, 1)
    monkeypatch.setattr("benchharness.notebook.cell.load_for", lambda _: table)
    assert not bh.cell(ABSENT, "digits").trained
    assert not journal.weights(codes[0]).exists(), "only those of searches' cells are kept"
    (line,) = complete(table, [code], own_home / "suite", TrainOptions())
    cell = bh.cell(ABSENT, "digits")
    assert cell.trained
    net = cell.network(classes=10)
    assert isinstance(net, Network)
    untrained = Network(net.arch, 10, TINY.channels, TINY.cells)
    assert any(not torch.equal(a, b) for a, b in zip(net.parameters(), untrained.parameters(), strict=True))
    pictures = torch.as_tensor(images.test[: TINY.measured]).float() / 255
    mean, std = (torch.tensor(np.array(values)).view(3, 1, 1).float() for values in (images.mean, images.std))
    with torch.no_grad():
        is_right = net((pictures - mean) / std).argmax(-1) == torch.as_tensor(images.test_labels[: TINY.measured])
    assert 100 * is_right.float().mean() == pytest.approx(line.test)
    assert cell.network(channels=16).parameter_count != net.parameter_count
    assert RECIPES["digits"].channels != TINY.channels


@pytest.mark.parametrize("dataset", [None, 10, ["cifar10"]])
def test_a_data_set_that_is_no_name_is_refused_in_one_sentence(dataset: Any) -> None:
    with pytest.raises(UserError, match=r"dataset=.* is not a name, such as 'digits'"):
        bh.cell(6111, dataset)
