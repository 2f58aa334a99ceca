"""Prints the output of commands: the plan, the summary, an architecture, the methods, the data."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Table as Columns

from benchharness.config import pairs_text
from benchharness.data.image_set import ImageSet
from benchharness.io.catalog import Installed
from benchharness.records import named_apart
from benchharness.report.blocks import Answers, TableBlock, flat
from benchharness.runs.progress import run_progress
from benchharness.space import SIZE, short
from benchharness.store import Store
from benchharness.table import Table
from benchharness.table.metric import after

if TYPE_CHECKING:
    from benchharness.config import TrainConfig
    from benchharness.records import RunSpec, Status
    from benchharness.report.blocks import Report
    from benchharness.runs.plan import Job
    from benchharness.training.table_check import Comparison

MANY: Final = 500
"""Rows above which a table is printed without wrapping."""
WIDER: Final = ("percentile", "collapsed")
"""Columns of the report's ranking that are not printed, to fit into 80 characters."""
VERDICT: Final = ("Which method is better?", "Did the searches decide?")
WIDE: Final = 200
"""Width in characters if stdout is not a terminal, so that logs have no wrapped lines."""


def plan(
    jobs: "list[Job]", store: Store, statuses: "Mapping[str, Status]", every_run: bool, epochs_now: int = 0
) -> None:
    """Print the plan, the runs that are done, and the questions that the plan cannot answer.

    `every_run` prints a line per run; `epochs_now` is the number of epochs after which training pauses, 0 for none.
    """
    from benchharness.runs.caveats import cannot_show

    counts = Counter(statuses.values())
    by_state = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    print(f"{store.path}: {len(statuses)} runs from {len(jobs)} supernets ({by_state})")
    epochs = {int(job.base.protocol["epochs"]) for job in jobs}
    if 0 < epochs_now < max(epochs, default=0):
        print(f"each supernet pauses after the first {epochs_now} of {max(epochs)} epochs, and can be resumed later")
    if every_run:
        specs = [spec for job in jobs for spec in job.specs]
        names = {spec.run_id: name for spec, name in zip(specs, named_apart(specs), strict=True)}
        rows = [
            (
                names[spec.run_id],
                spec.seed,
                spec.run_id,
                statuses[spec.run_id],
                _trained(job, spec, store),
                "" if spec == job.base else names[job.base.run_id],
            )
            for job in jobs
            for spec in job.specs
        ]
        _print(("method", "seed", "run", "status", "epochs", "reads out the supernet of"), rows)
    for sentence in cannot_show(jobs):
        print(f"note: {sentence}", file=sys.stderr, flush=True)


def _trained(job: "Job", spec: "RunSpec", store: Store) -> str:
    """Trained and planned epochs, such as 3/50; empty for a run that trains no supernet."""
    search = run_progress(job, store) if spec == job.base else None
    return f"{search.epoch}/{search.epochs}" if search and search.epoch else ""


def summary(report: "Report") -> None:
    """Print the report's verdicts and ranking, best method first."""
    for block in flat(block for section in report.sections for block in section.blocks):
        if isinstance(block, Answers):
            print(*(block.answers[question] for question in VERDICT), sep="\n")
        elif isinstance(block, TableBlock) and block.name.startswith("ranking"):
            print(f"\n{block.title}, test accuracy in percent")
            frame = block.shown[[name for name in block.shown if name not in WIDER]]
            _print(frame.columns, frame.to_numpy().tolist())


