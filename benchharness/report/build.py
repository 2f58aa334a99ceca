"""Builds the report of a results folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from benchharness import store
from benchharness.analysis.experiment import Evidence, gather_runs, lacks_table
from benchharness.errors import UserError
from benchharness.io.files import path_of, readable
from benchharness.plots.style import FORMATS
from benchharness.report.blocks import Block, Report, Section
from benchharness.report.folder import check_place
from benchharness.report.render import write_report
from benchharness.report.sections.accuracy import accuracy
from benchharness.report.sections.cells import cells
from benchharness.report.sections.collapse import collapse
from benchharness.report.sections.costs import costs
from benchharness.report.sections.provenance import method, missing, setting, status_sentence, title
from benchharness.report.sections.rank_correlation import taus
from benchharness.report.sections.summary import answer
from benchharness.report.sections.tabular_search import table_searches
from benchharness.table import Tables

PARTS: dict[str, Callable[[Evidence], list[Block]]] = {
    "Answer": answer,
    "Accuracy beside published figures": accuracy,
    "Collapse": collapse,
    "Kendall's tau": taus,
    "Searches without a supernet": table_searches,
    "Costs": costs,
    "Cells": cells,
    "What ran": setting,
}


def build(
    results: Path,
    out: Path,
    tables: Tables,
    tell_report: Callable[[Report], None] = lambda _: None,
    formats: Sequence[str] = FORMATS,
    runs: pd.DataFrame | None = None,
) -> Path:
    """Write the report on the runs in `results` into the folder `out` and return the path of its `report.md`.

    `tables` is the ground truth: one table, or a mapping or function that gives the table of each data set.
    `tell_report` is called with the report before it is written. `runs` is the result of `store.read(results)`, if it
    is known already.

    The folder also has `report.html`, a single file with everything; `figures/` in these `formats`; `tables/` as CSV
    and LaTeX; and the list of these files. An earlier report there is replaced as a whole. The same results and table
    give the same bytes. Raises `UserError` if `results` is not a folder or holds no run, and if `out` holds files that
    no report wrote, or a report with the accuracies of cells where `tables` has none for this one.
    """
    out, results = path_of(out), path_of(results)
    check_place(out)
    runs = store.read(results) if runs is None else runs
    if runs.empty:
        raise UserError(f"{readable(results)!r} holds no run to report on; `benchharness run --out FOLDER` makes runs")
    report = compose(results, tables, runs)
    tell_report(report)
    return write_report(report, out, formats)


def compose(results: Path, tables: Tables, runs: pd.DataFrame | None = None) -> Report:
    """The report as sections of text, tables and undrawn figures; `runs` as in `build`."""
    runs, settings = gather_runs(store.read(results) if runs is None else runs, tables)
    sections = [
        Section(title, [block for evidence in settings for block in blocks_of(evidence)])
        for title, blocks_of in PARTS.items()
    ]
    sections[-1].blocks.extend(method(runs, [evidence.table for evidence in settings]))
    sections.append(Section("Missing or failed", missing(runs)))
    filled_sections = [section for section in sections if section.blocks] if settings else sections[-1:]
    heading = title(readable(results.resolve().name), runs)
    return Report(heading, status_sentence(runs), filled_sections, lacks_table(settings))
