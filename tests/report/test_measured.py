"""Reports on a data set of one's own, whose table holds a part of the architectures, some trained besides."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import report, space, stats
from benchharness.analysis import export
from benchharness.report.blocks import Bullets, TableBlock, Text, flat
from benchharness.report.sections.accuracy import accuracy
from benchharness.table import Table
from benchharness.table.build import build_table
from benchharness.table.measurements import with_added
from benchharness.table.table import codes
from tests.support import report_folder
from tests.support.measured import measured_table

MISSING = re.compile(r"(?<![\w])nan(?![\w])", re.IGNORECASE)


@pytest.fixture(scope="module")
def pets() -> Table:
    """2,000 classes, and besides them, measured here, the good cells that ostr derives."""
    cells = [(*report_folder.GOOD[:5], op) for op in (2, 3)]
    full_table, every = measured_table(classes=2000, without=cells), space.classes()
    good = np.flatnonzero(np.isin(every, [every[space.to_code(cell)] for cell in cells]))
    runs = {figure: np.full((len(good), 2), 91.0) for figure in full_table.means}
    means = {figure: column.mean(1) for figure, column in runs.items()}
    added = build_table(full_table.about, space.all_ops()[good], means, runs)
    return with_added(full_table, added)


@pytest.fixture(scope="module")
def pet_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(5)
    probes = {"ranking_codes": rng.permutation(space.SIZE)[:400], "ranking_accuracy_pct": rng.normal(50, 9, 400)}
    return report_folder.suite(tmp_path_factory.mktemp("results") / "pets-cpu", dataset="pets", probes=probes)


@pytest.fixture(scope="module")
def text(pet_suite: Path, pets: Table, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = report.build(pet_suite, tmp_path_factory.mktemp("reports") / "pets", pets)
    return path.read_text() + (path.parent / "appendix.md").read_text()


def test_the_markdown_prints_no_missing_number_as_one(text: str) -> None:
    assert not MISSING.findall(text)
    assert not re.search(r"[|\[ ]None[|\] ,]", text)
    assert "cifar100" not in text
    assert "imagenet16" not in text
    assert "200 epochs" not in text
    assert "15,625 cells" not in text


def test_coverage_is_stated_where_it_matters(text: str, pets: Table) -> None:
    covered = f"{len(pets) - pets.measured_here.sum():,} of 15,625 architectures (2,000 of 6,466 functional classes)"
    answer, taus, runs_section = (
        "".join(section.split("\n## ")[0] for section in text.split(f"## {name}")[1:])
        for name in ("Answer", "Kendall's tau", "What ran")
    )
    assert f"The table came with {covered}: rank, percentile and random cells are among these" in answer
    sentence = "Of 9 runs, 2 derived cells that the table lacks: no accuracy here includes them; the command that made"
    assert f"{sentence} the runs, given again without --no-training, trains them." in answer
    assert f"The table covers {covered}." in taus
    assert "cells and not of 3,125" in taus
    assert f"Table pets holds {covered.partition(' (')[0]}, and of this setting" in runs_section
    added_codes = codes(pets.ops)[~pets.measured_here]
    ranked_cells = int(np.isin(np.random.default_rng(5).permutation(space.SIZE)[:400], added_codes).sum())
    assert f"Of the cells probed, {ranked_cells} of 400 are in the table and count." in taus
    assert f"{ranked_cells} of 400 of the cells that probed supernets ranked" in runs_section
    assert re.search(r"\d of \d distinct cells derived, 2 of them trained besides", runs_section)


def test_the_recipe_and_the_epochs_are_the_tables_own(text: str) -> None:
    assert "(7 epochs, mean over training seeds)" in text
    assert "(test, 7 epochs)" in text
    assert "Accuracies are after 7 epochs, mean over 2 training seeds, unless stated otherwise." in text
    assert "Recipe small of table pets: epochs=7, batch=64." in text
    assert "Networks of table pets: channels=8, cells=1, pixels=12, classes=10 (cells in each of three stages)." in text


def test_the_title_names_what_was_searched_on(text: str) -> None:
    assert text.startswith("# pets-cpu: searches on CIFAR-10 (JPEG)\n"), "as the runs' images are labelled"


def test_what_this_machine_measured_is_marked(text: str, pet_suite: Path, pets: Table, tmp_path: Path) -> None:
    rows = [line for line in text.splitlines() if line.startswith(("| ostr | `|", "| ostr | 0 |"))]
    assert rows
    assert all("91.00†" in row for row in rows)
    assert "† Trained for these results: no part of the table as it came." in text
    assert export.write_runs(pet_suite, tmp_path / "all.csv", {"pets": pets}).rows == 9
    frame = pd.read_csv(tmp_path / "all.csv")
    assert frame.groupby("method")["measured_here"].all().to_dict() == {"darts": False, "ostr": True, "random": False}
    assert frame["table_epochs"].eq(7).all()


def test_chance_gets_each_methods_own_time(pet_suite: Path, pets: Table) -> None:
    (evidence,) = report.gather(pet_suite, pets)[1]
    chance_block = next(
        block for block in flat(accuracy(evidence)) if isinstance(block, TableBlock) and "chance" in block.name
    )
    assert chance_block.data["n"].tolist() == [int(65.0 / 12.0)] * len(chance_block.data)
    test = report.by_code(pets, "pets", "test", own=True)
    single = np.full(space.SIZE, np.nan)
    single[codes(pets.ops)] = pets.by_seed[pets.figures()[0]][:, 0]
    best = stats.best_of_random(single, test, 5).mean
    row = chance_block.data.iloc[0]
    assert row["over_best_pct"] == pytest.approx(100 * (row["mean"] - best) / best)
    assert "at 12.0 s each" in chance_block.note


def test_without_seconds_chance_is_left_out_and_said(pet_suite: Path, pets: Table) -> None:
    (evidence,) = report.gather(pet_suite, replace(pets, times={}))[1]
    blocks = accuracy(evidence)
    assert any(
        isinstance(block, Text) and "lacks what a random search at equal cost needs" in block.text
        for block in flat(blocks)
    )


def test_supernets_are_ranked_on_the_cells_that_are_held(pet_suite: Path, pets: Table) -> None:
    (evidence,) = report.gather(pet_suite, pets)[1]
    ranking = evidence.ranking
    assert (ranking["archs"] < ranking["probed"]).all()
    arrays = evidence.arrays[str(ranking["run_id"].iloc[0])]
    truth = report.by_code(pets, "pets", "test", own=True)[arrays["ranking_codes"]]
    is_known = np.isfinite(truth)
    assert ranking["archs"].iloc[0] == is_known.sum()
    assert ranking["tau"].iloc[0] == pytest.approx(stats.tau(arrays["ranking_accuracy_pct"][is_known], truth[is_known]))


def test_every_data_set_of_a_folder_is_looked_up_in_its_own_table(tmp_path: Path, pets: Table, table: Table) -> None:
    report_folder.suite(tmp_path / "both", seeds=[0], dataset="pets")
    report_folder.suite(tmp_path / "both", seeds=[0])
    tables = {"pets": pets, "cifar10": table}
    frame = report.lookup(report.gather(tmp_path / "both", None)[0], tables)
    assert frame.groupby("dataset")["benchmark_dataset"].nunique().to_dict() == {"cifar10": 3, "pets": 1}
    assert frame.groupby("dataset")["table_epochs"].unique().map(list).to_dict() == {"cifar10": [200], "pets": [7]}
    page = report.compose(tmp_path / "both", tables.get)
    runs_section = next(section for section in page.sections if section.title == "What ran")
    sentences = [item for block in flat(runs_section.blocks) if isinstance(block, Bullets) for item in block.items]
    assert {
        name for name in ("toy", "pets") if any(line.startswith(f"Table {name}, version") for line in sentences)
    } == {
        "toy",
        "pets",
    }
    assert page.title == "both: searches on CIFAR-10 (JPEG)"


def test_without_its_table_a_data_set_has_what_needs_none(pet_suite: Path, table: Table) -> None:
    page = report.compose(pet_suite, table)
    first = page.sections[0].blocks[0]
    assert isinstance(first, Text)
    assert "`benchharness table build --dataset pets` measures one" in first.text
