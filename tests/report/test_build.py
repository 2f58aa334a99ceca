import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from benchharness import report
from benchharness.errors import UserError
from benchharness.plots.style import canvas, styled
from benchharness.report.blocks import Block, FigureBlock, Folded, Pair, Report, Section, TableBlock, Text, flat
from benchharness.report.render import write_report
from benchharness.table import Table
from tests.support import report_folder

ORDER = [
    *("Answer", "Accuracy beside published figures", "Collapse", "Kendall's tau", "Searches without a supernet"),
    *("Costs", "Cells", "What ran", "Missing or failed"),
]


def figure_names(page: Report) -> list[str]:
    """Names of the figures, each drawn but not written."""
    pictures = [block for section in page.sections for block in flat(section.blocks) if isinstance(block, FigureBlock)]
    with styled():
        for picture in pictures:
            picture.draw()
    return [picture.name for picture in pictures]


def names(page: Report, *kinds: type) -> list[str]:
    return [
        block.name
        for section in page.sections
        for block in flat(section.blocks)
        if isinstance(block, kinds or (TableBlock, FigureBlock))
    ]


def test_the_answer_comes_first_and_everything_follows(report_path: Path) -> None:
    text = (report_path / "report.md").read_text()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == ORDER
    assert text.split("## Answer\n\n")[1].startswith("**Did the searches decide?** ")
    assert "darts collapsed to all-skip in 3 of 3 seeds, from epoch 1." in (report_path / "appendix.md").read_text()


def test_every_figure_and_table_that_is_named_is_there(report_path: Path) -> None:
    text = (report_path / "report.md").read_text() + (report_path / "appendix.md").read_text()
    page = (report_path / "report.html").read_text()
    figures = {path.stem for path in (report_path / "figures").glob("*.png")}
    for ending in ("svg", "pdf"):
        assert figures == {path.stem for path in (report_path / "figures").glob(f"*.{ending}")}
    for link in re.findall(r"\]\(([^)#]+)", text) + re.findall(r'href="([^"#]+)"', page):
        assert (report_path / link).is_file() or link.startswith("https:")
    anchors = set(re.findall(r'<a id="([^"]+)"', text))
    assert set(re.findall(r"appendix.md#([^)]+)\)", text)) == anchors
    tables = {path.stem for path in (report_path / "tables").glob("*.csv")}
    assert tables == {path.stem for path in (report_path / "tables").glob("*.tex")}
    for name in figures:
        assert f"(figures/{name}.png)" in text
    for name in tables:
        assert f"(tables/{name}.csv)" in text
    drawn = re.findall(r'src="data:image/svg\+xml,([^"]+)"', page)
    files = {"".join((report_path / "figures" / f"{name}.svg").read_text().split()) for name in figures}
    assert {"".join(unquote(url).split()) for url in drawn} == files
    assert not any(re.search(r"[<>&'#\n]", url) for url in drawn)
    expected = {"accuracy", "improvement", "profile", "degeneration", "parameter-free", "edge-weights", "taus"}
    assert expected | {"scores-ostr", "cost", "distribution", "cells"} <= figures


def test_figures_may_be_of_some_formats_alone(tmp_path: Path) -> None:
    ax_free = FigureBlock("empty", "Nothing.", lambda: canvas(2.0, 2.0)[0])
    page = Report("suite", "All done.", [Section("Answer", [ax_free])])
    for formats, embedded, inlined in ((["svg"], "svg", "svg+xml,"), (["png", "pdf"], "png", "png;base64,")):
        text = write_report(page, tmp_path / embedded, formats).read_text()
        names = {path.name for path in (tmp_path / embedded / "figures").iterdir()}
        assert names == {f"empty.{name}" for name in formats}
        assert f"![empty](figures/empty.{embedded})" in text
        assert re.findall(r"\[(\w+)\]\(figures/empty", text) == ["empty", *(["PDF"] if "pdf" in formats else [])]
        assert f"data:image/{inlined}" in (tmp_path / embedded / "report.html").read_text()


