"""Files of columns as the world writes them: other locales, other programs, other layouts; one table comes out."""

import gzip
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import cli, space
from benchharness.errors import UserError
from benchharness.table import Metric, Table, load_table
from benchharness.table.columns import frame as frame_of
from benchharness.table.importers import columnar, cost_frame
from benchharness.table.install import import_table
from benchharness.table.notation import to_naslib

CELLS = [space.from_code(code) for code in (7, 9_000, 3, 12_345)]
ARCHS = [space.to_string(cell) for cell in CELLS]
ACCURACIES = [90.25, 80.5, 54.3, 93.66]
FRAME = pd.DataFrame({"arch": ARCHS, "cifar10_test_200": ACCURACIES})
INDICES = [int(space.indices()[space.to_code(cell)]) for cell in CELLS]


def csv(**options: object) -> bytes:
    return FRAME.to_csv(index=False, **options).encode()  # type: ignore[call-overload, no-any-return]


def json_of(frame: pd.DataFrame = FRAME, **options: object) -> bytes:
    return frame.to_json(double_precision=15, **options).encode()  # type: ignore[call-overload, no-any-return]


def parquet(frame: pd.DataFrame, **options: object) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, **options)  # type: ignore[call-overload]
    return buffer.getvalue()


NASLIB = {str(to_naslib(cell)): {"val_accuracy": value} for cell, value in zip(CELLS, ACCURACIES, strict=True)}
FILES: dict[str, tuple[str, bytes]] = {
    "plain": ("x.csv", csv()),
    "semicolons": ("x.csv", csv(sep=";")),
    "tabs": ("x.csv", csv(sep="\t")),
    "tsv": ("x.tsv", csv(sep="\t")),
    "decimal commas": ("x.csv", csv(sep=";", decimal=",")),
    "decimal commas in quotes": ("x.csv", csv(decimal=",")),
    "Excel's mark": ("x.csv", b"\xef\xbb\xbf" + csv()),
    "Excel's mark and semicolons": ("x.csv", b"\xef\xbb\xbf" + csv(sep=";", decimal=",", lineterminator="\r\n")),
    "Excel's line of the separator": ("x.csv", b"sep=;\r\n" + csv(sep=";", decimal=",", lineterminator="\r\n")),
    "that line behind a mark": ("x.csv", b"\xef\xbb\xbfsep=,\n" + csv()),
    "that line in quotes": ("x.csv", b'"sep=\t"\n' + csv(sep="\t")),
    "Excel's Unicode text": ("x.csv", csv(sep="\t").decode().encode("utf-16")),
    "every field quoted": ("x.csv", csv(quoting=1)),
    "an empty first line": ("x.csv", b"\n" + csv()),
    "pandas' index": ("x.csv", FRAME.to_csv().encode()),
    "gzip": ("x.csv.gz", gzip.compress(csv())),
    "capitals": ("X.CSV", csv()),
    "all capitals, gzipped": ("X.CSV.GZ", gzip.compress(csv())),
    "downloaded again": ("x (1).csv", csv()),
    "downloaded again, gzipped": ("x(2).csv.gz", gzip.compress(csv())),
    "downloaded again, otherwise": ("x.csv (1).gz", gzip.compress(csv())),
    "downloaded again, of Excel": ("X (3).CSV.GZ", gzip.compress(b"\xef\xbb\xbf" + csv(sep=";", decimal=","))),
    "Parquet downloaded again": ("x (1).parquet", parquet(FRAME)),
    "lines of old Macs": ("x.csv", csv(lineterminator="\r")),
    "tabs and decimal commas": ("x.tsv", csv(sep="\t", decimal=",")),
    "bars": ("x.csv", csv(sep="|")),
    "separators at the ends of lines": ("x.csv", csv().replace(b"\n", b",\n")),
    "spaces behind separators": ("x.csv", csv().replace(b",", b", ")),
    "Unicode text, gzipped": ("x.tsv.gz", gzip.compress(csv(sep="\t").decode().encode("utf-16"))),
    "empty last lines": ("x.csv", csv() + b"\r\n\r\n"),
    "lines, gzipped": ("x.jsonl.gz", gzip.compress(json_of(orient="records", lines=True))),
    "records": ("x.json", json_of(orient="records")),
    "columns": ("x.json", json_of()),
    "index": ("x.json", json_of(orient="index")),
    "split": ("x.json", json_of(orient="split")),
    "table": ("x.json", json_of(orient="table")),
    "lines": ("x.jsonl", json_of(orient="records", lines=True)),
    "lines, as JSON": ("x.json", json_of(orient="records", lines=True)),
    "columns by cell": ("x.json", json_of(FRAME.set_index("arch"))),
    "rows by cell": ("x.json", json_of(FRAME.set_index("arch"), orient="index")),
    "JSON with a mark": ("x.json", b"\xef\xbb\xbf" + json_of(orient="records")),
    "JSON, gzipped": ("x.json.gz", gzip.compress(json_of())),
    "Parquet": ("x.parquet", parquet(FRAME)),
    "Parquet, arch as index": ("x.parquet", parquet(FRAME.set_index("arch"))),
    "Parquet of categories": ("x.parquet", parquet(FRAME.astype({"arch": "category"}))),
    "Parquet in capitals": ("X.PARQUET", parquet(FRAME)),
    "Parquet of NASLib's lists": ("x.parquet", parquet(FRAME.assign(arch=[list(to_naslib(cell)) for cell in CELLS]))),
}


