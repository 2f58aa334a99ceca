"""What each figure's `data` computes, and that `draw` puts it onto the axes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from benchharness import plots, stats
from benchharness.plots.style import MANY, canvas, drawn, looks, save
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
        save(drawn(draw, info), tmp_path / "figure")
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
    assert info.by_method["darts"].mean == pytest.approx([1, 4])
    assert info.by_method["darts"].high == pytest.approx([1.8, 5.6])
    assert (info.by_method["darts"].n, info.by_method["snas"].n) == (2, 1)
    assert list(plots.search_curves.data(frame, "eigenvalue").by_method) == ["darts"]
    ax = plots.search_curves.draw(info, axes()[0])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["darts (n=2)", "snas (n=1)"]
    assert ax.get_ylim()[1] > 6


def test_every_mean_over_epochs_is_over_the_same_runs() -> None:
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
    assert curve.mean == pytest.approx([15, 85])
    assert curve.n == 2
    apart = frame.assign(test=[10.0, np.nan, np.nan, np.nan, 30.0, np.nan, np.nan, np.nan, 50.0])
    assert not plots.search_curves.data(apart, "test").by_method


def test_alphas_are_cut_to_the_shortest_run_and_averaged() -> None:
    short, long = np.full((2, 6, 5), 0.2), np.full((3, 6, 5), 0.4)
    info = plots.edge_weights.data([short, long])
    assert info.weights == pytest.approx(np.full((2, 6, 5), 0.3))
    ax = plots.edge_weights.draw(info, axes()[0])
    assert len(ax.get_yticklabels()) == 30
    assert ax.get_yticklabels()[6].get_text() == "2<-0  skip_connect"


def test_scores_are_standardised_within_each_edge_and_dead_edges_counted() -> None:
    scores = np.arange(30.0).reshape(6, 5)
    dead = scores.copy()
    dead[5] = np.nan
    info = plots.operation_scores.data({"strength": [scores, dead], "magnitude": [np.ones((6, 5))]}, 10 * scores)
    assert info.criteria["strength"][0] == pytest.approx(info.truth)
    assert info.truth.mean(-1) == pytest.approx(np.zeros(6))
    assert info.truth.std(-1) == pytest.approx(np.ones(6))
    assert info.criteria["magnitude"] == pytest.approx(np.zeros((1, 6, 5))), "all operations tie"
    drawn = plots.operation_scores.draw(info, axes(6))
    assert [ax.get_title() for ax in drawn][4:] == ["edge 3<-1", "edge 3<-2 (dead 1x)"]


def test_agreement_keeps_the_order_of_kinds_and_the_null_grey() -> None:
    rows = pd.DataFrame(
        {
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
    assert info.by_criterion["strength"]["b mean"] == stats.Interval(0.3, 0.2, 0.4, 3)
    ax = plots.rank_correlation.draw(info, axes()[0])
    labelled = {line.get_label(): line for line in ax.lines}
    assert labelled["parameter count"].get_color() == "#7F7F7F"
    assert labelled["strength"].get_xdata() == pytest.approx([0.1, 0.3])


def test_improvement_is_a_matrix_that_adds_up_to_one() -> None:
    info = plots.win_probability.data(SCORES)
    assert info.methods == ["ostr", "darts"]
    assert info.probability == pytest.approx(np.array([[np.nan, 1], [0, np.nan]]), nan_ok=True)
    ax = plots.win_probability.draw(info, axes()[0])
    assert sorted(text.get_text() for text in ax.texts) == ["0.00", "1.00"]


def test_profile_spans_all_runs() -> None:
    info = plots.performance_profile.data(SCORES, np.random.default_rng(0))
    assert set(info.shares) == {"darts", "ostr"}
    assert info.thresholds[0] < 54.3 < 94 < info.thresholds[-1]
    for share, low, high in info.shares.values():
        assert (share[0], share[-1]) == (1, 0)
        assert (low <= share).all()
        assert (share <= high).all()
    assert len(plots.performance_profile.draw(info, axes()[0]).get_legend().get_texts()) == 2


def test_distribution_puts_cells_where_they_rank() -> None:
    info = plots.distribution.data(SCORES, np.array([10.0, 54.3, 90.0, 94.0, np.nan]))
    assert info.table == pytest.approx([10, 54.3, 90, 94])
    ax = plots.distribution.draw(info, axes()[0])
    heights = {group.get_label(): np.asarray(group.get_offsets())[:, 1] for group in ax.collections[1:]}
    assert heights["darts"] == pytest.approx([50, 50, 50])
    assert heights["ostr"] == pytest.approx([100, 75])


def test_cell_names_every_operation() -> None:
    arch = (CONV3, SKIP, 0, 4, 2, SKIP)
    ax = plots.cell.draw(plots.cell.data(arch, "best"), axes()[0])
    words = [text.get_text() for text in ax.texts]
    assert words[:6] == ["conv 3x3", "skip", "none", "avg pool", "conv 1x1", "skip"]
    assert words[6:] == ["in", "1", "2", "out"]
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
    assert np.asarray(ax.collections[0].get_offsets()).tolist() == [[60.0, 54.3]]
