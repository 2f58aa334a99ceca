"""Our file format: whole or absent, and nothing in it is trusted."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchharness.errors import UserError
from benchharness.io import npz

HEADER = {"kind": "thing", "about": {"name": "x"}}


def test_round_trip_and_the_header_alone(tmp_path: Path) -> None:
    npz.write_arrays(tmp_path / "new" / "thing.npz", HEADER, {"one": np.arange(3), "two": np.ones((2, 2), np.uint8)})
    header, arrays = npz.read_arrays(tmp_path / "new" / "thing.npz", "thing", 10_000)
    assert (header, arrays["one"].tolist(), arrays["two"].dtype) == (HEADER, [0, 1, 2], np.uint8)
    assert npz.header(tmp_path / "new" / "thing.npz", "thing") == HEADER


def test_equal_content_makes_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        npz.write_arrays(tmp_path / name, HEADER, {"values": np.arange(3)})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    npz.write_arrays(tmp_path / "thing.npz", HEADER, {})
    with pytest.raises(UserError, match=r"thing\.npz is not a table"):
        npz.read_arrays(tmp_path / "thing.npz", "table", 10_000)
    assert npz.header(tmp_path / "thing.npz", "table") == {}


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"kind": "thing"}', b'{"kind": "thing", "about": 1}', b"[" * 100_000])
def test_a_header_that_is_none_is_refused(tmp_path: Path, text: bytes) -> None:
    np.savez(tmp_path / "thing.npz", header=np.frombuffer(text, np.uint8))
    with pytest.raises(UserError, match=r"is no(t a| readable) thing"):
        npz.read_arrays(tmp_path / "thing.npz", "thing", 1 << 20)
    assert npz.header(tmp_path / "thing.npz", "thing") == {}


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "thing.npz", header=np.array([{"kind": "thing", "about": {}}]), allow_pickle=True)
    with pytest.raises(UserError, match=r"is no readable thing .*no array of numbers"):
        npz.read_arrays(tmp_path / "thing.npz", "thing", 10_000)


def test_what_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", header=np.zeros(10, np.uint8), zeros=np.zeros(5_000_000, np.uint8))
    assert (tmp_path / "bomb.npz").stat().st_size < 10_000
    with pytest.raises(UserError, match=r"unpacks to 5000\d+ bytes, more than the 1000000 of any thing"):
        npz.read_arrays(tmp_path / "bomb.npz", "thing", 1_000_000)


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    claim = io.BytesIO()
    np.lib.format.write_array_header_1_0(claim, {"descr": "|u1", "fortran_order": False, "shape": (10**15,)})
    npz.write_arrays(tmp_path / "thing.npz", HEADER, {})
    with zipfile.ZipFile(tmp_path / "thing.npz", "a") as archive:
        archive.writestr("big.npy", claim.getvalue())
    with pytest.raises(UserError, match="is no readable thing"):
        npz.read_arrays(tmp_path / "thing.npz", "thing", 1 << 20)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip file at all" * 50])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thing.npz").write_bytes(content)
    for path in (tmp_path / "thing.npz", tmp_path / "missing.npz", tmp_path):
        with pytest.raises(UserError, match=r"is no re(adable thing|gular file)"):
            npz.read_arrays(path, "thing", 10_000)
        assert npz.header(path, "thing") == {}
