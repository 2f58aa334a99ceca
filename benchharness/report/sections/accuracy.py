"""Table of validation and test accuracy on the three data sets, beside published figures and random baselines."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from benchharness.analysis import published
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code
from benchharness.report.blocks import Block, TableBlock, Text, folded
from benchharness.report.formatting import count_of, enumeration, number, plus_minus
from benchharness.report.ground_truth import sample_sentence
from benchharness.report.latex import table as latex_table
from benchharness.report.sections.random_baseline import random_search
from benchharness.report.sections.size_baseline import size
from benchharness.space import CONV3, EDGES, SKIP, to_code
from benchharness.table import DATASETS, Table

SPLITS: Final = ("valid", "test")


def accuracy(evidence: Evidence) -> list[Block]:
    """Our rows, published rows of the same protocol, trivial baselines, and random search at equal cost."""
    if not len(evidence.long) or evidence.table is None:
        return [Text("Nothing to look up: this takes finished runs and an installed table.")]
    ours, has_published = paper_rows(evidence.long), evidence.benchmark and evidence.protocol
    theirs = published.by_method(published.comparable(evidence.protocol)) if has_published else pd.DataFrame()
    baselines = pd.DataFrame(_baselines(evidence.table, datasets(evidence)))
    rows = pd.concat([ours, theirs, baselines], ignore_index=True)
    note = (
        f"Mean±std over search seeds, in percent after {count_of(evidence.epochs, 'epoch')}. Cells were searched on "
        f"{evidence.dataset}{_transferred(evidence)}. {_comparability(evidence, not theirs.empty)}"
        f"{sample_sentence(evidence.table)}"
    )
    name = f"accuracy{evidence.slug}"
    comparable = published.comparable(evidence.protocol) if has_published else published.published().iloc[:0]
    grid = _grid(name, f"Accuracy of the cells found, {evidence.name}", rows, note)
    grid = grid._replace(latex=latex_table(ours, comparable, evidence, name))
    more = [*_elsewhere(evidence), *random_search(evidence, evidence.table), *size(evidence, evidence.table)]
    return [grid, *folded("Published under other protocols, and against chance at equal cost", more, evidence.slug)]


def datasets(evidence: Evidence) -> tuple[str, ...]:
    """The data sets whose accuracies have columns: the benchmark's three, or the one searched on."""
    return DATASETS if evidence.benchmark else (evidence.dataset,)


def paper_rows(long: pd.DataFrame) -> pd.DataFrame:
    """One row per method of a frame as `lookup` gives it: `n`, and per data set and split a mean and a std (n - 1)."""
    rows = []
    for name, group in long.groupby("method", observed=True):
        seed_count = group.loc[group["test"].notna(), "seed"].nunique()
        row: dict[str, object] = {"method": str(name), "seeds": seed_count, "source": "this report"}
        for dataset, values in group.groupby("benchmark_dataset"):
            for split in SPLITS:
                row |= {f"{dataset} {split}": values[split].mean(), f"{dataset} {split} std": values[split].std()}
        rows.append(row)
    return pd.DataFrame(rows)


def _baselines(table: Table, datasets: Sequence[str]) -> list[dict[str, object]]:
    """Rows of reference cells, a random cell and the optimum."""
    cells = {"all 3x3 convolutions": (CONV3,) * len(EDGES), "all skip connections": (SKIP,) * len(EDGES)}
    rows = [
        {"method": name, "source": "table"} | _figures(table, datasets, to_code(arch)) for name, arch in cells.items()
    ]
    random: dict[str, object] = {"method": "a random cell", "source": "table, exact"}
    best: dict[str, object] = {"method": "optimum of each column", "source": "table"}
    for dataset in datasets:
        for split in SPLITS:
            column = by_code(table, dataset, split, own=True)
            column = column[np.isfinite(column)]
            if column.size:
                key = f"{dataset} {split}"
                random |= {key: column.mean(), f"{key} std": column.std()}
                best |= {key: np.nanmax(by_code(table, dataset, split))}
    return [*rows, random, best]


def _figures(table: Table, datasets: Sequence[str], code: int) -> dict[str, object]:
    return {f"{dataset} {split}": by_code(table, dataset, split)[code] for dataset in datasets for split in SPLITS}


def _grid(name: str, title: str, rows: pd.DataFrame, note: str) -> TableBlock:
    keys = [name for name in map(str, rows) if name.endswith(tuple(f" {split}" for split in SPLITS))]
    empty = pd.Series(np.nan, index=rows.index)
    cells = pd.DataFrame({"method": rows["method"], "seeds": rows.get("seeds", empty).map(_whole)})
    for key in keys:
        pairs = zip(rows[key].astype(float), rows.get(f"{key} std", empty).astype(float), strict=True)
        cells[key] = [plus_minus(mean, std) for mean, std in pairs]
    return TableBlock(name, title, rows, cells.assign(source=rows["source"]), note)


def _whole(value: float) -> str:
    return number(float(value), 0)


def _transferred(evidence: Evidence) -> str:
    return "; the other data sets' columns are the same cells transferred" if evidence.benchmark else ""


def _comparability(evidence: Evidence, any_published: bool) -> str:
    if not evidence.benchmark:
        return "Nobody has published figures on this data set, so none stand here."
    if not any_published:
        return "Nobody has published figures of this protocol, so no row of another one stands here."
    if evidence.protocol == "nb201":
        return "Published rows are of the same protocol, cells searched on cifar10 and transferred."
    return "Published methods searched on each data set separately: only the columns of this data set are comparable."


def _elsewhere(evidence: Evidence) -> list[Block]:
    blocks: list[Block] = []
    if not evidence.benchmark:
        return blocks
    if any("ostr" in name for name in evidence.methods):
        blocks.append(Text("No figure of OStr-DARTS on NAS-Bench-201 is public, so none is printed as published."))
    rows = published.by_method(published.elsewhere(evidence.methods, evidence.protocol))
    if rows.empty:
        return blocks
    note = (
        "Another protocol, or one the source does not state: for orientation, not to be compared with the rows above."
    )
    title = f"Published under other protocols: {enumeration(rows['method'].unique())}"
    return [*blocks, _grid(f"elsewhere{evidence.slug}", title, rows, note)]
