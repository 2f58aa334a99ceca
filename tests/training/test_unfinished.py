"""Trainings that are interrupted between epochs, and go on with the bits that they would have had."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchharness.config import TrainConfig
from benchharness.data import load_images
from benchharness.space import CONV1, CONV3, NONE, POOL, SKIP, Arch
from benchharness.training import journal as measuring
from benchharness.training import unfinished
from benchharness.training.journal import Journal, TrainOptions
from benchharness.training.trainer import Trainer
from tests.support.sets import small_images

CELL: Arch = (CONV3, CONV1, POOL, SKIP, NONE, CONV3)
SHORT = TrainConfig(name="short", epochs=3, batch=50, channels=4, cells=1)


class PowerCutError(Exception):
    """Stands for the end of the process in the middle of a training."""


@pytest.fixture(autouse=True)
def _save_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "EVERY_S", 0.0)


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs as they are trained."""
    trained: list[int] = []
    batches = Trainer._epoch

    def watched(self: Trainer, seed: int, epoch: int) -> Iterator[Any]:
        trained.append(epoch)
        yield from batches(self, seed, epoch)

    monkeypatch.setattr(Trainer, "_epoch", watched)
    return trained


def cut_in(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """From here on every training ends in the middle of epoch `last`."""
    batches = Trainer._epoch

    def cut(self: Trainer, seed: int, epoch: int) -> Iterator[Any]:
        for step, batch in enumerate(batches(self, seed, epoch)):
            if (epoch, step) == (last, 2):
                raise PowerCutError
            yield batch

    monkeypatch.setattr(Trainer, "_epoch", cut)


def trained(path: Path | None, weights: Path, cell: Arch = CELL) -> tuple[Any, dict[str, torch.Tensor]]:
    """All of a result but its seconds, and the weights."""
    result = Trainer(small_images(), SHORT, torch.device("cpu")).run(cell, 0, weights, path)
    return result._replace(seconds=0.0), torch.load(weights, weights_only=True)


def begun(path: Path, last: int = 2, cell: Arch = CELL) -> None:
    """Leave in the file at `path` a training of `cell` that was cut short in epoch `last`."""
    with pytest.MonkeyPatch.context() as patch:
        cut_in(patch, last)
        with pytest.raises(PowerCutError):
            trained(path, path.with_name("none.pt"), cell)


@pytest.mark.parametrize("last", [1, 2])
def test_a_training_goes_on_with_the_bits_of_one_that_was_never_interrupted(
    tmp_path: Path, epochs: list[int], last: int
) -> None:
    whole, weights = trained(None, tmp_path / "whole.pt")
    path = tmp_path / "unfinished.pt"
    begun(path, last)
    epochs.clear()
    result, resumed_weights = trained(path, tmp_path / "resumed.pt")
    assert epochs == list(range(last, 3))
    assert result == whole
    assert all(torch.equal(weights[name], resumed_weights[name]) for name in weights)


def test_seconds_are_those_of_all_sittings(tmp_path: Path) -> None:
    path = tmp_path / "unfinished.pt"
    begun(path)
    content = torch.load(path, weights_only=True)
    assert 0 < content["seconds"] < 1000
    torch.save(content | {"seconds": 1000.0}, path)
    result = Trainer(small_images(), SHORT, torch.device("cpu")).run(CELL, 0, None, path)
    assert 1000 < result.seconds < 2000


def test_a_short_training_saves_nothing_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "EVERY_S", 3600.0)
    trained(tmp_path / "unfinished.pt", tmp_path / "weights.pt")
    assert not (tmp_path / "unfinished.pt").exists()


def momenta_flattened(content: Any) -> Any:
    for state in content["optimizer"]["state"].values():
        state["momentum_buffer"] = state["momentum_buffer"].flatten()
    return content


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda content: content | {"label": "another training"},
        lambda content: content | {"train_accuracies": (10.0, 20.0, 30.0)},
        lambda content: content | {"train_accuracies": ()},
        lambda content: content | {"train_accuracies": 12},
        lambda content: content | {"seconds": "many"},
        lambda content: content | {"net": {}},
        lambda content: content | {"optimizer": {"state": {}, "param_groups": []}},
        lambda content: {"net": content["net"]},
        lambda content: list(content),
        momenta_flattened,
    ],
)
def test_what_is_no_state_of_this_training_is_not_gone_on_from(
    tmp_path: Path, epochs: list[int], spoilt: Callable[[Any], Any]
) -> None:
    whole, _ = trained(None, tmp_path / "whole.pt")
    path = tmp_path / "unfinished.pt"
    begun(path)
    torch.save(spoilt(torch.load(path, weights_only=True)), path)
    epochs.clear()
    assert trained(path, tmp_path / "again.pt")[0] == whole
    assert epochs == [0, 1, 2]


def test_a_damaged_file_is_not_gone_on_from(tmp_path: Path, epochs: list[int]) -> None:
    whole, _ = trained(None, tmp_path / "whole.pt")
    path = tmp_path / "unfinished.pt"
    begun(path)
    bits = bytearray(path.read_bytes())
    bits[len(bits) // 2] ^= 1
    path.write_bytes(bits)
    epochs.clear()
    assert trained(path, tmp_path / "again.pt")[0] == whole
    assert epochs == [0, 1, 2]


def test_another_cells_state_is_not_gone_on_from(tmp_path: Path, epochs: list[int]) -> None:
    path = tmp_path / "unfinished.pt"
    begun(path, cell=(CONV3, CONV1, POOL, SKIP, NONE, CONV1))
    epochs.clear()
    trained(path, tmp_path / "weights.pt")
    assert epochs == [0, 1, 2]


def test_a_journal_goes_on_with_what_was_begun_and_then_forgets_it(own_home: Path, epochs: list[int]) -> None:
    measuring._trainer.cache_clear()
    journal = Journal(load_images("digits"), replace(SHORT, images=128, measured=50, channels=2))
    code = int(measuring.representatives()[1])
    with pytest.MonkeyPatch.context() as patch:
        cut_in(patch, 1)
        with pytest.raises(PowerCutError):
            list(journal.measure([code], 1, TrainOptions()))
    assert journal.unfinished(code, 0).exists()
    assert journal.trainings() == {}
    epochs.clear()
    (line,) = journal.measure([code], 1, TrainOptions())
    assert epochs == [1, 2]
    assert len(line.train_accuracies) == 3
    assert not journal.unfinished(code, 0).exists()
