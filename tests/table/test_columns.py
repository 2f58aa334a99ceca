"""Tables as CSV, JSON and Parquet: by name or mapped, and nothing that is not a table."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from benchharness import space
from benchharness.errors import UserError
from benchharness.table import Table
from benchharness.table.columns import frame, write_table
from benchharness.table.importers import columnar
from tests.support.measured import TEST, VALID

ARCHS = [space.to_string(space.from_code(code)) for code in (7, 9_000, 3)]
INDICES = space.indices()[[7, 9_000, 3]].tolist()
ROWS = {"arch": ARCHS, "cifar10_test_200": [90.0, 80.5, 70.0], "index": INDICES}


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_table_comes_back_as_it_went_out(sample: Table, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert write_table(sample, path) == 40
    table = columnar.read_as(path, "made-up")
    assert table.about["sha256"] == sample.about["sha256"]
    np.testing.assert_array_equal(table.seeds(*TEST), sample.seeds(*TEST))
    np.testing.assert_array_equal(table.accuracy(None, *VALID), sample.accuracy(None, *VALID))


def test_names_that_cannot_be_written_are_refused(sample: Table, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in none of \.csv, \.json, \.parquet"):
        write_table(sample, tmp_path / "out.xlsx")


@pytest.mark.parametrize(
    "content",
    [
        [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)],
        ROWS,
        {arch: {"cifar10_test_200": a, "index": i} for arch, a, i in zip(*ROWS.values(), strict=True)},
    ],
)
def test_every_layout_of_json(tmp_path: Path, content: object) -> None:
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert columnar.recognises(tmp_path / "x.json") == "x"
    table = columnar.read_source(tmp_path / "x.json")
    assert table.numbers.tolist() == INDICES
    assert "note" not in table.about
    assert table.accuracy(None, "cifar10", "test").tolist() == ROWS["cifar10_test_200"]
    assert table.accuracy(ARCHS[1], "cifar10", "test") == 80.5


def test_columns_by_other_names(tmp_path: Path) -> None:
    pd.DataFrame({"cell": ARCHS, "acc": [1.5, 2, 3], "arch": ["x"] * 3}).to_csv(tmp_path / "x.csv", index=False)
    mapping = {"arch": "cell", "imagenet16_120_valid_12": "acc"}
    table = columnar.read_as(tmp_path / "x.csv", "x", mapping)
    assert table.accuracy(ARCHS[0], "imagenet16-120", "valid", 12) == 1.5
    assert columnar.recognises(tmp_path / "x.csv") is None


def test_runs_and_seconds_are_read(tmp_path: Path) -> None:
    frame_by_seed = pd.DataFrame(ROWS)
    frame_by_seed["cifar10_test_200_by_seed"] = ["90.5 89.5", "80.5", "70.0 nan 70.0"]
    frame_by_seed["train_seconds_200_cifar10_valid"] = [1.0, 2.0, 3.0]
    frame_by_seed.to_csv(tmp_path / "x.csv", index=False)
    table = columnar.read_source(tmp_path / "x.csv")
    nan = np.nan
    np.testing.assert_array_equal(
        table.seeds("cifar10", "test"), [[90.5, 89.5, nan], [80.5, nan, nan], [70.0, nan, 70.0]]
    )
    assert table.train_seconds("cifar10").tolist() == [1.0, 2.0, 3.0]


def frame_with(**values: object) -> pd.DataFrame:
    return pd.DataFrame(ROWS).assign(**values)


@pytest.mark.parametrize(
    ("columns_of_file", "sentence"),
    [
        (frame_with(arch=["|a~0|"] * 3), "is not an architecture"),
        (frame_with(arch=ARCHS[:1] * 3), "occurs twice among the 3 rows"),
        (frame_with(index=[1, 2, 2]), "an index that comes twice"),
        (frame_with(index=[1, 2, 15_625]), "an index that is not a whole number of 0 to 15624"),
        (frame_with(index=[1, 2, 2.5]), "an index that is not a whole number"),
        (frame_with(index=[1, 2, None]), "an index that is not a whole number"),
        (
            frame_with(cifar10_test_200=[0.9, 0.8, 0.7]),
            "accuracies of at most 1 for cifar10 test after 200 epochs; they",
        ),
        (frame_with(cifar10_test_200=[90, 80, 101]), "is not in percent"),
        (frame_with(cifar10_test_200=["a", "b", "c"]), "'cifar10_test_200' is not of numbers"),
        (frame_with(params_m=1.0, flops_m=1.0), "params_m of row 0 is 1, not"),
        (frame_with(cifar10_test_200_by_seed=["1 2", "x", "3"]), "is not of lists of numbers"),
        (frame_with(cifar10_test_200_by_seed=["1 " * 17] * 3), "has 17 training runs; at most 16 are read"),
        (frame_with()[["arch", "index"]], "it needs `arch` and a figure such as `cifar10_test_200`"),
        (frame_with(valid=1.0)[["arch", "valid"]], "it needs `arch` and a figure"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, columns_of_file: pd.DataFrame, sentence: str) -> None:
    for name, save in (("x.csv", columns_of_file.to_csv), ("x.json", columns_of_file.to_json)):
        save(tmp_path / name, **({"index": False} if name == "x.csv" else {"orient": "records"}))
        with pytest.raises(UserError, match=sentence):
            columnar.read_as(tmp_path / name, "x")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", b'arch,cifar10_test_200\n"'),
        ("x.csv", b"\xff\xfe\x00"),
        ("x.json", b"[" * 200_000),
        ("x.json", b'{"arch": 1}'),
        ("x.json", b"[1, 2]"),
        ("x.json", b'{"a": ' * 100_000),
        ("x.json", b"null"),
        ("x.parquet", b"PAR1"),
        ("x.parquet", b"PAR1" + b"\x00" * 100 + b"PAR1"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert columnar.recognises(tmp_path / name) is None or name == "x.csv"
    with pytest.raises(UserError):
        columnar.read_as(tmp_path / name, "x")


def test_a_small_file_of_billions_of_values_is_refused(tmp_path: Path) -> None:
    runs = pa.array([[1.0] * 40_000] * 30)
    parquet.write_table(pa.table({"arch": ["x"] * 30, "cifar10_test_200_by_seed": runs}), tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").stat().st_size < 100_000
    with pytest.raises(UserError, match="it unpacks to more values than any table has"):
        columnar.read_as(tmp_path / "x.parquet", "x")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    arrow_table = pa.table([ARCHS, [1.0] * 3, [2.0] * 3], ["arch", "cifar10_test_200", "cifar10_test_200"])
    parquet.write_table(arrow_table, tmp_path / "x.parquet")
    with pytest.raises(UserError, match=r"two columns of one name|cannot be read as PARQUET"):
        columnar.read_as(tmp_path / "x.parquet", "x")


def test_too_many_rows_are_refused(make_table: Callable[..., Table], tmp_path: Path) -> None:
    long_frame = frame(make_table(10))
    pd.concat([long_frame] * 6_251).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(UserError, match="has 62501 rows; NAS-Bench-201 has 15,625"):
        columnar.read_as(tmp_path / "x.csv", "x")
