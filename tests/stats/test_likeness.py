from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchharness import stats

several = st.integers(2, 6).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, (n, 6), elements=st.integers(0, 4)) for _ in range(2)])
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def draw_cells(rng: np.random.Generator, n: int, ops: list[float]) -> np.ndarray:
    return rng.choice(5, (n, 6), p=ops)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Twice the distances between the sides less those within either, without pairs of one seed."""
    pairs = [(i, j) for i in range(len(a)) for j in range(len(a)) if i != j]
    return float(sum((a[i] != b[j]).sum() * 2 - (a[i] != a[j]).sum() - (b[i] != b[j]).sum() for i, j in pairs))


def brute_force(a: np.ndarray, b: np.ndarray) -> float:
    distances = []
    for swaps in product((False, True), repeat=len(a)):
        is_swapped = np.array(swaps)[:, None]
        distances.append(distance(np.where(is_swapped, b, a), np.where(is_swapped, a, b)))
    return float(np.mean([other >= distance(a, b) - 1e-9 for other in distances]))


@given(cells=several)
@settings(max_examples=30)
def test_p_is_every_exchange_of_the_sides_within_a_seed(cells: tuple[np.ndarray, np.ndarray]) -> None:
    assert stats.likeness(*cells, rng()).p == pytest.approx(brute_force(*cells))


@given(cells=several)
@settings(max_examples=20)
def test_the_sides_and_the_order_of_seeds_do_not_matter(cells: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = cells
    likeness, swapped = stats.likeness(a, b, rng()), stats.likeness(b, a, rng())
    assert swapped == likeness._replace(within=likeness.within[::-1])
    reordered = stats.likeness(a[::-1], b[::-1], rng())
    assert reordered.p == likeness.p
    assert [reordered.paired, reordered.crossed, *reordered.within] == pytest.approx(
        [likeness.paired, likeness.crossed, *likeness.within]
    )


def test_equal_edges_are_counted_by_seed_and_across() -> None:
    a = np.array([[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    b = np.array([[0, 0, 0, 0, 0, 2], [1, 1, 1, 0, 0, 2]])
    likeness = stats.likeness(a, b, rng())
    assert (likeness.paired, likeness.crossed, likeness.within, likeness.n) == (4.0, 1.0, (0.0, 3.0), 2)


def test_the_same_cells_are_no_evidence_nor_is_one_seed_or_none() -> None:
    cells = draw_cells(rng(), 20, [0.2] * 5)
    assert stats.likeness(cells, cells, rng()).p == 1
    single_seed = stats.likeness(cells[:1], cells[1:2], rng())
    assert (single_seed.p, single_seed.n) == (1, 1)
    assert np.isnan(stats.likeness(cells[:0], cells[:0], rng()).p)


def test_another_distribution_is_found_and_the_same_one_seldom_taken_for_another() -> None:
    ops = [0.1, 0.1, 0.2, 0.5, 0.1]
    other = stats.likeness(draw_cells(rng(1), 20, ops), draw_cells(rng(2), 20, ops[::-1]), rng())
    assert other.p < 0.01
    source = rng(3)
    alarms = [
        stats.likeness(draw_cells(source, 8, ops), draw_cells(source, 8, ops), rng()).p <= 0.05 for _ in range(300)
    ]
    assert 0.01 < np.mean(alarms) < 0.09


def test_seeds_that_the_sides_share_do_not_make_them_differ() -> None:
    source = rng(4)
    alarms = []
    for _ in range(300):
        a, b = (draw_cells(source, 8, [0.2] * 5) for _ in range(2))
        alarms.append(stats.likeness(a, np.where(source.random((8, 6)) < 0.7, a, b), rng()).p <= 0.05)
    assert np.mean(alarms) < 0.09


def test_seeds_agree_on_the_share_of_edges_with_one_operation() -> None:
    cells = np.array([[0, 1, 2, 3, 4, 0], [0, 1, 2, 0, 0, 1], [0, 1, 0, 1, 1, 2]])
    pairs = [(cells[a] == cells[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    agreement = stats.seed_agreement(cells, 5)
    assert agreement.share == pytest.approx(np.mean(pairs))
    assert agreement.n == 3
    assert stats.seed_agreement(cells, 5) == agreement, "no draw of its own"


def test_equal_cells_agree_and_one_cell_agrees_with_none() -> None:
    assert stats.seed_agreement(np.full((4, 6), 3), 5) == (1.0, 1 / 10_000, 4)
    alone = stats.seed_agreement(np.full((1, 6), 3), 5)
    assert np.isnan(alone.share)
    assert np.isnan(alone.p)


def test_random_cells_agree_no_more_often_than_the_level_says() -> None:
    rng = np.random.default_rng(1)
    found = [stats.seed_agreement(rng.integers(5, size=(6, 6)), 5) for _ in range(3000)]
    assert np.mean([agreement.share for agreement in found]) == pytest.approx(0.2, abs=0.01)
    assert 0.02 < np.mean([agreement.p < 0.05 for agreement in found]) < 0.065
