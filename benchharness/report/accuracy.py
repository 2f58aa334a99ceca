"""The table as papers print it: valid and test accuracy on the three data sets, beside published figures and chance."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from benchharness import stats
from benchharness.report import published
from benchharness.report.content import Block, Grid, Text
from benchharness.report.evidence import Evidence
from benchharness.report.lookup import EPOCHS, by_code
from benchharness.report.words import counted, listed, number, plus_minus
from benchharness.space import CONV3, EDGES, SKIP, to_code
from benchharness.table import DATASETS, Table

FIRST_ORDER_SECONDS: Final = 10_890
"""What 50 epochs of first-order DARTS on 50,000 images cost on one 2019 GPU (Dong & Yang, ICLR 2020, table 5)."""
FEEDBACK_EPOCHS: Final = 12
SPLITS: Final = ("valid", "test")


def accuracy(evidence: Evidence) -> list[Block]:
    """Our rows, the published ones of the same protocol, trivial baselines, and what chance reaches at equal cost."""
    if not len(evidence.long) or evidence.table is None:
        return [Text("Nothing to look up: this takes finished runs and an installed table.")]
    ours = paper_rows(evidence.long)
    theirs = _published_rows(published.comparable(evidence.protocol)) if evidence.protocol else pd.DataFrame()
    baselines = pd.DataFrame(_baselines(evidence.table))
    rows = pd.concat([ours, theirs, baselines], ignore_index=True)
    note = (
        f"Mean±std over search seeds, in percent after 200 epochs. Cells were searched on {evidence.dataset}; the "
        "other data sets' columns are the same cells transferred. " + _comparability(evidence, not theirs.empty)
    )
    blocks: list[Block] = [
        _grid(f"accuracy{evidence.slug}", f"Accuracy of the cells found, {evidence.name}", rows, note)
    ]
    return [*blocks, *_elsewhere(evidence), *_chance(evidence, evidence.table)]


def paper_rows(long: pd.DataFrame) -> pd.DataFrame:
    """One row per method of a frame as `lookup` gives it: `n`, and per data set and split a mean and a std (n - 1)."""
    rows = []
    for name, part in long.groupby("method", observed=True):
        row: dict[str, object] = {"method": str(name), "seeds": part["seed"].nunique(), "source": "this report"}
        for dataset, values in part.groupby("benchmark_dataset"):
            for split in SPLITS:
                row |= {f"{dataset} {split}": values[split].mean(), f"{dataset} {split} std": values[split].std()}
        rows.append(row)
    return pd.DataFrame(rows)


def simulated_seconds(epochs: int, images: int) -> float:
    """What a first-order search would have cost on the benchmark's GPU: in proportion to its epochs times images.

    The supernet counts as full-sized even where it was scaled down, so that chance is rather given too much time.
    """
    return FIRST_ORDER_SECONDS * (epochs / 50) * (images / 50_000)


def _published_rows(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (name, source), part in frame.groupby(["method", "source"], sort=False):
        row: dict[str, object] = {"method": str(name), "seeds": part["seeds"].iloc[0], "source": str(source)}
        for item in part.to_dict("records"):
            key = f"{item['dataset']} {item['split']}"
            row |= {key: item["mean"], f"{key} std": item["std"]}
        rows.append(row)
    return pd.DataFrame(rows)


def _baselines(table: Table) -> list[dict[str, object]]:
    """Cells and draws that need no search."""
    cells = {"all 3x3 convolutions": (CONV3,) * len(EDGES), "all skip connections": (SKIP,) * len(EDGES)}
    rows = [{"method": name, "source": "table"} | _figures(table, to_code(arch)) for name, arch in cells.items()]
    random: dict[str, object] = {"method": "a random cell", "source": "table, exact"}
    best: dict[str, object] = {"method": "optimum of each column", "source": "table"}
    for dataset in DATASETS:
        for split in SPLITS:
            column = by_code(table, dataset, split)
            column = column[np.isfinite(column)]
            if column.size:
                key = f"{dataset} {split}"
                random |= {key: column.mean(), f"{key} std": column.std()}
                best |= {key: column.max()}
    return [*rows, random, best]


def _figures(table: Table, code: int) -> dict[str, object]:
    return {f"{dataset} {split}": by_code(table, dataset, split)[code] for dataset in DATASETS for split in SPLITS}


def _grid(name: str, title: str, rows: pd.DataFrame, note: str) -> Grid:
    known = [(dataset, split) for dataset in DATASETS for split in SPLITS if f"{dataset} {split}" in rows]
    empty = pd.Series(np.nan, index=rows.index)
    shown = pd.DataFrame({"method": rows["method"], "seeds": rows.get("seeds", empty).map(_whole)})
    for dataset, split in known:
        key = f"{dataset} {split}"
        pairs = zip(rows[key].astype(float), rows.get(f"{key} std", empty).astype(float), strict=True)
        shown[key] = [plus_minus(mean, std) for mean, std in pairs]
    return Grid(name, title, rows, shown.assign(source=rows["source"]), note)


def _whole(value: float) -> str:
    return number(float(value), 0)


def _comparability(evidence: Evidence, found: bool) -> str:
    if not found:
        return "Nobody has published figures of this protocol, so no row of another one stands here."
    if evidence.protocol == "nb201":
        return "Published rows are of the same protocol, cells searched on cifar10 and transferred."
    return "Published rows searched on each data set anew: only the columns of the data set searched here compare."


def _elsewhere(evidence: Evidence) -> list[Block]:
    said: list[Block] = []
    if any("ostr" in name for name in evidence.methods):
        said.append(Text("No figure of OStr-DARTS on NAS-Bench-201 is public, so none is printed as published."))
    rows = _published_rows(published.elsewhere(evidence.methods, evidence.protocol))
    if rows.empty:
        return said
    note = (
        "Another protocol, or one the source does not state: for orientation, not to be compared with the rows above."
    )
    title = f"Published under other protocols: {listed(rows['method'].unique())}"
    return [*said, _grid(f"elsewhere{evidence.slug}", title, rows, note)]


def _chance(evidence: Evidence, table: Table) -> list[Block]:
    """Improvement over a random cell, and over the best of as many as a random search could have trained meanwhile."""
    dataset, protocol = evidence.dataset, evidence.runs["spec"].iloc[0]["protocol"]
    test, feedback = by_code(table, dataset, "test"), by_code(table, dataset, "valid", FEEDBACK_EPOCHS)
    if (dataset, EPOCHS) not in table.times or not np.isfinite(test).any() or not np.isfinite(feedback).any():
        return [
            Text(f"The table lacks what a random search at equal cost needs: {FEEDBACK_EPOCHS}-epoch figures, times.")
        ]
    one = float(np.nanmean(table.train_seconds(dataset, EPOCHS))) * FEEDBACK_EPOCHS / EPOCHS
    budget = simulated_seconds(int(protocol["epochs"]), _images(evidence))
    n = max(1, int(budget / one))
    best, cell = stats.best_of_random(feedback, test, n), stats.best_of_random(feedback, test, 1)
    means = evidence.scores().mean().dropna().sort_values(ascending=False, kind="stable")
    data = pd.DataFrame({"method": [str(name) for name in means.index], "mean": means.to_numpy(float)})
    data["over_random_pct"] = stats.relative_improvement(means.to_numpy(float), cell.mean)
    data["over_best_pct"] = stats.relative_improvement(means.to_numpy(float), best.mean)
    shown = data.map(lambda value: value if isinstance(value, str) else number(value))
    shown.columns = pd.Index(["method", "mean test", "over a random cell (%)", f"over the best of {n} (%)"])
    note = (
        f"Relative improvement, 100 (method - random) / random, of mean test accuracy on {dataset}. A random cell: "
        f"{plus_minus(*cell)}. The best of {n} by validation accuracy after {FEEDBACK_EPOCHS} epochs: "
        f"{plus_minus(*best)}. Both are exact. A random search trains {counted(n, 'cell')}, at {one:,.0f} s each, one "
        f"or more, in the {budget:,.0f} s that a first-order search of so many epochs and images costs on the "
        "benchmark's GPU (the published 10,890 s, scaled; the supernet counts as full-sized)."
    )
    return [Grid(f"chance{evidence.slug}", f"Against chance, {evidence.name}", data, shown, note)]


def _images(evidence: Evidence) -> int:
    """Images that one epoch goes through; all 50,000 where no run says."""
    about: Mapping[str, int] = next((record["data"] for record in evidence.runs["record"] if record), {})
    return about.get("train_images", 0) + about.get("valid_images", 0) or 50_000
