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
    accuracies: dict[str, dict[int, float]] = {}
    for row in rows(out):
        if row["benchmark_dataset"] == "cifar10":
            accuracies.setdefault(row["method"], {})[int(row["seed"])] = float(row["test"])
    return accuracies


def test_ranking(report_path: Path, tests_by_method: dict[str, dict[int, float]]) -> None:
    for row in rows(report_path / "tables/ranking.csv"):
        values = list(tests_by_method[row["method"]].values())
        mean, std = statistics.mean(values), statistics.stdev(values)
        half = STUDENT_T_3 * std / len(values) ** 0.5
        expected = {"mean": mean, "std": std, "mean_low": mean - half, "mean_high": mean + half}
        assert {name: float(row[name]) for name in expected} == pytest.approx(expected)
        assert float(row["median"]) == pytest.approx(statistics.median(values))
        assert min(values) <= float(row["iqm_low"]) <= float(row["iqm"]) <= float(row["iqm_high"]) <= max(values)


def test_comparisons(report_path: Path, tests_by_method: dict[str, dict[int, float]]) -> None:
    comparisons = {(row["a"], row["b"]): row for row in rows(report_path / "tables/comparisons.csv")}
    assert len(comparisons) == len(list(combinations(tests_by_method, 2)))
    for (a, b), row in comparisons.items():
        accuracies, other_accuracies = tests_by_method[a], tests_by_method[b]
        differences = [accuracies[seed] - other_accuracies[seed] for seed in sorted(accuracies)]
        assert float(row["difference"]) == pytest.approx(statistics.mean(differences))
        signs = product((-1, 1), repeat=len(differences))
        null_sums = [abs(sum(s * d for s, d in zip(sign, differences, strict=True))) for sign in signs]
        p = sum(total >= abs(sum(differences)) - 1e-9 for total in null_sums) / len(null_sums)
        assert float(row["permutation_p"]) == pytest.approx(p)
        wins = [
            1.0 if x > y else 0.5 if x == y else 0.0 for x in accuracies.values() for y in other_accuracies.values()
        ]
        assert float(row["improvement"]) == pytest.approx(statistics.mean(wins))


def test_planned_comparisons_are_those_with_darts(
    report_path: Path, tests_by_method: dict[str, dict[int, float]]
) -> None:
    every = {frozenset((row["a"], row["b"])): row for row in rows(report_path / "tables/comparisons.csv")}
    planned = rows(report_path / "tables/planned.csv")
    assert [row["b"] for row in planned] == ["darts"] * (len(tests_by_method) - 1)
    for row in planned:
        assert row["permutation_p"] == every[frozenset((row["a"], "darts"))]["permutation_p"]
        means = [statistics.mean(tests_by_method[name].values()) for name in (row["a"], "darts")]
        assert float(row["difference"]) == pytest.approx(means[0] - means[1])


@pytest.mark.parametrize("name", ["comparisons", "planned"])
def test_holms_correction(report_path: Path, name: str) -> None:
    comparisons = sorted(rows(report_path / f"tables/{name}.csv"), key=lambda row: float(row["permutation_p"]))
    adjusted = 0.0
    for index, row in enumerate(comparisons):
        adjusted = max(adjusted, min(1.0, (len(comparisons) - index) * float(row["permutation_p"])))
        assert float(row["holm"]) == pytest.approx(adjusted)


def test_accuracy_table(report_path: Path, tests_by_method: dict[str, dict[int, float]]) -> None:
    ours = {row["method"]: row for row in rows(report_path / "tables/accuracy.csv") if row["source"] == "this report"}
    assert set(ours) == set(tests_by_method)
    for name, by_seed in tests_by_method.items():
        assert float(ours[name]["cifar10 test"]) == pytest.approx(statistics.mean(by_seed.values()))
        assert float(ours[name]["cifar10 test std"]) == pytest.approx(statistics.stdev(by_seed.values()))
