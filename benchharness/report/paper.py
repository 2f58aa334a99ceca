"""Writes the table of accuracies in LaTeX and the collapse figure, for a paper."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from benchharness.analysis import published
from benchharness.analysis.experiment import Evidence, gather
from benchharness.errors import UserError
from benchharness.plots.style import FORMATS, save_figure, styled
from benchharness.report.blocks import FigureBlock, with_integers
from benchharness.report.folder import check_place, swapped
from benchharness.report.latex import environment, table, tex
from benchharness.report.sections.accuracy import paper_rows
from benchharness.report.sections.collapse import paper_figure, verdicts
from benchharness.table import Tables

BESIDE: Final = ("DARTS", "SNAS", "DrNAS")
"""Published methods beside ours in the paper's table."""


def write_paper(results: Path, out: Path, tables: Tables, formats: Sequence[str] = FORMATS) -> Path:
    """Write the table and the figure of every setting in `results`, with the bibliography, into the folder `out`.

    The figure is written in each of the `formats`. Returns `out`. Raises `UserError` if no finished run has a cell in
    the table, or if `out` holds files that no report wrote.
    """
    check_place(out)
    settings = [setting for setting in gather(results, tables)[1] if len(setting.long) and setting.table is not None]
    if not settings:
        raise UserError(f"{results} has no finished run whose cells a table holds, so there is nothing to print")
    with swapped(out) as new_folder:
        for evidence in settings:
            _write(evidence, new_folder, formats)
        (new_folder / "references.bib").write_text(_bibliography(), encoding="utf-8")
    return out


def _write(evidence: Evidence, out: Path, formats: Sequence[str]) -> None:
    rows = paper_rows(evidence.long)
    with_integers(rows.round(6)).to_csv(
        out / f"accuracy{evidence.slug}.csv", index=False, lineterminator="\n", encoding="utf-8"
    )
    cited_rows = published.published()
    cited_rows = cited_rows[cited_rows["method"].isin(BESIDE) & cited_rows["protocol"].isin(["drnas", ""])]
    text = table(rows, cited_rows if evidence.benchmark else cited_rows.iloc[:0], evidence, f"accuracy{evidence.slug}")
    (out / f"accuracy{evidence.slug}.tex").write_text(text, encoding="utf-8")
    for figure in paper_figure(evidence, verdicts(evidence.runs, evidence.curves)):
        with styled():
            save_figure(figure.draw(), out / figure.name, formats)
        (out / f"{figure.name}.tex").write_text(_caption(figure), encoding="utf-8")


def _caption(figure: FigureBlock) -> str:
    return environment().get_template("figure.tex").render(name=figure.name, caption=tex(figure.title))


def _bibliography() -> str:
    return (files("benchharness.report") / "templates" / "references.bib").read_text(encoding="utf-8")
