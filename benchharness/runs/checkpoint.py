"""Saves and loads a supernet's checkpoint, which is used only if it is complete and of the same run and images."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from benchharness.compute import memory
from benchharness.errors import UserError
from benchharness.io import files
from benchharness.io.catalog import data_folder
from benchharness.models.saving import save_tensors
from benchharness.records import RunRecord, RunSpec
from benchharness.store import Run


@runtime_checkable
class Searcher(Protocol):
    """The interface of a search that the runner needs; `search.Search` implements it."""

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""

    @property
    def finished(self) -> bool:
        """Whether every epoch has been trained."""

    @property
    def images_sha256(self) -> str:
        """SHA-256 of the images."""

    def run_epoch(self) -> dict[str, Any]:
        """Train one epoch; returns its line of the trace."""

    def state(self) -> dict[str, Any]:
        """Everything on which the next epoch depends."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Load what `state` returned."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the epochs so far."""

    def read_out(self, spec: RunSpec, file: Path | None = None) -> tuple[RunRecord, dict[str, np.ndarray]]:
        """Derive the cell of a run, by the selection in `file` if there is one; returns its record and arrays."""

    tell: Callable[[float], None]
    """Called with the finished share of the derivation, 0 to 1."""


class Checkpoints:
    """Writes a run's checkpoints in a thread, while training goes on with the next epoch.

    A checkpoint holds the state at the time of `save`. It is begun only after the previous one is complete. A caller
    that calls `wait` before it reports an epoch as finished has a trace that is at most one epoch ahead. At full size
    copying the state took 9 ms and the rest 34 ms (C=16, N=5, 13.7 MB; processor, one core of an Intel Xeon, n = 9).
    """

    def __init__(self, base: Run, pool: ThreadPoolExecutor) -> None:
        self.base, self._pool = base, pool
        self._going: Future[None] | None = None

    def save(self, search: Searcher) -> None:
        """Begin to write the checkpoint, with the run id and the images' digest, which are checked when it is loaded.

        Raises the error of the previous checkpoint unless `wait` has raised it.
        """
        self.wait()
        content = {**_bound_to(self.base, search), "state": snapshot(search.state())}
        self._going = self._pool.submit(save_tensors, self.base.checkpoint, content)

    def wait(self) -> None:
        """Return when the last checkpoint is complete; raises `UnwritableError` if it could not be written."""
        going, self._going = self._going, None
        if going:
            going.result()


@contextmanager
def checkpoints(base: Run) -> Iterator[Checkpoints]:
    """Yields the writer of checkpoints of `base`; the last one is complete when the block ends, even by an error."""
    with ThreadPoolExecutor(1, "checkpoints") as pool:
        writer = Checkpoints(base, pool)
        yield writer
        writer.wait()


def snapshot(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `state` that shares nothing with it, all tensors on the CPU."""
    tensors = [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]
    copies = {id(tensor): tensor.detach().to("cpu", copy=True) for tensor in tensors}
    return deepcopy(dict(state), copies)  # not by pytree's own map, which loses the versions that state_dicts carry


def resume(base: Run, begin: Callable[[], Searcher]) -> tuple[Searcher, str]:
    """The search from its checkpoint, or else from its beginning; and why a checkpoint that exists was not used.

    Raises `UserError` if the run is done and its images have changed since.
    """
    search = begin()
    if base.done:
        _check_images(base, search.images_sha256)
    if not os.path.lexists(base.checkpoint):
        return search, ""
    try:
        search.load(_state(base, search))
    except Exception as error:  # a file that is not a checkpoint of this search can raise any error
        if memory.ran_out(error):
            raise
        reason = str(error) if isinstance(error, UserError) else f"cannot be loaded ({type(error).__name__}: {error})"
    else:
        if len(base.lines()) >= search.epoch:
            return search, ""
        reason = f"is of epoch {search.epoch}, but the trace has {len(base.lines())} whole lines"
    return begin(), base.set_aside(" ".join(reason.split())[:300])


def restored(base: Run, search: Searcher) -> None:
    """Give `search` the state of the finished run `base`; raises `UserError` if its checkpoint cannot be used."""
    _check_images(base, search.images_sha256)
    if not os.path.lexists(base.checkpoint):
        raise UserError(f"{base.checkpoint} is missing; `benchharness run` with the run's settings makes it again")
    try:
        search.load(_state(base, search))
    except UserError as error:
        raise UserError(f"{base.checkpoint} {error}") from None


def check_same(search: Searcher, expected: np.ndarray) -> None:
    """Raise `RuntimeError` if a supernet that is trained again differs from the recorded one."""
    alphas = search.arrays()["alphas"]
    if not np.array_equal(alphas, expected[: len(alphas)]):
        raise RuntimeError(
            f"epoch {search.epoch} of the supernet differs from the recorded one, whose checkpoint is not here: "
            "derive from it on the machine that trained it, or move its folder away and train it again"
        )


def _bound_to(base: Run, search: Searcher) -> dict[str, str]:
    return {"run_id": base.spec.run_id, "images_sha256": search.images_sha256}


def _state(base: Run, search: Searcher) -> Mapping[str, Any]:
    """The state in the checkpoint; raises `UserError` if it is damaged, of another run, or of other images."""
    if not files.is_sound(base.checkpoint):  # torch loads a tensor with damaged bytes without an error
        raise UserError("is damaged")
    checkpoint = torch.load(base.checkpoint, map_location="cpu", weights_only=True)
    bound_to = _bound_to(base, search)
    if not isinstance(checkpoint, dict) or checkpoint.keys() != {"state", *bound_to}:
        raise UserError("does not say what it is of")
    for name, value in bound_to.items():
        if (saved_value := str(checkpoint[name])) != value:
            raise UserError(f"is of {name} {saved_value[:16]}, not {value[:16]}")
    return checkpoint["state"]


def _check_images(base: Run, sha256: str) -> None:
    recorded_sha256 = base.record_data().get("sha256", sha256)
    if recorded_sha256 != sha256:
        raise UserError(
            f"run {base.spec.run_id} was searched on images of sha256 {recorded_sha256[:16]}..., and "
            f"{base.spec.dataset} in {data_folder()} is now {sha256[:16]}...: import those again, or give another --out"
        )
