"""Official files in every form: what comes out is what their own packages say, and nothing else is let in."""

import bz2
import copy
import io
import os
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats_bench
import numpy as np
import pytest

from benchharness.errors import UserError
from benchharness.runs import data_sets
from benchharness.table import Table, load_table
from benchharness.table.importers import official
from benchharness.table.importers.trials import Gathered
from benchharness.table.install import import_table
from tests.support import releases
from tests.support.official import FORMS, deviation, official_api, read_official

SAMPLE = Path("nats-bench-sample") / "NATS-tss-v1_0-3ffb9-simple"


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A release of three architectures in every form; not to be written to."""
    return {name: make_table(tmp_path_factory.mktemp("release")) for name, make_table in FORMS.items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_agrees_with_the_package_made_for_it(released: dict[str, Path], form: str) -> None:
    release = released[form]
    table = read_official(release)
    assert table.numbers.tolist() == list(releases.ARCHS)
    assert [table.arch(index) for index in releases.ARCHS] == list(releases.ARCHS.values())
    assert deviation(official_api(release), table, list(releases.ARCHS)) < 1e-5


def test_the_real_sample_agrees_with_its_package_and_with_the_table(data_folder: Path) -> None:
    sample = official.read_source(data_folder / SAMPLE)
    api = nats_bench.create(str(data_folder / SAMPLE), "tss", fast_mode=True, verbose=False)
    assert sample.numbers.tolist() == [0, 11, 284]
    assert deviation(api, sample, [0, 11, 284]) < 1e-5
    table = load_table()
    for figure in table.figures():
        np.testing.assert_allclose(table.accuracy(sample.numbers, *figure), sample.accuracy(None, *figure), atol=2e-4)


def test_runs_keep_their_seed_and_missing_ones_are_nan(released: dict[str, Path]) -> None:
    table = read_official(released["folder"])
    assert table.about["training_seeds"] == {"12": [111, 777], "200": [777, 888, 999]}
    assert np.isnan(table.seeds("cifar100", "test")).tolist() == [[False] * 3, [False, False, True], [False] * 3]
    assert (table.seeds("cifar10", "valid", 12).shape, table.seeds("cifar100", "test", 12).shape) == ((3, 2), (3, 1))
    assert table.accuracy(2941, "cifar100", "test") == pytest.approx(table.seeds("cifar100", "test")[1, :2].mean())


def test_what_is_imported_is_found(own_home: Path, released: dict[str, Path]) -> None:
    (item,) = data_sets.install(released["folder"])
    assert (item.name, len(load_table(item.name))) == ("nas-bench-201-part", 3)
    assert [installed.problem for installed in data_sets.verify()] == [""]


@pytest.mark.parametrize("form", ["one file", "pth of then"])
def test_a_part_does_not_pass_for_the_benchmark(own_home: Path, released: dict[str, Path], form: str) -> None:
    path = released[form]
    assert official.recognises(path) == "nas-bench-201"
    with pytest.raises(UserError, match=r"holds 3 of the 15,625 architectures of NAS-Bench-201; import it under"):
        data_sets.install(path)
    assert import_table(path, "three").name == "three"
    assert len(load_table("three")) == 3


@pytest.mark.parametrize("protocol", [2, 5])
def test_any_protocol(released: dict[str, Path], tmp_path: Path, protocol: int) -> None:
    table = read_official(releases.as_one_file(tmp_path / "x.pickle.pbz2", protocol))
    assert table.about["sha256"] == read_official(released["folder"]).about["sha256"]


class Runs:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("form", ["folder", "one file", "pth of then", "pth of now"])
def test_a_hostile_file_is_refused_by_name_and_not_run(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, states_of = tmp_path / "was-here", releases.states
    monkeypatch.setattr(
        releases,
        "states",
        lambda *a, **k: {**states_of(*a, **k), "hidden": Runs(mark)} if a[0] == 2941 else states_of(*a, **k),
    )
    with pytest.raises(UserError, match=r"is refused: it names '(posix|nt)\.system', which no data set needs"):
        read_official(FORMS[form](tmp_path))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda s: s["200"].update(arch_str="|none~0|"), "architecture 2941: .* is not an architecture"),
        (lambda s: s["12"].update(arch_str="|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), "of different arch"),
        (lambda s: s.pop("12") and s.pop("200"), "architecture 2941 is not laid out as official files are"),
        (lambda s: first(s).update(params=0.5), "0.5 million parameters on .* where its architecture has 0.58"),
        (lambda s: first(s).update(flop=1.0), "1 million FLOPs on"),
        (lambda s: first(s).update(epochs=3), "a training of 3 epochs"),
        (lambda s: first(s)["eval_acc1es"].update({"x-valid@199": 140.0}), "is not in percent"),
        (lambda s: first(s)["eval_acc1es"].update({"x-valid@199": "high"}), "is not laid out as official files are"),
        (lambda s: first(s).update(eval_acc1es=7), "is not laid out as official files are"),
        (lambda s: s["200"].update(all_results=[1]), "is not laid out as official files are"),
    ],
)
def test_what_an_official_file_cannot_say_is_refused(spoil: Callable[[Any], object], sentence: str) -> None:
    damaged = copy.deepcopy(releases.states(2941))
    spoil(damaged)
    gathering = Gathered()
    with pytest.raises(UserError, match=sentence):
        gathering.add(2941, damaged)


def first(states: dict[str, Any]) -> dict[str, Any]:
    return states["200"]["all_results"]["cifar10-valid", 777]  # type: ignore[no-any-return]


@pytest.mark.parametrize("index", [-1, 15_625, "2941", 2941.0, True, None])
def test_an_index_is_one_of_the_benchmark(index: Any) -> None:
    gathering = Gathered()
    with pytest.raises(UserError, match="is no index of the benchmark"):
        gathering.add(index, releases.states(2941))
    with pytest.raises(UserError, match=r"architecture 3: .* is architecture 2941 of the benchmark"):
        gathering.add(3, releases.states(2941))
    gathering.add(2941, releases.states(2941))
    with pytest.raises(UserError, match="comes twice"):
        gathering.add(2941, releases.states(2941))


@pytest.mark.parametrize("name", ["../000003.pickle.pbz2", "/etc/000003.pickle.pbz2", "a/../../000003.pickle.pbz2"])
def test_an_archive_cannot_lead_out_of_itself(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(UserError, match="is a link or leads out of the archive"):
        read_official(tmp_path / "x.tar")


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("000003.pickle.pbz2")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(link)
    with pytest.raises(UserError, match="is a link or leads out"):
        read_official(tmp_path / "x.tar")


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb").mkdir()
    (tmp_path / "bomb" / "000003.pickle.pbz2").write_bytes(bz2.compress(b"\x80\x04" + b"N" * (1 << 25)))
    with pytest.raises(UserError, match="unpacks to more than 16777216 bytes"):
        read_official(tmp_path / "bomb")


@pytest.mark.parametrize(("form", "share"), [(form, 0.6) for form in FORMS] + [("folder", 0.0), ("pth of then", 0.001)])
def test_a_torn_file_is_a_clear_error(released: dict[str, Path], tmp_path: Path, form: str, share: float) -> None:
    source = released[form]
    truncated = tmp_path / source.name
    if source.is_dir():
        shutil.copytree(source, truncated)
        source, truncated = source / "002941.pickle.pbz2", truncated / "002941.pickle.pbz2"
    truncated.write_bytes(source.read_bytes()[: int(share * source.stat().st_size)])
    with pytest.raises(UserError):
        read_official(tmp_path / released[form].name)


def same_table(table: Table, other_table: Table) -> bool:
    figures = table.figures()
    return table.numbers.tolist() == other_table.numbers.tolist() and all(
        np.array_equal(table.accuracy(None, *figure), other_table.accuracy(None, *figure), equal_nan=True)
        for figure in figures
    )


@pytest.mark.parametrize("form", ["one file", "pth of now"])
def test_one_bit_that_is_not_right_is_noticed_or_changes_nothing(
    released: dict[str, Path], tmp_path: Path, form: str
) -> None:
    content, expected, rng = released[form].read_bytes(), read_official(released[form]), np.random.default_rng(0)
    path = tmp_path / released[form].name
    for position in [*rng.integers(len(content), size=20), len(content) - 5]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            assert same_table(read_official(path), expected)
        except UserError:
            continue


def test_a_packed_file_is_read_to_its_checksum(released: dict[str, Path], tmp_path: Path) -> None:
    """What follows the pickle in its packed file is of no interest, but for the checksum at its end."""
    path = tmp_path / released["one file"].name
    content = bz2.decompress(released["one file"].read_bytes())
    compressed = bytearray(bz2.compress(content + bytes(np.random.default_rng(0).bytes(2_000_000))))
    path.write_bytes(compressed)
    assert same_table(read_official(path), read_official(released["one file"]))
    compressed[-3] ^= 16
    path.write_bytes(compressed)
    with pytest.raises(UserError, match="is damaged, or not what its name says"):
        read_official(path)


def test_what_one_entry_shares_with_another_is_not_half_read(tmp_path: Path) -> None:
    entry = releases.states(2941)
    release = {"meta_archs": [], "arch2infos": {2941: entry, 2942: entry}}
    (tmp_path / "x.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(release, 4)))
    with pytest.raises(UserError, match="Memo value not found"):
        read_official(tmp_path / "x.pickle.pbz2")


def size_search_space(path: Path) -> Path:
    """A folder of NATS-Bench's other space."""
    path.mkdir()
    state = {"arch_str": "64:64:64:64:64", "all_results": {}}
    (path / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({"90": state, "12": state}, 4)))
    return path


