"""A report as files: Markdown, one HTML page, figures, and each table as CSV and LaTeX."""

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchharness.plots.style import save, styled
from benchharness.report.blocks import Block, Grid, Picture, Report
from benchharness.report.folder import swapped

ROWS: Final = 100
"""Rows of a table that Markdown shows; HTML, CSV and LaTeX have them all."""
_NAMED: Final = ("backslash", "asciitilde", "asciicircum", "bar", "less", "greater")
_TEX: Final = str.maketrans(
    {
        **{c: f"\\{c}" for c in "&%$#_{}"},
        **dict(zip("\\~^|<>", (rf"\text{name}{{}}" for name in _NAMED), strict=True)),
        "±": r"$\pm$",
        "–": "--",
        "∞": r"$\infty$",
        "é": r"\'e",
        "†": r"\dag{}",
    }
)
_MINUS: Final = re.compile(r"(?<![\w.}-])-(?=[\d$])")


def write(report: Report, out: Path) -> Path:
    """Write everything into the folder `out`, in whole or not at all; returns the Markdown's path. See `swapped`."""
    with swapped(out) as new:
        _write(report, new)
    return out / "report.md"


def _write(report: Report, out: Path) -> None:
    for folder in ("figures", "tables"):
        (out / folder).mkdir()
    for block in _blocks(report):
        _write_block(block, out)
    names = [block.name for block in _blocks(report) if isinstance(block, Picture)]
    drawn = {name: _inline(out / "figures" / f"{name}.svg") for name in names}
    (out / "report.html").write_text(_rendered("report.html", report, drawn=drawn), encoding="utf-8")
    (out / "report.md").write_text(_rendered("report.md", report, rows=ROWS), encoding="utf-8")


def latex(grid: Grid) -> str:
    """The table as LaTeX; needs the package booktabs."""
    return _environment().get_template("table.tex").render(grid=grid)


def tex(text: object) -> str:
    """`text` with everything escaped that means something to LaTeX."""
    return _MINUS.sub("$-$", str(text).translate(_TEX))


def cell(text: object) -> str:
    """`text` as one field of a Markdown table; architectures as code."""
    escaped = str(text).replace("|", "\\|").replace("\n", " ")
    return f"`{escaped}`" if "~" in escaped else escaped


def _write_block(block: Block, out: Path) -> None:
    if isinstance(block, Picture):
        with styled():
            save(block.draw(), out / "figures" / block.name)
    if isinstance(block, Grid):
        block.data.to_csv(out / "tables" / f"{block.name}.csv", index=False, lineterminator="\n", encoding="utf-8")
        (out / "tables" / f"{block.name}.tex").write_text(latex(block), encoding="utf-8")


def _blocks(report: Report) -> Iterator[Block]:
    return (block for section in report.sections for block in section.blocks)


def _inline(path: Path) -> str:
    return "data:image/svg+xml;base64," + b64encode(path.read_bytes()).decode()


def _rendered(template: str, report: Report, **more: object) -> str:
    return _environment(template).get_template(template).render(report=report, **more)


@cache
def _environment(template: str = "") -> Environment:
    loader = PackageLoader("benchharness.report")
    made = Environment(
        loader=loader,
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"tex": tex, "cell": cell}
    made.tests["kind"] = lambda block, name: type(block).__name__ == name
    return made
