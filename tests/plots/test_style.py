import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import methods
from benchharness.plots import style


def test_a_method_looks_the_same_whoever_else_is_there() -> None:
    ostr_look = style.looks(["ostr"])["ostr"]
    among = style.looks(["darts", "mine", "ostr", "snas+ostr"])
    assert among["ostr"] == ostr_look
    assert among["mine"] == style.looks(["mine"])["mine"]
    assert len({look.colour for look in among.values()}) == 4
    assert len({(look.marker, str(look.dash)) for look in among.values()}) == 4


BUILT_IN = [path.stem.replace("_", "-") for path in Path(methods.__file__).parent.glob("[a-z]*.py")]


def test_twenty_methods_have_colours_that_can_be_told_apart() -> None:
    looks = style.looks([*BUILT_IN, "darts+prune"])
    colours = [oklab(look.colour) for look in looks.values()]
    assert len(looks) >= 20
    nearest = min(np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[i + 1 :])
    assert nearest > 0.08, "just noticeable is 0.02"
    assert max(colour[0] for colour in colours) < 0.82, "all stand out from white"


@pytest.mark.parametrize("count", [20, 100])
def test_methods_of_ones_own_get_a_look_each(count: int) -> None:
    names = [f"method{number}" for number in range(count)]
    looks = style.looks(names)
    assert set(looks) == set(names)
    assert len({look.colour for look in looks.values()}) >= 20
    assert len(set(looks.values())) == count


def oklab(colour: str) -> np.ndarray:
    """Ottosson's perceptual coordinates of a colour."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
    mixed = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    return np.array(mixed) @ np.cbrt(np.array(cones) @ linear)


@pytest.mark.parametrize(("entries", "is_beside"), [(style.INSIDE, False), (style.INSIDE + 1, True)])
def test_a_long_legend_stands_beside_the_axes(entries: int, is_beside: bool) -> None:
    figure, (ax,) = style.canvas(7, 4)
    for number in range(entries):
        ax.plot([0, 1], [0, number], label=f"method{number}")
    style.legend(ax, "best")
    figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    assert (legend.get_window_extent().x0 >= ax.get_window_extent().x1) == is_beside


def test_looks_differ_in_grey_too() -> None:
    """Where two colours come out as the same grey, marker and dash tell the methods apart."""
    looks = style.looks(["darts", "ostr", "snas", "drnas", "random"]).values()
    grey = [np.dot([int(look.colour[i : i + 2], 16) for i in (1, 3, 5)], [0.299, 0.587, 0.114]) for look in looks]
    assert max(grey) < 200, "all stand out from white"
    assert len({(look.marker, str(look.dash)) for look in looks}) == len(grey)


def test_methods_are_all_that_the_frame_knows_of() -> None:
    frame = pd.DataFrame({"method": pd.Categorical(["b"], ["a", "b"])})
    assert style.methods_of(frame) == ["a", "b"]
    assert style.methods_of(frame.astype({"method": str})) == ["b"]


@pytest.mark.parametrize("ending", style.FORMATS)
def test_the_same_figure_has_the_same_bytes(tmp_path: Path, ending: str) -> None:
    for name in ("one", "two"):
        figure, (ax,) = style.canvas(3.0, 2.0)
        ax.plot([1, 2], [3, 4], label="line")
        ax.legend()
        style.save_figure(figure, tmp_path / name)
    first, second = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert first == second


def test_svg_places_marks_to_a_hundredth_of_a_point_and_keeps_all_else(tmp_path: Path) -> None:
    with style.styled():
        drawn, (ax,) = style.canvas(3.0, 2.0)
        ax.plot(np.linspace(0, np.pi, 40), np.sin(np.linspace(0, 9, 40)))
        ax.set_title("0.123456")
        style.save_figure(drawn, tmp_path / "figure", ["svg"])
        drawn.savefig(tmp_path / "whole.svg", metadata={"Date": None, "Creator": None}, bbox_inches=None)
    text = (tmp_path / "figure.svg").read_text()
    assert ">0.123456</text>" in text
    curve = max(re.findall(r' d="([^"]*)"', text), key=len)
    whole = max(re.findall(r' d="([^"]*)"', (tmp_path / "whole.svg").read_text()), key=len)
    assert re.search(r"\.\d\d\b", curve)
    assert not re.search(r"\.\d{3}", curve)
    points, exact = (np.array(re.findall(r"[\d.]+", path), float).reshape(-1, 2) for path in (curve, whole))
    assert np.abs(np.diff(points, axis=0) - np.diff(exact, axis=0)).max() < 0.011


def test_panels_hide_the_axes_they_do_not_need() -> None:
    figure = style.panels(lambda info, ax: ax.set_title(info), ["a", "b", "c"], 2, (2.0, 2.0))
    assert [ax.axison for ax in figure.axes] == [True, True, True, False]
