"""What each figure's `data` computes, and that `draw` puts it onto the axes."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from benchharness import plots, stats
from benchharness.plots.style import MANY, canvas, figure_of, looks, panels, save_figure
from benchharness.space import CONV3, SKIP

SCORES = pd.DataFrame({"darts": [54.3, 54.3, 54.3], "ostr": [94.0, 93.0, np.nan], "snas": [np.nan] * 3})


def axes(number: int = 1) -> list[plots.style.Axes]:
    return canvas(4.0, 3.0, 1, number)[1]


def test_accuracy_orders_by_mean_and_keeps_equal_seeds_apart() -> None:
    info = plots.accuracy.data(SCORES, "title", optimum=94.37)
    assert list(info.runs) == ["ostr", "darts"]
    assert info.means["ostr"] == stats.mean_interval(np.array([94.0, 93.0]))
    ax = plots.accuracy.draw(info, axes()[0])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["ostr (n=2)", "darts (n=3)"]
    collapsed = np.asarray(ax.collections[1].get_offsets())
    assert len(np.unique(collapsed[:, 1])) == 3
    assert to_hex(ax.collections[1].get_facecolor()[0]) == looks(["darts"])["darts"].colour.lower()
    everyone = plots.accuracy.data(SCORES[["darts"]])
    assert [tick.get_text() for tick in plots.accuracy.draw(everyone, axes()[0]).get_yticklabels()] == ["darts"]


def test_accuracies_far_apart_are_drawn_by_their_distance_to_the_optimum() -> None:
    """One dead cell would press all others into a corner; the lines of optimum and random cell are there."""
    near_ax = plots.accuracy.draw(plots.accuracy.data(SCORES[["ostr"]], "", 94.37, 87.06), axes()[0])
    far_ax = plots.accuracy.draw(plots.accuracy.data(SCORES, "", 94.37, 87.06), axes()[0])
    assert (near_ax.get_xscale(), far_ax.get_xscale()) == ("linear", "function")
    assert {text.get_text().strip() for text in far_ax.texts} == {"optimum", "random cell"}
    x = far_ax.transData.transform([(value, 0) for value in (54.3, 87.06, 94.0, 94.37)])[:, 0]
    assert (np.diff(x) > 0).all()
    assert x[2] - x[1] > x[1] - x[0], "what lies near the optimum has most room"
    far_ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in far_ax.get_xticklabels()]
    assert len(boxes) > 3
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


@pytest.mark.parametrize(("runs", "image"), [(MANY - 1, False), (MANY, True)])
def test_marks_by_the_hundred_are_an_image_in_the_svg_and_few_are_not(tmp_path: Path, runs: int, image: bool) -> None:
    scores = pd.DataFrame({"darts": np.linspace(80, 94, runs)})
    cost = pd.DataFrame({"method": "darts", "search_seconds": 10.0, "test": scores["darts"]})
    table = np.linspace(10, 94, 50)
    for draw, info in (
        (plots.accuracy.draw, plots.accuracy.data(scores)),
        (plots.cost.draw, plots.cost.data(cost)),
        (plots.distribution.draw, plots.distribution.data(scores, table)),
    ):
        save_figure(figure_of(draw, info), tmp_path / "figure")
        text = (tmp_path / "figure.svg").read_text()
        assert ("<image" in text) == image
        assert ">test accuracy" in text, "what is written stays text"
        if image:
            assert len(text) < 120_000


def test_accuracy_of_a_method_sticks_to_its_colour_whatever_is_missing() -> None:
    some = plots.accuracy.data(SCORES[["ostr", "darts"]])
    every = plots.accuracy.data(SCORES)
    assert looks(every.methods)["ostr"] == looks(some.methods)["ostr"]


def test_epochs_average_over_seeds_with_their_reach() -> None:
    frame = pd.DataFrame(
        {
            "method": ["darts"] * 4 + ["snas"] * 2,
            "run_id": ["a", "a", "b", "b", "c", "c"],
            "epoch": [1, 2, 1, 2, 1, 2],
            "skips": [0, 2, 2, 6, 1, 1],
            "eigenvalue": [np.nan, 0.5, np.nan, 0.7, np.nan, np.nan],
        }
    )
    info = plots.search_curves.data(frame, "skips")
    assert info.by_method["darts"].runs.tolist() == [[0, 2], [2, 6]]
    assert info.by_method["snas"].runs.tolist() == [[1, 1]]
    assert list(plots.search_curves.data(frame, "eigenvalue").by_method) == ["darts"]
    panels = plots.search_curves.figure(info).axes
    assert [ax.get_title() for ax in panels] == ["darts", "snas"]
    assert panels[0].get_ylim()[1] > 6


def test_every_median_over_epochs_is_over_the_same_runs() -> None:
    frame = pd.DataFrame(
        {
            "method": ["darts"] * 9,
            "run_id": list("aaabbbccc"),
            "epoch": [1, 2, 3] * 3,
            "test": [10.0, np.nan, 90.0, 20.0, 30.0, 80.0, np.nan, np.nan, np.nan],
        }
    )
    curve = plots.search_curves.data(frame, "test").by_method["darts"]
    assert curve.epochs.tolist() == [1, 3]
    assert curve.runs.tolist() == [[10, 90], [20, 80]]
    diverging = frame.assign(test=[10.0, np.nan, np.nan, np.nan, 30.0, np.nan, np.nan, np.nan, 50.0])
    assert not plots.search_curves.data(diverging, "test").by_method


def test_alphas_are_cut_to_the_shortest_run_and_averaged() -> None:
    short, long = np.full((2, 6, 5), 0.2), np.full((3, 6, 5), 0.4)
    long[..., 0] = 0.8
    info = plots.edge_weights.data([short, long])
    assert info.weights.shape == (2, 6, 5)
    assert info.weights[..., 0] == pytest.approx(np.full((2, 6), (0.2 + 1 / 3) / 2))
    assert info.weights.sum(-1) == pytest.approx(np.ones((2, 6))), "as a scaled edge's do too"
    panel = plots.edge_weights.figure([info]).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()][:2] == ["1<-0", "2<-0"]


def test_scores_are_standardised_within_each_edge_and_dead_edges_counted() -> None:
    scores = np.arange(30.0).reshape(6, 5)
    dead = scores.copy()
    dead[5] = np.nan
    info = plots.operation_scores.data({"strength": [scores, dead], "magnitude": [np.ones((6, 5))]}, 10 * scores)
    assert info.criteria["strength"][0] == pytest.approx(info.truth)
    assert info.truth.mean(-1) == pytest.approx(np.zeros(6))
    assert info.truth.std(-1) == pytest.approx(np.ones(6))
    assert info.criteria["magnitude"] == pytest.approx(np.zeros((1, 6, 5))), "all operations tie"
    panels = plots.operation_scores.draw(info, axes(6))
    assert [ax.get_title() for ax in panels][4:] == ["edge 3<-1", "edge 3<-2 (dead 1x)"]


def test_taus_are_methods_by_kinds_with_the_null_as_a_line() -> None:
    rows = pd.DataFrame(
        {
            "method": ["ostr", "ostr", "ostr", "ostr"],
            "kind": ["a", "b mean", "b mean", "b mean"],
            "criterion": ["strength", "strength", "magnitude", "parameter count"],
            "tau": [0.1, 0.3, -0.2, 0.84],
            "low": [0.0, 0.2, np.nan, 0.84],
            "high": [0.2, 0.4, np.nan, 0.84],
            "n": 3,
        }
    )
    info = plots.rank_correlation.data(rows)
    assert info.kinds == ["a", "b mean"]
    assert info.by_kind["b mean"]["ostr"]["strength"] == stats.Interval(0.3, 0.2, 0.4, 3)
    panels = plots.rank_correlation.draw(info, axes(2))
    labelled = {line.get_label(): line for line in panels[1].lines}
    assert labelled["parameter count"].get_xdata() == pytest.approx([0.84, 0.84])
    assert labelled["strength"].get_xdata() == pytest.approx([0.3])


def curves(methods: int, runs: int = 3) -> pd.DataFrame:
    rows = [
        (f"m{method:02}", f"{method}-{run}", epoch, run + epoch % 3, 50.0 + method, 1.6)
        for method in range(methods)
        for run in range(runs)
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["method", "run_id", "epoch", "skips", "test", "entropy"]).assign(
        parameter_free=lambda frame: frame["skips"]
    )


def test_twenty_methods_are_a_panel_each_with_the_others_grey_behind() -> None:
    info = plots.search_curves.data(curves(20), "test", "", {"random cell": 87.06})
    figure = plots.search_curves.figure(info)
    panels = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == [f"m{number:02}" for number in range(20)]
    for ax in panels:
        colours = [to_hex(line.get_color()) for line in ax.lines]
        assert colours.count("#bbbbbb") == 19
        assert len(set(colours)) == 3, "its own colour, grey, and the line to compare with"
    assert not figure.legends


def test_the_collapse_figure_has_seeds_thin_median_thick_and_the_published_search_last() -> None:
    own_curves, published_curves = curves(3), curves(1, 1).assign(method="published", run_id="p")
    info = plots.collapse.data(own_curves, ["m02", "m00"], published_curves, {"test": {"optimum": 94.37}})
    assert info.columns == ["m02", "m00", "published"]
    figure = plots.collapse.figure(info)
    assert len(figure.axes) == 12
    widths = [line.get_linewidth() for line in figure.axes[0].lines]
    assert widths == [0.7, 0.7, 0.7, 2]
    assert [ax.get_title() for ax in figure.axes[:3]] == info.columns


def test_ranks_join_neighbours_that_no_test_tells_apart() -> None:
    scores = pd.DataFrame({"a": [94.0, 93.9, 93.8], "b": [93.0, 93.5, 93.2], "c": [50.0, 51.0, 50.5]})
    comparisons = pd.DataFrame({"a": ["a", "a", "b"], "b": ["b", "c", "c"], "holm": [0.4, 0.01, 0.2]})
    info = plots.ranks.data(scores, comparisons)
    assert (info.methods, info.mean_ranks, info.seeds) == (["a", "b", "c"], [1, 2, 3], 3)
    assert info.groups == [(0, 1), (1, 2)]
    assert "p=0.050" in info.friedman_in_words()
    ax = plots.ranks.draw(info, axes()[0])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b", "c"]


def test_nothing_of_a_figure_is_cut_off(tmp_path: Path) -> None:
    """Twenty names beside a small figure: the file is as large as they need."""
    runs = pd.DataFrame({"method": [f"method-{n:02}" for n in range(20)], "search_seconds": 60.0, "test": 90.0})
    figure = figure_of(plots.cost.draw, plots.cost.data(runs), 3.0, 4.0)
    figure.set_layout_engine("none")  # as where there is no room for all
    save_figure(figure, tmp_path / "cost")
    text = (tmp_path / "cost.svg").read_text()
    assert all(f">method-{n:02}<" in text for n in range(20))
    width = float(re.search(r'width="([0-9.]+)pt"', text).group(1))  # type: ignore[union-attr]
    assert width > 3.2 * 72, "wider than asked for, since the legend stands beside it"
    assert (tmp_path / "cost.pdf").read_bytes().startswith(b"%PDF")


def test_improvement_is_a_matrix_that_adds_up_to_one() -> None:
    info = plots.win_probability.data(SCORES)
    assert info.methods == ["ostr", "darts"]
    assert info.probability == pytest.approx(np.array([[np.nan, 1], [0, np.nan]]), nan_ok=True)
    ax = plots.win_probability.draw(info, axes()[0])
    assert sorted(text.get_text() for text in ax.texts) == ["0.00", "1.00"]


def test_profile_steps_down_at_the_accuracies_of_the_runs() -> None:
    info = plots.performance_profile.data(SCORES, np.random.default_rng(0))
    assert set(info.steps) == {"darts", "ostr"}
    assert info.ends[0] < 54.3 < 94 < info.ends[1]
    for name, (accuracies, share, low, high) in info.steps.items():
        runs = SCORES[name].dropna().to_numpy()
        assert accuracies.tolist() == [info.ends[0], *np.unique(runs), info.ends[1]]
        assert share.tolist() == [(runs >= accuracy).mean() for accuracy in accuracies]
        assert (share[0], share[-1]) == (1, 0)
        assert (low <= share).all()
        assert (share <= high).all()
    assert [ax.get_title() for ax in plots.performance_profile.figure(info).axes] == ["darts", "ostr"]


def test_profile_of_many_runs_has_few_steps() -> None:
    scores = pd.DataFrame({"random": np.random.default_rng(0).uniform(10, 94, 5000)})
    accuracies, share, _, _ = plots.performance_profile.data(scores, np.random.default_rng(0)).steps["random"]
    assert accuracies.size == plots.performance_profile.STEPS + 2
    assert share[1:-1] == pytest.approx((94 - accuracies[1:-1]) / 84, abs=0.02)


def test_distribution_puts_cells_where_they_rank() -> None:
    info = plots.distribution.data(SCORES, np.array([10.0, 54.3, 90.0, 94.0, np.nan]))
    assert info.table == pytest.approx([10, 54.3, 90, 94])
    ax = plots.distribution.draw(info, axes()[0])
    ostr, darts = (np.asarray(row.get_offsets())[:, 0] for row in ax.collections[:2])
    assert darts == pytest.approx([50, 50, 50])
    assert ostr == pytest.approx([100, 75])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["ostr", "darts"]


def test_cell_names_every_operation() -> None:
    arch = (CONV3, SKIP, 0, 4, 2, SKIP)
    ax = plots.cell.draw(plots.cell.data(arch, "best"), axes()[0])
    labels = [text.get_text() for text in ax.texts]
    assert labels[:6] == ["conv 3x3", "skip", "none", "avg pool", "conv 1x1", "skip"]
    assert labels[6:] == ["in", "1", "2", "out"]
    assert len(ax.patches) == 6


def test_cost_leaves_out_runs_without_a_figure() -> None:
    runs = pd.DataFrame(
        {"method": ["darts", "darts", "snas"], "search_seconds": [60.0, np.nan, 80], "test": [54.3, 54.3, np.nan]}
    )
    info = plots.cost.data(runs)
    assert len(info.runs) == 1
    assert info.methods == ["darts", "snas"]
    ax = plots.cost.draw(info, axes()[0])
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()
    assert all("$" not in tick.get_text() for tick in ax.get_xticklabels())
    assert np.asarray(ax.collections[0].get_offsets()).tolist() == [[60.0, 54.3]]


def test_long_titles_of_cells_side_by_side_do_not_overlap() -> None:
    title = ", ".join(f"ostr:metric=accuracy:order=margin{number} x{number}" for number in range(3))
    figure = panels(plots.cell.draw, [plots.cell.data((3, 0, 2, 1, 4, 3), title)] * 3, 3, (3.5, 2.5))
    figure.canvas.draw()
    boxes = [ax.title.get_window_extent() for ax in figure.axes]
    assert all(not a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    lines = figure.axes[0].get_title().split("\n")
    assert [line.rstrip(",").partition("\N{NO-BREAK SPACE}")[2] for line in lines] == ["x0", "x1", "x2"]
