"""What goes into a paper: LaTeX that stands by itself, and the collapse figure."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import report
from benchharness.analysis import published
from benchharness.errors import UserError
from benchharness.report import latex, paper
from benchharness.report.blocks import with_integers
from benchharness.report.sections.accuracy import paper_rows
from benchharness.table import Table
from tests.support import report_folder


@pytest.fixture(scope="module")
def paper_folder(suite: Path, table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paper.write_paper(suite, tmp_path_factory.mktemp("paper") / "out", table)


def test_the_table_and_the_figure_alone(paper_folder: Path) -> None:
    assert {path.name for path in paper_folder.iterdir()} == {
        *("accuracy.tex", "accuracy.csv", "references.bib", "report.files.json", "collapse-curves.tex"),
        *(f"collapse-curves.{ending}" for ending in ("pdf", "svg", "png")),
    }


def test_every_row_has_a_field_a_column_and_braces_match(paper_folder: Path) -> None:
    text = (paper_folder / "accuracy.tex").read_text()
    assert text.count("{") == text.count("}")
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {line.count("&") for line in rows} == {6}
    assert body.count(r"\multicolumn{2}{c}") == 3
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}\cmidrule(lr){6-7}" in body
    for excerpt in (
        r"\caption{Accuracy in percent",
        r"\label{tab:accuracy}",
        r"CIFAR-10 (\%)",
        "OStr-DARTS (our reading)",
    ):
        assert excerpt in text


def test_published_methods_stand_beside_ours_with_their_citations(paper_folder: Path) -> None:
    text, references = (paper_folder / "accuracy.tex").read_text(), (paper_folder / "references.bib").read_text()
    keys = re.findall(r"\\cite{([^}]+)}", text)
    assert keys == ["liu2019darts", "xie2019snas", "chen2021drnas"]
    assert all(f"{{{key}," in references for key in keys)
    assert "published under another protocol" in text
    rows = published.published()
    snas = rows[(rows["method"] == "SNAS") & (rows["dataset"] == "cifar10") & (rows["split"] == "test")]["mean"].item()
    assert f"{snas:.2f}" in next(line for line in text.splitlines() if "xie2019snas" in line)


def test_the_best_is_bold_and_the_second_underlined_among_ours(evidence: report.Evidence) -> None:
    ours = paper_rows(evidence.long)
    text = latex.table(ours, published.published().iloc[:0], evidence, "t")
    best, second, *_ = sorted(ours["cifar10 test"].round(2), reverse=True)
    assert rf"\textbf{{{best:.2f}}}" in text
    assert rf"\underline{{{second:.2f}}}" in text
    assert text.count(r"\textbf") == text.count(r"\underline{") - 1 == 6, "one a column, and the caption's word"
    tied = ours.assign(**{"cifar10 test": 50.0})
    assert latex.table(tied, published.published().iloc[:0], evidence, "t").count(r"\textbf{50.00}") == len(ours)


def test_published_rows_of_the_same_protocol_are_compared(tmp_path: Path, table: Table) -> None:
    for seed in range(2):
        report_folder.add(
            tmp_path / "s", report_folder.spec("darts", seed, preset="drnas", epochs=100), report_folder.GOOD
        )
    (evidence,) = report.gather(tmp_path / "s", table)[1]
    rows = published.published()
    text = latex.table(paper_rows(evidence.long), rows[rows["method"] == "SNAS"], evidence, "t")
    assert "Cited rows: published, same protocol." in text
    assert "mean$\\pm$std over 2 search seeds" in text


def test_names_are_as_in_papers_and_others_are_escaped() -> None:
    names = {
        "drnas": "DrNAS",
        "darts2": "DARTS (2nd order)",
        "snas+ostr": "SNAS (bilevel) + operation strength",
        "my_own": r"my\_own",
        "ostr:none=no:tuning=2": "OStr-DARTS (our reading), none=no, tuning=2",
        "darts+magnitude:none=no": "DARTS (1st order) + magnitude, none=no",
    }
    assert {name: latex.printed_name(name) for name in names} == names


def test_a_table_of_three_data_sets_takes_both_columns_of_a_page(paper_folder: Path) -> None:
    text = (paper_folder / "accuracy.tex").read_text()
    assert text.count(r"{table*}") == 2


def test_without_anything_to_print_it_says_so(tmp_path: Path, table: Table, suite: Path) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), None)
    with pytest.raises(UserError, match="nothing to print"):
        paper.write_paper(tmp_path / "s", tmp_path / "out", table)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/draft.tex").write_text("mine")
    with pytest.raises(UserError, match=r"would delete them: draft\.tex"):
        paper.write_paper(suite, tmp_path / "out", table)


def test_integers_are_integers_in_csv_also_where_some_are_missing() -> None:
    frame = pd.DataFrame({"n": [3.0, np.nan], "rank": [1.0, 2.0], "epoch": [1.5, 2.0], "mean": [54.0, 60.0]})
    assert with_integers(frame).to_csv(index=False).splitlines() == ["n,rank,epoch,mean", "3,1,1.5,54.0", ",2,2.0,60.0"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX with booktabs")
def test_latex_takes_it(paper_folder: Path, report_path: Path, tmp_path: Path) -> None:
    shutil.copytree(paper_folder, tmp_path / "paper")
    names = [path.name for path in sorted(paper_folder.glob("*.tex"))]
    for path in sorted((report_path / "tables").glob("*.tex")):
        shutil.copy(path, tmp_path / "paper" / f"t-{path.name}")
        names.append(f"t-{path.name}")
    lines = [r"\documentclass{article}", r"\usepackage{booktabs,graphicx}", r"\begin{document}"]
    lines += [rf"\input{{{name}}}\clearpage" for name in names] + [r"\end{document}"]
    (tmp_path / "paper/main.tex").write_text("\n".join(lines))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    run = subprocess.run(command, cwd=tmp_path / "paper", capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-2000:]
