"""Texts on a report's ground truth: epochs, seed rule, coverage."""

from typing import Final

import numpy as np
import pandas as pd

from benchharness.config import pairs_text
from benchharness.report.formatting import count_of, enumeration
from benchharness.space import SIZE
from benchharness.table import DATASETS, SPLITS, Table
from benchharness.table.quality import coverage

HERE: Final = "†"
"""Mark of accuracies of cells that were trained on this machine and added to the table."""
_TRAINED_ON: Final = {
    "half": {
        "valid": "accuracy on the last half of the training images after training on the first",
        "test": "accuracy on the test images after the same training",
    },
    "benchmark": {
        "valid": "accuracy on the validation half of the benchmark's split after training on the other",
        "test": "accuracy on the test images after the same training",
    },
    "whole": {
        "valid": "accuracy on one half of the test images after training on all training images",
        "test": "accuracy on the other half of the test images after the same training",
    },
}


def sample_sentence(table: Table | None) -> str:
    """A sentence on ranks in a table of a part of the space; empty for a complete table or none."""
    if table is None or table.complete:
        return ""
    own_coverage = coverage(table)._replace(measured_here=0)
    if not table.rows_measured_here:
        return f" The table holds {own_coverage}: optimum, regret, rank, percentile and random cells are among these."
    return (
        f" The table came with {own_coverage}: rank, percentile and random cells are among these; the optimum, and so "
        f"regret, also among the {len(table.rows_measured_here):,} trained besides."
    )


def footnote(table: Table) -> str:
    """Footnote on cells that were trained on this machine and added to the table."""
    runs = np.isfinite(next(iter(table.by_seed.values()), np.empty((len(table), 0)))).sum(-1)
    once, highest_count = runs[table.measured_here], int(runs[~table.measured_here].max(initial=0))
    seeds = (
        f" with {count_of(int(once.max()), 'training seed')} where the table has {highest_count}"
        if highest_count and once.max() < highest_count
        else ""
    )
    return f"{HERE} Trained for these results{seeds}: no part of the table as it came."


def cell_count(table: Table | None) -> str:
    """Coverage in short: `15,625 of 15,625`."""
    return "no table" if table is None else f"{len(table) - len(table.rows_measured_here):,} of {SIZE:,}"


def probed_coverage(ranking: pd.DataFrame) -> str:
    """How many of the probed cells the table holds: `15-17 of 100`."""
    counts, of = (sorted(set(ranking[name])) for name in ("archs", "probed"))
    used, requested = (f"{values[0]}-{values[-1]}" if len(values) > 1 else str(values[0]) for values in (counts, of))
    return requested if used == requested else f"{used} of {requested}"


def table_sentences(table: Table | None) -> list[str]:
    """Sentences on the table: name, version, coverage, recipe and splits."""
    if table is None:
        return ["No table was installed, so nothing was looked up."]
    facts = table.about
    sources = f"{coverage(table)}, sha256 {facts['sha256'][:16]}, from {facts['source']}"
    counts = {name: table.epochs(name) for name in table.datasets}
    several = len(set(counts.values())) > 1
    after = enumeration(dict.fromkeys(count_of(n, "epoch") + f" on {name}" * several for name, n in counts.items()))
    first = (
        f"Table {facts['name']}, version {facts['version']}, {sources}. Accuracies are after {after}, "
        f"{facts['seed_rule']}, unless stated otherwise."
    )
    return [first, *_recipe(table), *_splits(table)]


def _recipe(table: Table) -> list[str]:
    sentences = []
    if "recipe" in table.about:
        settings = pairs_text({key: value for key, value in table.about["recipe"].items() if key != "name"})
        sentences.append(
            f"Recipe {table.about['recipe'].get('name', 'of its own')} of table {table.about['name']}: {settings}."
        )
    if "network" in table.about:
        sizes = pairs_text(table.about["network"])
        sentences.append(f"Networks of table {table.about['name']}: {sizes} (cells in each of three stages).")
    return sentences


def _splits(table: Table) -> list[str]:
    """What validation and test accuracy mean; empty if the table does not say."""
    recipe = table.about.get("recipe", {})
    meanings = (
        SPLITS if all(name in DATASETS for name in table.datasets) else _TRAINED_ON.get(recipe.get("trained_on"), {})
    )
    return [f"{split.capitalize()}: {meanings[split]}." for split in ("valid", "test") if split in meanings]