@pytest.mark.parametrize("name", ["NATS-sss-v1_0-50262-simple", "renamed"])
def test_the_size_search_space_beside_it_is_in_nobodys_way(
    own_home: Path, tmp_path: Path, released: dict[str, Path], name: str
) -> None:
    sizes = size_search_space(tmp_path / name)
    shutil.copytree(released["folder"], tmp_path / "NATS-tss-v1_0-3ffb9-simple")
    assert official.recognises(sizes) is None
    assert [item.name for item in data_sets.install(tmp_path)] == ["nas-bench-201-part"]
    with pytest.raises(UserError, match="is NATS-Bench's size search space; the topology space"):
        import_table(sizes, "sizes")


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("name", ["", " (1)", "(2)"])
def test_packed_and_renamed_releases_are_read(tmp_path: Path, released: dict[str, Path], mode: str, name: str) -> None:
    path = tmp_path / f"NATS-tss-v1_0-3ffb9-simple{name}.tar.{mode}"
    with tarfile.open(path, f"w:{mode}") as archive:  # type: ignore[call-overload]
        archive.add(released["folder"], "NATS-tss-v1_0-3ffb9-simple")
    assert official.recognises(path) == "nas-bench-201"
    assert read_official(path).about["sha256"] == read_official(released["folder"]).about["sha256"]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="damaged"):
        read_official(path)


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("one file", "NATS-tss-v1_0-3ffb9.pickle (1).pbz2"),
        ("one file", "NATS-tss-v1_0-3ffb9(1).pickle.pbz2"),
        ("pth of then", "NAS-Bench-201-v1_1-096897 (3).pth"),
        ("tar", "NATS-tss-v1_0-3ffb9-simple (1).tar"),
    ],
)
def test_files_that_a_browser_renamed(tmp_path: Path, released: dict[str, Path], form: str, name: str) -> None:
    (tmp_path / name).write_bytes(released[form].read_bytes())
    assert official.recognises(tmp_path / name) == "nas-bench-201"
    assert len(read_official(tmp_path / name)) == 3
