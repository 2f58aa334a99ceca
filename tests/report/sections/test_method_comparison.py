from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import space, stats
from benchharness.errors import UserError
from benchharness.report import against, versions
from benchharness.report.sections.method_comparison import Contest, verdict
from benchharness.table import Table
from tests.support.report_folder import ALL_SKIP, GOOD, add, spec

OTHER = (space.CONV3, space.CONV1, space.CONV3, space.SKIP, space.CONV3, space.CONV3)


def paired(a: list[float], b: list[float]) -> stats.Paired:
    return stats.pair(np.array(a, float), np.array(b, float), np.random.default_rng(0))


def sentence_of(a: list[float], b: list[float], tests: int = 1) -> str:
    comparison = paired(a, b)
    return verdict(Contest("mine", "darts"), comparison.difference, min(1.0, tests * comparison.permutation_p), tests)


def test_a_clear_win_over_enough_seeds_is_a_win() -> None:
    text = sentence_of([92.0, 93.0, 94.0, 93.5, 92.5, 93.2], [90.0] * 6)
    assert text.startswith(
        "mine finds better cells than darts: +3.03 points [+2.29, +3.78] over 6 shared seeds, p=0.031"
    )


def test_a_clear_loss_is_a_loss() -> None:
    assert sentence_of([80.0, 81.0, 82.0, 83.0, 84.0, 85.0], [90.0] * 6).startswith(
        "mine finds worse cells than darts: -7.50"
    )


def test_few_seeds_show_nothing_and_the_sentence_says_how_many_it_takes() -> None:
    text = sentence_of([92.0, 93.0, 94.0], [54.3] * 3)
    assert text.startswith("No difference between mine and darts is shown: +38.70 points")
    assert text.endswith("With so few seeds none could be: it takes 6 or more.")
    assert sentence_of([92.0, 93.0, 94.0], [54.3] * 3, tests=3).endswith("it takes 7 or more.")


def test_enough_seeds_without_a_difference_are_not_blamed() -> None:
    text = sentence_of([90.0, 91.0, 90.0, 91.0, 90.0, 91.0], [91.0, 90.0, 91.0, 90.0, 91.0, 90.0])
    assert text.startswith("No difference between")
    assert "so few" not in text


