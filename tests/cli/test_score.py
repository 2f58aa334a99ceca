"""`score`: cells scored once and kept, exported, and ranked against the table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import cli, space, stats
from benchharness.analysis.scores import NULL, against
from benchharness.table import load_for

SMALL = ("--dataset", "digits", "--channels", "2", "--cells", "1", "--batch", "4", "--jobs", "1")


def test_scores_are_exported_kept_and_ranked(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(own_home)
    asked = ["score", "synflow,params", *SMALL, "--sample", "14", "--out"]
    assert cli.main([*asked, "a.csv"]) == cli.DONE
    first = capsys.readouterr().out
    assert "14 rows in a.csv" in first
    assert NULL in first
    frame = pd.read_csv("a.csv")
    assert list(frame) == ["index", "arch", "synflow", "params"]
    codes = [space.to_code(space.from_string(arch)) for arch in frame["arch"]]
    assert frame["index"].tolist() == space.indices()[codes].tolist() == sorted(frame["index"])
    size = space.Network(2, 1, 12, 10)
    assert frame["params"].to_numpy() == pytest.approx(space.params_m(space.all_ops()[codes], size))
    monkeypatch.setattr("benchharness.models.proxies.PROXIES", {"synflow": None})
    assert cli.main([*asked, "b.parquet"]) == cli.DONE, "what is scored is not scored again"
    pd.testing.assert_frame_equal(pd.read_parquet("b.parquet"), frame, check_exact=False)


def test_tau_is_with_the_tables_test_accuracy_beside_the_null(own_home: Path) -> None:
    table = load_for("digits")
    rows = np.arange(0, len(table), 7)
    codes, truth = space.order()[table.numbers[rows]], table.accuracy(None, "digits", "test")[rows]
    values = {"right": truth.copy(), "wrong": -truth, "gaps": np.where(np.arange(len(rows)) < 5, np.nan, truth)}
    right, wrong, gaps, null = against(codes, values, "digits", table)
    assert (right.tau, wrong.tau, gaps.tau) == pytest.approx((1, -1, 1))
    assert (right.cells, gaps.cells, gaps.undefined) == (len(rows), len(rows) - 5, 5)
    assert right.test == truth.max()
    params = space.params_m(space.all_ops()[codes])
    assert (null.name, null.tau) == (NULL, pytest.approx(stats.tau(params, truth)))
    assert np.isnan(against(codes, values, "digits", None)[0].tau)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "a.csv"], "score takes proxies (such as synflow,snip) or --run ID, one of them"),
        (["snip", "--run", "abcd", "--out", "a.csv"], "one of them"),
        (["snip", "--out", "a.txt"], "ends in neither .csv nor .parquet"),
        (["snipe", *SMALL, "--out", "a.csv"], "unknown proxy 'snipe'; did you mean 'snip'"),
        (["snip", *SMALL, "--sample", "20000", "--out", "a.csv"], "sample=20000 is out of range"),
        (["snip", *SMALL[:-2], "--batch", "1", "--out", "a.csv"], "batch=1 is out of range"),
        (["--run", "abcdef", "--out", "a.csv"], "no runs under results have an id that begins with abcdef"),
    ],
)
def test_refusals_are_one_sentence(
    own_home: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert cli.main(["score", *words]) == cli.REFUSED
    assert sentence in (told := capsys.readouterr().err)
    assert told.count("\n") == 1
