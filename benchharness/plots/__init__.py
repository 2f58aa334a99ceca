"""One file a figure. Each has `data`, from a tidy frame to a small NamedTuple, and `draw`, from that onto axes.

`benchharness.plots.style.canvas` makes empty axes in the common style; any other axes will do as well.
"""

from benchharness.plots import backend  # isort: skip  # before anything else loads matplotlib
from benchharness.plots import (
    accuracy,
    agreement,
    alphas,
    anytime,
    cell,
    cost,
    distribution,
    epochs,
    improvement,
    profile,
    scores,
    style,
)

__all__ = [
    "accuracy",
    "agreement",
    "alphas",
    "anytime",
    "backend",
    "cell",
    "cost",
    "distribution",
    "epochs",
    "improvement",
    "profile",
    "scores",
    "style",
]
