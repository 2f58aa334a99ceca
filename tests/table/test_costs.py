"""Latencies and energies: read from frames of other tools, odd values marked, joined to the table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import cli, space
from benchharness.errors import UserError
from benchharness.io import catalog
from benchharness.table import Table, load_costs, load_table
from benchharness.table.costs import Measure, measure_of, measured_in
from benchharness.table.importers import cost_frame
from benchharness.table.install import import_any

INDICES = np.arange(0, 400, 2)


@pytest.fixture
def data(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    (own_home / "data").mkdir()
    return own_home / "data"


def frame(**columns: object) -> pd.DataFrame:
    """200 architectures: on a raspi4 10 to 12, and what `columns` say."""
    return pd.DataFrame({"index": INDICES, "raspi4": np.linspace(10, 12, len(INDICES)), **columns})


def odd_latencies() -> np.ndarray:
    """Latencies of about 10, of which five are odd and one is missing."""
    values = np.linspace(9, 11, len(INDICES))
    values[:6] = 0, -1, np.inf, 0.4, 56, np.nan
    return values


@pytest.mark.parametrize(
    ("column", "measure"),
    [
        ("raspi4", Measure("latency", "")),
        ("1080ti_256", Measure("latency", "")),
        ("titan_rtx_1", Measure("latency", "")),
        ("edgegpu_latency", Measure("latency", "")),
        ("eyeriss_energy", Measure("energy", "")),
        ("pi5_onnx_cifar100_ms", Measure("latency", "ms")),
        ("PI5_MJ", Measure("energy", "mJ")),
        ("board_uj", Measure("energy", "uJ")),
        ("latency", Measure("latency", "")),
        *[(name, None) for name in ("index", "arch", "rep_index", "accuracy_darcy", "train_seconds_200_cifar10_valid")],
        *[(name, None) for name in ("cifar10_test_200", "ms", "params_m", "flops_m", "eyeriss_arithmetic intensity")],
    ],
)
def test_columns_are_recognised_by_unit_or_device(column: str, measure: Measure | None) -> None:
    assert measure_of(column) == measure


def test_odd_values_are_marked_and_never_used(data: Path) -> None:
    frame(pixel3_ms=odd_latencies()).to_csv(data / "hw.csv", index=False)
    cost = cost_frame.read_source(data / "hw.csv").columns[1]
    assert [cost.why(int(index)) for index in INDICES[:7]] == [
        *["no positive number"] * 3,
        "below a twentieth of the median",
        "above five times the median",
        *["", ""],
    ]
    assert np.isnan(cost.values[INDICES[:6]]).all()
    assert not np.isnan(cost.values[INDICES[6:]]).any()
    assert np.isnan(cost.values[1::2]).all(), "architectures that the file lacks"
    summary = cost.summary()
    assert "latency, pixel3_ms (ms), hw.csv: 199 architectures" in summary
    assert "3 no positive number, 1 below a twentieth of the median, 1 above five times it" in summary


@pytest.mark.parametrize("name", ["hw.csv", "hw.parquet", "hw.json", "HW (1).CSV", "hw.tsv", "hw.csv.gz"])
def test_a_frame_that_stands_in_the_data_folder_joins_the_table(data: Path, toy_table: Table, name: str) -> None:
    (data / "own").mkdir()
    toy_table.save(data / "own" / "made-up.npz")
    cost_table, path = frame(pixel3_ms=odd_latencies()), data / "own" / name
    match path.name.lower().rsplit(".", 1)[1]:
        case "parquet":
            cost_table.to_parquet(path)
        case "json":
            cost_table.replace([np.inf], 1e300).to_json(path, orient="records")
        case "tsv":
            cost_table.to_csv(path, sep="\t", index=False)
        case _:
            cost_table.to_csv(path, index=False, compression="gzip" if name.endswith("gz") else None)
    table = load_table("made-up")
    assert table.cost(398, "raspi4") == 12
    assert table.cost([space.to_string(table.arch(0)), space.to_string(table.arch(398))], "raspi4").tolist() == [10, 12]
    assert np.isnan(table.cost(None, "pixel3_ms")).sum() == space.SIZE - len(INDICES) + 6
    with pytest.raises(UserError, match=r"no latency, pixel3_ms \(ms\) of architecture 0: 0 is odd: no positive"):
        table.cost(0, "pixel3_ms")
    with pytest.raises(UserError, match="of architecture 10: it was not measured"):
        table.cost(10, "pixel3_ms")
    with pytest.raises(UserError, match="unknown cost 'pixel3'; did you mean 'pixel3_ms'"):
        table.cost(0, "pixel3")
    assert table.about["sha256"] == toy_table.about["sha256"], "costs are no part of the table"
    costs = {item["name"]: item for item in table.describe(0)["costs"]}
    assert costs["pixel3_ms"] == {
        "name": "pixel3_ms", "quantity": "latency", "unit": "ms", "value": 0.0, "odd": "no positive number",
    }  # fmt: skip
    assert table.describe(2)["costs"][0]["odd"] == ""


def test_costs_of_two_files_keep_apart(data: Path) -> None:
    frame().to_csv(data / "a.csv", index=False)
    frame(raspi4=np.full(len(INDICES), 3.0), board_mj=1.0).to_csv(data / "b.csv", index=False)
    costs = load_costs()
    assert list(costs) == ["raspi4", "b:raspi4", "board_mj"]
    assert (costs["raspi4"].values[398], costs["b:raspi4"].values[398]) == (12, 3)


def test_tables_of_other_networks_have_none(data: Path, toy_table: Table) -> None:
    frame().to_csv(data / "a.csv", index=False)
    other = {**toy_table.about, "network": {"channels": 8, "cells": 1, "pixels": 12, "classes": 10}}
    replace(toy_table, about=other).save(data / "made-up.npz")
    assert load_table("made-up").costs == {}


def test_a_unit_makes_every_column_of_numbers_a_cost(data: Path) -> None:
    path = data.parent / "mine.csv"
    pd.DataFrame({"index": INDICES, "board": 2.0, "note": "x"}).to_csv(path, index=False)
    assert cost_frame.recognises(path) is None
    (item,) = import_any(path, unit="MJ")
    assert (item.kind, item.name) == ("costs", "mine")
    (cost,) = load_costs().values()
    assert (cost.name, cost.measure) == ("board", Measure("energy", "mJ"))
    with pytest.raises(UserError, match="unknown unit 'furlong'; known: ms, us, mJ, uJ, J"):
        measured_in("furlong")


def test_a_file_of_both_brings_both(data: Path) -> None:
    path = data.parent / "both.csv"
    frame(cifar10_test_200=90.0).to_csv(path, index=False)
    assert [(item.kind, item.name) for item in import_any(path)] == [("tables", "both"), ("costs", "both")]
    assert load_table("both").cost(398, "raspi4") == 12


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"raspi4": 0.0}, "holds no positive number, and so no cost"),
        ({"raspi4": ["x"] * len(INDICES)}, "column 'raspi4' is not of numbers"),
        ({"index": 7}, "has an index that comes twice"),
        ({"index": INDICES + 0.5}, "has an index that is not a whole number"),
        ({"index": INDICES * 100}, "of 0 to 15624"),
        ({"arch": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"}, "has an architecture twice"),
        ({"arch": "convolution"}, "is not an architecture"),
    ],
)
def test_what_is_no_cost_frame_is_refused(data: Path, columns: dict[str, object], sentence: str) -> None:
    path = data / "hw.parquet"
    frame(**columns).to_parquet(path)
    with pytest.raises(UserError, match=sentence) as refusal:
        cost_frame.read_source(path)
    assert "\n" not in str(refusal.value)


def test_our_own_exports_are_no_cost_frames(data: Path) -> None:
    arch = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    runs = pd.DataFrame({"run_id": ["a", "b"], "seed": [0, 1], "arch": [arch] * 2, "cost_pi5_ms": [1.0, 2.0]})
    runs.to_csv(data / "runs.csv", index=False)
    assert cost_frame.recognises(data / "runs.csv") is None


@pytest.mark.parametrize("spoil", ["shape", "type", "measures", "format", "cut"])
def test_damaged_files_of_ours_are_refused(data: Path, spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchharness.io import npz
    from benchharness.table.costs import FORMAT, KIND, Costs

    arrays = {"raspi4": np.ones(space.SIZE)}
    header = {"kind": KIND, "format": FORMAT, "about": {"name": "x"}, "measures": {"raspi4": ["latency", ""]}}
    match spoil:
        case "shape":
            arrays["raspi4"] = np.ones(5)
        case "type":
            arrays["raspi4"] = np.ones(space.SIZE, np.int64)
        case "measures":
            header["measures"] = {"raspi4": 3}
        case "format":
            header["format"] = 99
    npz.write_arrays(data / "x.npz", header, arrays)
    if spoil == "cut":
        (data / "x.npz").write_bytes((data / "x.npz").read_bytes()[:300])
    with pytest.raises(UserError):
        Costs.open(data / "x.npz")


def test_commands_tell_devices_and_odd_values(
    data: Path, toy_table: Table, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_table.save(data / "made-up.npz")
    path = data.parent / "hw.csv"
    frame(pixel3_ms=odd_latencies()).to_csv(path, index=False)
    assert cli.main(["table", "import", str(path)]) == cli.DONE
    assert "costs" in capsys.readouterr().out
    assert (data / "costs" / "hw.npz").is_file()
    assert cli.main(["table", "info", "made-up"]) == cli.DONE
    assert "latency, pixel3_ms (ms), hw.csv: 199 architectures" in capsys.readouterr().out
    monkeypatch.setattr("benchharness.table.load_for", lambda _: load_table("made-up"))
    assert cli.main(["query", "0"]) == cli.DONE
    lines = capsys.readouterr().out.splitlines()
    assert any("pixel3_ms" in line and "odd: no positive number" in line for line in lines)
    assert any("raspi4" in line and "not stated" in line for line in lines)
    assert cli.main(["data", "verify"]) == cli.DONE
    assert "costs/hw: as installed" in capsys.readouterr().out
    assert [item.name for item in catalog.imported_items()] == ["hw"]


def test_the_public_latencies_join_the_real_table(data_folder: Path, real_table: Table) -> None:
    if not (data_folder / "nas-bench-201" / "latency.parquet").is_file():
        pytest.skip("no latency.parquet there")
    latencies = pd.read_parquet(data_folder / "nas-bench-201" / "latency.parquet").set_index("index")
    assert {name: cost.source for name, cost in real_table.costs.items()} == dict.fromkeys(latencies, "latency.parquet")
    assert real_table.cost([6111, 1835], "1080ti_1").tolist() == latencies.loc[[6111, 1835], "1080ti_1"].tolist()
    odd_counts = {name: int(cost.odd.sum()) for name, cost in real_table.costs.items() if cost.odd.any()}
    assert odd_counts == {"pixel3": 273, "raspi4": 284, "samsung_a50": 2}
    dead = "|none~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"
    with pytest.raises(UserError, match="below a twentieth of the median"):
        real_table.cost(dead, "raspi4")
