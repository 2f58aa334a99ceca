"""Published accuracies on NAS-Bench-201, each with its protocol and source."""

from importlib.resources import files
from typing import Final

import pandas as pd

from benchharness import space
from benchharness.analysis.lookup import by_code, codes_of
from benchharness.table import DATASETS, Tables

PROTOCOL_NAMES: Final = {"nb201-paper": "nb201"}
"""Names of protocols in the file that differ from ours."""

SEARCH: Final = "DARTS, published"
"""Name of the published search in figures."""
SEARCH_SOURCE: Final = (
    "one first-order DARTS search of the full size (100 epochs, 16 channels, 5 cells a stage, CIFAR-10, seed 0), from "
    "the logs in github.com/AI-Tech-Research-Lab/AsquaredM (Gambella, Pittorino and Roveri, arXiv 2503.10404)"
)


def search(tables: Tables, dataset: str) -> pd.DataFrame:
    """The published search epoch by epoch, in columns of `curves`: `skips`, `parameter_free`, `entropy`, `test`.

    `test` is what the table has for its cells, percent, where the data set is one of NAS-Bench-201's; see
    `SEARCH_SOURCE`.
    """
    with (files("benchharness.analysis") / "published_search.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(file)
    codes = codes_of(frame["arch"])
    ops = space.all_ops()[codes]
    test = by_code(tables if dataset in DATASETS else None, dataset, "test")[codes]
    counts = space.parameter_free_counts(ops)
    return frame.assign(method=SEARCH, run_id=SEARCH, test=test, **counts).astype(dict.fromkeys(counts, float))


def published() -> pd.DataFrame:
    """The published figures, a row each: `method`, `protocol`, `dataset`, `split`, `mean`, `std`, `seeds`, `source`.

    Accuracies are in percent; `std` and `seeds` are NaN if the source does not print them, `protocol` is empty if
    it states none. Figures of different protocols are not comparable.
    """
    with (files("benchharness.analysis") / "published.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(file, dtype={"protocol": str}, keep_default_na=False, na_values={"std": "", "seeds": ""})
    return frame.assign(protocol=frame["protocol"].replace(PROTOCOL_NAMES))


def comparable(protocol: str) -> pd.DataFrame:
    """The published accuracies under `protocol`; empty if there are none."""
    frame = published()
    return frame[frame["protocol"] == protocol]


def elsewhere(methods: list[str], protocol: str) -> pd.DataFrame:
    """Published figures of `methods` (compared without case) under any protocol but `protocol`."""
    frame = published()
    is_requested = frame["method"].str.casefold().isin([method.casefold() for method in methods])
    return frame[is_requested & (frame["protocol"] != protocol)]


def by_method(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per method and source of `frame`, with `seeds`, and per data set and split a mean and a deviation."""
    rows = []
    for (name, source), group in frame.groupby(["method", "source"], sort=False):
        row: dict[str, object] = {"method": str(name), "seeds": group["seeds"].iloc[0], "source": str(source)}
        for item in group.to_dict("records"):
            key = f"{item['dataset']} {item['split']}"
            row |= {key: item["mean"], f"{key} std": item["std"]}
        rows.append(row)
    return pd.DataFrame(rows)
