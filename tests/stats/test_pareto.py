"""The Pareto front, against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness import stats

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


def test_by_hand() -> None:
    costs = np.array([3.0, 1.0, 2.0, 2.0, 4.0, np.nan, 5.0])
    values = np.array([7.0, 5.0, 6.0, 4.0, 7.0, 9.0, np.nan])
    assert stats.front(costs, values).tolist() == [1, 2, 0]


@given(POINTS)
def test_no_point_of_it_is_beaten_and_every_other_one_is(points: list[tuple[int, int]]) -> None:
    costs, values = (np.array([point[axis] for point in points], float) for axis in (0, 1))
    front = stats.front(costs, values)
    assert (np.diff(costs[front]) > 0).all()
    for point in range(len(points)):
        no_worse = (costs <= costs[point]) & (values >= values[point])
        beaten = bool((no_worse & ((costs < costs[point]) | (values > values[point]))).any())
        assert (
            beaten or point in front or (costs[point], values[point]) in zip(costs[front], values[front], strict=True)
        )
        assert not (beaten and point in front)


def test_excess_is_over_the_cheapest_as_good() -> None:
    front = np.array([1.0, 2.0, 4.0]), np.array([50.0, 60.0, 70.0])
    costs, values = np.array([3.0, 3.0, 8.0, 1.0, 5.0, np.nan]), np.array([45.0, 50.1, 70.0, 80.0, np.nan, 60.0])
    assert stats.excess(costs, values, *front) == pytest.approx([3.0, 1.5, 2.0, np.nan, np.nan, np.nan], nan_ok=True)
