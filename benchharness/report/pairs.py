"""Compares every pair of methods of a results folder, as a tidy frame."""

from pathlib import Path

import pandas as pd

from benchharness.analysis.experiment import gather
from benchharness.io.files import path_of
from benchharness.report.sections.ranking import comparisons
from benchharness.table import Tables, load_for


def compare(results: str | Path, tables: Tables = load_for) -> pd.DataFrame:
    """One row per pair of methods and setting: the report's paired tests (see `comparisons`) of test accuracy.

    `difference` is in percentage points; the method with the better mean is first. Raises `UserError` if there is no
    such folder, or no table of the data set searched.
    """
    _, settings = gather(path_of(results), tables)
    tests_by_setting = [comparisons(evidence.scores()).assign(setting=evidence.name) for evidence in settings]
    return (
        pd.concat(tests_by_setting, ignore_index=True)
        if tests_by_setting
        else comparisons(pd.DataFrame()).assign(setting="")
    )