def test_one_or_no_shared_seed() -> None:
    assert "over 1 shared seed, p=1.000" in sentence_of([92.0], [91.0])
    assert sentence_of([92.0, np.nan], [np.nan, 91.0]) == (
        "mine and darts share no finished seed whose cells a table has, so nothing can be said of them."
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "suite"
    for seed in range(3):
        add(folder, spec("darts", seed), ALL_SKIP)
        add(folder, spec("drnas", seed), OTHER)
        add(folder, spec("mine", seed), GOOD)
    return folder


def test_a_method_against_its_baselines(suite: Path, tmp_path: Path, table: Table) -> None:
    sentences = against(suite, tmp_path / "out", table, "mine", ["darts", "drnas"])
    assert [text.split(" is shown")[0] for text in sentences] == [
        "No difference between mine and darts",
        "No difference between mine and drnas",
    ]
    page = (tmp_path / "out" / "report.md").read_text()
    assert page.startswith("# mine against darts and drnas")
    assert all(text in page for text in sentences)
    assert "| mine - darts | 3 |" in page
    assert "0 / 3 |" in page, "darts collapsed in each seed, mine in none"
    gap = table.accuracy(table.index(GOOD), "cifar10", "test") - table.accuracy(
        table.index(ALL_SKIP), "cifar10", "test"
    )
    assert f"{gap:+.2f} points" in sentences[0]


def test_a_method_that_is_not_there_is_named(suite: Path, tmp_path: Path, table: Table) -> None:
    with pytest.raises(UserError, match="no runs of yours; there are of darts, drnas and mine"):
        against(suite, tmp_path / "out", table, "yours", ["darts"])


def test_two_versions_of_a_method(suite: Path, tmp_path: Path, table: Table) -> None:
    newer = tmp_path / "results" / "newer"
    for seed in range(1, 4):
        add(newer, spec("mine", seed), OTHER)
    sentences = versions(suite, newer, tmp_path / "out", table)
    accuracy_sentence, search_sentence = sentences
    assert accuracy_sentence.startswith("No difference between mine (suite) and mine (newer) is shown")
    assert "over 2 shared seeds" in accuracy_sentence
    assert search_sentence.startswith("mine (suite) and mine (newer) are not shown to differ: validation accuracy 0.00")
    assert "cells of one seed agree on 5.0 of 6 edges, of two seeds on 6.0 and 6.0" in search_sentence


def test_a_run_that_both_folders_hold_is_read_from_each(tmp_path: Path, table: Table) -> None:
    for name, arch in (("old", ALL_SKIP), ("new", GOOD)):
        for seed in range(3):
            add(tmp_path / name, spec("darts", seed), arch)
    versions(tmp_path / "old", tmp_path / "new", tmp_path / "out", table)
    collapsed = pd.read_csv(tmp_path / "out" / "tables" / "collapse.csv").set_index("method")
    assert collapsed["collapsed"].to_dict() == {"darts (old)": 3, "darts (new)": 0}
    assert collapsed["epoch"].to_dict() == {
        "darts (old)": pytest.approx(1),
        "darts (new)": pytest.approx(np.nan, nan_ok=True),
    }


def test_folders_of_other_settings_are_compared_and_both_settings_told(tmp_path: Path, table: Table) -> None:
    for seed in range(8):
        add(tmp_path / "r" / "cpu+numerics=float32", spec("darts", seed), GOOD)
        add(tmp_path / "r" / "cpu+numerics=bf16", spec("darts", seed, numerics="bf16"), ALL_SKIP if seed else GOOD)
    folders = [tmp_path / "r" / f"cpu+numerics={name}" for name in ("float32", "bf16")]
    accuracy_sentence, search_sentence = versions(*folders, tmp_path / "out", table)
    assert accuracy_sentence.startswith("darts (numerics=float32) finds better cells than darts (numerics=bf16): ")
    lead = "darts (numerics=float32) and darts (numerics=bf16) search differently (operations of the cells): "
    assert search_sentence.startswith(lead)
    assert "cells of one seed agree on 1.6 of 6 edges, of two seeds on 6.0 and 4.8, p=" in search_sentence
    text = (tmp_path / "out" / "report.md").read_text()
    both = "cifar10, protocol cpu (epochs=6) and cifar10, protocol cpu (epochs=6, numerics=bf16)"
    assert f"Searches alike, {both}" in text
    assert (tmp_path / "out" / "appendix.md").read_text().count("Every setting, cifar10") == 2
    assert "changed: epochs=6, numerics=bf16." in text


def test_read_outs_and_folders_without_a_finished_run(tmp_path: Path, table: Table) -> None:
    for name in ("old", "new"):
        add(tmp_path / name, spec("darts", 0), None)
        for seed in range(2):
            add(tmp_path / name, spec("ostr", seed), GOOD, spec("darts", seed))
    sentences = versions(tmp_path / "old", tmp_path / "new", tmp_path / "out", table)
    assert (
        sentences[2] == "darts (old) and darts (new) share no finished seed, so nothing can be said of how they search."
    )
    assert sentences[3].startswith(
        "ostr (old) and ostr (new) are not shown to differ: cells of one seed agree on 6.0 of 6"
    )
    empty = tmp_path / "empty"
    add(empty, spec("darts", 0), None)
    sentences = versions(empty, tmp_path / "new", tmp_path / "out", table)
    assert all("share no finished seed" in text for text in sentences)


def test_folders_without_a_common_method_compare_their_only_ones(tmp_path: Path, table: Table) -> None:
    for name, method in (("a", "darts"), ("b", "mine")):
        add(tmp_path / name / "suite", spec(method, 0), GOOD)
    sentences = versions(tmp_path / "a" / "suite", tmp_path / "b" / "suite", tmp_path / "out", table)
    assert all("darts (A) and mine (B)" in text for text in sentences)
    add(tmp_path / "b" / "suite", spec("snas", 0), GOOD)
    with pytest.raises(UserError, match=r"holds darts, .* holds mine and snas: no method to compare"):
        versions(tmp_path / "a" / "suite", tmp_path / "b" / "suite", tmp_path / "out", table)
