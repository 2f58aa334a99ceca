"""Writes a report as files: Markdown, one HTML page, figures, and each table as CSV and LaTeX."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from benchharness.errors import UserError
from benchharness.io.files import readable
from benchharness.plots.style import FORMATS, save_figure, styled
from benchharness.report.blocks import Block, FigureBlock, Folded, Report, TableBlock, flat, with_integers
from benchharness.report.folder import listed, swapped
from benchharness.report.latex import environment, latex

ROWS: Final = 100
"""Most rows of a table in Markdown; HTML, CSV and LaTeX have all."""
REFERENCES: Final = frozenset({"a random cell", "optimum", "optimum of each column"})
"""First fields of reference rows, which are not methods."""
DIGITS: Final = 12
"""Significant digits of figures in CSV: those that follow differ by processor, as sums are taken in another order."""
_URL_SAFE: Final = " /:;=,()*+-.!?@~$"
"""What stands as it is in the URL of a picture, between double quotation marks."""
_BLANK: Final = re.compile(r"\n{3,}")


def write_report(report: Report, out: Path, formats: Sequence[str] = FORMATS) -> Path:
    """Write the whole report into the folder `out`, or nothing; returns the path of the Markdown. See `swapped`.

    Every figure is written in each of the `formats`; the pages need png or svg among them. Raises `UserError` also if
    `out` holds a report that ranks methods by the accuracies of their cells and `report` does not, for want of a table.
    """
    _check_ranking_stays(report, out)
    with swapped(out) as new_folder:
        _write(report, new_folder, formats)
    return out / "report.md"


def _check_ranking_stays(report: Report, out: Path) -> None:
    ranks = any(isinstance(block, TableBlock) and block.name.startswith("ranking") for block in _blocks(report))
    if report.lacks_table and not ranks and any(name.startswith("tables/ranking") for name in listed(out)):
        raise UserError(
            f"the report in {readable(out)!r} has the accuracies of cells, which cannot be looked up here now; it is "
            "left as it is: `benchharness data import PATH` installs a table, or name another folder"
        )


def _write(report: Report, out: Path, formats: Sequence[str]) -> None:
    for folder in ("figures", "tables"):
        (out / folder).mkdir()
    for block in _blocks(report):
        _write_block(block, out, formats)
    names = [block.name for block in _blocks(report) if isinstance(block, FigureBlock)]
    inlined = "svg" if "svg" in formats else "png"
    pictures = {name: _inline(out / "figures" / f"{name}.{inlined}") for name in names}
    page = _rendered("report.html", report, drawn=pictures, references=REFERENCES, formats=formats)
    (out / "report.html").write_text(page, encoding="utf-8")
    figures = {"shown": "png" if "png" in formats else "svg", "formats": formats}
    (out / "report.md").write_text(_rendered("report.md", report, rows=ROWS, **figures), encoding="utf-8")
    if any(isinstance(block, Folded) for section in report.sections for block in section.blocks):
        (out / "appendix.md").write_text(_rendered("appendix.md", report, rows=ROWS, **figures), encoding="utf-8")


def _write_block(block: Block, out: Path, formats: Sequence[str]) -> None:
    if isinstance(block, FigureBlock):
        with styled():
            save_figure(block.draw(), out / "figures" / block.name, formats)
    if isinstance(block, TableBlock):
        csv_path = out / "tables" / f"{block.name}.csv"
        with_integers(block.data).to_csv(
            csv_path, index=False, float_format=_significant, lineterminator="\n", encoding="utf-8"
        )
        (out / "tables" / f"{block.name}.tex").write_text(block.latex or latex(block), encoding="utf-8")


def _significant(value: object) -> str:
    return repr(float(f"{value:.{DIGITS}g}"))


def _blocks(report: Report) -> Iterator[Block]:
    return flat(block for section in report.sections for block in section.blocks)


def _inline(path: Path) -> str:
    """The picture as a URL; SVG as text, which is a quarter shorter than in base64."""
    if path.suffix == ".svg":
        return "data:image/svg+xml," + quote(" ".join(path.read_text(encoding="utf-8").split()), safe=_URL_SAFE)
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}"


def _rendered(template: str, report: Report, **more: object) -> str:
    text = environment(template).get_template(template).render(report=report, **more)
    return text if template.endswith(".html") else _BLANK.sub("\n\n", text).strip() + "\n"