def architecture(facts: dict[str, Any]) -> None:
    """Print everything that a table holds about one architecture."""
    print(f"{facts['arch']}\nindex {facts['index']}   FLOPs {facts['flops_m']:.2f} M")
    print("parameters  " + "   ".join(f"{name} {value:.3f} M" for name, value in facts["params_m"].items()))
    heads = ("data set", "split", "epochs", "accuracy %", "rank", "percentile", "regret", "single runs %")
    _print(heads, map(_figure, facts["figures"]))
    for item in facts["train_seconds"]:
        print(f"training, {item['dataset']} {after(item['epochs'])}: {item['seconds']:.0f} s")
    if facts["costs"]:
        _print(("cost", "quantity", "value", "unit", ""), map(_cost, facts["costs"]))
    print(f"accuracy: {facts['table']['seed_rule']}; table {facts['table']['name']} {facts['table']['version']}")
    if facts["architectures"] < SIZE:
        coverage = f"{facts['architectures']:,} of {SIZE:,} architectures"
        print(f"rank, percentile and regret are among the {coverage} that this table holds")
    if facts["measured_here"]:
        print("trained besides: no part of the table as it came")


def run_details(facts: dict[str, Any]) -> None:
    """Print one run; settings that differ from the preset are marked, a traceback comes last."""
    for name in ("run_id", "method", "seed", "dataset", "setting", "status", "folder", "supernet"):
        print(f"{name.replace('_', ' '):<12}{facts[name]}")
    if facts["cell"]:
        print(f"{'cell':<12}#{facts['index']}  {facts['cell']}")
        reached = {name: value for name, value in facts["accuracies"].items() if value is not None}
        print(f"{'reaches':<12}{_pairs(reached) or 'no figures: no table holds the cell'}")
    for section in ("measures", "options", "costs"):
        if facts[section]:
            print(f"{section:<12}{_pairs(facts[section])}")
    print("settings")
    for name, value in facts["settings"].items():
        print(f"  {name:<22}{value}" + "  (changed)" * (name in facts["changed"]))
    if failure := facts["failure"]:
        print(f"{'failed':<12}{failure['type']}: {failure['message']}\n{failure.get('traceback', '')}".rstrip())


def _pairs(values: dict[str, Any]) -> str:
    return pairs_text({key: f"{value:.5g}" if isinstance(value, float) else value for key, value in values.items()})


def protocols(presets: dict[str, dict[str, Any]], as_json: bool) -> None:
    """Print the protocols side by side, a line per setting."""
    if as_json:
        print(json.dumps(presets, indent=1))
        return
    settings = [name for name in next(iter(presets.values())) if name != "name"]
    _print(
        ("setting", *presets),
        [(name, *(settings_of_preset[name] for settings_of_preset in presets.values())) for name in settings],
    )


def methods(as_json: bool = False) -> None:
    """Print the built-in methods and selections, one line each."""
    from benchharness import methods as built_in
    from benchharness.search import selection

    kinds = {name: built_in.load(name) for name in built_in.names()}
    rows_by_title = {
        "method": [(name, built_in.summary(kind), built_in.options(kind)) for name, kind in kinds.items()],
        "selection": [
            (name, (kind.__doc__ or "").splitlines()[0], selection.options(name))
            for name, kind in selection.SELECTIONS.items()
        ],
    }
    if as_json:
        keys = ("name", "summary", "options")
        print(
            json.dumps(
                {f"{k}s": [dict(zip(keys, row, strict=True)) for row in rows] for k, rows in rows_by_title.items()}
            )
        )
        return
    for title, rows in rows_by_title.items():
        _print((title, "what it is; options"), [(row[0], _described(row[1], row[2])) for row in rows])


def imported_items(items: "list[Installed]", before: Iterable[Installed]) -> None:
    """Print the imported data, their contents, and the data that they replaced."""
    installed(items)
    items_before = {other[:2]: other for other in before}
    for item in items:
        if item.kind == "images":
            print(_contents(ImageSet.open(item.path)))
        if (other := items_before.get(item[:2])) and other.sha256 == item.sha256:
            print(f"{item.kind} {item.name}: the same as before")
        elif other:
            replacement = f"took the place of what {other.source} had given (sha256 {other.sha256[:16]}...)"
            print(f"{item.kind} {item.name}: {replacement}; unfinished searches on the old data start again")


