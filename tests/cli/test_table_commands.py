"""`table import | info | export | verify` and `data fetch`, as typed."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchharness import cli
from benchharness.table import load_table
from tests.support import releases
from tests.support.commands import output_of

ONE = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
TWO = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.fixture
def work(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(own_home)
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    pd.DataFrame({"cell": [ONE, TWO], "acc": [91.5, 70.25]}).to_csv("mine.csv", index=False)
    return own_home


def test_columns_are_mapped_by_hand(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = output_of(
        capsys, "table", "import", "mine.csv", "--map", "arch=cell", "cifar10_test_200=acc", "--name", "own"
    )
    assert "own" in out
    assert load_table("own").accuracy(ONE, "cifar10", "test") == 91.5
    output = output_of(capsys, "table", "info", "own")
    assert "2 of 15,625" in output
    assert "cifar10 test after 200 epochs: best 91.50 (index 13380)" in output


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_what_is_exported_comes_back_the_same(work: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    path = releases.as_one_file(work / "three.pickle.pbz2")
    output_of(capsys, "table", "import", str(path), "--name", "three")
    assert output_of(capsys, "table", "export", "three", "--out", f"out.{suffix}") == f"3 rows in out.{suffix}\n"
    output_of(capsys, "table", "import", f"out.{suffix}", "--name", "again")
    first, second = load_table("three"), load_table("again")
    assert first.about["sha256"] == second.about["sha256"]


def test_the_real_table_goes_out_and_comes_back(data_folder: Path, work: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    verification = output_of(capsys, "table", "verify")
    assert verification.count("right  ") == len(verification.splitlines()) > 15
    assert "right  the best cifar10 test after 200 epochs is 94.37" in verification
    output_of(capsys, "table", "export", "--out", "nb.csv")
    monkeypatch.setenv("BENCHHARNESS_DATA", str(work / "data"))
    output_of(capsys, "table", "import", "nb.csv")
    assert "sha256" in (output := output_of(capsys, "table", "info"))
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    assert output.splitlines()[-1] == output_of(capsys, "table", "info").splitlines()[-1]


def test_verify_tells_what_is_wrong(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output_of(capsys, "table", "import", "mine.csv", "--map", "arch=cell", "cifar10_test_200=acc", "--name", "own")
    with (work / "data" / "tables" / "own.npz").open("ab") as file:
        file.write(b"x")
    assert cli.main(["table", "verify", "own"]) == cli.FAILED
    assert "wrong  " in (out := capsys.readouterr().out)
    assert "has changed since it was installed; import it again" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("table", "imprt"), "unknown table command 'imprt'; did you mean 'import'?"),
        (("table", "info", "nothing"), "no table 'nothing' in"),
        (("table", "import", "mine.csv"), "it needs `arch` and a figure such as `cifar10_test_200`"),
        (("table", "import", "mine.csv", "--map", "arch"), "'arch' is no mapping of a column; write --map OURS=THEIRS"),
        (("table", "import", "mine.csv", "--map", "arhc=cell"), "unknown column 'arhc'; did you mean 'arch'?"),
        (
            ("table", "import", "mine.csv", "--map", "arch=cel"),
            "unknown column of mine.csv 'cel'; did you mean 'cell'?",
        ),
        (("table", "import", "nothing.csv"), "nothing.csv does not exist"),
        (
            ("table", "import", "mine.csv", "--name", "../x", "--map", "arch=cell", "cifar10_test_200=acc"),
            "not a valid name",
        ),
        (("table", "export", "--out", "x.txt"), "no table 'nas-bench-201'"),
        (("data", "fetch", "cifar11"), "unknown data set to fetch 'cifar11'; did you mean 'cifar1"),
        (("data", "fetch", "cifar10", "--from", "mine.csv"), "mine.csv is not cifar-10-python.tar.gz: sha256"),
    ],
)
def test_refusals_are_one_sentence(work: Path, capsys: pytest.CaptureFixture[str], arguments, sentence: str) -> None:  # type: ignore[no-untyped-def]
    output = output_of(capsys, *arguments, code=cli.REFUSED)
    assert sentence in output
    assert output.count("\n") == 1


@pytest.mark.parametrize("command", ["table import", "table info", "table export", "table verify", "data fetch"])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert f"usage: benchharness {command}" in output_of(capsys, *command.split(), "--help")


def test_a_split_file_is_installed_and_found(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = {
        "xvalid": ["int", list(map(str, range(0, 10_000, 2)))],
        "xtest": ["int", list(map(str, range(1, 10_000, 2)))],
    }
    (work / "cifar100-test-split.txt").write_text(json.dumps(lists))
    assert "cifar100" in output_of(capsys, "data", "import", "cifar100-test-split.txt")
    assert "splits/cifar100: as installed" in output_of(capsys, "data", "verify")
    assert (work / "data" / "splits" / "cifar100.json").is_file()