@pytest.mark.parametrize("name", FILES)
def test_every_writing_of_a_table_is_the_same_table(tmp_path: Path, name: str) -> None:
    (path := tmp_path / FILES[name][0]).write_bytes(FILES[name][1])
    assert (columnar.recognises(path) or "").lower() == "x"
    table = columnar.read_source(path)
    assert table.accuracy(CELLS, "cifar10", "test").tolist() == ACCURACIES
    assert table.numbers.tolist() == INDICES


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_columns_are_mapped_in_every_form(tmp_path: Path, form: str) -> None:
    other = FRAME.rename(columns={"arch": "cell", "cifar10_test_200": "acc"})
    content = {"csv": other.to_csv(index=False).encode(), "json": json_of(other), "parquet": parquet(other)}[form]
    (tmp_path / f"x.{form}").write_bytes(content)
    table = columnar.read_as(tmp_path / f"x.{form}", "x", {"arch": "cell", "cifar10_test_200": "acc"})
    assert table.accuracy(CELLS, "cifar10", "test").tolist() == ACCURACIES


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_the_benchmarks_index_alone_says_which_cells_they_are(tmp_path: Path, form: str) -> None:
    numbered = FRAME.assign(index=INDICES).drop(columns="arch")
    indexed = numbered.set_index("index")
    content = {"csv": indexed.to_csv().encode(), "json": json_of(numbered), "parquet": parquet(indexed)}[form]
    (tmp_path / f"x.{form}").write_bytes(content)
    table = columnar.read_source(tmp_path / f"x.{form}")
    assert table.accuracy(CELLS, "cifar10", "test").tolist() == ACCURACIES
    assert [table.arch(index) for index in INDICES] == CELLS


