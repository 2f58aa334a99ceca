from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from benchharness import report, space, stats, store
from benchharness.analysis.rank_correlation import CELL_RUNS, NULL
from benchharness.table import Table
from tests.support import report_folder
from tests.support.report_fixtures import WORTH

RIGHT = np.tile(WORTH, (6, 1))


def one_run(root: Path, scores: np.ndarray, **arrays: np.ndarray) -> pd.DataFrame:
    """The suite of one `ostr` run with these scores; its magnitude leans to the good cell."""
    darts = report_folder.spec("darts", 0)
    report_folder.add(root / "s", darts, report_folder.GOOD)
    magnitude = report_folder.leaning(report_folder.GOOD)[-1]
    arrays = {"scores": scores, "magnitude": magnitude, **arrays}
    report_folder.add(root / "s", report_folder.spec("ostr", 0), report_folder.GOOD, darts, arrays)
    return store.read(root / "s")


def pick(taus: pd.DataFrame, kind: str, criterion: str, with_none: bool = True) -> list[float]:
    rows = taus.query("method == 'ostr' and kind == @kind and criterion == @criterion and with_none == @with_none")
    return [float(tau) for tau in rows["tau"]]


def test_kind_a_is_scipys_tau_on_every_edge(tmp_path: Path, table: Table) -> None:
    scores = np.random.default_rng(0).normal(size=(6, 5))
    taus = report.agreement(one_run(tmp_path, scores), table)
    magnitude = report_folder.leaning(report_folder.GOOD)[-1]
    for start, with_none in ((0, True), (1, False)):
        pairs = zip(scores[:, start:], magnitude[:, start:], strict=True)
        expected = [scipy_stats.kendalltau(a, b).statistic for a, b in pairs]
        assert pick(taus, "a", "strength", with_none) == pytest.approx(expected)


def test_scores_that_know_the_truth_reach_one_and_the_null_what_ties_leave(tmp_path: Path, table: Table) -> None:
    taus = report.agreement(one_run(tmp_path, RIGHT), table)
    for kind in ("b mean", "b max", "c mean", "c max"):
        assert pick(taus, kind, "strength") == pytest.approx(np.ones(6))
        assert pick(taus, kind, NULL) == pytest.approx(np.full(6, 7 / np.sqrt(70)))
        assert pick(taus, kind, NULL, with_none=False) == pytest.approx(np.full(6, 5 / np.sqrt(30)))


def test_kind_d_ranks_whole_cells(tmp_path: Path, table: Table) -> None:
    taus = report.agreement(one_run(tmp_path, RIGHT * (1 + 0.01 * np.arange(6))[:, None]), table)
    for kind in ("d all", "d top 10 %"):
        assert pick(taus, kind, "strength") == pytest.approx([1], abs=1e-3)
        assert pick(taus, kind, NULL)[0] < 0.9


def test_conditions_follow_the_order_in_which_edges_were_decided(tmp_path: Path, table: Table) -> None:
    noise = np.random.default_rng(1).normal(0, 5, space.SIZE)
    means = {figure: (column + noise).clip(0, 100) for figure, column in table.means.items()}
    noisy = Table(table.about, table.ops, means, {}, {})
    order = np.array([5, 3, 1, 0, 2, 4])
    taus = report.agreement(one_run(tmp_path, RIGHT, order=order), noisy)
    truth = stats.conditional_truth(report.by_code(noisy, "cifar10", "test"), np.array(report_folder.GOOD), order)
    assert pick(taus, "c mean", "strength") == pytest.approx(stats.edge_taus(RIGHT, truth))
    assert pick(taus, "c mean", "strength") != pytest.approx(pick(taus, "b mean", "strength"))


def test_a_dead_edge_is_left_out_for_every_criterion(tmp_path: Path, table: Table) -> None:
    scores = RIGHT.copy()
    scores[5] = np.nan
    taus = report.agreement(one_run(tmp_path, scores), table)
    for criterion in ("strength", "magnitude", NULL):
        assert np.isnan(pick(taus, "b mean", criterion)).tolist() == [False] * 5 + [True]


def test_magnitude_is_judged_on_the_same_edges_in_every_reading_of_a_supernet(tmp_path: Path, table: Table) -> None:
    """Else `ostr` and `darts` would differ in the tau of the one magnitude that they share."""
    scores = RIGHT.copy()
    scores[5] = np.nan
    darts, magnitude = report_folder.spec("darts", 0), report_folder.leaning(report_folder.GOOD)[-1]
    both = {"scores": magnitude, "magnitude": magnitude}
    report_folder.add(tmp_path / "s", darts, report_folder.GOOD, darts, both)
    ostr = {"scores": scores, "magnitude": magnitude}
    report_folder.add(tmp_path / "s", report_folder.spec("ostr", 0), report_folder.GOOD, darts, ostr)
    other = report_folder.spec("darts", 1)
    report_folder.add(tmp_path / "s", other, report_folder.GOOD, other, both)
    frame = report.agreement(store.read(tmp_path / "s"), table).query("criterion == 'magnitude' and with_none")
    for kind in ("b mean", "d all"):
        taus = {
            key: group["tau"].tolist() for key, group in frame.query(f"kind == {kind!r}").groupby(["method", "seed"])
        }
        np.testing.assert_array_equal(taus["ostr", 0], taus["darts", 0])
    edges = frame.query("kind == 'b mean' and method == 'darts'").groupby("seed")["tau"].count()
    assert edges.to_dict() == {0: 5, 1: 6}, "another supernet's edges are its own"


