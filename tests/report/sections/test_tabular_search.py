"""Searches of the table alone, as the report shows them."""

from dataclasses import replace

import numpy as np
import pytest

from benchharness.analysis.lookup import by_code
from benchharness.plots import anytime
from benchharness.plots.style import canvas
from benchharness.report import Evidence
from benchharness.report.blocks import FigureBlock, TableBlock
from benchharness.report.sections.tabular_search import SEEDS, table_searches
from benchharness.table import Table, baselines


def test_final_figures_are_those_of_the_searches(evidence: Evidence, table: Table) -> None:
    grid, picture = table_searches(evidence)
    assert isinstance(grid, TableBlock)
    assert isinstance(picture, FigureBlock)
    assert grid.data["method"].tolist() == baselines.names()
    feedback = baselines.feedback_of(table, "cifar10")
    chosen_archs = [baselines.simulate("evolution", feedback, 12_000.0, seed).chosen for seed in range(SEEDS)]
    reached = by_code(table, "cifar10", "test")[chosen_archs]
    row = grid.data.set_index("method").loc["evolution"]
    assert row["mean"] == pytest.approx(reached.mean())
    assert row["std"] == pytest.approx(reached.std(ddof=1))
    assert "12,000 s" in grid.note


def test_a_sampled_table_or_none_has_no_such_searches(evidence: Evidence, sample: Table) -> None:
    assert table_searches(replace(evidence, table=sample)) == []
    assert table_searches(replace(evidence, table=None)) == []


def test_a_band_begins_where_every_seed_has_an_answer() -> None:
    runs = np.array([[np.nan, 50.0, 60.0], [40.0, 70.0, 80.0]])
    info = anytime.data(np.array([1.0, 2.0, 3.0]), {"random-search": runs}, 90.0, "title")
    band = info.by_method["random-search"]
    assert np.isnan(band.mean[0])
    assert band.mean[1:].tolist() == [60.0, 70.0]
    assert band.low[1:] == pytest.approx([52.0, 62.0])
    assert band.high[1:] == pytest.approx([68.0, 78.0])
    ax = anytime.draw(info, canvas(4.0, 3.0, 1, 1)[1][0])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["random-search (n=2)", "optimum"]
    assert ax.get_ylim() == pytest.approx((59.5, 90.5))
