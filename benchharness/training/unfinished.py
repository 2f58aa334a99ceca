"""Saves unfinished trainings, so that one that was interrupted goes on from its last saved epoch with the same bits."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from benchharness.compute import memory
from benchharness.io import files
from benchharness.models.saving import save_tensors

EVERY_S: Final = 30.0
"""Seconds between two saved epochs at least: trainings shorter than that write nothing."""


class TrainProgress(NamedTuple):
    """How far a training is: its finished epochs by their training accuracies, and the seconds they took."""

    train_accuracies: tuple[float, ...] = ()
    seconds: float = 0.0


class Unfinished:
    """The file of one training that has begun: weights, momentum and `TrainProgress` after one of its epochs."""

    def __init__(self, path: Path | None, label: str) -> None:
        self.path, self.label = path, label
        self._saved = time.perf_counter()

    def exists(self) -> bool:
        """Whether there is a file, whatever it holds."""
        return self.path is not None and self.path.exists()

    def load(self, net: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> TrainProgress:
        """Give `net` and `optimizer` the saved state of this training of `epochs` epochs, and tell how far it is.

        No epoch is finished if the file is not usable; `net` and `optimizer` are then to be made anew.
        """
        if self.path is None or not files.is_sound(self.path):
            return TrainProgress()
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            progress = TrainProgress(tuple(map(float, content["train_accuracies"])), float(content["seconds"]))
            if content["label"] != self.label or not 0 < len(progress.train_accuracies) < epochs:
                return TrainProgress()
            net.load_state_dict(content["net"])
            optimizer.load_state_dict(content["optimizer"])
        except Exception as error:  # as many kinds of error as there are ways to be no state of this training
            if memory.ran_out(error):
                raise
            return TrainProgress()
        return progress if _fits(optimizer) else TrainProgress()

    def save(self, net: nn.Module, optimizer: torch.optim.Optimizer, progress: TrainProgress) -> None:
        """Save the state after an epoch, if the last one was saved `EVERY_S` ago or more.

        Raises `UnwritableError` if the system refuses.
        """
        if self.path is None or time.perf_counter() - self._saved < EVERY_S:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(self.path, self._content(net, optimizer, progress))
        self._saved = time.perf_counter()

    def _content(self, net: nn.Module, optimizer: torch.optim.Optimizer, progress: TrainProgress) -> Mapping[str, Any]:
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
        return {"label": self.label, **progress._asdict(), **state}


def _fits(optimizer: torch.optim.Optimizer) -> bool:
    """Whether every momentum has the shape of its weights, which `load_state_dict` does not check."""
    return all(
        value.shape == parameter.shape
        for parameter, state in optimizer.state.items()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
