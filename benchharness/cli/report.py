"""Commands that read: `report`, `query`, `methods`, `export`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchharness.cli.parser import DONE, Parser, complain, dataset_name, report_place, tables_if_installed
from benchharness.errors import UserError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from benchharness.report.blocks import Report
    from benchharness.table import Tables


def report(arguments: list[str]) -> int:
    """Write the report of a results folder, or of every suite in a folder of suites."""
    parser = Parser("report", "Write the report of a results folder; the same results give the same bytes.")
    parser.add_argument(
        "results", metavar="RESULTS", help="a suite's folder, such as results/cifar10-cpu, or a folder of suites"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where to write (default: reports/SUITE beside results)")
    parser.add_argument(
        "--paper", action="store_true", help="write only a paper's table and figure, to reports/SUITE-paper"
    )
    parser.add_argument("--figures", default="png,svg,pdf", metavar="LIST", help="some of png,svg,pdf (default all)")
    args = parser.read(arguments)
    formats = _formats(args.figures)
    from benchharness.store.listing import suites

    folders = suites(results := Path(args.results))
    for folder in folders:
        tables = tables_if_installed(folder)
        out = str(Path(args.out, folder.relative_to(results))) if args.out and len(folders) > 1 else args.out
        print((paper if args.paper else build_report)(folder, out, tables, formats=formats))
    return DONE


def _formats(text: str) -> list[str]:
    """The figure formats in `text`; raises `UserError` if pages could show none of them."""
    from benchharness.plots.style import FORMATS

    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise unknown("format of figures", name, FORMATS)
    if not {"png", "svg"} & set(names):
        raise UserError("--figures has to name png or svg, which the report's pages show")
    return [name for name in FORMATS if name in names]


def build_report(
    results: Path,
    out: str | None,
    tables: "Tables",
    print_summary: "Callable[[Report], None]" = lambda _: None,
    formats: Sequence[str] = ("png", "svg", "pdf"),
    runs: "pd.DataFrame | None" = None,
) -> Path:
    """Write the report of `results` into `out` (default: `beside` the results)."""
    from benchharness import report

    report_folder = Path(out) if out else report_place(results, results.resolve().name)
    return report.build(results, report_folder, tables, print_summary, formats, runs)


def paper(results: Path, out: str | None, tables: "Tables", formats: Sequence[str]) -> Path:
    """Write the table and the figure for a paper into `out` (default: beside the report)."""
    from benchharness.report import paper

    paper_folder = Path(out) if out else report_place(results, f"{results.resolve().name}-paper")
    return paper.write_paper(results, paper_folder, tables, formats)


def query(arguments: list[str]) -> int:
    """Print all figures of one architecture."""
    parser = Parser("query", "Print all accuracies of one architecture, with data set, split, epochs and seed rule.")
    parser.add_argument("arch", metavar="ARCH|INDEX", help="'|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', or its index")
    parser.add_argument(
        "--dataset", type=dataset_name, default="cifar10", help="the data set whose table is used (default cifar10)"
    )
    parser.add_argument("--results", metavar="RESULTS", help="also use the cells that were trained for these results")
    args = parser.with_json().read(arguments)
    from benchharness.io.files import check_results
    from benchharness.table import load_for
    from benchharness.table.measurements import with_measured

    results = [Path(args.results)] if args.results else []
    for folder in results:
        check_results(folder)
    facts = with_measured(load_for(args.dataset), *results).describe(args.arch)
    if args.json:
        print(json.dumps(facts, indent=1))
    else:
        from benchharness.cli import console

        console.architecture(facts)
    return DONE


def methods(arguments: list[str]) -> int:
    """Print the built-in methods and selections."""
    parser = Parser("methods", "List the methods and selections, one line each, with their options.")
    args = parser.with_json().read(arguments)
    from benchharness.cli import console

    console.methods(args.json)
    return DONE


def protocols(arguments: list[str]) -> int:
    """Print the protocols with their values."""
    parser = Parser("protocols", "List the presets of settings for `--protocol`; `--set` changes single values.")
    args = parser.with_json().read(arguments)
    from benchharness.cli import console
    from benchharness.config import PROTOCOLS

    console.protocols({name: asdict(preset) for name, preset in PROTOCOLS.items()}, args.json)
    return DONE


def export(arguments: list[str]) -> int:
    """Write all runs into one tidy file."""
    parser = Parser("export", "Write all runs to one tidy file: a row per run and benchmark data set.")
    parser.add_argument("results", metavar="RESULTS", help="a results folder, of one suite or of several")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the file to write: a name ending in .csv or .parquet"
    )
    args = parser.read(arguments)
    if Path(args.out).suffix not in (".csv", ".parquet"):
        raise UserError(f"{args.out!r} ends in neither .csv nor .parquet")
    from benchharness.analysis import export

    results, out = Path(args.results), Path(args.out)
    path = export.write_runs(results, out, tables_if_installed(results))
    print(f"{path.rows} rows in {args.out}")
    for sentence in path.missing:
        complain(sentence, DONE)
    return DONE
