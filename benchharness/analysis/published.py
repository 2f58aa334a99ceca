"""Published figures on NAS-Bench-201, each with the protocol and the source it comes from."""

from importlib.resources import files
from typing import Final

import pandas as pd

PROTOCOL_NAMES: Final = {"nb201-paper": "nb201"}
"""Names of protocols in the file where they differ from ours."""


def published() -> pd.DataFrame:
    """The published figures, a row each: `method`, `protocol`, `dataset`, `split`, `mean`, `std`, `seeds`, `source`.

    Accuracies are in percent; `std` and `seeds` are NaN where the source does not print them, `protocol` is empty where
    it states none. Figures of different protocols are not comparable.
    """
    with (files("benchharness.analysis") / "published.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(file, dtype={"protocol": str}, keep_default_na=False, na_values={"std": "", "seeds": ""})
    return frame.assign(protocol=frame["protocol"].replace(PROTOCOL_NAMES))


def comparable(protocol: str) -> pd.DataFrame:
    """The published figures got under `protocol`; empty where nobody has published any."""
    frame = published()
    return frame[frame["protocol"] == protocol]


def elsewhere(methods: list[str], protocol: str) -> pd.DataFrame:
    """Published figures of `methods` (compared without case) under any protocol but `protocol`."""
    frame = published()
    named = frame["method"].str.casefold().isin([method.casefold() for method in methods])
    return frame[named & (frame["protocol"] != protocol)]