def test_operations_that_were_no_candidates_are_left_out(tmp_path: Path, table: Table) -> None:
    scores = RIGHT.copy()
    scores[:, 0] = np.nan
    taus = report.agreement(one_run(tmp_path, scores), table)
    assert pick(taus, "b mean", "strength") == pytest.approx(np.ones(6))
    assert pick(taus, "d all", "strength") == pick(taus, "d all", "strength", with_none=False)


@pytest.mark.parametrize("order", [(), (0, 1), (0, 0, 1, 2, 3, 4)])
def test_without_an_order_of_all_edges_they_are_taken_as_decided_one_after_the_other(
    tmp_path: Path, table: Table, order: tuple[int, ...]
) -> None:
    scores = np.random.default_rng(0).normal(size=(6, 5))
    expected = report.agreement(one_run(tmp_path / "whole", scores, order=np.arange(6)), table)
    taus = report.agreement(one_run(tmp_path / "other", scores, order=np.array(order, int)), table)
    assert pick(taus, "c mean", "strength") == pytest.approx(pick(expected, "c mean", "strength"), nan_ok=True)


def test_magnitude_is_judged_alone_and_random_not_at_all(suite: Path, table: Table) -> None:
    taus = report.agreement(store.read(suite), table)
    assert set(taus.query("method == 'darts'")["criterion"]) == {"magnitude", NULL}
    assert "a" not in set(taus.query("method == 'darts'")["kind"])
    assert "random" not in set(taus["method"])


def test_a_proxy_is_judged_alone_and_not_beside_alphas_that_nothing_trained(tmp_path: Path, table: Table) -> None:
    random = np.random.default_rng(0)
    no_epoch, noise = np.zeros((0, 6, 5)), 0.2 + 1e-4 * random.normal(size=(6, 5))
    arrays = {"alphas": no_epoch, "expected": no_epoch, "scores": random.normal(size=(6, 5)), "magnitude": noise}
    spec = replace(report_folder.spec("proxy", 0), selection="proxy")
    report_folder.add(tmp_path / "s", spec, report_folder.GOOD, None, arrays)
    taus = report.agreement(store.read(tmp_path / "s"), table)
    assert set(taus["criterion"]) == {"proxy", NULL}
    assert "a" not in set(taus["kind"])


def test_without_a_table_only_kind_a_is_defined(suite: Path) -> None:
    taus = report.agreement(store.read(suite), None)
    assert set(taus.dropna(subset="tau")["kind"]) == {"a"}


def test_whole_cells_are_ranked_for_the_first_seeds_alone(tmp_path: Path, table: Table) -> None:
    for seed in range(CELL_RUNS + 2):
        report_folder.add(tmp_path / "s", report_folder.spec("darts", seed), report_folder.GOOD)
    taus = report.agreement(store.read(tmp_path / "s"), table)
    assert set(taus.query("kind == 'd all'")["seed"]) == set(range(CELL_RUNS))
    assert taus.query("kind == 'b mean'")["seed"].nunique() == CELL_RUNS + 2


def test_overall_is_a_mean_over_edges_then_seeds(tmp_path: Path, suite: Path, table: Table) -> None:
    rows = report.agreement(store.read(suite), table)
    row = report.overall_taus(rows).query("method == 'ostr' and kind == 'a' and with_none").iloc[0]
    per_seed = rows.query("method == 'ostr' and kind == 'a' and with_none").groupby("seed")["tau"].mean()
    assert row["tau"] == pytest.approx(per_seed.mean())
    assert row["n"] == 3
    assert per_seed.min() <= row["low"] <= row["tau"] <= row["high"] <= per_seed.max()


def test_supernets_are_ranked_where_they_were_probed(tmp_path: Path, table: Table) -> None:
    codes = np.arange(0, space.SIZE, 100)
    truth = report.by_code(table, "cifar10", "test")[codes]
    arrays = {"ranking_codes": codes, "ranking_accuracy_pct": -truth}
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), report_folder.GOOD, arrays=arrays)
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 1), report_folder.GOOD)
    ranking = report.supernet_ranking(store.read(tmp_path / "s"), table)
    assert ranking["seed"].tolist() == [0]
    assert ranking["archs"].tolist() == [len(codes)]
    assert ranking[["tau", "top_tau", "sparse_tau"]].iloc[0].tolist() == pytest.approx([-1, -1, -1], abs=0.02)


def test_too_small_a_sample_has_no_top(tmp_path: Path, table: Table) -> None:
    codes = np.arange(50)
    arrays = {"ranking_codes": codes, "ranking_accuracy_pct": codes.astype(float)}
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), report_folder.GOOD, arrays=arrays)
    ranking = report.supernet_ranking(store.read(tmp_path / "s"), table)
    assert np.isnan(ranking["top_tau"]).all()
    assert np.isfinite(ranking["tau"]).all()
