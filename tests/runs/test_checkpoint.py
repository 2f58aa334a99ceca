"""Checkpoints written beside training: each of its own epoch, and none further behind the trace than it may be."""

import json
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from torch import nn

from benchharness.io import files
from benchharness.runs.checkpoint import snapshot
from benchharness.runs.runner import execute
from benchharness.store import Store
from tests.support.tiny import ON_CPU, Walk, jobs


def test_a_snapshot_holds_all_of_a_state_and_shares_nothing_with_it() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(3))
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    module(torch.ones(1, 2, 8, 8)).sum().backward()
    optimizer.step()
    state = {"net": module.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "own": [{"counts": [1]}]}
    content = snapshot(state)
    before = json.dumps(content, default=lambda tensor: tensor.tolist())
    assert before == json.dumps(state, default=lambda tensor: tensor.tolist())
    assert content["net"]["0.weight"].stride() == module[0].weight.stride()
    assert isinstance(content["net"], OrderedDict)
    assert content["net"]._metadata == state["net"]._metadata  # type: ignore[attr-defined]
    with torch.no_grad():
        for tensor in (*module.state_dict().values(), *(s["momentum_buffer"] for s in optimizer.state.values())):
            tensor.zero_()
    state["own"][0]["counts"].append(2)  # type: ignore[index]
    assert json.dumps(content, default=lambda tensor: tensor.tolist()) == before


class Noting(Walk):
    """A search that says when an epoch of it has been trained."""

    trained: dict[int, Event]

    def run_epoch(self) -> dict[str, Any]:
        line = super().run_epoch()
        Noting.trained.setdefault(self.epoch, Event()).set()
        return line


@pytest.fixture
def suite_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(Noting, "trained", {number: Event() for number in range(1, 5)}, raising=False)
    return Store(tmp_path / "results", "mine")


def test_training_goes_on_while_a_checkpoint_is_written_but_is_told_of_no_epoch_more(
    suite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = jobs("darts")
    write, folder, lines_and_epochs = files.write_bytes, suite_store.folder(job.base), []

    def slow(path: Path, content: Any) -> None:
        if path.name == "checkpoint.pt":
            number = len(lines_and_epochs) + 1
            assert number == 3 or Noting.trained[number + 1].wait(60), "training waits for its checkpoint"
            lines = len((folder / "trace.jsonl").read_text().splitlines())
            alphas = torch.load(BytesIO(content), weights_only=True)["state"]["alphas"]
            lines_and_epochs.append((number, lines, len(alphas)))
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", slow)
    assert [outcome.state for outcome in execute(job, suite_store, ON_CPU, Noting)] == ["done"]
    assert lines_and_epochs == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


@pytest.mark.parametrize("failing_epoch", [2, 3])
def test_a_search_that_fails_leaves_the_checkpoint_of_the_epoch_before(suite_store: Store, failing_epoch: int) -> None:
    (job,) = jobs("darts")
    (outcome,) = execute(job, suite_store, ON_CPU, lambda *of, **how: Walk(*of, **how, broken=failing_epoch))
    assert outcome.state == "failed"
    checkpoint = torch.load(suite_store.folder(job.base) / "checkpoint.pt", weights_only=True)
    assert len(checkpoint["state"]["alphas"]) == failing_epoch - 1
