"""A real Jupyter kernel: what a notebook shows of a method that was written in one of its cells."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny import SETTINGS

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

COMMITTED = Path(__file__).parents[2] / "results" / "digits-small"
RUN = f"""
settings = dict(dataset="digits", changes={dict(SETTINGS)!r}, training=False, jobs=1, device="cpu")
results = bh.run(["darts", Mine], seeds=range(2), **settings)
results
"""
COMPLETION = """
from IPython.core.completer import provisionalcompleter
with provisionalcompleter():
    offered = [one.text for one in get_ipython().Completer.completions("bh.", 3)]
offered
"""
CELLS = {
    "import": "import benchharness as bh",
    "completion": COMPLETION,
    "class": "class Mine(bh.Method):\n    def expected(self):\n        return (2 * self.alpha).softmax(-1)",
    "check": "bh.check(Mine)",
    "run": RUN,
    "frame": "results.frame[['method', 'seed', 'status']]",
    "committed": f"there = bh.results({str(COMMITTED)!r})\nthere",
    "axes": "ax = there.plot_accuracy()\nprint(type(ax).__name__)",
    "collapse": "there.plot_collapse();",
    "taus": "there.plot_taus();",
    "cells": "there.plot_cells();",
    "cell": "bh.cell(6111, 'digits')",
    "broken": "class Broken(bh.Method):\n    def draw(self, progress):\n        return self.alpha[9]",
    "broken check": "bh.check(Broken)",
    "failure": "bh.run(Broken, seeds=0, **settings);",
    "misspelt": "bh.run('dart', seeds=0, **settings)",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each of `CELLS` put out."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS.values()])
    nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3", allow_errors=True).execute(cwd=str(folder))
    return {name: cell["outputs"] for name, cell in zip(CELLS, notebook.cells, strict=True)}


def text_of(outputs: list[Any]) -> str:
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


def displays(outputs: list[Any], kind: str) -> list[str]:
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


@pytest.mark.slow
def test_a_class_of_a_cell_is_run_with_its_progress_shown(outputs: dict[str, list[Any]]) -> None:
    text = text_of(outputs["run"])
    assert "starting 1 at a time; runs to make: 4" in text
    assert all(f"{method} seed {seed}  #" in text for method in ("darts", "mine") for seed in (0, 1))
    assert not displays(outputs["run"], "text/html")[1:], "progress is lines of one output, not an output each"
    (html,) = displays(outputs["run"], "text/html")
    assert "4 runs of 2 methods (4 done)" in html
    assert "<p>digits, protocol small (" in html
    (frame,) = displays(outputs["frame"], "text/html")
    assert "<td>mine</td>" in frame


@pytest.mark.slow
def test_plots_and_a_cell_are_pictures(outputs: dict[str, list[Any]]) -> None:
    assert "Did the searches decide?" in displays(outputs["committed"], "text/html")[0]
    assert text_of(outputs["axes"]) == "Axes\n"
    for name in ("axes", "collapse", "taus", "cells"):
        assert len(displays(outputs[name], "image/png")) == 1, name
    (picture,) = displays(outputs["cell"], "text/html")
    assert "<svg" in picture
    (line,) = displays(outputs["cell"], "text/plain")
    assert line.startswith("cell 6111 |nor_conv_3x3~0|+")


@pytest.mark.slow
def test_completion_offers_what_there_is(outputs: dict[str, list[Any]]) -> None:
    (text,) = displays(outputs["completion"], "text/plain")
    assert all(f"'{name}'" in text for name in ("run", "results", "check", "cell", "Method", "plots", "compare"))


@pytest.mark.slow
def test_what_is_wrong_with_a_class_is_told_of_the_class(outputs: dict[str, list[Any]]) -> None:
    assert "<p>passed</p>" in displays(outputs["check"], "text/html")[0]
    line = "(in Broken: return self.alpha[9])"
    assert line in displays(outputs["broken check"], "text/html")[0]
    failure = text_of(outputs["failure"])
    assert "broken seed 0  FAILED  IndexError: index 9 is out of bounds" in failure
    assert f"{line}; call `benchharness.check(Broken)`" in failure


@pytest.mark.slow
def test_a_misuse_is_one_sentence(outputs: dict[str, list[Any]]) -> None:
    (error,) = outputs["misspelt"]
    (sentence,) = error["traceback"]
    assert sentence.startswith("UserError: unknown method 'dart'; did you mean 'darts'?")
