"""Files that are whole or absent, and lines that survive a torn end."""

import io
import json
import stat
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchharness.io import files

Object = dict[str, Any]


def interrupted(path: Path) -> None:
    path.write_text("half")
    raise KeyboardInterrupt


def test_a_replaced_file_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "before")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as temporary:
        interrupted(temporary)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_killed_process_are_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.txt.tmp").write_text("a much longer leftover than what comes now")
    files.write_text(tmp_path / "a.txt", "now")
    assert (tmp_path / "a.txt").read_text() == "now"


def test_equal_arrays_have_equal_bytes(tmp_path: Path) -> None:
    arrays = {"b": np.arange(3.0), "a": np.ones((2, 3), np.float32)}
    files.write_arrays(tmp_path / "1.npz", arrays)
    files.write_arrays(tmp_path / "2.npz", dict(reversed(arrays.items())))
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    for name, array in files.read_arrays(tmp_path / "1.npz").items():
        np.testing.assert_array_equal(array, arrays[name])


def test_a_damaged_archive_has_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    files.write_arrays(path, {"a": np.arange(100.0)})
    content = path.read_bytes()
    for damaged in (b"", b"PK", content[: len(content) // 2], content[:-30], content[:150] + b"x" + content[151:]):
        path.write_bytes(damaged)
        assert files.read_arrays(path) == {}


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([print], dtype=object))
    assert files.read_arrays(tmp_path / "a.npz") == {}


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_nothing(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    assert isinstance(files.read_json(path, Object), dict | None)
    assert all(isinstance(line, dict) for line in files.read_lines(path, Object))


LINES = st.sampled_from(
    [b'{"a": 1}', b'{"a": [', b"1]}", b'{"b": "x', b'y"}', b"{}, {}", b"[]", b"", b"{}", b"7", b"\xff"]
)


@given(lines=st.lists(LINES, max_size=5), end=st.sampled_from([b"\n", b"", b"\r\n"]))
def test_lines_are_read_up_to_the_first_that_is_none(lines: list[bytes], end: bytes) -> None:
    content = b"\n".join(lines) + end
    complete_lines = content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]
    objects = [line.startswith(b"{") and line.rstrip() in (b'{"a": 1}', b"{}") for line in complete_lines]
    assert len(files.lines_in(content, Object)) == [*objects, False].index(False)


def test_deeply_nested_json_is_damage_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    assert files.read_json(tmp_path / "a.json", Object) is None
    assert files.read_lines(tmp_path / "a.json", Object) == []


@given(st.integers(0, 200))
def test_a_torn_end_costs_only_the_torn_line(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "trace.jsonl"
    lines = [{"epoch": epoch, "arch": "|none~0|"} for epoch in range(4)]
    for line in lines:
        files.append_line(path, line)
    content = path.read_bytes()
    path.write_bytes(content[:length])
    assert files.read_lines(path, Object) == lines[: content[:length].count(b"\n")]


def test_keeping_lines_cuts_what_follows_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    for epoch in range(4):
        files.append_line(path, {"epoch": epoch})
    with path.open("ab") as file:
        file.write(b'{"epoch": 4')
    inode = path.stat()[stat.ST_INO]
    files.keep_lines(path, 9)
    assert path.stat()[stat.ST_INO] == inode
    files.keep_lines(path, 2)
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [0, 1]
    files.keep_lines(tmp_path / "none.jsonl", 2)
    assert not (tmp_path / "none.jsonl").exists()


@pytest.mark.parametrize("limit_bytes", [files.LIMIT_BYTES, files.CHECKPOINT_BYTES])
def test_a_small_file_takes_little_memory_whatever_it_may_have(tmp_path: Path, limit_bytes: int) -> None:
    (tmp_path / "small").write_bytes(bytes(3_000_000))
    tracemalloc.start()
    try:
        assert files.read_bytes(tmp_path / "small", limit_bytes) == bytes(3_000_000)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


def test_no_more_is_read_than_is_asked_for() -> None:
    content = bytes(range(256)) * 10_000
    for limit in (0, 1, 1 << 20, (1 << 20) + 1, len(content), len(content) + 1):
        assert files.read_up_to(io.BytesIO(content), limit) == content[:limit]


def test_a_nan_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.append_line(tmp_path / "trace.jsonl", {"loss": float("nan")})
    assert not (tmp_path / "trace.jsonl").exists()
