"""`score`: cells scored once and kept, exported, and ranked against the table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchharness import cli, space, stats
from benchharness.analysis.scores import NULL, against
from benchharness.io.catalog import measured_folder
from benchharness.runs import scoring
from benchharness.runs.checkpoint import restored
from benchharness.runs.reproduce import job_of
from benchharness.runs.worker import open_search
from benchharness.search.evaluation import Evaluation
from benchharness.search.loop import Search
from benchharness.store import Run
from benchharness.table import load_for
from tests.support.commands import command_line
from tests.support.tiny import install_images

MINE = '''
from benchharness import Method


class Mine(Method):
    """Of one's own."""
'''

SMALL = ("--dataset", "digits", "--channels", "2", "--cells", "1", "--batch", "4", "--jobs", "1")


def test_scores_are_exported_kept_and_ranked(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(own_home)
    command = ["score", "synflow,params", *SMALL, "--sample", "14", "--out"]
    assert cli.main([*command, "a.csv"]) == cli.DONE
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
    assert cli.main([*command, "b.parquet"]) == cli.DONE, "what is scored is not scored again"
    pd.testing.assert_frame_equal(pd.read_parquet("b.parquet"), frame, check_exact=False)


def test_tau_is_with_the_tables_test_accuracy_beside_the_null(own_home: Path) -> None:
    table = load_for("digits")
    rows = np.arange(0, len(table), 7)
    codes, truth = space.order()[table.numbers[rows]], table.accuracy(None, "digits", "test")[rows]
    values = {"right": truth.copy(), "wrong": -truth, "gaps": np.where(np.arange(len(rows)) < 5, np.nan, truth)}
    correct, inverted, gaps, null = against(codes, values, "digits", table)
    assert (correct.tau.value, inverted.tau.value, gaps.tau.value) == pytest.approx((1, -1, 1))
    assert null.tau.low < null.tau.value < null.tau.high, "the cells are a sample"
    assert (correct.cells, gaps.cells, gaps.undefined) == (len(rows), len(rows) - 5, 5)
    assert correct.test == truth.max()
    params = space.params_m(space.all_ops()[codes])
    assert (null.name, null.tau.value) == (NULL, pytest.approx(stats.tau(params, truth)))
    assert np.isnan(against(codes, values, "digits", None)[0].tau.value)


def test_all_cells_are_no_sample_and_their_tau_has_no_interval(data_folder: Path) -> None:
    table, flops = load_for("cifar10"), space.flops_m(space.all_ops())
    codes = np.random.default_rng(1).permutation(space.SIZE)
    all_cells, sample = (against(some, {"flops": flops[some]}, "cifar10", table) for some in (codes, codes[:500]))
    assert [np.isnan(row.tau.low) for row in (*all_cells, *sample)] == [True, True, False, False]
    assert all(row.tau.low < full_row.tau.value < row.tau.high for row, full_row in zip(sample, all_cells, strict=True))


@pytest.fixture
def supernet(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished search of a method of one's own, which goes without its file; in the working folder."""
    monkeypatch.chdir(own_home)
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    monkeypatch.setattr("benchharness.report.build", lambda _results, out, *_: out)
    install_images(own_home / "data")
    Path("mine.py").write_text(MINE)
    assert cli.main(command_line(Path("results"), "mine.py", settings={"epochs": 1})) == cli.DONE
    Path("mine.py").unlink()
    return next(Path("results").rglob("record.json")).parent


class Portions:
    """Counts the portions that are scored, and presses Ctrl-C before one too many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real, self.done, self.most = scoring._score, 0, 99
        monkeypatch.setattr(scoring, "_score", self)

    def __call__(self, task: scoring.ScoreTask) -> list[float | None]:
        if self.done == self.most:
            raise KeyboardInterrupt
        self.done += 1
        return self.real(task)


def test_scoring_by_a_supernet_goes_on_where_it_was_interrupted(
    supernet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["score", "--run", supernet.name.rpartition("-")[2], "--device", "cpu", "--jobs", "1", "--sample", "35"]
    portions = Portions(monkeypatch)
    assert cli.main([*command, "--out", "calm.csv"]) == cli.DONE
    assert portions.done == 4
    (journal,) = measured_folder().glob("scores-*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:1]) + lines[1][:20])  # as a crash leaves it
    portions.done, portions.most = 0, 2
    capsys.readouterr()
    assert cli.main([*command, "--out", "again.csv"]) == cli.INTERRUPTED
    message = "benchharness: interrupted; all scores so far are kept, and the same command resumes\n"
    assert capsys.readouterr().err.endswith(message)
    assert not Path("again.csv").exists()
    assert journal.read_text() == "".join(lines[:3])
    portions.done, portions.most = 0, 99
    assert cli.main([*command, "--out", "again.csv"]) == cli.DONE
    assert portions.done == 1
    assert journal.read_text() == "".join(lines)
    assert Path("again.csv").read_bytes() == Path("calm.csv").read_bytes()


def test_scores_of_a_supernet_are_those_of_its_weights_and_batches(
    supernet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["score", "--run", supernet.name.rpartition("-")[2], "--device", "cpu", "--jobs", "1", "--sample", "12"]
    portions = Portions(monkeypatch)
    for options, count in (([], 2), ([], 2), (["--batches", "2"], 4)):
        assert cli.main([*command, *options, "--out", "a.csv"]) == cli.DONE
        assert portions.done == count
    frame = pd.read_csv("a.csv")
    job, _ = job_of(supernet)
    search = open_search(job._replace(files={job.base.source: supernet / "method.py"}), torch.device("cpu"))
    restored(Run(job.base, supernet), search)
    assert isinstance(search, Search)
    cells = [space.from_string(arch) for arch in frame["arch"]]
    cell_scores = Evaluation(search.net, search.stream).cells(cells, batches=2, bn="batch")
    assert frame["inherited_accuracy_pct"].tolist() == [cell_score.accuracy_pct for cell_score in cell_scores]
    checkpoint = supernet / "checkpoint.pt"
    content = torch.load(checkpoint, weights_only=True)
    torch.save({**content, "state": {**content["state"], "note": 1}}, checkpoint)
    assert cli.main([*command, "--out", "a.csv"]) == cli.DONE
    assert portions.done == 6, "with other weights all is scored anew"
    checkpoint.unlink()
    capsys.readouterr()
    scoring._evaluation.cache_clear()
    assert cli.main([*command, "--out", "a.csv"]) == cli.REFUSED
    assert "checkpoint.pt is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command_line", "sentence"),
    [
        (["--out", "a.csv"], "score takes either proxies (such as synflow,snip) or --run ID"),
        (["snip", "--run", "abcd", "--out", "a.csv"], "score takes either"),
        (["snip", "--out", "a.txt"], "ends in neither .csv nor .parquet"),
        (["snipe", *SMALL, "--out", "a.csv"], "unknown proxy 'snipe'; did you mean 'snip'"),
        (["snip", *SMALL, "--sample", "20000", "--out", "a.csv"], "sample=20000 is out of range"),
        (["snip", *SMALL[:-2], "--batch", "1", "--out", "a.csv"], "batch=1 is out of range"),
        (["--run", "abcdef", "--out", "a.csv"], "no runs under results have an id that begins with abcdef"),
    ],
)
def test_refusals_are_one_sentence(
    own_home: Path, capsys: pytest.CaptureFixture[str], command_line: list[str], sentence: str
) -> None:
    assert cli.main(["score", *command_line]) == cli.REFUSED
    assert sentence in (message := capsys.readouterr().err)
    assert message.count("\n") == 1