def _contents(images: ImageSet) -> str:
    """One line on a set of images."""
    height, width = images.train.shape[2:]
    counts = f"{len(images.train_labels):,} training and {len(images.test_labels):,} test images"
    names = ", ".join(images.classes[:5]) + ", ..." * (len(images.classes) > 5)
    size = f"{height}x{width} pixels, labelled {images.label!r}"
    return f"images {images.name}: {counts} of {len(images.classes)} classes ({names}), {size}"


def scores(rows: Iterable[Iterable[object]]) -> None:
    """Print how scores of cells agree with the table."""
    heads = ("score", "cells", "undefined", "tau", "tau, best tenth", "test % of its best", "which is")
    _print(heads, rows)


def installed(items: Iterable[Installed]) -> None:
    """Print the tables and images in the data folder."""
    rows = [(item.kind, item.name, item.path, f"{item.bytes / 1e6:.1f}", item.source_sha256[:16]) for item in items]
    if rows:
        _print(("kind", "name", "path", "MB", "sha256 of the source"), rows)
    else:
        print("nothing; `benchharness data import PATH` installs tables and images")


def _figure(item: dict[str, Any]) -> tuple[object, ...]:
    runs = " ".join(f"{run:.2f}" for run in item["runs_pct"])
    numbers = (f"{item['percentile']:.2f}", f"{item['regret']:.2f}", runs)
    return item["dataset"], item["split"], item["epochs"], f"{item['accuracy_pct']:.2f}", item["rank"], *numbers


def _cost(item: dict[str, Any]) -> tuple[object, ...]:
    odd_clause = f"odd: {item['odd']}" if item["odd"] else ""
    return item["name"], item["quantity"], f"{item['value']:.4g}", item["unit"] or "not stated", odd_clause


def _described(summary: str, options: dict[str, Any]) -> str:
    """A summary, and below it the options."""
    return "\n".join(filter(None, (summary, pairs_text(options, " "))))


def _print(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    console = Console(highlight=False, markup=False)
    texts = [tuple(map(str, row)) for row in rows]
    if len(texts) > MANY:
        _print_many(tuple(heads), texts)
        return
    if not console.is_terminal:
        console.width = WIDE
    grid = Columns(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        grid.add_column(head, overflow="fold")  # wrapped, never cut off
    for row in texts:
        grid.add_row(*row)
    # Printed by Python, as rich ends the process when the reader of a pipe has gone.
    with console.capture() as text:
        console.print(grid)
    print("\n".join(map(str.rstrip, text.get().splitlines())))


def _print_many(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print unwrapped columns: rich takes 4 s of CPU to lay out 10,000 rows, this takes 0.02."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (heads, *rows))
    print("\n".join(lines))


def comparisons(compared: "Iterable[Comparison]", table: Table, recipe: "TrainConfig") -> None:
    """Print accuracies of architectures trained here beside a table's (percent), with its seed noise (points).

    "equal cells" is the table's mean over all cells that compute the same, which it trained each by itself.
    """
    rows = []
    for comparison in compared:
        ours = f"{comparison.ours.mean():.2f}" + (
            f"±{comparison.ours.std(ddof=1):.2f}" if len(comparison.ours) > 1 else ""
        )
        noise = "" if pd.isna(comparison.noise) else f"{comparison.noise:.2f}"
        noise += f" ({comparison.noise_of})" if comparison.noise_of else ""
        equal = f"{comparison.equals.mean():.2f} (n={len(comparison.equals)})" if len(comparison.equals) > 1 else ""
        arch = short(table.arch(comparison.arch_index))
        figures = comparison.metric, ours, f"{comparison.theirs:.2f}", f"{comparison.difference:+.2f}"
        rows.append((comparison.arch_index, arch, *figures, noise, equal))
    titles = "index", "architecture", "figure", "here", "table", "difference", "the table's seed noise", "equal cells"
    _print(titles, rows)
    settings = pairs_text({key: value for key, value in asdict(recipe).items() if key != "name"})
    print(f"here: recipe {recipe.name} ({settings})")