def test_naslibs_figures_of_several_data_sets(tmp_path: Path) -> None:
    with_scores = {cell: {**row, "synflow": {"score": 7.0, "time": 1.0}} for cell, row in NASLIB.items()}
    (tmp_path / "zc.json").write_text(json.dumps({"cifar10": with_scores, "cifar100": NASLIB}))
    mapping = {"cifar10_valid_200": "cifar10_val_accuracy", "cifar100_valid_200": "cifar100_val_accuracy"}
    table = columnar.read_as(tmp_path / "zc.json", "zc", mapping)
    assert table.accuracy(CELLS, "cifar100", "valid").tolist() == ACCURACIES
    assert "NASLib's operation numbers" in table.about["note"]
    flat = [{"arch": list(to_naslib(cell)), "accuracy": 50.0} for cell in CELLS]
    (tmp_path / "train.json").write_text(json.dumps(flat))
    table = columnar.read_as(tmp_path / "train.json", "train", {"cifar10_valid_200": "accuracy"})
    assert table.numbers.tolist() == INDICES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"arch,cifar10_test_200\n"),
        ("x.csv", b"\xef\xbb\xbfarch;cifar10_test_200\r\n"),
        ("x.csv", b"index,cifar10_test_200\n"),
        ("x.json", b"[]"),
        ("x.json", b'{"arch": {}, "cifar10_test_200": {}}'),
        ("x.json", b'{"columns": ["arch", "cifar10_test_200"], "data": []}'),
        ("x.parquet", parquet(FRAME.iloc[:0])),
    ],
)
def test_a_file_of_no_rows_is_told_so(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} has no rows"):
        columnar.read_as(tmp_path / name, "x")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cifar10_test_200": [0.9025, 0.805, 0.543, 0.9366]}, "accuracies of at most 1 for cifar10 test after 200"),
        ({"cifar10_valid_200": [0.9025, 0.805, 0.543, 0.9366]}, "accuracies of at most 1 for cifar10 valid after 200"),
        ({"pets_test_200": [0.5, 0.25, 1.0, 0.0]}, "accuracies of at most 1 for pets test after 200"),
        ({"cifar10_valid_200": [90.0, 80.0, 0.91, 70.0]}, r"has 0\.91 in .* learnt nothing has 10\.00: give percent"),
        ({"cifar100_valid_200": [70.0, 0.64, 33.0, 70.0]}, r"has 0\.64 in .* learnt nothing has 1\.00"),
        ({"cifar10_valid_200": [90.0, 80.0, 0.0, 70.0]}, "leave what is missing empty"),
        ({"cifar10_test_200_by_seed": ["0.9 0.91", "0.8", "0.5", "0.9"]}, "accuracies of at most 1 for cifar10 test"),
        ({"CIFAR10_test_200": ACCURACIES}, "two columns of one figure: cifar10_test_200 and CIFAR10_test_200"),
        ({"cifar10-valid_test_200": [101.0] * 4}, "cifar10 test-halftrain after 200 epochs is not in percent"),
        ({"params_m": [1.0] * 4, "flops_m": [1.0] * 4}, "params_m of row 0 is 1, not"),
    ],
)
def test_columns_are_checked_one_by_one(tmp_path: Path, values: dict[str, object], sentence: str) -> None:
    FRAME.assign(**values).to_csv(tmp_path / "x.csv", index=False)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=sentence):
        columnar.read_source(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("column", "metric"),
    [
        ("ImageNet16-120_test_200", Metric("imagenet16-120", "test", 200)),
        ("imagenet16_120_test_200", Metric("imagenet16-120", "test", 200)),
        ("ImageNet16120_valid_12", Metric("imagenet16-120", "valid", 12)),
        ("CIFAR-100_test_200", Metric("cifar100", "test", 200)),
        ("Cifar10_valid_200", Metric("cifar10", "valid", 200)),
        ("cifar10-valid_valid_200", Metric("cifar10", "valid", 200)),
        ("cifar10-valid_test_200", Metric("cifar10", "test-halftrain", 200)),
        ("cifar10c_test_200", Metric("cifar10c", "test", 200)),
    ],
)
def test_known_data_sets_have_one_name(tmp_path: Path, column: str, metric: Metric) -> None:
    FRAME.rename(columns={"cifar10_test_200": column}).to_csv(tmp_path / "x.csv", index=False)
    assert columnar.read_source(tmp_path / "x.csv").figures() == [metric]


def test_commas_of_thousands_are_not_guessed_at(tmp_path: Path) -> None:
    text = FRAME.assign(train_seconds_200_cifar10_valid=["1,200", "2,888", "3,000", "4,100"]).to_csv(index=False)
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError, match="are commas as in '1,200' decimal, or of thousands"):
        columnar.read_source(tmp_path / "x.csv")


@pytest.mark.parametrize("keep_index", [True, False])
def test_a_table_sorted_and_renumbered_is_put_in_order(
    data_folder: Path, tmp_path: Path, real_table: Table, keep_index: bool
) -> None:
    source = pd.read_parquet(data_folder / "nas-bench-201" / "nb201.parquet").sort_values("cifar10_test_200")
    mixed = source.assign(index=range(len(source))) if keep_index else source.drop(columns="index")
    mixed.to_parquet(tmp_path / "x.parquet", index=False)
    table = columnar.read_as(tmp_path / "x.parquet", "nas-bench-201")
    assert table.about["sha256"] == real_table.about["sha256"]
    assert table.arch(6111) == real_table.arch(6111)
    assert ("is not the benchmark's" in table.about["note"]) == keep_index


def _renumbered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(index=range(len(frame)))


def _swapped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[[1, 0, *range(2, len(frame))]]


