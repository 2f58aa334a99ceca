import re
from pathlib import Path

import pandas as pd

from benchharness.report.blocks import Bullets, Report, Section, TableBlock, Text
from benchharness.report.latex import cell, latex, tex
from benchharness.report.render import ROWS, write_report

ARCH = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def grid(rows: int = 1) -> TableBlock:
    data = pd.DataFrame({"arch": [ARCH] * rows, "mean": [94.366666] * rows})
    cells = pd.DataFrame({"arch": [ARCH] * rows, "mean ± std": ["94.37±0.01"] * rows})
    return TableBlock("cells", "Cells & such", data, cells, "A note.")


def page_of(out: Path, *blocks: Text | Bullets | TableBlock) -> Path:
    return write_report(Report("suite", "All done.", [Section("Answer", list(blocks))]), out)


def test_what_latex_means_something_by_is_escaped() -> None:
    assert tex("a_b & 5 % of $x$ {#}") == r"a\_b \& 5 \% of \$x\$ \{\#\}"
    assert tex("1<-0 | ~ ^ \\") == r"1\textless{}-0 \textbar{} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    assert tex("-0.20 [-0.30, 0.10] ±– 0-2") == r"$-$0.20 [$-$0.30, 0.10] $\pm$-- 0-2"


def test_a_latex_table_is_booktabs_with_a_column_per_column() -> None:
    text = latex(grid())
    assert text.count(r"\begin{tabular}{ll}") == text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"94.37$\pm$0.01 \\" in text
    for line in text.splitlines():
        rules = ("%", "\\begin", "\\end", "\\top", "\\mid", "\\bottom", "\\caption", "\\label", "\\centering")
        assert line.startswith(rules) or line.count("&") == 1


def test_architectures_do_not_break_a_markdown_table(tmp_path: Path) -> None:
    assert cell(ARCH) == "`" + ARCH.replace("|", "\\|") + "`"
    text = page_of(tmp_path, grid()).read_text()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert [len(re.split(r"(?<!\\)\|", line)) for line in table] == [4, 4, 4]
    assert table[0] == "| arch | mean ± std |"


def test_markdown_has_every_kind_of_block_in_order(tmp_path: Path) -> None:
    text = page_of(tmp_path, Text("First."), Bullets(["one", "two"]), grid()).read_text()
    assert text.startswith("# suite\n\nAll done.\n\n## Answer\n\nFirst.\n\n- one\n- two\n\n**Cells & such**")
    assert "\n\n\n" not in text
    assert text.endswith("A note.\n")


def test_long_tables_are_cut_in_markdown_alone(tmp_path: Path) -> None:
    text = page_of(tmp_path, grid(ROWS + 5)).read_text()
    assert f"The first {ROWS} of {ROWS + 5} rows; the rest is in the CSV." in text
    assert text.count("94.37") == ROWS
    assert (tmp_path / "report.html").read_text().count("94.37") == ROWS + 5
    assert len(pd.read_csv(tmp_path / "tables/cells.csv")) == ROWS + 5


def test_csv_has_the_numbers_as_they_are(tmp_path: Path) -> None:
    page_of(tmp_path, grid())
    assert pd.read_csv(tmp_path / "tables/cells.csv")["mean"].item() == 94.366666


def test_csv_leaves_out_digits_that_differ_by_processor(tmp_path: Path) -> None:
    """Reports of the same runs differed in the last digits of a few figures between an Intel Xeon and an AMD EPYC."""
    here, there = [1.5215301190044648, 93.2115617673541, 3e-20], [1.5215301190045274, 93.21156176735406, 3e-20]
    for name, figures in (("here", here), ("there", there)):
        data = pd.DataFrame({"mean": [*figures, 94.366666, 1.0, float("nan")], "name": "a"})
        page_of(tmp_path / name, TableBlock("cells", "Cells", data, data.astype(str)))
    text = (tmp_path / "here/tables/cells.csv").read_text()
    assert text == (tmp_path / "there/tables/cells.csv").read_text()
    written = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert written == ["1.521530119", "93.2115617674", "3e-20", "94.366666", "1.0", ""]


def test_html_escapes_and_needs_no_other_file(tmp_path: Path) -> None:
    page_of(tmp_path, Text("<script>alert(1)</script>"), grid())
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "Cells &amp; such" in page
    assert not re.findall(r'src="(?!data:|#)', page)
    assert re.findall(r'href="(?!#)([^"]+)"', page) == ["tables/cells.csv", "tables/cells.tex"]
    assert page.count("<th><button") == 2
