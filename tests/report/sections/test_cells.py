"""Whether the cells of a method's seeds agree."""

from dataclasses import replace

import pandas as pd
import pytest

from benchharness import report, space
from benchharness.report.blocks import TableBlock, Text, flat
from benchharness.report.sections import cells
from tests.support import report_folder

OTHER = (1, 3, 2, 0, 4, 3)


def with_cells(evidence: report.Evidence, method: str, archs: list[tuple[int, ...]]) -> report.Evidence:
    """`evidence` with other cells in the seeds of `method`."""
    long = evidence.long.copy()
    for seed, arch in enumerate(archs):
        long.loc[(long["method"] == method) & (long["seed"] == seed), "arch"] = space.to_string(arch)
    return replace(evidence, long=long)


def test_seeds_with_one_cell_agree_and_random_cells_are_left_out(evidence: report.Evidence) -> None:
    agreements = cells.seed_agreements(evidence).set_index("method")
    assert agreements["share"].to_dict() == pytest.approx({"darts": 100, "ostr": 100 * 16 / 18}), "one edge of one seed"
    assert (agreements["holm"] < 0.001).all()
    text, *blocks = flat(cells.cells(evidence))
    assert isinstance(text, Text)
    sentence = "Two seeds of darts have the same operation on 100 % of edges, of ostr on 89 %, random cells on 20 %."
    assert text.text.endswith(sentence)
    grid = next(block for block in blocks if isinstance(block, TableBlock) and block.name == "seed-agreement")
    assert grid.data["n"].tolist() == [3, 3]


def test_one_seed_of_each_method_agrees_with_none(evidence: report.Evidence) -> None:
    alone = replace(evidence, long=evidence.long[evidence.long["seed"] == 0])
    text, *blocks = flat(cells.cells(alone))
    assert isinstance(text, Text)
    assert text.text.endswith("runs.")
    assert not any(isinstance(block, TableBlock) and block.name == "seed-agreement" for block in blocks)


def test_the_share_is_that_of_pairs_of_seeds(evidence: report.Evidence) -> None:
    archs = [report_folder.ALL_SKIP, report_folder.ALL_SKIP, OTHER]
    agreements = cells.seed_agreements(with_cells(evidence, "darts", archs)).set_index("method")
    equal = sum(op == 1 for op in OTHER)
    assert agreements.loc["darts", "share"] == pytest.approx(100 * (6 + 2 * equal) / 18)


def test_where_none_is_no_candidate_random_cells_agree_more_often(evidence: report.Evidence) -> None:
    specs = [{**spec, "selection_options": {"none": False}} for spec in evidence.long["spec"]]
    without = cells.seed_agreements(replace(evidence, long=evidence.long.assign(spec=specs)))
    assert set(cells.seed_agreements(evidence)["chance"]) == {20.0}
    assert set(without["chance"]) == {25.0}
    assert set(without["share"]) == set(cells.seed_agreements(evidence)["share"])


@pytest.mark.parametrize(
    ("methods", "told"),
    [(["darts"], "darts (100 %); p<0.001"), (["darts", "ostr"], "darts (100 %) and ostr (89 %); p<0.001")],
)
def test_undecided_searches_whose_seeds_agree_are_told_as_such(
    evidence: report.Evidence, methods: list[str], told: str
) -> None:
    undecided = evidence.decisions.assign(verdict="undecided", decision=None)
    rows = [{"method": name, "verdict": "undecided", "sentence": "", "ranks": False} for name in methods]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchharness.analysis.decisions.verdicts", lambda _: pd.DataFrame(rows))
        sentence = cells.agreeing(replace(evidence, decisions=undecided))
    assert sentence == (
        " Yet small leads are no mere noise where two seeds have the same operation on more edges than random cells "
        f"(20 %): {told}, Holm."
    )
    assert cells.agreeing(evidence) == "", "they decided"
