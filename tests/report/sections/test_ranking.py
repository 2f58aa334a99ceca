from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import report, stats
from benchharness.report.blocks import Grid
from benchharness.report.sections.ranking import answer, sentence
from benchharness.table import Table
from tests.support.report_folder import add, spec

THREE = pd.DataFrame({"good": [94.0, 93.5, 93.8], "bad": [54.3, 54.3, 54.3]})


def said(scores: pd.DataFrame) -> str:
    return sentence(report.ranking(scores), report.comparisons(scores))


def test_ranking_is_best_first_with_the_figures_of_stats() -> None:
    found = report.ranking(THREE[["bad", "good"]])
    assert found["method"].tolist() == ["good", "bad"]
    expected = stats.summarise(THREE["good"].to_numpy(), np.random.default_rng(0))
    row = found.iloc[0]
    assert (row["mean"], row["mean_low"], row["mean_high"]) == expected.mean[:3]
    assert (row["iqm"], row["iqm_low"], row["iqm_high"]) == expected.iqm[:3]
    assert (row["std"], row["median"], row["n"]) == (expected.std, expected.median, 3)


def test_comparisons_pair_by_seed_and_correct_for_all_pairs() -> None:
    scores = THREE.assign(other=[90.0, np.nan, 91.0], never=np.nan)
    found = report.comparisons(scores)
    assert list(zip(found["a"], found["b"], strict=True)) == [("good", "other"), ("good", "bad"), ("other", "bad")]
    assert found["n"].tolist() == [2, 3, 2]
    assert found["difference"].iloc[0] == pytest.approx((4.0 + 2.8) / 2)
    assert found["holm"].tolist() == pytest.approx(stats.holm(found["permutation_p"].to_numpy()))


def test_three_seeds_can_never_be_significant_and_the_answer_says_so() -> None:
    assert said(THREE) == (
        "good leads with a mean of 93.77±0.25 %. Of 1 paired comparison none is significant at 5 % after Holm's "
        "correction. None could have been: 3 shared seeds give a p of 0.250 at best. "
        "Some methods have fewer than 10 seeds (3 at least): intervals are rough."
    )


def test_ten_seeds_can_be_and_the_winners_are_named() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(94, 0.1, 10)
    found = said(pd.DataFrame({"good": good, "same": good + rng.normal(0, 0.01, 10), "bad": good - 1}))
    assert "of 3 paired comparisons, 2 significant at 5 % after holm's correction" in found.lower()
    assert "good over bad (p=0.006)" in found
    assert "same over bad (p=0.006)" in found
    assert "fewer than" not in found


def test_equal_methods_with_enough_seeds_are_not_excused() -> None:
    scores = pd.DataFrame({"one": [54.3] * 10, "two": [54.3] * 10})
    assert "none is significant" in said(scores)
    assert "could have been" not in said(scores)


def test_one_method_alone_is_compared_with_nothing() -> None:
    assert "only method" in said(THREE[["good"]])


def test_of_many_comparisons_those_with_the_leader_are_shown_and_all_are_kept(tmp_path: Path, table: Table) -> None:
    source = np.random.default_rng(0)
    for method in range(9):
        for seed in range(2):
            add(tmp_path, spec(f"m{method}", seed), source.integers(0, 5, 6))
    _, (evidence,) = report.gather(tmp_path, table)
    (grid,) = [block for block in answer(evidence) if isinstance(block, Grid) and block.name == "comparisons"]
    leader = report.ranking(evidence.scores())["method"].iloc[0]
    assert len(grid.data) == 36
    assert len(grid.shown) == 8
    assert grid.shown["a - b"].str.startswith(f"{leader} - ").all()
    assert "Of 36 comparisons those with the leader" in grid.note
