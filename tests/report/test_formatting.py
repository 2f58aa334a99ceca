import numpy as np
import pandas as pd
import pytest

from benchharness.io.files import slug
from benchharness.report import formatting
from benchharness.stats import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (94.366, "94.37"),
        (0.0, "0.00"),
        (-0.001, "0.00"),
        (-1.5, "-1.50"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (-np.inf, "-∞"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert formatting.number(value) == text


def test_means_with_and_without_deviation_or_interval() -> None:
    assert formatting.plus_minus(94.366, 0.005) == "94.37±0.01"
    assert formatting.plus_minus(94.366, np.nan) == "94.37"
    assert formatting.span(Interval(1.234, -0.5, 3.0, 3)) == "1.23 [-0.50, 3.00]"
    assert formatting.span(Interval(1.234, np.nan, np.nan, 1)) == "1.23"
    assert formatting.spans(pd.DataFrame({"v": [1.0], "l": [0.0], "h": [2.0]}), "v", "l", "h") == ["1.00 [0.00, 2.00]"]


def test_p_values_are_never_zero() -> None:
    assert [formatting.p_value(p) for p in (0.25, 0.0004, np.nan)] == ["0.250", "<0.001", "–"]


def test_durations_in_the_unit_that_suits() -> None:
    assert [formatting.seconds(s) for s in (5.0, 119.0, 121.0, 7200.0, np.nan)] == [
        "5.0 s",
        "119.0 s",
        "2.0 min",
        "2.0 h",
        "–",
    ]


def test_seeds_in_short() -> None:
    assert formatting.seeds([2, 0, 1, 5, 7, 8]) == "0-2, 5, 7-8"
    assert formatting.seeds([]) == ""


def test_lists_counts_and_slugs() -> None:
    assert formatting.enumeration(["a"]) == "a"
    assert formatting.enumeration(["a", "b", "c"]) == "a, b and c"
    assert formatting.enumeration([]) == "none"
    assert (formatting.count_of(1, "seed"), formatting.count_of(3, "seed")) == ("1 seed", "3 seeds")
    assert slug("cifar10, cpu (epochs=5)") == "cifar10-cpu-epochs-5"


@pytest.mark.parametrize(
    ("names", "text"), [("", "none"), ("a", "a"), ("abc", "a, b and c"), ("abcd", "a, b and 2 more")]
)
def test_few_names_are_listed_and_many_are_counted(names: str, text: str) -> None:
    assert formatting.few(names, 3) == text


def test_a_p_value_in_a_sentence_has_one_sign() -> None:
    assert (formatting.p_clause(0.0209), formatting.p_clause(0.0001)) == ("p=0.021", "p<0.001")
    assert (formatting.p_clause(0.03, "≤"), formatting.p_clause(1e-9, "≤")) == ("p≤0.030", "p<0.001")
