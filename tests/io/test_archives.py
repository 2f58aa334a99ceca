"""Packed files are read to their end: what was altered, cut, doubled or put elsewhere is refused."""

import bz2
import gzip
import io
import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchharness.errors import UserError
from benchharness.io import archives, npz

KINDS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def contents(path: Path) -> dict[str, bytes]:
    return {str(name): read_file() for name, read_file in archives.members(path, 10, 1 << 20)}


FILES = {"a/one": np.random.default_rng(0).bytes(3000), "a/two": b"0123456789" * 400}


@pytest.mark.parametrize("kind", KINDS)
def test_one_bit_that_is_not_right_is_noticed_or_changes_nothing(tmp_path: Path, kind: str) -> None:
    content, rng, refusals = KINDS[kind](tar(FILES)), np.random.default_rng(1), 0
    path = tmp_path / f"x.tar.{kind}"
    for _ in range(150):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert contents(path) == FILES, "what comes out is what went in"
        except UserError:
            refusals += 1
    assert refusals > 130, "but for a few bits of a header that mean nothing, such as its time"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 4, 8, 200])
def test_a_tail_that_is_missing_is_noticed(tmp_path: Path, kind: str, length: int) -> None:
    (tmp_path / "x.tar").write_bytes(KINDS[kind](tar(FILES))[:-length])
    with pytest.raises(UserError, match=r"x\.tar is a damaged archive \("):
        contents(tmp_path / "x.tar")


def test_what_follows_behind_the_end_is_not_left_out_unsaid(tmp_path: Path) -> None:
    content = tar(FILES) + bytes(1 << 15)
    (tmp_path / "x.tgz").write_bytes(gzip.compress(content) + gzip.compress(tar(FILES)))
    with pytest.raises(UserError, match="more follows behind the end of the archive"):
        contents(tmp_path / "x.tgz")
    (tmp_path / "x.tgz").write_bytes(gzip.compress(content))
    assert contents(tmp_path / "x.tgz") == FILES


@pytest.mark.parametrize("second", ["a/one", "./a/one", "a//one"])
def test_a_file_that_is_there_twice_is_refused(tmp_path: Path, second: str) -> None:
    members = io.BytesIO()
    with tarfile.open(fileobj=members, mode="w") as archive:
        for name in ("a/one", second):
            archive.addfile(tarfile.TarInfo(name))
    (tmp_path / "x.tar").write_bytes(members.getvalue())
    with pytest.raises(UserError, match="twice"):
        contents(tmp_path / "x.tar")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(tar({"a/zeros": bytes(1 << 21)})))
    with pytest.raises(UserError, match=r"x\.tgz is refused: a/zeros has 2097152 bytes, too many for one of it"):
        contents(tmp_path / "x.tgz")


def test_arrays_with_a_wrong_bit_are_noticed_or_change_nothing(tmp_path: Path) -> None:
    path, array = tmp_path / "x.npz", np.arange(2000.0)
    npz.write_arrays(path, {"kind": "numbers", "about": {}}, {"values": array})
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            header, arrays = npz.read_arrays(path, "numbers", 1 << 20)
            assert header == {"kind": "numbers", "about": {}}
            assert "values" not in arrays or np.array_equal(arrays["values"], array)
        except UserError:
            continue
