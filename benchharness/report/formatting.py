"""Formats numbers for reports."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from benchharness.stats import Interval

MISSING = "–"
NAMED = 6
"""Most names that a sentence lists."""


def number(value: float, digits: int = 2) -> str:
    """`value` with `digits` decimals; a dash if it is missing."""
    if not np.isfinite(value):
        return MISSING if np.isnan(value) else ("∞" if value > 0 else "-∞")
    return f"{value:.{digits}f}".replace("-0." + "0" * digits, "0." + "0" * digits)


def plus_minus(mean: float, std: float, digits: int = 2) -> str:
    """`mean±std`; only the mean if there is no deviation, as for one run."""
    return number(mean, digits) + (f"±{number(std, digits)}" if np.isfinite(std) else "")


def span(interval: Interval, digits: int = 2) -> str:
    """`value [low, high]`; only the value if there is no interval."""
    if not np.isfinite(interval.low):
        return number(interval.value, digits)
    return f"{number(interval.value, digits)} [{number(interval.low, digits)}, {number(interval.high, digits)}]"


def p_value(p: float) -> str:
    """A p-value with three decimals, never as 0."""
    return "<0.001" if p < 0.001 else number(p, 3)


def p_clause(p: float, sign: str = "=") -> str:
    """A p-value in a sentence: `p=0.021`, `p<0.001`; `sign` may be ≤ for the largest of several."""
    return "p" + (p_value(p) if p < 0.001 else sign + p_value(p))


def seconds(value: float) -> str:
    """A duration in a suitable unit."""
    if not np.isfinite(value):
        return MISSING
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.1f} s"


def seeds(values: Iterable[int]) -> str:
    """Seeds in short: `0-2, 5`."""
    ranges: list[list[int]] = []
    for seed in sorted({int(value) for value in values}):
        if ranges and ranges[-1][-1] == seed - 1:
            ranges[-1].append(seed)
        else:
            ranges.append([seed])
    return ", ".join(
        f"{seed_range[0]}-{seed_range[-1]}" if len(seed_range) > 1 else str(seed_range[0]) for seed_range in ranges
    )


def enumeration(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *rest, last = list(names) or ["none"]
    return f"{', '.join(rest)} and {last}" if rest else last


def spans(frame: pd.DataFrame, *columns: str, digits: int = 2) -> list[str]:
    """`span` of every row of `frame`, whose `columns` hold value, low and high."""
    return [span(Interval(value, low, high, 0), digits) for value, low, high in frame[list(columns)].to_numpy(float)]


def count_of(n: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def few(names: Iterable[str], most: int = NAMED) -> str:
    """`a, b and c`; if there are more than `most` names, the first ones and the number of others."""
    every = list(map(str, names))
    if len(every) <= most:
        return enumeration(every)
    return f"{', '.join(every[: most - 1])} and {len(every) - most + 1} more"
