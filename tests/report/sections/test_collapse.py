from pathlib import Path

import numpy as np
import pytest

from benchharness import report
from benchharness.report.blocks import Bullets, FigureBlock, flat
from benchharness.report.sections.collapse import collapse
from tests.support import report_folder


def test_the_verdict_is_that_of_the_derived_cells(evidence: report.Evidence) -> None:
    verdicts = report.verdicts(evidence.runs, evidence.curves).set_index("method")
    assert verdicts.loc["darts", "sentence"] == "collapsed to all-skip in 3 of 3 seeds, from epoch 1"
    assert verdicts.loc["ostr", "collapsed"] == 0
    assert verdicts.loc["ostr", "sentence"].startswith("did not collapse in any of 3 seeds")
    assert verdicts.loc["darts", ["skips", "parameter_free", "epoch"]].tolist() == [6, 6, 1]


def test_gap_and_entropy_are_those_of_the_supernet(evidence: report.Evidence) -> None:
    verdicts = report.verdicts(evidence.runs, evidence.curves).set_index("method")
    assert verdicts.loc["darts", ["gap", "gap_std"]].tolist() == pytest.approx([21, 1])
    last = report_folder.leaning(report_folder.ALL_SKIP)[-1]
    assert verdicts.loc["ostr", "entropy"] == pytest.approx(float(-(last * np.log(last)).sum(-1).mean()))
    assert np.isnan(verdicts.loc["random", "entropy"])


def test_the_entropy_of_a_search_that_went_back_is_that_of_the_epoch_it_went_back_to(evidence: report.Evidence) -> None:
    record = {**evidence.runs["record"].iloc[0], "notes": {"stopped_epoch": 2}}
    stopped = evidence.runs.assign(record=[record] * len(evidence.runs))
    entropy = report.verdicts(stopped, evidence.curves).set_index("method").loc["darts", "entropy"]
    rows = evidence.curves[(evidence.curves["method"] == "darts") & (evidence.curves["epoch"] == 2)]
    assert entropy == pytest.approx(rows["entropy"].mean())
    assert entropy > report.verdicts(evidence.runs, evidence.curves).set_index("method").loc["darts", "entropy"]


def test_a_gap_by_the_mixtures_running_statistics_is_left_out(evidence: report.Evidence) -> None:
    older = evidence.runs.assign(measures_bn="running")
    assert np.isnan(report.verdicts(older, evidence.curves)["gap"].astype(float)).all()


def test_figures_are_those_there_is_something_for(evidence: report.Evidence) -> None:
    names = [block.name for block in flat(collapse(evidence)) if isinstance(block, FigureBlock)]
    assert names == ["collapse-curves", "degeneration", "parameter-free", "entropy", "skip-margin", "edge-weights"]


def test_unfinished_runs_have_curves_and_no_verdict(tmp_path: Path) -> None:
    report_folder.add(tmp_path / "s", report_folder.spec("darts", 0), None)
    blocks = collapse(report.gather(tmp_path / "s", None)[1][0])
    assert not any(isinstance(block, Bullets) for block in flat(blocks))
    assert [block.name for block in flat(blocks) if isinstance(block, FigureBlock)] == ["parameter-free", "entropy"]
