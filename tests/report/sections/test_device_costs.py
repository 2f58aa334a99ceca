"""Accuracy against latency and energy: only where such data are, and only of values that are not odd."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import plots, report, space, stats
from benchharness.analysis import export
from benchharness.plots.style import canvas
from benchharness.report.blocks import FigureBlock, TableBlock, flat
from benchharness.report.sections.costs import costs
from benchharness.report.sections.device_costs import device_costs, representative
from benchharness.report.sections.size_baseline import size
from benchharness.table import Cost, Metric, Table
from benchharness.table.costs import Measure
from tests.support import report_folder


def cost(name: str, values: np.ndarray, measure: Measure = Measure("latency", "ms"), source: str = "a.csv") -> Cost:  # noqa: B008
    return Cost(name, measure, source, values)


@pytest.fixture(scope="module")
def priced(table: Table) -> Table:
    """A millisecond a weight of the cell, one odd value among them; an energy; the same energy with many odd ones."""
    slow = 1 + np.asarray(space.params_m(table.ops))
    outliers, worse = slow.copy(), slow.copy()
    outliers[space.indices()[space.to_code(report_folder.ALL_SKIP)]] = 0
    worse[:3000] = -1
    energy = Measure("energy", "mJ")
    costs = [cost("slow_ms", outliers), cost("worse_ms", worse), cost("board_mj", 2 * slow, energy)]
    return replace(table, measured_costs=lambda: {cost_column.name: cost_column for cost_column in costs})


def test_figure_and_tables_are_there_and_right(suite: Path, priced: Table, table: Table) -> None:
    evidence = report.gather(suite, priced)[1][0]
    blocks = list(flat(device_costs(evidence)))
    pictures = [block.name for block in blocks if isinstance(block, FigureBlock)]
    assert pictures == [
        f"pareto-slow-ms{evidence.slug}".replace("slow-ms", "slow_ms"),
        f"pareto-board_mj{evidence.slug}",
    ]
    methods, front = (block for block in blocks if isinstance(block, TableBlock))
    accuracies = table.means[Metric(evidence.dataset, "test", 200)]
    front_rows = stats.front(priced.costs["slow_ms"].values, accuracies)
    slow_front = front.data[front.data["cost"] == "slow_ms"]
    assert slow_front["index"].tolist() == front_rows.tolist()
    assert slow_front["test"].to_numpy() == pytest.approx(accuracies[front_rows])
    assert set(methods.data["cost"]) == {"slow_ms", "worse_ms", "board_mj"}
    runs = evidence.own().dropna(subset=["test"])
    skips = space.to_string(report_folder.ALL_SKIP)
    for row in methods.data[methods.data["cost"] == "slow_ms"].itertuples():
        mine = runs[runs["method"] == row.method]
        assert row.odd_or_missing == (mine["arch"] == skips).sum(), "odd values are counted and not used"
        assert row.cells == len(mine) - row.odd_or_missing
    assert (methods.data["odd_or_missing"] > 0).any()
    assert (methods.data["excess"].dropna() >= 1).all()
    assert any("Accuracy against latency and energy" in str(block) for block in costs(evidence))


def test_without_such_data_nothing_is_said(suite: Path, evidence: report.Evidence) -> None:
    assert device_costs(evidence) == []


def test_of_a_file_the_cost_with_fewest_odd_values_is_drawn(priced: Table) -> None:
    other = cost("board_ms", np.ones(space.SIZE), source="b.csv")
    names = [cost_column.name for cost_column in representative([*priced.costs.values(), other])]
    assert names == ["board_ms", "slow_ms", "board_mj"]


def test_runs_below_the_axis_are_marked_at_its_edge() -> None:
    costs, accuracies = np.arange(1.0, 101), np.arange(1.0, 101)
    runs = pd.DataFrame({"method": ["darts", "darts"], "cost": [50.0, 60.0], "test": [3.0, 60.0]})
    info = plots.pareto.data(runs, costs, accuracies, "ms")
    assert info.front_costs.tolist() == costs.tolist()
    ax = plots.pareto.draw(info, canvas(4, 3)[1][0])
    marks = np.asarray(ax.collections[-1].get_offsets())
    assert marks[:, 1].tolist() == [ax.get_ylim()[0], 60.0]


def test_exports_have_a_column_a_cost_and_name_the_odd_ones(suite: Path, priced: Table, tmp_path: Path) -> None:
    export.write_runs(suite, tmp_path / "runs.csv", priced)
    frame = pd.read_csv(tmp_path / "runs.csv", dtype={"odd_costs": str})
    done_runs = frame.dropna(subset=["arch"])
    is_odd = done_runs["arch"] == space.to_string(report_folder.ALL_SKIP)
    assert is_odd.any()
    assert done_runs.loc[is_odd, "cost_slow_ms"].isna().all()
    assert done_runs.loc[is_odd, "odd_costs"].str.contains("slow_ms").all()
    good = done_runs[~is_odd].iloc[0]
    index = space.indices()[space.to_code(space.from_string(good["arch"]))]
    assert good["cost_slow_ms"] == pytest.approx(priced.costs["slow_ms"].stated[index])
    assert frame.loc[frame["arch"].isna(), "cost_slow_ms"].isna().all()


def test_exports_are_as_before_without_costs(suite: Path, table: Table, tmp_path: Path) -> None:
    export.write_runs(suite, tmp_path / "runs.csv", table)
    assert list(pd.read_csv(tmp_path / "runs.csv")) == list(export.COLUMNS)


def test_size_alone_is_the_largest_of_a_hundred(evidence: report.Evidence, table: Table) -> None:
    (grid,) = size(evidence, table)
    assert isinstance(grid, TableBlock)
    accuracies = table.means[Metric(evidence.dataset, "test", 200)]
    params, largest = space.params_m(table.ops), []
    generator = np.random.default_rng(0)
    for _ in range(4000):
        cells = generator.integers(0, space.SIZE, 100)
        largest.append(accuracies[cells[np.argmax(params[cells])]])
    row = grid.data.set_index("method").loc["proxy:params"]
    assert row["mean"] == pytest.approx(np.mean(largest), abs=0.3)
    assert row["largest"] == pytest.approx(accuracies[params == params.max()].mean())
    assert row["tau"] == pytest.approx(stats.tau(params, accuracies))