def test_the_same_results_give_the_same_bytes(report_path: Path, suite: Path, table: Table, tmp_path: Path) -> None:
    second = report.build(suite, tmp_path / "again", table).parent
    files = sorted(path.relative_to(report_path) for path in report_path.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert [name for name in files if (report_path / name).read_bytes() != (second / name).read_bytes()] == []


def test_without_a_table_the_report_has_what_needs_none(suite: Path) -> None:
    page = report.compose(suite, None)
    assert page.lacks_table
    assert {"collapse", "taus", "costs", "cells", "parameter-free"} <= set(names(page))
    assert not {"ranking", "accuracy", "degeneration", "distribution"} & set(figure_names(page))
    first = page.sections[0].blocks[0]
    assert isinstance(first, Text)
    assert "benchharness data import PATH" in first.text


def test_a_table_of_a_part_of_the_cells_is_enough(suite: Path, sample: Table, tmp_path: Path) -> None:
    assert "taus" in figure_names(report.compose(suite, sample))
    for seed in (0, 1):
        report_folder.add(tmp_path / "s", report_folder.spec("darts", seed), sample.arch(10 * seed))
    assert {"accuracy", "distribution", "cells"} <= set(figure_names(report.compose(tmp_path / "s", sample)))


def test_twenty_methods_fit_into_3000_words(tmp_path: Path, table: Table) -> None:
    source = np.random.default_rng(0)
    for method in range(20):
        for seed in range(3):
            report_folder.add(tmp_path / "s", report_folder.spec(f"method-{method}", seed), source.integers(0, 5, 6))
    page = report.compose(tmp_path / "s", table)
    without = [section._replace(blocks=[replaced(block) for block in section.blocks]) for section in page.sections]
    text = write_report(page._replace(sections=without), tmp_path / "out").read_text()
    assert 500 < len(text.split()) < 3000


def replaced(block: Block) -> Block:
    """`block` without its figures, which take long to draw."""
    if isinstance(block, Pair):
        return block.grid
    if isinstance(block, Folded):
        return block._replace(blocks=[Text("Folded.")])
    return Text(f"![{block.name}](x.png)\n\n*{block.title}*") if isinstance(block, FigureBlock) else block


def test_one_seed_is_reported_without_intervals(tmp_path: Path, table: Table) -> None:
    page = report.compose(report_folder.suite(tmp_path / "s", seeds=[0]), table)
    assert {"accuracy", "improvement", "taus", "scores-ostr"} <= set(figure_names(page))
    (ranking,) = [b for b in flat(page.sections[0].blocks) if isinstance(b, TableBlock) and b.name == "intervals"]
    assert not ranking.shown["mean [95 %]"].str.contains("[", regex=False).any()


def test_methods_without_a_supernet_are_enough(tmp_path: Path, table: Table) -> None:
    for seed in range(3):
        report_folder.add(tmp_path / "s", report_folder.spec("random", seed), report_folder.GOOD)
    figures = {"accuracy", "anytime", "cost", "distribution", "cells"}
    assert set(figure_names(report.compose(tmp_path / "s", table))) == figures


def test_a_folder_where_nothing_finished_yet(tmp_path: Path, table: Table) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), None)
    page = report.compose(tmp_path / "s", table)
    assert page.standing.startswith("This folder is unfinished: 0 of 1 run finished, 1 stale.")
    assert not page.lacks_table
    assert not report.compose(tmp_path / "s", None).lacks_table, "there is no cell to look up"
    assert set(figure_names(page)) == {"degeneration", "parameter-free", "entropy"}


def test_an_empty_folder_is_a_report_and_no_folder_is_an_error(tmp_path: Path, table: Table) -> None:
    assert report.compose(tmp_path, table).standing == "This folder holds no runs."
    with pytest.raises(UserError, match="no results folder"):
        report.compose(tmp_path / "none", table)


def test_settings_are_never_mixed(tmp_path: Path, table: Table) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), report_folder.GOOD)
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 1), report_folder.GOOD)
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0, batch=32), report_folder.ALL_SKIP)
    block_names = names(report.compose(tmp_path / "s", table))
    assert [name for name in block_names if name.startswith("ranking")] == [
        "ranking-cifar10-cpu-batch-32-epochs-6",
        "ranking-cifar10-cpu-epochs-6",
    ]
    for kind in (TableBlock, FigureBlock):
        files = names(report.compose(tmp_path / "s", table), kind)
        assert len(files) == len(set(files)), "no file of one setting overwrites another's"


def test_an_edited_method_file_is_another_method(tmp_path: Path) -> None:
    from dataclasses import replace

    for source in ("aaaaaaaa", "bbbbbbbb"):
        report_folder.add(tmp_path / "s", replace(report_folder.spec("mine", 0), source=source), report_folder.GOOD)
    runs, _ = report.gather(tmp_path / "s", None)
    assert sorted(runs["method"]) == ["mine@aaaaaa", "mine@bbbbbb"]


def test_probed_supernets_are_a_table_with_a_row_per_method(tmp_path: Path, table: Table) -> None:
    codes = np.arange(0, 15_000, 100)
    for seed in range(3):
        accuracy = np.random.default_rng(seed).normal(50, 10, len(codes))
        arrays = {"ranking_codes": codes, "ranking_accuracy_pct": accuracy}
        report_folder.add(tmp_path / "s", report_folder.spec("darts", seed), report_folder.GOOD, arrays=arrays)
    page = report.compose(tmp_path / "s", table)
    (grid,) = [b for s in page.sections for b in flat(s.blocks) if isinstance(b, TableBlock) and b.name == "supernets"]
    assert grid.shown.columns.tolist() == ["method", "supernets", "cells", "sparse", "tau", "top"]
    assert grid.shown[["method", "supernets", "cells"]].to_numpy().tolist() == [["darts", "3", "150"]]
    assert set(grid.data["measure"]) == {"tau", "top_tau", "sparse_tau"}
