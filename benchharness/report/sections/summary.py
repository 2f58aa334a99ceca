"""The first screen: five questions with their answers, one figure, one ranked table."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from benchharness import plots, stats
from benchharness.analysis import decisions
from benchharness.analysis.decisions import undecided
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.planned import CONTROL
from benchharness.plots.style import figure_of
from benchharness.report.blocks import Answers, Block, FigureBlock, Pair, TableBlock, Text, folded
from benchharness.report.formatting import count_of, few, number, p_clause, span
from benchharness.report.ground_truth import sample_sentence
from benchharness.report.sections.cells import agreeing
from benchharness.report.sections.collapse import reference_lines, verdicts
from benchharness.report.sections.random_baseline import against_random, random_sentence
from benchharness.report.sections.ranking import (
    LEVEL,
    SEED,
    comparisons,
    detail,
    interval_is_told,
    no_ranking,
    planned_comparisons,
    ranking,
    unknown_cells,
)

WINNERS: Final = 3
"""Most methods whose significant wins are listed."""


def answer(evidence: Evidence) -> list[Block]:
    """The first screen, and folded all intervals and tests."""
    return [*summary(evidence), *folded("All intervals, tests and comparisons", detail(evidence), evidence.slug)]


def summary(evidence: Evidence) -> list[Block]:
    """The five answers: did searches decide, which method is better, which beats random cells, collapse, rescue."""
    scores = evidence.scores()
    if scores.isna().to_numpy().all():
        return [Text(no_ranking(evidence))]
    ranked, random_tests = ranking(scores), against_random(evidence)
    planned, tests = planned_comparisons(scores), comparisons(scores)
    fallen, decision_verdicts = verdicts(evidence.runs, evidence.curves), decisions.verdicts(evidence.decisions)
    decided = dict(zip(decision_verdicts["method"], decision_verdicts["verdict"], strict=True))
    answers = {
        "Did the searches decide?": decided_sentence(evidence.decisions) + agreeing(evidence),
        "Which method is better?": better_sentence(ranked, planned, tests) + unknown_cells(evidence),
        "Which beat a random cell?": random_sentence(random_tests),
        "Did DARTS collapse?": collapse_sentence(fallen),
        "Did operation strength rescue it?": rescue_sentence(evidence, fallen),
    }
    grid = _grid(evidence, ranked, planned, random_tests, fallen, decided)
    return [Answers(answers), Pair(_picture(evidence, scores), grid)]


def decided_sentence(decision_verdicts: pd.DataFrame) -> str:
    """Sentence on whether the searches decided, from `analysis.decisions` of every run."""
    reading = [
        str(name) for name in decision_verdicts.loc[decision_verdicts["reads_alpha"].astype(bool), "method"].unique()
    ]
    undecided_methods = undecided(decision_verdicts)
    none = [name for name in undecided_methods if name in reading]
    guessing = [name for name in undecided_methods if name not in reading]
    guess_sentence = f" The supernets of {few(guessing)} only guess." if guessing else ""
    if not reading:
        return f"No method here reads its cells from alphas.{guess_sentence}"
    noise = "ended as close to each other as noise leaves them: cells read from them are hardly a choice"
    if not none:
        return f"Yes, in every method that reads its cells from alphas ({few(reading)}).{guess_sentence}"
    if len(none) == len(reading):
        return f"No: the alphas of every method that reads its cells from them {noise}.{guess_sentence}"
    sure = [name for name in reading if name not in none]
    return (
        f"In {len(sure)} of {count_of(len(reading), 'method')} that read cells from alphas ({few(sure)}); the "
        f"alphas of {few(none)} {noise}.{guess_sentence}"
    )


def better_sentence(ranked: pd.DataFrame, planned: pd.DataFrame, tests: pd.DataFrame) -> str:
    """Sentence on which methods are better, by how much and at which p.

    From the `planned` comparisons; where those are with a control, also from `tests` of all pairs, if any of the others
    is significant. A method leads only if tests say so.
    """
    best = ranked.iloc[0]
    highest = f"{best['method']} has the highest mean, {_mean(best)}"
    if tests.empty:
        return f"{highest}; it is the only method here whose cells the table holds."
    if len(planned) == len(tests):
        return _all_pairs(ranked, tests, highest) or f"No difference is shown: {_none_significant(tests)}. {highest}."
    others = tests[(tests["a"] != CONTROL) & (tests["b"] != CONTROL)]
    among = _all_pairs(ranked, tests, highest) if (others["holm"] < LEVEL).any() else f"{highest}."
    return f"{_with_control(planned)} {among}"


def _with_control(planned: pd.DataFrame) -> str:
    """Sentence on which methods are better or worse than the control."""
    clear = planned[planned["holm"] < LEVEL]
    if clear.empty:
        return f"No method is shown to be better than {CONTROL}: {_none_significant(planned)}."
    gains, margins = clear["difference"], clear.assign(difference=clear["difference"].abs())
    sides = {"better": margins[gains > 0], "worse": margins[gains < 0]}
    clauses = [f"{side} than {CONTROL}: {few(_margins(won, 'a'))}" for side, won in sides.items() if len(won)]
    none = "" if len(sides["better"]) else f"No method is shown to be better than {CONTROL}; "
    of = f"{len(clear)} of {count_of(len(planned), 'comparison')} with {CONTROL}"
    sentence = f"{none}{'; '.join(clauses)}. {of} {_are(clear)} significant at 5 % after Holm's correction."
    return sentence[0].upper() + sentence[1:]


def _none_significant(tests: pd.DataFrame) -> str:
    """That no test is significant, and whether one could have been."""
    n, needed = int(tests["n"].max()), stats.seeds_needed(len(tests), LEVEL)
    none_could = (
        f", and none could be: {count_of(n, 'shared seed')} give {p_clause(stats.smallest_p(n))} at best, and it takes "
        f"{needed}"
        if n < needed
        else ""
    )
    smallest = f" (smallest {p_clause(float(tests['holm'].min()))})" if tests["holm"].notna().any() else ""
    of = count_of(len(tests), "paired comparison")
    return f"of {of} none is significant at 5 % after Holm's correction{smallest}{none_could}"


def _all_pairs(ranked: pd.DataFrame, tests: pd.DataFrame, highest: str) -> str:
    """Sentence on the significant ones of all pairs, and whether one method leads; empty if none is.

    `highest` states which method has the highest mean.
    """
    best = ranked.iloc[0]
    clear = _winner_first(tests[tests["holm"] < LEVEL])
    if clear.empty:
        return ""
    wins = clear.groupby("a", sort=False)
    lead = wins.get_group(best["method"]) if best["method"] in wins.groups else clear.iloc[:0]
    if len(lead) == len(ranked) - 1:
        lead_sentence = f"{best['method']} leads ({_mean(best)}): it beats {_wins(lead)}"
        others = [name for name in wins.groups if name != best["method"]]
    else:
        beaten_count = len(ranked) - 1 - len(lead)
        lead_sentence = f"No method leads: {highest}, and no test sets it above {count_of(beaten_count, 'other')}"
        others = list(wins.groups)
    rest = "; ".join(f"{name} beats {_wins(wins.get_group(name))}" for name in others[:WINNERS])
    of = f"{len(clear)} of {count_of(len(tests), 'paired comparison')}"
    significant = f"{of} {_are(clear)} significant at 5 % after Holm's correction"
    return f"{lead_sentence}{'; ' * bool(rest)}{rest}. {significant}."


def _are(rows: pd.DataFrame) -> str:
    return "is" if len(rows) == 1 else "are"


def _winner_first(tests: pd.DataFrame) -> pd.DataFrame:
    """`tests` with the better method of each pair as `a`: the better one on the seeds of both, on which they are made.

    Over all its seeds, by which pairs are ordered, it can have the lower mean.
    """
    lost = tests["difference"] < 0
    better, worse = (tests[name].mask(lost, tests[other]) for name, other in ("ab", "ba"))
    return tests.assign(a=better, b=worse, difference=tests["difference"].abs())


def _wins(won: pd.DataFrame) -> str:
    if len(won) <= 2:
        return " and ".join(_margins(won, "b"))
    low, high = won["difference"].min(), won["difference"].max()
    return f"{len(won)} methods by {number(low)} to {number(high)} points ({p_clause(won['holm'].max(), '≤')})"


def _margins(tests: pd.DataFrame, side: str) -> list[str]:
    """The method of each test in the column `side`, with the difference and p."""
    rows = zip(tests[side], tests["difference"], tests["holm"], strict=True)
    return [f"{name} by {number(difference)} points ({p_clause(holm)})" for name, difference, holm in rows]


def _mean(row: Mapping[Any, Any] | pd.Series) -> str:
    over = f" over {count_of(int(row['n']), 'seed')}" if row["n"] > 1 else ""
    return f"{number(row['mean'])} % ({_spread(row)}{over})"


def _spread(row: Mapping[Any, Any] | pd.Series) -> str:
    """The interval where it is worth printing, else the range."""
    if not interval_is_told(row):
        return f"{number(row['low'])} to {number(row['high'])}" if row["n"] > 1 else "one seed"
    return f"95 % interval {number(row['mean_low'])} to {number(row['mean_high'])}"


def collapse_sentence(fallen: pd.DataFrame) -> str:
    """Sentence on whether plain DARTS collapsed, and which other methods did."""
    by_name = fallen.set_index("method")
    others = [
        f"{row['method']} in {row['collapsed']} of {row['n']}"
        for row in fallen.to_dict("records")
        if row["collapsed"] and row["method"] != "darts"
    ]
    also = f" Collapsed to four skips or more: {few(others)} seeds." if others else " No other method did."
    if "darts" not in by_name.index:
        return f"No run of darts is here.{also if others else ' Nothing here collapsed.'}"
    row = by_name.loc["darts"]
    sentence = str(row["sentence"])
    none = sentence.startswith("did not collapse ")
    sentence = sentence.replace("did not collapse in any of", "in none of") if none else f"it {sentence}"
    lead = f"{'Yes' if row['collapsed'] else 'No'}: {sentence}."
    return lead + (also if len(fallen) > 1 else "")


def rescue_sentence(evidence: Evidence, fallen: pd.DataFrame) -> str:
    """Sentence on whether operation strength derives better cells than magnitude, on the same supernets."""
    pair = strength_pair(evidence)
    if pair is None:
        return "Nothing here was read out by operation strength beside the same supernet's largest weights."
    reading, base = pair
    scores = evidence.scores()
    both = scores[[reading, base]].dropna()
    if both.empty:
        return f"{reading} and {base} share no seed whose cells the table holds."
    gap = (both[reading] - both[base]).to_numpy(float)
    pair_test = stats.pair(both[reading].to_numpy(float), both[base].to_numpy(float), np.random.default_rng(SEED))
    row = fallen.set_index("method").loc[base]
    sentence = (
        f"{reading} is better than {base} on {int((gap > 0).sum())} of {len(gap)} shared supernets, by "
        f"{number(gap.mean())} points on average"
        + (f" ({number(gap.min())} to {number(gap.max())})" if len(gap) > 1 else "")
        + f", {p_clause(pair_test.permutation_p)}"
    )
    if pair_test.permutation_p < LEVEL:
        return f"{'Yes' if gap.mean() > 0 else 'No, it did harm'}: {sentence}."
    nothing_to_rescue = not row["collapsed"] and "nothing passes" not in row["sentence"]
    return f"{'There was no collapse to rescue' if nothing_to_rescue else 'Not shown'}: {sentence}."


def strength_pair(evidence: Evidence) -> tuple[str, str] | None:
    """A method that derives by operation strength and the one that trained its supernets; of several DARTS's."""
    own_runs = evidence.own()
    strength_runs = own_runs[
        (own_runs["selection"] == "strength") & own_runs["trains"].isin(own_runs["method"].astype(str))
    ]
    pairs = strength_runs[["method", "trains"]].astype(str).drop_duplicates().sort_values(["trains", "method"])
    ordered = sorted(pairs.itertuples(index=False, name=None), key=lambda pair: (pair[1] != "darts", pair[0] != "ostr"))
    return ordered[0] if ordered else None


