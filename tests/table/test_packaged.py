"""The table that comes with the package: what it must be for a ranking by it to mean something."""

from pathlib import Path

import numpy as np
import pytest

from benchharness.config import RECIPES
from benchharness.data import load_images
from benchharness.space import CONV3, POOL, SKIP, Arch, from_code
from benchharness.table import Metric, Table, load_for, quality
from benchharness.training.journal import REFERENCES, recipe_of, representatives

TEST = Metric("digits", "test", 1)


@pytest.fixture
def table(own_home: Path) -> Table:
    return load_for("digits")


def test_a_clean_machine_has_it(table: Table) -> None:
    assert table.datasets == ["digits"]
    assert len(table) >= 1000
    assert quality.coverage(table).architectures == len(table)
    assert not table.measured_here.any()


def test_it_is_of_the_images_and_the_recipe_that_are_here(table: Table) -> None:
    assert table.about["images_sha256"] == load_images("digits").sha256
    assert recipe_of(table) == RECIPES["digits"]


def test_it_holds_the_first_classes_of_the_fixed_order(table: Table) -> None:
    classes_trained = int(table.about["classes_trained"])
    for code in representatives()[:classes_trained].tolist():
        assert not np.isnan(table.accuracy(from_code(code), "digits", "test", 1))
    for arch in REFERENCES:
        assert table.index(arch) >= 0


def test_it_tells_architectures_apart(table: Table) -> None:
    noise = quality.noise(table, TEST)
    assert noise is not None
    assert quality.spread(table, TEST).points >= 8
    assert noise.points <= 0.1 * noise.spread
    assert noise.tau >= 0.75


def test_the_references_stand_in_the_order_that_they_must(table: Table) -> None:
    def of(arch: Arch) -> float:
        return float(table.accuracy(table.index(arch), "digits", "test", 1))

    assert of((CONV3,) * 6) > of((SKIP,) * 6) > of((POOL,) * 6)
