"""The report's numbers computed again from the exported CSV alone, with nothing but the standard library."""

import csv
import statistics
from itertools import combinations, product
from pathlib import Path

import pytest

from benchharness.analysis import export
from benchharness.table import Table

STUDENT_T_3 = 4.302652729911275
"""The 97.5 % quantile of Student's t with two degrees of freedom."""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tests_by_method(suite: Path, table: Table, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, float]]:
    """Test accuracy on cifar10 by method and seed, as exported."""
    out = tmp_path_factory.mktemp("export") / "all.csv"
    export.write_runs(suite, out, table)
    found: dict[str, dict[int, float]] = {}
    for row in rows(out):
        if row["benchmark_dataset"] == "cifar10":
            found.setdefault(row["method"], {})[int(row["seed"])] = float(row["test"])
    return found


def test_ranking(built: Path, tests_by_method: dict[str, dict[int, float]]) -> None:
    for row in rows(built / "tables/ranking.csv"):
        values = list(tests_by_method[row["method"]].values())
        mean, std = statistics.mean(values), statistics.stdev(values)
        half = STUDENT_T_3 * std / len(values) ** 0.5
        expected = {"mean": mean, "std": std, "mean_low": mean - half, "mean_high": mean + half}
        assert {name: float(row[name]) for name in expected} == pytest.approx(expected)
        assert float(row["median"]) == pytest.approx(statistics.median(values))
        assert min(values) <= float(row["iqm_low"]) <= float(row["iqm"]) <= float(row["iqm_high"]) <= max(values)


def test_comparisons(built: Path, tests_by_method: dict[str, dict[int, float]]) -> None:
    found = {(row["a"], row["b"]): row for row in rows(built / "tables/comparisons.csv")}
    assert len(found) == len(list(combinations(tests_by_method, 2)))
    for (a, b), row in found.items():
        one, other = tests_by_method[a], tests_by_method[b]
        differences = [one[seed] - other[seed] for seed in sorted(one)]
        assert float(row["difference"]) == pytest.approx(statistics.mean(differences))
        signs = product((-1, 1), repeat=len(differences))
        flipped = [abs(sum(s * d for s, d in zip(sign, differences, strict=True))) for sign in signs]
        p = sum(total >= abs(sum(differences)) - 1e-9 for total in flipped) / len(flipped)
        assert float(row["permutation_p"]) == pytest.approx(p)
        wins = [1.0 if x > y else 0.5 if x == y else 0.0 for x in one.values() for y in other.values()]
        assert float(row["improvement"]) == pytest.approx(statistics.mean(wins))


def test_holms_correction(built: Path) -> None:
    found = sorted(rows(built / "tables/comparisons.csv"), key=lambda row: float(row["permutation_p"]))
    adjusted = 0.0
    for place, row in enumerate(found):
        adjusted = max(adjusted, min(1.0, (len(found) - place) * float(row["permutation_p"])))
        assert float(row["holm"]) == pytest.approx(adjusted)


def test_accuracy_table(built: Path, tests_by_method: dict[str, dict[int, float]]) -> None:
    ours = {row["method"]: row for row in rows(built / "tables/accuracy.csv") if row["source"] == "this report"}
    assert set(ours) == set(tests_by_method)
    for name, by_seed in tests_by_method.items():
        assert float(ours[name]["cifar10 test"]) == pytest.approx(statistics.mean(by_seed.values()))
        assert float(ours[name]["cifar10 test std"]) == pytest.approx(statistics.stdev(by_seed.values()))
