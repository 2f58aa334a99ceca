"""Whether each search decided, judged by the edge weights at its end."""

from collections.abc import Hashable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from benchharness import stats
from benchharness.analysis.search_curves import Arrays, stopped_epoch
from benchharness.data.kinds import DIGITS, KNOWN

COLUMNS = ("verdict", "decided_edges", "leaning_edges", "lead", "relative_entropy")
"""Verdict, decided and leaning edges of six, mean lead of the largest weight, entropy relative to uniform."""
_OLDER_CLASSES: Final = {DIGITS: 10, **{name: kind.classes for name, kind in KNOWN.items()}}
"""Number of classes for runs whose records do not state it."""


def decisions(runs: pd.DataFrame, arrays: Mapping[str, Arrays]) -> pd.DataFrame:
    """One row per finished run with `method`, `seed`, `run_id`, `reads_alpha`, `above_chance` and `COLUMNS`.

    `above_chance`: whether the supernet classifies the validation images better than guessing; None if unknown.
    A run that reads another's supernet gets that supernet's verdict. A search that was stopped early is judged by the
    epochs up to the one whose alphas it goes back to. `reads_alpha` tells whether the run's cell is the
    argmax of alpha, so that an undecided alpha means an undecided cell. NaN if a run recorded no weights.
    """
    rows = []
    for run in runs[runs["arch"].notna()].to_dict("records"):
        decision = _judged(arrays, run)
        columns = {"method": str(run["method"]), "seed": run["seed"], "run_id": run["run_id"]}
        reads_alpha = run["spec"].get("selection") == "magnitude"
        columns |= {"reads_alpha": reads_alpha, "above_chance": _above_chance(run)}
        rows.append({**columns, **_figures(decision), "decision": decision})
    names = ["method", "seed", "run_id", "reads_alpha", "above_chance", *COLUMNS, "decision"]
    return pd.DataFrame(rows, columns=names)


def verdicts(decisions: pd.DataFrame) -> pd.DataFrame:
    """One row per method of `decisions`: `verdict` of most of its searches, a `sentence`, and whether it `ranks`.

    A method does not rank where it reads its cell from alphas that are undecided, or where half of its supernets or
    more do no better than guessing: its cells are no choice of its own.
    """
    rows = []
    for name, group in decisions.groupby("method", observed=True):
        is_above = [decision_of_run for decision_of_run in group["decision"] if decision_of_run is not None]
        verdict = stats.majority_of_decisions(is_above) if is_above else ""
        guessing = sum(is_above is False for is_above in group["above_chance"])  # None is unknown
        guess_clause = f"; the supernet only guesses in {guessing} of {len(group)} searches" if guessing else ""
        ranks = not (bool(group["reads_alpha"].all()) and verdict == "undecided") and 2 * guessing < max(1, len(group))
        rows.append((str(name), verdict, stats.summary_of_decisions(is_above) + guess_clause, ranks))
    return pd.DataFrame(rows, columns=["method", "verdict", "sentence", "ranks"])


def undecided(decisions: pd.DataFrame) -> list[str]:
    """Methods that do not rank: see `verdicts`."""
    table = verdicts(decisions)
    return [str(name) for name in table.loc[~table["ranks"].astype(bool), "method"]]


def warning(decisions: pd.DataFrame) -> str:
    """A warning that some searches did not decide, as a sentence; empty if all did."""
    names = undecided(decisions)
    if not names:
        return ""
    reading = decisions[decisions["reads_alpha"]]["method"].nunique()
    subject = "No search" if len(names) == reading else f"The searches of {', '.join(names)}"
    decided = "decided" if len(names) == reading else "did not decide"
    return (
        f"{subject} {decided}: the alphas ended as close to each other as noise leaves them, so that cells read from "
        "them are no choice, and a ranking of these methods says nothing about them."
    )


def _judged(arrays: Mapping[str, Arrays], run: Mapping[Hashable, object]) -> "stats.Decision | None":
    run_arrays = arrays.get(str(run.get("supernet") or run["run_id"])) or arrays.get(str(run["run_id"]), {})
    expected = run_arrays.get("expected")
    return stats.decision(expected[: stopped_epoch(run)]) if expected is not None and len(expected) else None


def _above_chance(run: Mapping[Hashable, object]) -> bool | None:
    accuracy, record = run.get("mixed_accuracy_pct"), run.get("record")
    data = record["data"] if isinstance(record, dict) else {}
    classes = data.get("classes") or _OLDER_CLASSES.get(str(run.get("dataset")))
    images = data.get("valid_images")
    if not (classes and images) or not isinstance(accuracy, float) or np.isnan(accuracy):
        return None
    return stats.above_chance(accuracy, int(images), int(classes))


def _figures(decision: "stats.Decision | None") -> dict[str, object]:
    if decision is None:
        return dict(zip(COLUMNS, ("", np.nan, np.nan, np.nan, np.nan), strict=True))
    figures = (decision.verdict, decision.decided.sum(), decision.leaning.sum(), decision.lead.mean(), decision.entropy)
    return dict(zip(COLUMNS, figures, strict=True))