REORDERED: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "reversed": lambda frame: frame[::-1],
    "reversed and renumbered": lambda frame: _renumbered(frame[::-1]),
    "rotated by one": lambda frame: frame.iloc[np.roll(np.arange(len(frame)), 1)],
    "rotated by one and renumbered": lambda frame: _renumbered(frame.iloc[np.roll(np.arange(len(frame)), 1)]),
    "two rows swapped": _swapped,
    "two rows swapped and renumbered": lambda frame: _renumbered(_swapped(frame)),
    "sorted by string": lambda frame: frame.sort_values("arch"),
    "sorted by accuracy": lambda frame: frame.sort_values("cifar10_test_200", ascending=False),
    "sorted by parameters, unnumbered": lambda frame: frame.sort_values("params_m").drop(columns="index"),
    "numbered from 1": lambda frame: frame.assign(index=range(1, len(frame) + 1)),
    "shuffled, cells alone": lambda frame: frame.sample(frac=1, random_state=0).drop(columns="index"),
    "shuffled, numbers alone": lambda frame: frame.sample(frac=1, random_state=1).drop(columns="arch"),
    "numbers as floats alone": lambda frame: frame.astype({"index": float}).drop(columns="arch"),
    "numbers as texts alone": lambda frame: frame.astype({"index": str}).drop(columns="arch"),
    "numbers as small integers": lambda frame: frame.astype({"index": "uint16"}).drop(columns="arch"),
    "numbers under another name": lambda frame: frame.rename(columns={"index": "Unnamed: 0"})[::-1],
    "cells as pandas' index": lambda frame: frame[::-1].set_index("arch"),
    "numbers as pandas' index": lambda frame: frame[::-1].set_index("index"),
    "numbers alone, as pandas' index": lambda frame: frame[::-1].drop(columns="arch").set_index("index"),
    "both as pandas' index": lambda frame: frame.sample(frac=1, random_state=2).set_index(["index", "arch"]),
    "a row missing, renumbered": lambda frame: _renumbered(frame.drop(index=7)),
    "columns backwards": lambda frame: frame[frame.columns[::-1]],
}
BROKEN: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "a row twice": (lambda frame: pd.concat([frame, frame[:1]]).drop(columns="index"), "twice|two rows|once"),
    "a row twice, numbered": (lambda frame: pd.concat([frame, frame[:1]]), "an index that comes twice"),
    "a number twice": (lambda frame: pd.concat([frame, frame[3:4]]).drop(columns="arch"), "an index that comes twice"),
    "a number too high": (lambda frame: frame.assign(index=frame["index"] + 15_000), "no(t a)? whole number of 0 to"),
    "a number below 0": (lambda frame: frame.assign(index=frame["index"] - 15_000), "no(t a)? whole number of 0 to"),
    "half numbers": (lambda frame: frame.assign(index=frame["index"] + 0.5), "no(t a)? whole number of 0 to"),
    "no numbers": (lambda frame: frame.assign(index=np.nan), "no(t a)? whole number of 0 to"),
    "names for numbers": (lambda frame: frame.assign(index="a"), "column 'index' is not of numbers"),
    "cells moved by one": (lambda frame: frame.assign(arch=np.roll(frame["arch"], 1)), "rows and architectures differ"),
    "numbers moved by one, alone": (
        lambda frame: frame.assign(index=np.roll(frame["index"], 1)).drop(columns="arch"),
        "rows and architectures differ",
    ),
    "neither cells nor numbers": (lambda frame: frame.drop(columns=["arch", "index"]), "it needs `arch`"),
}


def _written(frame: pd.DataFrame, folder: Path, form: str) -> Path:
    """`frame` with whatever pandas takes for its index, where that has a name."""
    has_index_name = frame.index.names != [None]
    path = folder / f"x.{form}"
    if form == "csv":
        frame.to_csv(path, index=has_index_name)
    elif form == "json":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas cannot read an index called `index` back
            frame.to_json(path, orient="table" if has_index_name else "records", double_precision=15)
    else:
        frame.to_parquet(path, index=has_index_name)
    return path


def _plain(table: Table) -> pd.DataFrame:
    """A table's columns that are single numbers, which every form writes alike."""
    all_columns = frame_of(table)
    return all_columns[["index", "arch", "params_m", "flops_m", "cifar10_valid_200", "cifar10_test_200"]]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize("kind", REORDERED)
def test_the_order_of_rows_decides_nothing(tmp_path: Path, sample: Table, kind: str, form: str) -> None:
    frame = REORDERED[kind](_plain(sample))
    table = columnar.read_as(_written(frame, tmp_path, form), "x")
    assert len(table) == len(frame) >= len(sample) - 1
    cells = [tuple(row) for row in table.ops.tolist()]
    for split in ("valid", "test"):
        expected = sample.accuracy(cells, "cifar10", split)
        assert table.accuracy(cells, "cifar10", split) == pytest.approx(expected, abs=1e-9)
    assert table.numbers.tolist() == [int(space.indices()[space.to_code(cell)]) for cell in cells]
    is_renumbered = "is not the benchmark's" in table.about.get("note", "")
    assert is_renumbered == ("renumbered" in kind or kind == "numbered from 1")


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize("kind", BROKEN)
def test_rows_that_cannot_be_told_are_refused(tmp_path: Path, sample: Table, kind: str, form: str) -> None:
    change, sentence = BROKEN[kind]
    with pytest.raises(UserError, match=sentence):
        columnar.read_as(_written(change(_plain(sample)), tmp_path, form), "x")


