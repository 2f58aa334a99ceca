"""How good a table is: against counting by hand, and against what is known of NAS-Bench-201."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from benchharness import space
from benchharness.table import Metric, Table, quality
from benchharness.table.build import build_table
from tests.support.measured import measured_table

TEST, VALID = Metric("pets", "test", 7), Metric("pets", "valid", 7)


@pytest.fixture(scope="module")
def pets() -> Table:
    return measured_table()


def test_coverage_counts_architectures_and_functional_classes(pets: Table, toy_table: Table) -> None:
    coverage = quality.coverage(pets)
    assert (coverage.architectures, coverage.classes, coverage.measured_here, coverage.complete) == (
        len(pets),
        300,
        0,
        False,
    )
    assert str(coverage) == f"{len(pets)} of 15,625 architectures (300 of 6,466 functional classes)"
    some = quality.coverage(replace(pets, rows_measured_here=frozenset({0, 1})))
    assert str(some).startswith(f"{len(pets) - 2} of 15,625 architectures (")
    assert str(some).endswith(" of 6,466 functional classes) and 2 trained besides")
    assert str(quality.coverage(toy_table)) == "all 15,625 architectures"
    assert quality.coverage(toy_table).classes == len(np.unique(space.classes()))


def test_members_of_a_class_that_share_a_training_count_once(pets: Table, toy_table: Table) -> None:
    assert len(quality.training_rows(pets, TEST)) == 300
    assert len(quality.training_rows(toy_table, Metric("cifar10", "test", 200))) == len(toy_table)


def test_spread_noise_and_tau_by_hand(pets: Table) -> None:
    spread = quality.spread(pets, TEST)
    assert spread.points == pytest.approx(np.quantile(pets.means[TEST], 0.9) - np.quantile(pets.means[TEST], 0.1))
    runs = pets.by_seed[TEST][quality.training_rows(pets, TEST)]
    noise = quality.noise(pets, TEST)
    assert noise is not None
    assert noise.trained == 300
    assert noise.points == pytest.approx(np.sqrt(((runs[:, 0] - runs[:, 1]) ** 2 / 2).mean()))
    assert noise.spread == pytest.approx(np.subtract(*np.quantile(runs.mean(1), [0.9, 0.1])))
    assert 0.4 < noise.points < 0.6, "half a point was put in"
    assert noise.tau == pytest.approx(kendalltau(runs[:, 0], runs[:, 1]).statistic)
    assert 0.8 < quality.tau_between(pets, VALID, TEST) < 1


def test_a_table_of_single_trainings_says_nothing_of_noise() -> None:
    once = measured_table(classes=20, seeds=1)
    assert quality.noise(once, TEST) is None
    assert quality.noise(replace(once, by_seed={}), TEST) is None


def test_missing_runs_are_left_out(toy_table: Table) -> None:
    metric = Metric("cifar10", "test", 200)
    noise = quality.noise(toy_table, metric)
    assert noise is not None
    assert noise.trained == int((np.isfinite(toy_table.by_seed[metric]).sum(1) > 1).sum())
    assert np.isfinite([noise.points, noise.tau]).all()


def test_validation_bounds_what_any_ranking_can_claim(real_table: Table) -> None:
    pairs = {name: (Metric(name, "valid", 200), Metric(name, "test", 200)) for name in real_table.datasets}
    assert {name: round(quality.tau_between(real_table, *pair), 3) for name, pair in pairs.items()} == {
        "cifar10": 0.891,
        "cifar100": 0.933,
        "imagenet16-120": 0.938,
    }


def noisy_table(runs: np.ndarray) -> Table:
    """A table of these single runs of its test figure."""
    about = {"name": "pets", "version": "1", "source": "tests"}
    ops = space.all_ops()[np.unique(space.classes())[: len(runs)]]
    return build_table(about, ops, {TEST: runs.mean(1)}, {TEST: runs})


def test_a_table_that_cannot_rank_says_so(pets: Table) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(40, 90, (200, 1))
    assert quality.cannot_rank(pets, TEST) == ""
    assert quality.cannot_rank(noisy_table(truth + rng.normal(0, 1, (200, 2))), TEST) == ""
    reason = quality.cannot_rank(noisy_table(60 + rng.normal(0, 1, (200, 2))), TEST)
    assert "two trainings of the same networks agree on their order by tau" in reason
    assert "200 networks" in reason
    six = quality.cannot_rank(noisy_table(truth[:6] + np.zeros((6, 2))), TEST)
    assert six.startswith(
        "it holds 6 architectures with pets test after 7 epochs, and rank and percentile among so few"
    )
    once = measured_table(seeds=1)
    assert quality.cannot_rank(once, TEST) == "", "of single trainings nothing is known"


def test_networks_that_are_all_alike_cannot_be_ranked() -> None:
    assert "by tau nan only" in quality.cannot_rank(noisy_table(np.full((50, 2), 77.0)), TEST)


def test_the_benchmark_ranks(real_table: Table) -> None:
    assert [quality.cannot_rank(real_table, metric) for metric in real_table.figures()] == [""] * len(
        real_table.figures()
    )
