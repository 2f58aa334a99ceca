"""The runs of a results folder in a notebook: a tidy frame, plots, and the report's answers."""

from collections.abc import Iterator
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.text import Text

from benchharness import plots, space, store
from benchharness.analysis.experiment import Evidence, gather_runs, setting
from benchharness.analysis.lookup import codes_of, lookup
from benchharness.errors import UserError, unknown
from benchharness.io.files import path_of
from benchharness.notebook import place
from benchharness.notebook.place import Size
from benchharness.report import blocks
from benchharness.report.blocks import Answers, TableBlock, flat
from benchharness.report.sections.cells import most_frequent
from benchharness.report.sections.collapse import paper_curves, reference_lines, verdicts
from benchharness.report.sections.rank_correlation import overall_taus
from benchharness.report.sections.summary import summary
from benchharness.stats.collapse import SKIPS
from benchharness.table import Tables
from benchharness.table.measurements import tables_of

COLUMNS: Final = (
    *("suite", "dataset", "setting", "method", "seed", "run_id", "status", "arch", "valid", "test"),
    *("regret", "rank", "percentile", "skips", "parameter_free", "collapsed", "train_seconds"),
    *("selection_seconds", "device", "measured_here", "path"),
)
"""Columns of `Results.frame`. `skips` and `parameter_free` (none, skip, pool) count the derived cell's operations, of
six; `collapsed` is four skips or more."""

Drawn = TypeVar("Drawn", Axes, "np.ndarray[Any, Any]")
_ORDER: Final = ["dataset", "method", "seed", "run_id"]
_NAMING: Final = ("method", "dataset", "setting", "suite")
"""Columns whose values select runs."""


