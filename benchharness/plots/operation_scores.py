"""Scores of the operations on each edge by several criteria, beside the table's ground truth."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes

from benchharness.plots.style import OP_LABELS, labelled
from benchharness.space import EDGE_NAMES

"""The operations in the order of `space.OPS`."""
_COLOURS: Final = ("#D55E00", "#0072B2", "#009E73")
_MARKERS: Final[tuple[Any, ...]] = ("D", "o", "s")
_POINTS: Final[dict[str, Any]] = {
    "errorbar": ("pi", 100),  # from the lowest to the highest
    "dodge": 0.3,
    "linestyle": "none",
    "capsize": 0.12,
    "markersize": 5,
    "err_kws": {"linewidth": 1.5},
}

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
    count = len(info.criteria)
    for edge, ax in enumerate(axes):
        sns.barplot(
            x=OP_LABELS, y=info.truth[edge], width=0.75, color="#D9D9D9", edgecolor="#8A8A8A", linewidth=1,
            saturation=1, errorbar=None, label="table's truth", ax=ax,
        )  # fmt: skip
        sns.pointplot(
            _long(info, edge), x="op", y="score", hue="criterion", hue_order=list(info.criteria), order=OP_LABELS,
            palette=list(_COLOURS[:count]), **_POINTS, markers=list(_MARKERS[:count]), ax=ax,
        )  # fmt: skip
        ax.axhline(0, color="#444444", linewidth=0.8)
        ax.tick_params(axis="x", labelsize=9)
        ax.grid(visible=False, axis="x")
        missing = [len(runs) - np.isfinite(runs[:, edge]).any(-1).sum() for runs in info.criteria.values()]
        labelled(ax, y="", title=f"edge {EDGE_NAMES[edge]}" + (f" (dead {max(missing)}x)" if any(missing) else ""))
        ax.set_ylim(-2.4, 2.4)
        if own_legend := ax.get_legend():
            own_legend.remove()
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    for ax in axes[::3]:
        ax.set_ylabel("standardised score")
    return axes


def _long(info: EdgeScores, edge: int) -> pd.DataFrame:
    """The scores on one edge: a row per criterion, run and operation."""
    rows = [
        (name, op, score)
        for name, runs in info.criteria.items()
        for scores in runs[:, edge]
        for op, score in zip(OP_LABELS, scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=["criterion", "op", "score"])


def _standardised(scores: Scores) -> Scores:
    """Mean 0 and standard deviation 1 within each edge, over the operations that have a score."""
    standardised = np.full(scores.shape, np.nan)
    for edge, row in enumerate(scores):
        finite = np.isfinite(row)
        if finite.any():
            spread = row[finite].std()
            standardised[edge, finite] = (row[finite] - row[finite].mean()) / (spread if spread > 0 else 1.0)
    return standardised
