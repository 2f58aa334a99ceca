"""One file a figure. Each has `data`, from a tidy frame to a small NamedTuple, and `draw`, from that onto axes.

`benchharness.plots.style.canvas` makes empty axes in the common style; any other axes will do as well.
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
