"""Verdicts of runs and methods, from the weights that their supernets ended with."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchharness import stats
from benchharness.analysis.decisions import decisions, undecided, verdicts, warning

EPOCHS = 20


def weights(rate):
    """Edge weights whose first operation's logit grows by `rate` an epoch."""
    logits = np.zeros((EPOCHS, 6, 5))
    logits[..., 0] = rate * np.arange(1, EPOCHS + 1)[:, None]
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(-1, keepdims=True)


def runs(*rows):
    columns = ["method", "seed", "run_id", "supernet", "selection", "arch"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(spec=[{"selection": selection} for selection in frame["selection"]])


@pytest.fixture
def frame():
    return runs(
        ("darts", 0, "a0", "a0", "magnitude", "x"),
        ("darts", 1, "a1", "a1", "magnitude", "x"),
        ("ostr", 0, "b0", "a0", "strength", "x"),
        ("snas", 0, "c0", "c0", "magnitude", "x"),
        ("snas", 1, "c1", "c1", "magnitude", None),
        ("rsps", 0, "d0", "d0", "best", "x"),
        ("random", 0, "e0", "e0", "random", "x"),
    )


@pytest.fixture
def arrays():
    slow, quick, constant = ({"expected": weights(rate)} for rate in (0.001, 0.1, 0.0))
    return {"a0": slow, "a1": slow, "b0": {}, "c0": quick, "d0": constant, "e0": {}}


def test_every_finished_run_has_the_verdict_of_its_supernet(frame, arrays):
    verdicts = decisions(frame, arrays).set_index("run_id")
    expected = {"a0": "undecided", "a1": "undecided", "b0": "undecided", "c0": "decided", "d0": "no alpha", "e0": ""}
    assert verdicts["verdict"].to_dict() == expected
    assert verdicts.loc["c0", "decided_edges"] == 6
    assert verdicts.loc["a0", "leaning_edges"] == 6
    assert verdicts.loc["a0", "lead"] == pytest.approx(0.2 * 0.02, rel=0.1)


def test_a_search_that_went_back_is_judged_by_the_alphas_it_went_back_to(frame, arrays):
    late = {**arrays, "c0": {"expected": np.concatenate([weights(0.001), weights(0.1)])}}
    notes = {"c0": {"stopped_epoch": EPOCHS}}
    records = [{"data": {}, "notes": notes.get(run_id, {})} for run_id in frame["run_id"]]
    assert decisions(frame, late).set_index("run_id").loc["c0", "verdict"] == "decided"
    assert decisions(frame.assign(record=records), late).set_index("run_id").loc["c0", "verdict"] == "undecided"


def test_only_methods_that_read_undecided_alphas_do_not_rank(frame, arrays):
    table = verdicts(decisions(frame, arrays)).set_index("method")
    assert table["ranks"].to_dict() == {"darts": False, "ostr": True, "random": True, "rsps": True, "snas": True}
    assert table.loc["darts", "sentence"].startswith("undecided in 2 of 2 searches")
    assert undecided(decisions(frame, arrays)) == ["darts"]


def test_the_warning_names_whom_it_concerns(frame, arrays):
    assert warning(decisions(frame, arrays)).startswith("The searches of darts did not decide")
    without_snas = decisions(frame[frame["method"] != "snas"], arrays)
    assert warning(without_snas).startswith("No search decided")
    assert warning(decisions(frame[frame["method"] == "snas"], arrays)) == ""


def test_supernets_that_only_guess_do_not_rank(frame, arrays):
    record = {"data": {"valid_images": 2500, "classes": 10}, "notes": {}}
    accuracies = [10.2, 10.4, 10.2, 40.0, np.nan, 9.8, np.nan]
    probed = frame.assign(mixed_accuracy_pct=accuracies, record=[record] * len(frame))
    verdict_rows = decisions(probed, arrays).set_index("run_id")
    assert verdict_rows["above_chance"].to_dict() == {
        "a0": False, "a1": False, "b0": False, "c0": True, "d0": False, "e0": None,
    }  # fmt: skip
    table = verdicts(decisions(probed, arrays)).set_index("method")
    assert table["ranks"].to_dict() == {"darts": False, "ostr": False, "random": True, "rsps": False, "snas": True}
    assert table.loc["rsps", "sentence"].endswith("the supernet only guesses in 1 of 1 searches")


def test_searches_whose_alphas_hardly_moved_are_undecided():
    """The mean edge weights of 48 real searches of CIFAR-10, 480 steps of alpha at a rate of 3e-4."""
    with np.load(Path(__file__).parent / "searches_at_a_slow_rate.npz") as searches:
        verdicts_by_method: dict[str, set[str]] = {}
        for name, expected in searches.items():
            verdicts_by_method.setdefault(name.split()[0], set()).add(stats.decision(expected).verdict)
    without_alpha = {"rsps", "darts-pt-fixed"}
    assert {name for name, verdict in verdicts_by_method.items() if verdict == {"no alpha"}} == without_alpha
    # ENAS learns its distribution by rewards, at a rate of its own.
    assert {name for name, verdict in verdicts_by_method.items() if "decided" in verdict} == {"enas"}