class Results:
    """Runs, finished or not, in the order of `frame`, whose rows iterating gives.

    `results[3]` is a row; `results["darts"]` are the runs of a method, of a data set or of a setting, `results[:5]` or
    `results[results.frame.seed < 3]` any others: `Results` again. Accuracies are in percent.
    """

    def __init__(self, runs: pd.DataFrame, tables: Tables) -> None:
        self._runs = runs.sort_values(_ORDER, ignore_index=True)
        self._tables = tables

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row per run with `COLUMNS`; `test` and `valid` are its cell's accuracies on the data set searched."""
        frame = self.long[self.long["benchmark_dataset"] == self.long["dataset"]]
        frame = frame.sort_values(_ORDER, ignore_index=True)
        ops, is_derived = space.all_ops()[codes_of(frame["arch"])], frame["arch"].notna()
        counts = pd.DataFrame(space.parameter_free_counts(ops), dtype="Int64").where(is_derived)
        frame = frame.assign(setting=frame["spec"].map(setting), **counts, collapsed=counts["skips"] >= SKIPS)
        return frame[list(COLUMNS)]

    @cached_property
    def long(self) -> pd.DataFrame:
        """A row per run and benchmark data set, with all columns: see `report.lookup`."""
        return lookup(self._runs, self._tables)

    @cached_property
    def settings(self) -> list[Evidence]:
        """The evidence that a report would use, one per setting."""
        return gather_runs(self._runs, self._tables)[1]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Any]:
        return self.frame.itertuples(index=False, name="Run")

    def __getitem__(self, selector: Any) -> Any:
        if isinstance(selector, str):
            return Results(self._runs[self._called(selector)], self._tables)
        if isinstance(selector, int | np.integer):
            return list(self)[selector]
        return Results(self._runs[selector], self._tables)

    def _called(self, name: str) -> "pd.Series[bool]":
        naming = self.frame[list(_NAMING)]
        matching = (naming == name).any(axis=1)
        if not matching.any():
            raise unknown("method, data set or setting", name, self._ipython_key_completions_())
        return matching

    def _ipython_key_completions_(self) -> list[str]:
        return list(dict.fromkeys(name for column in _NAMING for name in self.frame[column]))

    def plot_accuracy(self, ax: Axes | None = None) -> Axes:
        """Test accuracy of the derived cells, every seed a point, beside a random cell and the optimum."""
        evidence = self._setting()
        lines = reference_lines(evidence)
        scores = _some(evidence.scores())
        info = plots.accuracy.data(scores, "", lines.get("optimum", np.nan), lines.get("random cell", np.nan))
        ax = place.axes(ax, Size(6.4, 0.9 + 0.232 * len(info.runs)))
        return _as_spelt(plots.accuracy.draw(info, ax))

    def plot_collapse(self, ax: Axes | None = None) -> "np.ndarray[Any, Any]":
        """Skips, parameter-free operations, table accuracy and entropy over epochs in rows, methods in columns."""
        evidence = self._setting()
        info = paper_curves(evidence, verdicts(evidence.runs, evidence.curves))
        if info is None:
            raise UserError("no search here has recorded its epochs, so there is nothing to draw")
        rows, columns = len(info.by_measure), len(info.columns)
        axes = place.grid(ax, Size(*plots.collapse.size(info)), rows, columns)
        plots.collapse.draw(info, list(axes.flat))
        return _as_spelt(axes)

    def plot_taus(self, ax: Axes | None = None) -> "np.ndarray[Any, Any]":
        """Kendall's tau of the criteria that derive cells, one panel per kind, beside that of parameter counts."""
        taus = self._setting().agreement
        if not taus["tau"].notna().any():
            raise UserError("no finished run here has scores of operations, so there is no tau to draw")
        overall = overall_taus(taus)
        info = plots.rank_correlation.data(overall[overall["with_none"]])
        axes = place.grid(ax, Size(*plots.rank_correlation.size(info)), 1, len(info.kinds), share=True)
        plots.rank_correlation.draw(info, list(axes.flat))
        return _as_spelt(axes)

    def plot_cells(self, ax: Axes | None = None, most: int = 6) -> "np.ndarray[Any, Any]":
        """The derived cells as graphs, `most` at most, those derived most often first."""
        if most < 1:
            raise UserError(f"most={most} is out of range; it must be 1 or more")
        infos = most_frequent(self._setting().own().astype({"method": str}), most)
        if not infos:
            raise UserError("no run here has derived a cell yet, so there is no cell to draw")
        columns = min(3, len(infos))
        rows = -(-len(infos) // columns)
        axes = place.grid(ax, Size(3.5 * columns, 2.5 * rows), rows, columns)
        for panel in list(axes.flat)[len(infos) :]:
            panel.set_axis_off()
        for info, panel in zip(infos, axes.flat, strict=False):
            plots.cell.draw(info, panel)
        return _as_spelt(axes)

    def __repr__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self._runs["status"].value_counts().items())
        methods = self._runs["method"].nunique()
        ends = "" if len(self) == 1 else "s"
        return f"{len(self)} run{ends} of {methods} method{'s' * (methods != 1)} ({states or 'nothing was run'})"

    def _repr_html_(self) -> str:
        fragments = [f"<p><b>{escape(repr(self))}</b></p>"]
        for evidence in self.settings:
            fragments.append(f"<p>{escape(evidence.name)}</p>")
            fragments += [_html(block) for block in flat(summary(evidence))]
        return "\n".join(fragments)

    def _setting(self) -> Evidence:
        if len(self.settings) == 1:
            return self.settings[0]
        names = "; ".join(repr(evidence.name) for evidence in self.settings)
        if not names:
            raise UserError("there are no runs here, so there is nothing to draw")
        raise UserError(f"these runs are of {len(self.settings)} settings, which no plot mixes; take one of {names}")


def results(folder: str | Path = "results") -> Results:
    """The runs of a results folder, of one suite or of several; raises `UserError` if there is none.

    Their cells are looked up in the installed tables and in the trainings beside the results.
    """
    folder = path_of(folder)
    return Results(store.read(folder), tables_of(folder))


def _some(scores: pd.DataFrame) -> pd.DataFrame:
    if scores.isna().to_numpy().all():
        raise UserError("no run here has a cell with a test accuracy yet, so there is nothing to draw")
    return scores


def _as_spelt(axes: Drawn) -> Drawn:
    """`axes` with names shown literally, never parsed as formulas."""
    for ax in np.ravel(np.asarray(axes, object)):
        for artist in ax.findobj(Text):
            artist.set_parse_math(False)
    return axes


def _html(block: object) -> str:
    """HTML of a block of the report's summary; empty for figures."""
    if isinstance(block, Answers):
        lines = (f"<b>{escape(question)}</b> {escape(answer)}" for question, answer in block.answers.items())
        return "<p>" + "<br>".join(lines) + "</p>"
    if isinstance(block, TableBlock):
        return block.shown.to_html(index=False, border=0)
    return f"<p>{escape(block.text)}</p>" if isinstance(block, blocks.Text) else ""
