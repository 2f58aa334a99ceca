from pathlib import Path

import numpy as np
import pytest

from benchharness import space, stats
from benchharness.space import CONV3, EDGES, NONE, SKIP

EVERY = space.all_ops()
WORTH = np.array([0.0, 1, 5, 9, 2])


def additive() -> np.ndarray:
    """A table in which each edge adds the worth of its operation, later edges counting more."""
    return (WORTH[EVERY] * np.arange(1, 7)).sum(-1)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_edge_truth_is_what_a_loop_finds(reduce: stats.Reduce) -> None:
    accuracy = np.random.default_rng(0).random(space.SIZE)
    truth = stats.edge_truth(accuracy, reduce)
    for edge, op in ((0, NONE), (3, CONV3), (5, SKIP)):
        cells = accuracy[EVERY[:, edge] == op]
        assert len(cells) == 3125
        assert truth[edge, op] == pytest.approx(getattr(cells, reduce)())


def test_edge_truth_of_a_sample_has_gaps_where_no_cell_is() -> None:
    accuracy = np.full(space.SIZE, np.nan)
    accuracy[[space.to_code((op,) * 6) for op in (SKIP, CONV3)]] = 54, 93
    for reduce in ("mean", "max"):
        truth = stats.edge_truth(accuracy, reduce)
        assert truth[2] == pytest.approx([np.nan, 54, np.nan, 93, np.nan], nan_ok=True)


@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_conditional_truth_is_what_a_loop_over_decided_edges_finds(reduce: stats.Reduce) -> None:
    accuracy = np.random.default_rng(1).random(space.SIZE)
    arch, order = np.array([3, 1, 0, 4, 2, 3]), [2, 0, 5, 1, 4, 3]
    truth = stats.conditional_truth(accuracy, arch, np.array(order), reduce)
    for step, edge in enumerate(order):
        is_match = (EVERY[:, order[:step]] == arch[order[:step]]).all(-1)
        for op in range(5):
            cells = accuracy[is_match & (EVERY[:, edge] == op)]
            assert truth[edge, op] == pytest.approx(getattr(cells, reduce)())
    assert truth[2] == pytest.approx(stats.edge_truth(accuracy, reduce)[2])
    last = [space.to_code((*arch[:3], op, *arch[4:])) for op in range(5)]
    assert truth[3] == pytest.approx(accuracy[last])


def test_where_edges_do_not_interact_conditions_change_no_ranking() -> None:
    truth = stats.conditional_truth(additive(), np.zeros(6, int), np.arange(6))
    assert stats.edge_taus(truth, np.tile(WORTH, (6, 1))) == pytest.approx(np.ones(6))


def test_cell_scores_add_up_over_edges_and_dead_edges_add_nothing() -> None:
    scores = WORTH * np.arange(1, 7)[:, None]
    assert stats.cell_scores(scores) == pytest.approx(additive())
    scores[5] = np.nan
    assert stats.cell_scores(scores) == pytest.approx((WORTH[EVERY[:, :5]] * np.arange(1, 6)).sum(-1))
    scores[0, NONE] = np.nan
    cell_scores = stats.cell_scores(scores)
    assert np.isnan(cell_scores[EVERY[:, 0] == NONE]).all()
    assert np.isfinite(cell_scores[EVERY[:, 0] != NONE]).all()


def test_published_reference_points(data_folder: Path) -> None:
    from benchharness.report import by_code
    from benchharness.table import load_table

    table = load_table()
    ops, null = table.ops, np.tile(stats.parameter_counts(), (len(EDGES), 1))
    figures = {"cifar10": (0.891, 0.58), "cifar100": (0.932, 0.55), "imagenet16-120": (0.938, 0.52)}
    for dataset, (valid_test, parameters) in figures.items():
        test = table.accuracy(None, dataset, "test")
        # The reference took equal accuracies that differ in the tenth decimal as different; as ties they give more.
        assert stats.tau(table.accuracy(None, dataset, "valid"), test) == pytest.approx(valid_test, abs=1.5e-3)
        assert stats.tau(space.params_m(ops), test) == pytest.approx(parameters, abs=5e-3)
    test = table.accuracy(None, "cifar10", "test")
    truth = stats.edge_truth(by_code(table, "cifar10", "test"))
    assert stats.edge_taus(null, truth) == pytest.approx(np.full(6, 0.84), abs=5e-3)
    free = space.count(ops, *space.PARAMETER_FREE)
    means = [test[free == count].mean() for count in range(7)]
    assert means == pytest.approx([93.2, 92.9, 92.3, 90.7, 87.4, 81.1, 66.3], abs=0.05)
    valid = table.accuracy(None, "cifar10", "valid")
    best = [stats.best_of_random(valid, test, n).mean for n in (1, 10, 100, 1000)]
    assert best == pytest.approx([87.06, 93.03, 93.79, 94.08], abs=0.015)
