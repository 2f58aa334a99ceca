"""Tables survive their file, and a file that is damaged or something else is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchharness import space
from benchharness.errors import UserError
from benchharness.io import files, npz
from benchharness.table import Metric, Table, load_table, storage
from benchharness.table.build import build_table
from benchharness.table.nas_bench_201 import checked
from benchharness.table.table import codes


def same_table(table: Table, other_table: Table) -> bool:
    return storage.digest(table) == storage.digest(other_table) and table.about == other_table.about


def test_round_trip(toy_table: Table, tmp_path: Path) -> None:
    toy_table.save(tmp_path / "table.npz")
    reopened = checked(Table.open(tmp_path / "table.npz"))
    assert same_table(reopened, toy_table)
    assert reopened.figures() == toy_table.figures()
    assert not reopened.accuracy(None, "cifar10", "test").flags.writeable
    assert (tmp_path / "table.npz").stat().st_size < 4_000_000


def test_round_trip_without_runs_and_times(tmp_path: Path) -> None:
    about = {"name": "tiny", "version": "0", "source": "a test"}
    table = build_table(about, np.zeros((1, 6), int), {Metric("cifar10", "valid", 12): np.array([10.0])})
    table.save(tmp_path / "table.npz")
    assert same_table(Table.open(tmp_path / "table.npz"), table)


def test_a_save_that_fails_leaves_the_old_file(sample: Table, toy_table: Table, tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    sample.save(path)
    with pytest.raises(KeyError), files.replacing(path) as temporary:
        temporary.write_bytes({"half": b"a table"}["whole"])
    assert same_table(Table.open(path), sample)
    assert [item.name for item in tmp_path.iterdir()] == ["table.npz"]


def test_a_table_of_another_format_is_refused(sample: Table, tmp_path: Path) -> None:
    header = {"kind": storage.KIND, "format": 99, "about": {}}
    npz.write_arrays(tmp_path / "later.npz", header, {"ops": sample.ops})
    with pytest.raises(UserError, match="format 99; this version reads format 1"):
        Table.open(tmp_path / "later.npz")


@pytest.mark.parametrize(
    "name", ["means/cifar10/valid", "means/cifar10/valid/many", "times/cifar10", "more", "a/b/c/d/e"]
)
def test_a_column_without_a_proper_name_is_refused(sample: Table, tmp_path: Path, name: str) -> None:
    sample.save(tmp_path / "table.npz")
    header, arrays = npz.read_arrays(tmp_path / "table.npz", storage.KIND, storage.LIMIT_BYTES)
    npz.write_arrays(tmp_path / "wrong.npz", header, arrays | {name: sample.numbers})
    with pytest.raises(UserError, match="is a damaged table"):
        Table.open(tmp_path / "wrong.npz")


def test_a_file_of_a_version_that_numbered_rows_reads_the_same(own_home: Path) -> None:
    table = load_table("digits")
    assert table.numbers.tolist() == space.indices()[codes(table.ops)].tolist()
    assert checked(table) is table


def test_a_table_without_its_architectures_is_refused(sample: Table, tmp_path: Path) -> None:
    sample.save(tmp_path / "table.npz")
    header, arrays = npz.read_arrays(tmp_path / "table.npz", storage.KIND, storage.LIMIT_BYTES)
    del arrays["ops"]
    npz.write_arrays(tmp_path / "wrong.npz", header, arrays)
    with pytest.raises(UserError, match=r"is a damaged table .*ops"):
        Table.open(tmp_path / "wrong.npz")


def test_changed_content_does_not_have_its_checksum(sample: Table, tmp_path: Path) -> None:
    sample.save(tmp_path / "table.npz")
    header, arrays = npz.read_arrays(tmp_path / "table.npz", storage.KIND, storage.LIMIT_BYTES)
    arrays["means/cifar10/valid/200"][0] = 99.9
    npz.write_arrays(tmp_path / "table.npz", header, arrays)
    with pytest.raises(UserError, match="does not have the checksum it states"):
        checked(Table.open(tmp_path / "table.npz"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_reads_the_same(sample: Table, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "table.npz"
    sample.save(path)
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        table = Table.open(path)
    except UserError:
        return
    assert same_table(table, sample)


@pytest.mark.parametrize("key", ["name", "version", "source", "seed_rule", "sha256"])
def test_a_table_without_a_part_of_its_description_is_damaged(sample: Table, tmp_path: Path, key: str) -> None:
    about = {name: value for name, value in sample.about.items() if name != key}
    replace(sample, about=about).save(tmp_path / "t.npz")
    with pytest.raises(UserError, match="is a damaged table"):
        Table.open(tmp_path / "t.npz")