def _picture(evidence: Evidence, scores: pd.DataFrame) -> FigureBlock:
    lines = reference_lines(evidence)
    info = plots.accuracy.data(scores, "", lines.get("optimum", np.nan), lines.get("random cell", np.nan))
    caption = "Test accuracy of the cells found: every seed a point, the bar their mean."
    draw = partial(figure_of, plots.accuracy.draw, info, 5.4, 0.9 + 0.232 * len(info.runs))
    return FigureBlock(f"accuracy{evidence.slug}", caption, draw)


def _grid(
    evidence: Evidence,
    ranked: pd.DataFrame,
    planned: pd.DataFrame,
    random_tests: pd.DataFrame,
    fallen: pd.DataFrame,
    decided: Mapping[str, str],
) -> TableBlock:
    own_runs = evidence.own()
    means = own_runs.groupby("method", observed=True)[["regret", "percentile"]].mean()
    data = ranked.join(means, on="method").merge(
        random_tests[["method", "gain", "p", "holm"]].rename(columns={"p": "random_p", "holm": "random_holm"}),
        on="method",
        how="left",
    )
    to_control = planned[planned["b"] == CONTROL].set_index("a")[["difference", "n", "permutation_p", "holm"]]
    data = data.join(to_control.add_prefix("control_"), on="method")
    data = data.merge(fallen[["method", "collapsed"]], on="method", how="left")
    data["searches"] = data["method"].map(decided).fillna("")
    reach = "95 % interval or range" if ranked.apply(interval_is_told, axis=1).any() else "range"
    vs_control = {f"vs {CONTROL}": _points(data["control_difference"], data["control_holm"])} if len(to_control) else {}
    grid = pd.DataFrame(
        {
            "method": data["method"],
            "seeds": data["n"].astype(str),
            "test (%)": data["mean"].map(number),
            reach: [_reach(row) for row in data.to_dict("records")],
            **vs_control,
            "vs random": _points(data["gain"], data["random_holm"]),
            "percentile": data["percentile"].map(partial(number, digits=0)),
            "collapsed": [_count(row) for row in data.to_dict("records")],
            "decided": data["searches"].replace("", "–"),
        }
    )
    grid = _with_references(evidence, grid, data["mean"], reach)
    note = f"Mean test accuracy on {evidence.dataset} after {count_of(evidence.epochs, 'epoch')} of the cells derived. "
    if vs_control:
        note += (
            f"Vs {CONTROL}: points over {CONTROL} on the seeds that both have; * significant (5 %, paired permutation "
            "test, Holm). "
        )
    note += (
        "Vs random: points over a random cell; * where random cells would hardly do so (5 %, test of the "
        "percentiles, Holm). Percentile: cells of the table that are no better. Collapsed: seeds with four skips or "
        f"more. {_decided_note(evidence.decisions)}{sample_sentence(evidence.table)}"
    )
    return TableBlock(f"ranking{evidence.slug}", f"Ranking, {evidence.name}", data, grid, note)


