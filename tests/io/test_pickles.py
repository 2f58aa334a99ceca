"""Pickles: arrays come out whole, and nothing that a file names is run."""

import io
import os
import pickle
import pickletools
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchharness.errors import UserError
from benchharness.io import pickles

NUMBERS = st.sampled_from(["u1", "<i2", ">i4", "<i8", "<f4", ">f8", "?"]).flatmap(
    lambda kind: arrays(kind, array_shapes(max_dims=3, max_side=4), elements={"allow_nan": False})
)


@given(NUMBERS, st.sampled_from([2, 3, 4]), st.booleans())
def test_arrays_come_out_as_they_went_in(array: np.ndarray, protocol: int, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    content = {"data": array, "labels": [1, 2], "name": "x", b"raw": (None, True, 1.5)}
    arrays = pickles.read_pickle(pickle.dumps(content, protocol), "a test")
    np.testing.assert_array_equal(arrays["data"], array)
    assert arrays["data"].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert (arrays["labels"], arrays["name"]) == ([1, 2], "x")


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
    pattern = (
        rf"a batch is refused: it (names '.*{name}', which|uses the pickle instruction .*, which) no data set needs"
    )
    with pytest.raises(UserError, match=pattern if protocol < 2 else rf"it names '.*{name}', which no data set needs"):
        pickles.read_pickle(data, "a batch")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"data": np.array([None, 1])}, "an array of 'O8' is not read"),
        ({"data": np.zeros(2, "u1,u1")}, "an array of 'V2' is not read"),
        ({"data": np.array(["text"])}, "an array of 'U4' is not read"),
        ([1, 2], "it holds a list, not a dictionary"),
    ],
)
def test_what_no_data_set_needs_is_refused(content: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        pickles.read_pickle(pickle.dumps(content, 2), "a batch")


def test_an_array_is_as_large_as_its_bytes() -> None:
    data = pickle.dumps({"data": np.zeros((77, 1), np.uint8)}, 2)
    claimed = data.replace(b"KMK\x01\x86", b"J\xff\xff\xff\x7fK\x01\x86")
    assert claimed != data
    with pytest.raises(UserError, match=r"an array of shape \(2147483647, 1\) holds 77 values"):
        pickles.read_pickle(claimed, "a batch")


def test_a_large_place_in_the_memo_takes_no_memory() -> None:
    data = b"\x80\x02}r\xff\xff\xff\x7fX\x01\x00\x00\x00ar\xfe\xff\xff\x7fj\xfe\xff\xff\x7fs."
    assert pickles.read_pickle(data, "a batch") == {"a": "a"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x80\x04\x8a\xff" + b"\x01" * 255 + b".", "an integer of 255 bytes, more than any data set needs"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "would take up too much memory"),
        (b"\x80\x04X\xff\xff\xff\x00abc.", "it ends too early"),
        (b"\x80\x02c" + b"a" * 500 + b"\n.", "it names 'a{80}', which"),
        (b"\x80\x02}u.", "is a damaged pickle"),
        (b"\x80\x04}h\x07.", "is a damaged pickle .*not found at index 7"),
        (b"\x80\x04}Q.", "it uses the pickle instruction b'Q'"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x00.", "it uses the pickle instruction"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "it names 'os.system'"),
        (b"\x80\x02cnumpy\ndtype\n}U\x05_callNsb.", "it sets the state of a function"),
    ],
)
def test_what_would_take_memory_time_or_liberties_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        pickles.read_pickle(data, "a batch")


ENTRIES = st.dictionaries(
    st.integers(0, 2**31 - 1),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=300),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
        max_leaves=8,
    ).map(lambda value: {"200": value, "arch_str": "x", "train": OrderedDict(a=value)}),
    min_size=1,
    max_size=4,
)


@given(ENTRIES, st.integers(2, 5), st.integers(1, 50))
def test_entries_stream_as_they_were(entries: dict[int, Any], protocol: int, chunk: int) -> None:
    pickled = {"names": ["a", "b"] * 3, "infos": entries, "done": set(entries)}
    assert dict(pickles.stream(Slow(pickle.dumps(pickled, protocol), chunk), "a test", "infos")) == entries


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 2001])
@pytest.mark.parametrize("protocol", [2, 4])
def test_entries_stream_in_batches_as_python_writes_them(count: int, protocol: int) -> None:
    entries = {number: {"name": f"cell {number}", "of": ["x", number, ("a", number)]} for number in range(count)}
    state = {"names": [str(number) for number in range(count)], "infos": entries}
    assert dict(pickles.stream(io.BytesIO(pickle.dumps(state, protocol)), "a test", "infos")) == entries


def test_a_stream_without_the_key_says_so() -> None:
    for state in ({"other": {1: 2}}, {}, {"infos": [1, 2]}, {"infos": {"a": 1, "b": 2}}):
        with pytest.raises(UserError, match="a test is "):
            list(pickles.stream(io.BytesIO(pickle.dumps(state, 4)), "a test", "infos"))


class Slow(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, chunk: int) -> None:
        super().__init__(content)
        self.piece = chunk

    def readinto(self, buffer: Any, /) -> int:
        return super().readinto(memoryview(buffer)[: self.piece])


@pytest.mark.parametrize(
    "data", [b"\x80\x04" + b"N" * 1500, b"\x80\x04}" + b"]" * 1500, b"\x80\x04" + b"(" * 1500, b"})" + b"\x85" * 10_000]
)
def test_what_takes_memory_instruction_by_instruction_is_refused(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """The last nests tuples, which Python hashes by recursion."""
    monkeypatch.setattr(pickles, "_READ_BYTES", pickles.LIMIT_BYTES // 1000 if len(data) < 9999 else 128)
    with pytest.raises(UserError, match="it would take up too much memory"):
        pickles.read_pickle(data, "a batch")


def test_a_codec_other_than_that_of_bytes_is_refused() -> None:
    data = pickle.dumps({"data": b"\xff"}, 2).replace(b"latin1", b"rot-13")
    with pytest.raises(UserError, match="it asks for the codec 'rot-13'"):
        pickles.read_pickle(data, "a batch")


def test_a_large_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "LIMIT_BYTES", 10)
    with pytest.raises(UserError, match="has 11 bytes; a pickle of more than 10 is not read"):
        pickles.read_pickle(b"x" * 11, "a batch")


@given(st.data())
def test_damaged_bytes_are_refused_or_read(data: st.DataObject) -> None:
    content = bytearray(pickle.dumps({"data": np.arange(12, dtype=np.uint8), "labels": [1, 2, 3]}, 2))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[position] = data.draw(st.integers(0, 255))
    with suppress(UserError):
        assert isinstance(pickles.read_pickle(bytes(content), "a batch"), dict)


@given(st.lists(st.sampled_from([op.code.encode("latin1") for op in pickletools.opcodes]), max_size=12), st.binary())
def test_any_bytes_are_refused_or_read(codes: list[bytes], rest: bytes) -> None:
    with suppress(UserError):
        assert isinstance(pickles.read_pickle(b"".join(codes) + rest, "a batch"), dict)