def test_cells_shuffled_against_their_accuracies_are_noticed(data_folder: Path, tmp_path: Path) -> None:
    source = pd.read_parquet(data_folder / "nas-bench-201" / "nb201.parquet")
    shifted = source.assign(arch=np.roll(source["arch"], 5)).drop(columns=["params_m", "flops_m"])
    shifted.to_parquet(tmp_path / "x.parquet", index=False)
    with pytest.raises(UserError, match=r"architecture 6111, the best of cifar10 \w+ after 200 epochs, is .* mixed up"):
        columnar.read_as(tmp_path / "x.parquet", "nas-bench-201")


def test_a_sheet_in_the_data_folder_is_used_by_its_bare_name(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    (path := own_home / "sheet (2).CSV").write_bytes(FILES["Excel's mark and semicolons"][1])
    assert import_table(path).name == "sheet"
    assert load_table("sheet").accuracy(CELLS, "cifar10", "test").tolist() == ACCURACIES
    assert cli.main(["table", "import", str(path), "--map", "arch=arhc"]) == cli.REFUSED
    assert "unknown column of sheet (2).CSV 'arhc'; did you mean 'arch'?" in capsys.readouterr().err


def test_a_gzipped_table_is_read_to_its_checksum(tmp_path: Path) -> None:
    content, rng, refusals = gzip.compress(csv()), np.random.default_rng(0), 0
    path = tmp_path / "x.csv.gz"
    for position in [*rng.integers(len(content), size=100), len(content) - 5]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        columnar.recognises(path)
        try:
            assert columnar.read_as(path, "x").accuracy(CELLS, "cifar10", "test").tolist() == ACCURACIES
        except UserError:
            refusals += 1
    assert refusals > 80
    path.write_bytes(content[:-2])
    with pytest.raises(UserError, match=r"x\.csv\.gz cannot be read as CSV \(EOFError"):
        columnar.read_as(path, "x")


@pytest.mark.parametrize("name", ["x.xlsx", "x.pq", "x.csv.bz2", "x.csv.zip", "x", "csv"])
def test_files_of_other_names_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(csv())
    for read_as in (columnar.read_as, cost_frame.read_as):
        with pytest.raises(
            UserError, match=r"is no table: its name has to end in \.csv, \.tsv, \.json, \.jsonl, \.parquet"
        ):
            read_as(tmp_path / name, "x")


@pytest.mark.parametrize("first", [b'arch,"' + b"x" * 200_000, b"arch,\x00,cifar10_test_200", b'"arch\n"x', b"\r\r"])
def test_first_lines_that_are_none_are_refused(tmp_path: Path, first: bytes) -> None:
    (path := tmp_path / "x.csv").write_bytes(first)
    columnar.recognises(path)
    with pytest.raises(UserError) as refusal:
        columnar.read_as(path, "x")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("is_packed", [True, False], ids=["dictionary", "plain"])
@pytest.mark.parametrize("read", [columnar.read_as, cost_frame.read_as], ids=["accuracies", "costs"])
def test_texts_of_parquet_that_are_not_utf_8_are_damage(
    tmp_path: Path, is_packed: bool, read: Callable[[Path, str], object]
) -> None:
    content = parquet(FRAME.assign(pixel3_ms=ACCURACIES), compression=None, use_dictionary=is_packed)
    start = content.index(ARCHS[0].encode()) + len("|nor_")
    (path := tmp_path / "x.parquet").write_bytes(content[:start] + b"\x80" + content[start + 1 :])
    columnar.recognises(path)
    with pytest.raises(UserError, match=r"x\.parquet cannot be read as PARQUET .*Invalid UTF8"):
        read(path, "x")


def test_rows_that_are_longer_than_the_header_are_not_cut(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(csv().replace(b"cifar10_test_200,", b"").replace(b",cifar10_test_200", b""))
    with pytest.raises(UserError, match=r"x\.csv has rows of more values than its header has names"):
        columnar.read_as(tmp_path / "x.csv", "x")
