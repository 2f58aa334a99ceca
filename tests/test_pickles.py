"""Pickles: arrays come out whole, and nothing that a file names is run."""

import os
import pickle
import pickletools
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchharness import pickles
from benchharness.errors import UserError

NUMBERS = st.sampled_from(["u1", "<i2", ">i4", "<i8", "<f4", ">f8", "?"]).flatmap(
    lambda kind: arrays(kind, array_shapes(max_dims=3, max_side=4), elements={"allow_nan": False})
)


@given(NUMBERS, st.sampled_from([0, 1, 2]), st.booleans())
def test_arrays_come_out_as_they_went_in(array: np.ndarray, protocol: int, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    content = {"data": array, "labels": [1, 2], "name": "x", b"raw": (None, True, 1.5)}
    found = pickles.read(pickle.dumps(content, protocol), "a test")
    np.testing.assert_array_equal(found["data"], array)
    assert found["data"].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert (found["labels"], found["name"]) == ([1, 2], "x")


class Runs:
    """What a hostile file would hold: something to call when it is read."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("call", "argument", "name"),
    [
        (os.system, "touch {}", "posix.system"),
        (eval, "open('{}', 'w')", "eval"),
        (exec, "open('{}', 'w')", "exec"),
        (getattr, "{}", "getattr"),
        (np.load, "{}", "load"),
    ],
)
def test_what_names_a_function_is_refused_and_not_run(
    tmp_path: Path, protocol: int, call: Any, argument: str, name: str
) -> None:
    mark = tmp_path / "was-here"
    data = pickle.dumps({"data": Runs(call, argument.format(mark))}, protocol)
    with pytest.raises(UserError, match=rf"a batch is refused: it names '.*{name}', which no data set needs"):
        pickles.read(data, "a batch")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"data": np.array([object()])}, "an array of 'O8' is not read"),
        ({"data": np.zeros(2, "u1,u1")}, "an array of 'V2' is not read"),
        ({"data": np.array(["text"])}, "an array of 'U4' is not read"),
        ([1, 2], "it holds a list, not a dictionary"),
    ],
)
def test_what_no_data_set_needs_is_refused(content: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        pickles.read(pickle.dumps(content, 2), "a batch")


def test_an_array_is_as_large_as_its_bytes() -> None:
    data = pickle.dumps({"data": np.zeros((77, 1), np.uint8)}, 2)
    claimed = data.replace(b"KMK\x01\x86", b"J\xff\xff\xff\x7fK\x01\x86")
    assert claimed != data
    with pytest.raises(UserError, match=r"an array of shape \(2147483647, 1\) holds 77 values"):
        pickles.read(claimed, "a batch")


def test_a_memo_of_billions_is_refused_before_it_is_made() -> None:
    with pytest.raises(UserError, match="would take up too much memory"):
        pickles.read(b"\x80\x02}r\xff\xff\xff\x7f.", "a batch")


def test_a_codec_other_than_that_of_bytes_is_refused() -> None:
    data = pickle.dumps({"data": b"\xff"}, 2).replace(b"latin1", b"rot-13")
    with pytest.raises(UserError, match="it asks for the codec 'rot-13'"):
        pickles.read(data, "a batch")


def test_a_large_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "LIMIT_BYTES", 10)
    with pytest.raises(UserError, match="has 11 bytes; a pickle of more than 10 is not read"):
        pickles.read(b"x" * 11, "a batch")


@given(st.data())
def test_damaged_bytes_are_refused_or_read(data: st.DataObject) -> None:
    content = bytearray(pickle.dumps({"data": np.arange(12, dtype=np.uint8), "labels": [1, 2, 3]}, 2))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    with suppress(UserError):
        assert isinstance(pickles.read(bytes(content), "a batch"), dict)


@given(st.lists(st.sampled_from([op.code.encode("latin1") for op in pickletools.opcodes]), max_size=12), st.binary())
def test_any_bytes_are_refused_or_read(codes: list[bytes], rest: bytes) -> None:
    with suppress(UserError):
        assert isinstance(pickles.read(b"".join(codes) + rest, "a batch"), dict)
