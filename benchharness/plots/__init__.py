"""One module per figure. Each has `data`, from a tidy frame to a small NamedTuple, and `draw` or `figure`.

`draw` draws onto given axes, such as those of `benchharness.plots.style.canvas`; `figure` makes a figure of panels.
"""

from benchharness.plots import backend  # isort: skip  # before anything else loads matplotlib
from benchharness.plots import (
    accuracy,
    anytime,
    cell,
    collapse,
    cost,
    distribution,
    edge_weights,
    operation_scores,
    pareto,
    performance_profile,
    rank_correlation,
    ranks,
    search_curves,
    style,
    win_probability,
)

__all__ = [
    "accuracy",
    "anytime",
    "backend",
    "cell",
    "collapse",
    "cost",
    "distribution",
    "edge_weights",
    "operation_scores",
    "pareto",
    "performance_profile",
    "rank_correlation",
    "ranks",
    "search_curves",
    "style",
    "win_probability",
]
