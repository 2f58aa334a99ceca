"""The content of a search's checkpoint, and checks that a checkpoint fits the search that loads it."""

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from benchharness.errors import UserError
from benchharness.space import EDGES, OPS


class State(TypedDict):
    """The content of a search's checkpoint."""

    epoch: Annotated[int, Meta(ge=0)]
    stopped: Annotated[int, Meta(ge=0)]
    partial: Annotated[int, Meta(ge=1)]
    net: dict[str, Tensor]
    method: dict[str, Any]
    weight_optimizer: dict[str, Any]
    alpha_optimizer: dict[str, Any]
    history: "History"


class History(TypedDict):
    """History of the search, one tensor per epoch; eigenvalues may be missing."""

    alphas: list[Tensor]
    expected: list[Tensor]
    eigenvalue: list[Tensor]


def check_state(content: Mapping[str, Any], epochs: int, alpha: torch.Size) -> None:
    """Raise an error if `content` is not the state of a search of `epochs` epochs whose alphas have the shape `alpha`.

    `msgspec.ValidationError` if a part is missing or has another type; `UserError` if the numbers disagree.
    """
    state = msgspec.convert(content, State)
    epoch, history = state["epoch"], state["history"]
    if not state["stopped"] <= epoch <= epochs:
        raise UserError(f"is of epoch {epoch}, stopped at {state['stopped']}, of {epochs}")
    shapes = {"alphas": alpha, "expected": (len(EDGES), len(OPS)), "eigenvalue": ()}
    lengths = {"alphas": {epoch}, "expected": {epoch}, "eigenvalue": {0, epoch}}
    arrays: Mapping[str, Any] = history
    if any(
        len(arrays[name]) not in lengths[name] or any(array.shape != shape for array in arrays[name])
        for name, shape in shapes.items()
    ):
        raise UserError(f"has a history that is not one of {epoch} epochs")


def check_fit(optimizer: torch.optim.Optimizer) -> None:
    """Raise `UserError` if the state loaded into `optimizer` has other shapes than its parameters (torch takes it)."""
    for parameter, state in optimizer.state.items():
        if any(
            isinstance(value, Tensor) and value.dim() and value.shape != parameter.shape for value in state.values()
        ):
            raise UserError("has an optimiser's state of other shapes")
