from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import report, stats
from benchharness.report.blocks import TableBlock
from benchharness.report.sections.ranking import detail
from benchharness.table import Table
from tests.support.report_folder import add, spec

THREE = pd.DataFrame({"good": [94.0, 93.5, 93.8], "bad": [54.3, 54.3, 54.3]})


def test_ranking_is_best_first_with_the_figures_of_stats() -> None:
    ranking = report.ranking(THREE[["bad", "good"]])
    assert ranking["method"].tolist() == ["good", "bad"]
    expected = stats.summarise(THREE["good"].to_numpy(), np.random.default_rng(0))
    row = ranking.iloc[0]
    assert (row["mean"], row["mean_low"], row["mean_high"]) == expected.mean[:3]
    assert (row["iqm"], row["iqm_low"], row["iqm_high"]) == expected.iqm[:3]
    assert (row["std"], row["median"], row["n"]) == (expected.std, expected.median, 3)


def test_comparisons_pair_by_seed_and_correct_for_all_pairs() -> None:
    scores = THREE.assign(other=[90.0, np.nan, 91.0], never=np.nan)
    comparisons = report.comparisons(scores)
    assert list(zip(comparisons["a"], comparisons["b"], strict=True)) == [
        ("good", "other"),
        ("good", "bad"),
        ("other", "bad"),
    ]
    assert comparisons["n"].tolist() == [2, 3, 2]
    assert comparisons["difference"].iloc[0] == pytest.approx((4.0 + 2.8) / 2)
    assert comparisons["holm"].tolist() == pytest.approx(stats.holm(comparisons["permutation_p"].to_numpy()))


def test_of_many_comparisons_those_with_the_leader_are_shown_and_all_are_kept(tmp_path: Path, table: Table) -> None:
    source = np.random.default_rng(0)
    for method in range(9):
        for seed in range(2):
            add(tmp_path, spec(f"m{method}", seed), source.integers(0, 5, 6))
    _, (evidence,) = report.gather(tmp_path, table)
    (grid,) = [block for block in detail(evidence) if isinstance(block, TableBlock) and block.name == "comparisons"]
    leader = report.ranking(evidence.scores())["method"].iloc[0]
    assert len(grid.data) == 36
    assert len(grid.shown) == 8
    assert grid.shown["a - b"].str.startswith(f"{leader} - ").all()
    assert "Of 36 comparisons those with the leader" in grid.note
