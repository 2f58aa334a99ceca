"""Whether each search decided, judged by the edge weights at its end."""

from collections.abc import Hashable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from benchharness import stats
from benchharness.analysis.search_curves import Arrays
from benchharness.data.kinds import DIGITS, KNOWN

COLUMNS = ("verdict", "decided_edges", "leaning_edges", "lead", "relative_entropy")
"""Verdict, decided and leaning edges of six, mean lead of the largest weight, entropy relative to uniform."""
_OLDER_CLASSES: Final = {DIGITS: 10, **{name: kind.classes for name, kind in KNOWN.items()}}
"""Number of classes for runs whose records do not state it."""


def decisions(runs: pd.DataFrame, arrays: Mapping[str, Arrays]) -> pd.DataFrame:
    """One row per finished run with `method`, `seed`, `run_id`, `reads_alpha`, `above_chance` and `COLUMNS`.

    `above_chance`: whether the supernet classifies the validation images better than guessing; None if unknown.
    A run that reads another's supernet gets that supernet's verdict. `reads_alpha` tells whether the run's cell is the
    argmax of alpha, so that an undecided alpha means an undecided cell. NaN if a run recorded no weights.
    """
    rows = []
    for run in runs[runs["arch"].notna()].to_dict("records"):
        judged = _judged(arrays, run)
        about = {"method": str(run["method"]), "seed": run["seed"], "run_id": run["run_id"]}
        reads_alpha = run["spec"].get("selection") == "magnitude"
        about |= {"reads_alpha": reads_alpha, "above_chance": _above_chance(run)}
        rows.append({**about, **_figures(judged), "decision": judged})
    names = ["method", "seed", "run_id", "reads_alpha", "above_chance", *COLUMNS, "decision"]
    return pd.DataFrame(rows, columns=names)


def verdicts(judged: pd.DataFrame) -> pd.DataFrame:
    """One row per method of `decisions`: `verdict` of most of its searches, a `sentence`, and whether it `ranks`.

    A method does not rank where it reads its cell from alphas that are undecided, or where half of its supernets or
    more do no better than guessing: its cells are no choice of its own.
    """
    rows = []
    for name, part in judged.groupby("method", observed=True):
        known = [one for one in part["decision"] if one is not None]
        verdict = stats.majority_of_decisions(known) if known else ""
        guessing = sum(known is False for known in part["above_chance"])  # None is unknown
        chance = f"; the supernet only guesses in {guessing} of {len(part)} searches" if guessing else ""
        ranks = not (bool(part["reads_alpha"].all()) and verdict == "undecided") and 2 * guessing < max(1, len(part))
        rows.append((str(name), verdict, stats.summary_of_decisions(known) + chance, ranks))
    return pd.DataFrame(rows, columns=["method", "verdict", "sentence", "ranks"])


def undecided(judged: pd.DataFrame) -> list[str]:
    """Methods that do not rank: see `verdicts`."""
    table = verdicts(judged)
    return [str(name) for name in table.loc[~table["ranks"].astype(bool), "method"]]


def warning(judged: pd.DataFrame) -> str:
    """A warning that some searches did not decide, as a sentence; empty if all did."""
    names = undecided(judged)
    if not names:
        return ""
    reading = judged[judged["reads_alpha"]]["method"].nunique()
    who = "No search" if len(names) == reading else f"The searches of {', '.join(names)}"
    decided = "decided" if len(names) == reading else "did not decide"
    return (
        f"{who} {decided}: the alphas ended as close to each other as noise leaves them, so that cells read from them "
        "are no choice, and a ranking of these methods says nothing about them."
    )


def _judged(arrays: Mapping[str, Arrays], run: Mapping[Hashable, object]) -> "stats.Decision | None":
    own = arrays.get(str(run.get("supernet") or run["run_id"])) or arrays.get(str(run["run_id"]), {})
    expected = own.get("expected")
    return stats.decision(expected) if expected is not None and len(expected) else None


def _above_chance(run: Mapping[Hashable, object]) -> bool | None:
    accuracy, record = run.get("mixed_accuracy_pct"), run.get("record")
    data = record["data"] if isinstance(record, dict) else {}
    classes = data.get("classes") or _OLDER_CLASSES.get(str(run.get("dataset")))
    images = data.get("valid_images")
    if not (classes and images) or not isinstance(accuracy, float) or np.isnan(accuracy):
        return None
    return stats.above_chance(accuracy, int(images), int(classes))


def _figures(judged: "stats.Decision | None") -> dict[str, object]:
    if judged is None:
        return dict(zip(COLUMNS, ("", np.nan, np.nan, np.nan, np.nan), strict=True))
    figures = (judged.verdict, judged.decided.sum(), judged.leaning.sum(), judged.lead.mean(), judged.entropy)
    return dict(zip(COLUMNS, figures, strict=True))
