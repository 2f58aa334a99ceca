"""Scores of the operations on each edge by two criteria, beside the table's."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness.plots.style import labelled
from benchharness.space import EDGE_NAMES, OPS

Scores = Float[np.ndarray, "edges ops"]


class EdgeScores(NamedTuple):
    """Scores by criterion and the table's mean accuracies, standardised within each edge; NaN on dead edges."""

    title: str
    criteria: dict[str, Float[np.ndarray, "runs edges ops"]]
    truth: Scores


def data(criteria: dict[str, list[Scores]], truth: Scores, title: str = "") -> EdgeScores:
    """From each criterion's scores in every run and the mean accuracy by edge and operation."""
    standard = {name: np.stack([_standardised(scores) for scores in runs]) for name, runs in criteria.items()}
    return EdgeScores(title, standard, _standardised(truth))


def draw(info: EdgeScores, axes: Sequence[Axes]) -> Sequence[Axes]:
    """A panel per edge: bars are the table's truth, points the criteria (mean over seeds, whiskers lowest to highest).

    All are standardised within the edge, since only their order and spacing can be compared.
    """
    marks = (("#D55E00", "D", -0.15), ("#0072B2", "o", 0.15), ("#009E73", "s", 0.3))
    for edge, ax in enumerate(axes):
        ax.bar(
            range(len(OPS)), info.truth[edge], width=0.75, color="#D9D9D9", edgecolor="#8A8A8A", label="table's truth"
        )
        for (name, runs), (colour, marker, shift) in zip(info.criteria.items(), marks, strict=False):
            scored = runs[np.isfinite(runs[:, edge]).any(-1), edge]
            if len(scored):
                mean = scored.mean(0)
                reach = np.maximum(np.stack([mean - scored.min(0), scored.max(0) - mean]), 0)
                ax.errorbar(np.arange(len(OPS)) + shift, mean, reach, fmt=marker, color=colour, label=name, capsize=2)
        ax.axhline(0, color="#444444", linewidth=0.8)
        ax.set_xticks(range(len(OPS)), [_SHORT[op] for op in OPS], fontsize=9)
        ax.grid(visible=False, axis="x")
        missing = [len(runs) - np.isfinite(runs[:, edge]).any(-1).sum() for runs in info.criteria.values()]
        labelled(ax, title=f"edge {EDGE_NAMES[edge]}" + (f" (dead {max(missing)}x)" if any(missing) else ""))
        ax.set_ylim(-2.4, 2.4)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    for ax in axes[::3]:
        ax.set_ylabel("standardised score")
    return axes


_SHORT = {"none": "none", "skip_connect": "skip", "nor_conv_1x1": "1x1", "nor_conv_3x3": "3x3", "avg_pool_3x3": "pool"}


def _standardised(scores: Scores) -> Scores:
    """Mean 0 and standard deviation 1 within each edge, over the operations that have a score."""
    standardised = np.full(scores.shape, np.nan)
    for edge, row in enumerate(scores):
        finite = np.isfinite(row)
        if finite.any():
            spread = row[finite].std()
            standardised[edge, finite] = (row[finite] - row[finite].mean()) / (spread if spread > 0 else 1.0)
    return standardised
