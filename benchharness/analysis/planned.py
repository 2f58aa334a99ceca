"""Which comparisons between methods are planned: fixed before any result is seen, and corrected together."""

from collections.abc import Iterable
from itertools import combinations
from typing import Final

CONTROL: Final = "darts"
"""The method that all others set out to improve on; a report tests each of them against it."""


def planned_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Every method of `names` paired with the control; without the control among them, all pairs.

    Holm's correction over all pairs of many methods leaves no test significant whatever the runs give: ten seeds reach
    p=0.002, and eleven methods make 55 pairs. Ten comparisons with a control can be (Demsar 2006, section 3.2.2).
    """
    names = list(names)
    if CONTROL in names:
        return [(name, CONTROL) for name in names if name != CONTROL]
    return list(combinations(names, 2))
