"""The first screen: five questions, each answered in words that the numbers bear out."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import report, stats
from benchharness.report.blocks import Answers, Pair
from benchharness.report.sections import random_baseline, summary
from benchharness.report.sections.ranking import interval_is_told, planned_comparisons, ranking
from benchharness.table import Table
from tests.support import report_folder

THREE = pd.DataFrame({"good": [94.0, 93.5, 93.8], "bad": [54.3, 54.3, 54.3]})
QUESTIONS = [
    *("Did the searches decide?", "Which method is better?", "Which beat a random cell?", "Did DARTS collapse?"),
    "Did operation strength rescue it?",
]


def better(scores: pd.DataFrame) -> str:
    return summary.better_sentence(report.ranking(scores), planned_comparisons(scores), report.comparisons(scores))


def answers(results: Path, table: Table | None) -> dict[str, str]:
    (evidence,) = report.gather(results, table)[1]
    (answer_block,) = [block for block in summary.summary(evidence) if isinstance(block, Answers)]
    return answer_block.answers


def test_three_seeds_can_never_be_significant_and_the_answer_says_so() -> None:
    assert better(THREE) == (
        "No difference is shown: of 1 paired comparison none is significant at 5 % after Holm's correction (smallest "
        "p=0.250), and none could be: 3 shared seeds give p=0.250 at best, and it takes 6. good has the highest "
        "mean, 93.77 % (93.50 to 94.00 over 3 seeds)."
    )


def test_methods_without_a_shared_seed_have_no_p() -> None:
    assert "after Holm's correction, and none could be: 0 shared seeds" in better(
        pd.DataFrame({"darts": [90.0, np.nan], "ostr": [np.nan, 91.0]})
    )


def test_a_method_leads_only_where_tests_say_so() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(94, 0.1, 10)
    scores = pd.DataFrame({"good": good, "same": good + rng.normal(0, 0.01, 10), "bad": good - 1})
    assert "No method leads: " in better(scores)
    assert "no test sets it above 1 other" in better(scores)
    assert "good beats bad by 1.00 points (p=0.006)" in better(scores)
    assert "2 of 3 paired comparisons are significant at 5 %" in better(scores)
    assert "95 % interval" in better(scores), "ten seeds allow one"
    without_ties = better(scores.assign(same=good - 0.5))
    assert without_ties.startswith("good leads (")
    assert "it beats same by 0.50 points (p=0.006) and bad by 1.00 points (p=0.006)" in without_ties


def test_who_is_better_on_shared_seeds_beats_a_method_with_the_higher_mean() -> None:
    """`lucky` has six seeds more than the others, on which every cell is good."""
    lower = np.linspace(80, 81, 10)
    scores = pd.DataFrame({"lucky": [*lower, *[95.0] * 6], "sure": [*(lower + 1), *[np.nan] * 6]})
    assert scores["lucky"].mean() > scores["sure"].mean()
    sentence = better(scores)
    assert sentence.startswith("No method leads: lucky has the highest mean, ")
    assert "no test sets it above 1 other; sure beats lucky by 1.00 points (p=0.002). " in sentence
    assert "1 of 1 paired comparison is significant" in sentence


def many(rng: np.random.Generator) -> pd.DataFrame:
    """Ten seeds of `darts` and nine methods as good as it."""
    return pd.DataFrame({name: rng.normal(90, 1, 10) for name in ("darts", *map(str, range(9)))})


def test_with_darts_among_many_methods_a_better_one_can_be_shown() -> None:
    """Among 55 pairs ten seeds could show nothing: their smallest p is 0.002."""
    scores = many(np.random.default_rng(0)).assign(mine=lambda frame: frame["darts"] + np.linspace(1, 2, 10))
    assert stats.smallest_p(10) * len(report.comparisons(scores)) > 0.05
    assert better(scores).startswith(
        "Better than darts: mine by 1.50 points (p=0.020). 1 of 10 comparisons with darts is significant at 5 % after "
        "Holm's correction. mine has the highest mean, "
    )


def test_a_worse_method_is_told_as_such() -> None:
    scores = many(np.random.default_rng(0)).assign(mine=lambda frame: frame["darts"] - np.linspace(1, 2, 10))
    assert better(scores).startswith(
        "No method is shown to be better than darts; worse than darts: mine by 1.50 points (p=0.020). 1 of 10 "
    )


def test_of_equal_methods_none_is_shown_to_be_better_than_darts() -> None:
    sentence = better(many(np.random.default_rng(0)))
    assert sentence.startswith(
        "No method is shown to be better than darts: of 9 paired comparisons none is significant"
    )
    assert "could be" not in sentence, "ten seeds would do"


def test_all_pairs_speak_where_others_than_darts_differ() -> None:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"darts": rng.normal(90, 1, 13)}).assign(
        good=lambda frame: frame["darts"] + rng.normal(3, 0.1, 13), bad=lambda frame: frame["darts"] - 1
    )
    sentence = better(scores)
    assert "2 of 2 comparisons with darts are significant" in sentence
    assert "good leads (" in sentence


def test_the_ranking_holds_differences_from_darts(evidence: report.Evidence) -> None:
    (pair,) = [block for block in summary.summary(evidence) if isinstance(block, Pair)]
    rows, scores = pair.grid.shown.set_index("method"), evidence.scores()
    assert rows.loc["ostr", "vs darts"] == f"{(scores['ostr'] - scores['darts']).mean():+.2f}"
    assert set(rows.loc[["darts", "optimum", "a random cell"], "vs darts"]) == {"–"}


def test_the_ranking_tells_whose_cells_do_not_depend_on_a_decision(evidence: report.Evidence) -> None:
    (pair,) = [block for block in summary.summary(evidence) if isinstance(block, Pair)]
    assert "noise leaves them, in most seeds; the cells of ostr are not read from them." in pair.grid.note
    alone = replace(evidence, long=evidence.long[evidence.long["method"] == "darts"])
    alone = replace(alone, decisions=evidence.decisions[evidence.decisions["method"] == "darts"])
    (pair,) = [block for block in summary.summary(alone) if isinstance(block, Pair)]
    assert "noise leaves them, in most seeds." in pair.grid.note


def test_equal_methods_with_enough_seeds_are_not_excused() -> None:
    scores = pd.DataFrame({"one": [54.3] * 10, "two": [54.3] * 10})
    assert "none is significant" in better(scores)
    assert "could be" not in better(scores)


def test_one_method_alone_is_compared_with_nothing() -> None:
    assert "only method" in better(THREE[["good"]])
    assert "one seed" in better(THREE[["good"]].head(1))


def test_no_headline_holds_what_is_impossible(tmp_path: Path, table: Table) -> None:
    """Two cells far apart have a t interval that reaches past 100 %; of few seeds the range is told."""
    for seed, arch in ((0, report_folder.GOOD), (1, (0,) * 6), (2, report_folder.GOOD)):
        report_folder.add(tmp_path / "s", report_folder.spec("darts", seed), arch)
    (evidence,) = report.gather(tmp_path / "s", table)[1]
    assert report.ranking(evidence.scores())["mean_high"].iloc[0] > 100
    (pair,) = [block for block in summary.summary(evidence) if isinstance(block, Pair)]
    rows = pair.grid.shown.set_index("method")
    low, high = evidence.scores()["darts"].min(), evidence.scores()["darts"].max()
    assert rows.loc["darts", "range"] == f"{low:.2f}–{high:.2f}"
    numbers = " ".join(rows.astype(str).to_numpy().ravel()).replace("–", " ").split()
    assert all(float(word) <= 100 for word in numbers if word.replace(".", "").isdigit())


def test_of_many_seeds_too_an_impossible_interval_is_no_headline() -> None:
    """Eight good cells and two that let nothing through: the t interval of the mean ends at 102.5 %."""
    ranked = ranking(pd.DataFrame({"broken": [94.0] * 8 + [10.0] * 2, "good": [93.0, 94.0] * 5}))
    assert ranked["mean_high"].max() > 102
    assert dict(zip(ranked["method"], ranked.apply(interval_is_told, axis=1), strict=True)) == {
        "good": True,
        "broken": False,
    }
    assert [summary._reach(row) for row in ranked.to_dict("records")] == ["[93.12, 93.88]", "10.00–94.00"]
    assert "10.00 to 94.00" in summary._mean(ranked.iloc[1])


def test_the_random_cell_and_the_optimum_stand_in_the_ranking(evidence: report.Evidence) -> None:
    (pair,) = [block for block in summary.summary(evidence) if isinstance(block, Pair)]
    rows = pair.grid.shown
    assert rows["method"].iloc[0] == "optimum"
    values = rows["test (%)"].astype(float)
    assert (values.diff().dropna() <= 0).all()
    column = report.by_code(evidence.table, "cifar10", "test")
    assert rows.set_index("method").loc["a random cell", "test (%)"] == f"{column.mean():.2f}"


def test_against_random_cells_even_three_seeds_have_power(evidence: report.Evidence) -> None:
    tests = random_baseline.against_random(evidence).set_index("method")
    assert set(tests.index) == {"darts", "ostr"}, "random cells are not held against themselves"
    column = np.sort(report.by_code(evidence.table, "cifar10", "test"))
    own_runs = evidence.own()
    accuracies = own_runs.loc[own_runs["method"] == "ostr", "test"].to_numpy(float)
    assert tests.loc["ostr", "p"] == pytest.approx(stats.random_percentile_p(accuracies, column))
    sentence = random_baseline.random_sentence(tests.reset_index())
    assert "1 of 2 methods is better: ostr (p" in sentence
    assert "is worse: darts (p" in sentence


def test_the_five_answers_of_a_collapse_that_strength_undoes(suite: Path, table: Table) -> None:
    sentences = answers(suite, table)
    assert list(sentences) == QUESTIONS
    assert sentences["Did DARTS collapse?"] == (
        "Yes: it collapsed to all-skip in 3 of 3 seeds, from epoch 1. No other method did."
    )
    assert "ostr is better than darts on 3 of 3 shared supernets" in sentences["Did operation strength rescue it?"]
    assert sentences["Did operation strength rescue it?"].startswith("Not shown: "), "three seeds cannot show it"


def test_what_a_folder_cannot_answer_is_said(tmp_path: Path, table: Table) -> None:
    for seed in range(3):
        report_folder.add(tmp_path / "s", report_folder.spec("snas", seed), report_folder.GOOD)
    sentences = answers(tmp_path / "s", table)
    assert sentences["Did DARTS collapse?"] == "No run of darts is here. Nothing here collapsed."
    assert sentences["Did operation strength rescue it?"].startswith("Nothing here was read out by operation strength")


class Page(HTMLParser):
    """What stands before the second section of a report, outside of anything folded."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.images = self.rows = self.folds = 0
        self.over = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.over |= tag == "section" and dict(attrs).get("id") == "part-2"
        self.folds += tag == "details"
        if not self.over and not self.folds:
            self.images += tag == "img"
            self.rows += tag == "tr"

    def handle_endtag(self, tag: str) -> None:
        self.folds -= tag == "details"

    def handle_data(self, data: str) -> None:
        if not self.over and not self.folds:
            self.words += data.split()


def test_the_stop_watch(report_path: Path) -> None:
    """The five answers, one figure and one ranked table come first, unfolded, and few words stand before them.

    At 1280x800 a line of the page holds some 190 letters and a row of the table is 20 pixels high; what the first
    screen holds was looked at in a browser.
    """
    page = Page()
    page.feed((report_path / "report.html").read_text())
    text = " ".join(word for word in page.words)
    body = text[text.index("Missing or failed") :]
    positions = [body.index(question) for question in QUESTIONS]
    assert positions == sorted(positions)
    assert body.index("Ranking") > positions[-1]
    assert (page.images, page.rows) == (1, 1 + 3 + 2), "heading, methods, random cell and optimum"
    assert len(body[: body.index("Ranking")]) < 190 * 10, "ten lines of answers at most"
