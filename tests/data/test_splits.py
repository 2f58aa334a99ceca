"""Split files in every spelling, and the check against the benchmark's own."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchharness.data import Split, check_benchmark_split, load_split, splits
from benchharness.errors import UserError


def write_text(folder: Path, text: str) -> Path:
    path = folder / "split.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        '{"train": [4, 0, 2], "valid": [1, 3]}',
        '{"train": ["int", ["0", "2", "4"]], "valid": ["int", ["3", "1"]]}',
        "4,0,2\n1,3\n",
        "train: 0 2 4\nvalid: 1 3\n",
    ],
)
def test_every_spelling(tmp_path: Path, text: str) -> None:
    split = load_split(write_text(tmp_path, text))
    assert (split.train.tolist(), split.valid.tolist(), split.words) == ([0, 2, 4], [1, 3], "split file split.txt")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"train": [0, 1], "valid": [1, 2]}', "1 indices in both halves, the first 1"),
        ('{"train": [0, 0], "valid": [1]}', "index 0 occurs twice in 'train'"),
        ('{"train": [0]}', "KeyError 'valid'"),
        ('{"train": [0], "valid": []}', "'valid' must be a list of indices; found 'nothing'"),
        ('{"train": [0], "valid": [-1]}', "found '-1'"),
        ('{"train": [0], "valid": [1.5]}', "found '1.5'"),
        ('{"train": 0, "valid": [1]}', "'train' must be a list"),
        ('{"train": [0], "valid": [12345678901]}', "'valid' must be a list"),
        ("1 2 3", "has 1 lines; a split file has two"),
        ("1 2\n3 cat", "found 'cat'"),
        ('{"a":' * 100_000, "is not a split file"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        load_split(write_text(tmp_path, text))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with write_text(tmp_path, "").open("r+b") as file:
        file.truncate((1 << 24) + 1)
    with pytest.raises(UserError, match="has 16777217 bytes; more than 16777216 are not read"):
        load_split(tmp_path / "split.txt")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", tmp_path / "binary", tmp_path):
        with pytest.raises(UserError, match=r"cannot read the split file|is no regular file"):
            load_split(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(halves=st.sets(st.integers(0, 10**6), min_size=2, max_size=30), at=st.integers(1, 29))
def test_round_trip(tmp_path: Path, halves: set[int], at: int) -> None:
    order = list(halves)
    at = min(at, len(order) - 1)
    text = json.dumps({"train": order[:at], "valid": order[at:]})
    split = load_split(write_text(tmp_path, text))
    assert (split.train.tolist(), split.valid.tolist()) == (sorted(order[:at]), sorted(order[at:]))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_any_text_is_a_split_or_refused(tmp_path: Path, text: str) -> None:
    with suppress(UserError):
        assert len(load_split(write_text(tmp_path, text)).train) > 0


def test_halves_are_not_the_benchmarks_own() -> None:
    with pytest.raises(UserError, match="the training half of first and last is not the benchmark's own: sha256"):
        check_benchmark_split(Split(np.arange(25_000), np.arange(25_000, 50_000), "first and last"))


def test_the_right_checksums_pass_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    checksums = (
        "c4d71dab7a6f18516ac7f38b7a7f7d60abaf612cb16871773a46a5fcda8c2dc8",
        "ef96f1f6b55a072e70c2b4e8bd6585793f5f05ace0c01a5b07fad298a4d0051a",
    )
    monkeypatch.setattr(splits, "_BENCHMARK", checksums)
    split = Split(np.array([10, 0, 2]), np.array([3, 1]), "a file")
    assert check_benchmark_split(split).words == "the benchmark's own split"
    with pytest.raises(UserError, match="the validation half of a file"):
        check_benchmark_split(split._replace(valid=np.array([1, 3, 5])))