def _decided_note(decision_verdicts: pd.DataFrame) -> str:
    note = "Decided: whether alphas ended further apart than noise leaves them, in most seeds"
    with_alphas = decision_verdicts[decision_verdicts["verdict"].ne("")]
    names = with_alphas.loc[~with_alphas["reads_alpha"].astype(bool), "method"].unique()
    return f"{note}; the cells of {few(names)} are not read from them." if len(names) else f"{note}."


def _with_references(evidence: Evidence, grid: pd.DataFrame, means: pd.Series, reach: str) -> pd.DataFrame:
    """`grid` with the random cell and the optimum among the methods, each where its mean belongs."""
    lines, names = reference_lines(evidence), {"random cell": "a random cell", "optimum": "optimum"}
    reference_values = {names[name]: value for name, value in lines.items()}
    extra = pd.DataFrame(
        [{"method": name, "test (%)": number(value), reach: "exact"} for name, value in reference_values.items()]
    )
    values = np.concatenate([means.to_numpy(float), list(reference_values.values())])
    every = pd.concat([grid, extra], ignore_index=True).fillna("–")
    return every.iloc[np.argsort(-values, kind="stable")].reset_index(drop=True)


def _reach(row: Mapping[Any, Any]) -> str:
    if not interval_is_told(row):
        return f"{number(row['low'])}–{number(row['high'])}" if row["n"] > 1 else "–"
    return span(stats.Interval(row["mean"], row["mean_low"], row["mean_high"], 0)).partition(" ")[2]


def _points(differences: pd.Series, p_values: pd.Series) -> list[str]:
    """Differences in points with their sign, a star where the corrected p is significant; a dash for a missing one."""
    return [
        "–" if np.isnan(value) else f"{value:+.2f}" + "*" * bool(p < LEVEL)
        for value, p in zip(differences, p_values, strict=True)
    ]


def _count(row: Mapping[Any, Any]) -> str:
    return "–" if np.isnan(row["collapsed"]) else f"{int(row['collapsed'])} of {int(row['n'])}"
