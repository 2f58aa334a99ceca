from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchharness import report, stats
from benchharness.report.blocks import TableBlock, Text, flat
from benchharness.report.sections.accuracy import accuracy, paper_rows
from benchharness.report.sections.random_baseline import simulated_seconds
from benchharness.table import Table
from tests.support import report_folder


def grids(root: Path, table: Table | None) -> dict[str, TableBlock]:
    (evidence,) = report.gather(root, table)[1]
    return {block.name: block for block in flat(accuracy(evidence)) if isinstance(block, TableBlock)}


def suite(root: Path, preset: str, **changes: int) -> Path:
    for seed in (0, 1, 2):
        report_folder.add(root / "s", report_folder.spec("snas", seed, preset=preset, **changes), report_folder.GOOD)
    return root / "s"


def test_paper_rows_are_mean_and_std_over_seeds(evidence: report.Evidence) -> None:
    rows = paper_rows(evidence.long).set_index("method")
    random_accuracies = evidence.long.query("method == 'random' and benchmark_dataset == 'cifar100'")
    assert rows.loc["random", "cifar100 test"] == pytest.approx(random_accuracies["test"].mean())
    assert rows.loc["random", "cifar100 valid std"] == pytest.approx(np.std(random_accuracies["valid"], ddof=1))
    assert rows.loc["darts", "cifar10 test std"] == pytest.approx(0)
    assert rows["seeds"].tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("preset", "epochs", "published"), [("drnas", 100, True), ("nb201", 50, True), ("cpu", 20, False)]
)
def test_published_rows_are_of_the_same_protocol_or_absent(
    tmp_path: Path, table: Table, preset: str, epochs: int, published: bool
) -> None:
    grid = grids(suite(tmp_path, preset, epochs=epochs), table)["accuracy"]
    sources = grid.data["source"].str.contains("paper")
    assert sources.any() == published
    assert ("Nobody has published" in grid.note) != published
    if preset == "drnas":
        assert "SNAS" in set(grid.data["method"])
        assert "searched on each data set separately" in grid.note


def test_a_changed_protocol_compares_with_nothing_published(tmp_path: Path, table: Table) -> None:
    blocks = grids(suite(tmp_path, "drnas", epochs=5), table)
    assert not blocks["accuracy"].data["source"].str.contains("paper").any()
    assert "not to be compared" in blocks["elsewhere"].note


def test_measuring_more_changes_no_protocol(tmp_path: Path, table: Table) -> None:
    blocks = grids(suite(tmp_path, "drnas", epochs=100, ranking=50, eigenvalue_every=5), table)
    assert blocks["accuracy"].data["source"].str.contains("paper").any()


def test_trivial_baselines_come_from_the_table(evidence: report.Evidence, table: Table) -> None:
    block = next(block for block in flat(accuracy(evidence)) if isinstance(block, TableBlock))
    rows = block.data.set_index("method")["cifar10 test"]
    every = table.accuracy(None, "cifar10", "test")
    assert rows["optimum of each column"] == every.max()
    assert rows["a random cell"] == pytest.approx(every.mean())
    assert rows["all skip connections"] == table.accuracy(table.index(report_folder.ALL_SKIP), "cifar10", "test")


def test_chance_gets_the_searchs_simulated_cost(evidence: report.Evidence, table: Table) -> None:
    assert simulated_seconds(np.array([50]), 50_000) == [10_890]
    rows = chance(evidence)
    test, feedback = report.by_code(table, "cifar10", "test"), report.by_code(table, "cifar10", "valid", 12)
    best = stats.best_of_random(feedback, test, 1).mean
    assert rows["n"].to_dict() == {"ostr": 1, "random": 1, "darts": 1}
    mean, over_best = rows.loc["ostr", ["mean", "over_best_pct"]].astype(float)
    assert over_best == pytest.approx(100 * (mean - best) / best)


def test_chance_gets_each_methods_own_epochs_and_an_image_of_validation_for_each_of_training(
    evidence: report.Evidence,
) -> None:
    """As under `nb201`, where sampling methods take five times the epochs, and `nats`, where training takes all."""
    data = {"train_images": 25_000, "valid_images": 5_000}

    def with_epochs(spec: dict[str, Any], method: str) -> dict[str, Any]:
        return {**spec, "protocol": {**spec["protocol"], "epochs": 250 if method == "ostr" else 50}}

    specs = [with_epochs(*pair) for pair in zip(evidence.long["spec"], evidence.long["method"], strict=True)]
    records = [{**record, "data": data} for record in evidence.runs["record"]]
    changed = replace(evidence, long=evidence.long.assign(spec=specs), runs=evidence.runs.assign(record=records))
    n = int(10_890 / (1800 * 12 / 200))
    assert chance(changed)["n"].to_dict() == {"ostr": int(5 * 10_890 / 108), "random": 1, "darts": n}


def chance(evidence: report.Evidence) -> pd.DataFrame:
    block = next(b for b in flat(accuracy(evidence)) if isinstance(b, TableBlock) and b.name == "chance")
    return block.data.set_index("method")


def test_no_row_of_ostr_is_printed_as_published(evidence: report.Evidence) -> None:
    texts = [block.text for block in flat(accuracy(evidence)) if isinstance(block, Text)]
    assert any("OStr-DARTS" in text and "none is printed" in text for text in texts)


def test_a_table_without_times_or_no_table_says_what_it_cannot(tmp_path: Path, sample: Table) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), sample.arch(0))
    for table, sentence in ((sample, "lacks what a random search"), (None, "Nothing to look up")):
        (evidence,) = report.gather(tmp_path / "s", table)[1]
        assert any(sentence in block.text for block in flat(accuracy(evidence)) if isinstance(block, Text))
