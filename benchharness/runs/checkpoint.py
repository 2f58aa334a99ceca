"""A supernet's checkpoint: bound to its run and its images, gone on from where it is whole, never where it is not."""

import io
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from benchharness.compute import memory
from benchharness.errors import UserError
from benchharness.io import files
from benchharness.io.catalog import data_folder
from benchharness.records import RunRecord, RunSpec
from benchharness.store import Run


@runtime_checkable
class Searcher(Protocol):
    """What the runner needs of a search; `search.Search` is the real one."""

    @property
    def epoch(self) -> int: ...  # noqa: D102
    @property
    def finished(self) -> bool: ...  # noqa: D102
    @property
    def images_sha256(self) -> str: ...  # noqa: D102
    def run_epoch(self) -> dict[str, Any]: ...  # noqa: D102
    def state(self) -> dict[str, Any]: ...  # noqa: D102
    def load(self, state: Mapping[str, Any]) -> None: ...  # noqa: D102
    def arrays(self) -> dict[str, np.ndarray]: ...  # noqa: D102
    def read_out(self, spec: RunSpec) -> tuple[RunRecord, dict[str, np.ndarray]]: ...  # noqa: D102

    tell: Callable[[float], None]
    """Gets the share of a reading that is done."""


def save(base: Run, search: Searcher) -> None:
    """Write the checkpoint, with its run's id and its images' digest: another's is never gone on from."""
    content = io.BytesIO()  # as torch, writing itself, neither says which file it was nor that the disk is full
    torch.save({**_bound_to(base, search), "state": search.state()}, content)
    files.write_bytes(base.checkpoint, content.getvalue())


def resumed(base: Run, begin: Callable[[], Searcher]) -> tuple[Searcher, str]:
    """The search as its checkpoint holds it, or at its beginning; and why so, where there was one not to go on from.

    Raises `UserError` where the run is done on other images, since its supernet was trained on those.
    """
    search = begin()
    if base.done:
        _check_images(base, search.images_sha256)
    if not os.path.lexists(base.checkpoint):
        return search, ""
    try:
        search.load(_state(base, search))
    except Exception as error:  # as many kinds of error as there are ways to be no checkpoint of this search
        if memory.ran_out(error):
            raise
        reason = str(error) if isinstance(error, UserError) else f"cannot be loaded ({type(error).__name__}: {error})"
    else:
        if len(base.lines()) >= search.epoch:
            return search, ""
        reason = f"is of epoch {search.epoch}, but the trace has {len(base.lines())} whole lines"
    return begin(), base.set_aside(" ".join(reason.split())[:300])


def restored(base: Run, search: Searcher) -> None:
    """Give `search` the state of the finished run `base`; raises `UserError` where its checkpoint cannot be used."""
    _check_images(base, search.images_sha256)
    if not os.path.lexists(base.checkpoint):
        raise UserError(f"{base.checkpoint} is gone; `benchharness run` with the run's own settings makes it anew")
    try:
        search.load(_state(base, search))
    except UserError as error:
        raise UserError(f"{base.checkpoint} {error}") from None


def check_same(search: Searcher, recorded: np.ndarray) -> None:
    """A finished supernet whose checkpoint is gone is trained again, which is of use only if it comes out the same."""
    alphas = search.arrays()["alphas"]
    if not np.array_equal(alphas, recorded[: len(alphas)]):
        raise RuntimeError(
            f"epoch {search.epoch} of the supernet differs from the recorded one, whose checkpoint is not here: "
            "read it out on the machine that trained it, or move its folder away and train it anew"
        )


def _bound_to(base: Run, search: Searcher) -> dict[str, str]:
    return {"run_id": base.spec.run_id, "images_sha256": search.images_sha256}


def _state(base: Run, search: Searcher) -> Mapping[str, Any]:
    """The state in the checkpoint; raises `UserError` where that is damaged, or another run's or of other images."""
    if not files.is_sound(base.checkpoint):  # torch loads a tensor whose bytes were garbled without a word
        raise UserError("is damaged")
    checkpoint = torch.load(base.checkpoint, map_location="cpu", weights_only=True)
    bound_to = _bound_to(base, search)
    if not isinstance(checkpoint, dict) or checkpoint.keys() != {"state", *bound_to}:
        raise UserError("does not say what it is of")
    for name, here in bound_to.items():
        if (there := str(checkpoint[name])) != here:
            raise UserError(f"is of {name} {there[:16]}, not {here[:16]}")
    return checkpoint["state"]


def _check_images(base: Run, here: str) -> None:
    there = base.record_data().get("sha256", here)
    if there != here:
        raise UserError(
            f"run {base.spec.run_id} was searched on images of sha256 {there[:16]}..., and {base.spec.dataset} in "
            f"{data_folder()} is now {here[:16]}...: import those again, or give another --out"
        )
