"""Scores cells by a zero-cost proxy of untrained networks, or with the weights of a finished supernet."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

import numpy as np
import torch
from jaxtyping import Float, Int

from benchharness import space
from benchharness.compute import executors
from benchharness.data import load_images
from benchharness.data.device_images import Batch, DeviceImages
from benchharness.errors import UserError
from benchharness.io import catalog, files
from benchharness.models import proxies
from benchharness.models.proxies import Setting
from benchharness.runs.checkpoint import restored
from benchharness.runs.reproduce import job_of
from benchharness.runs.worker import open_search
from benchharness.search.evaluation import Evaluation
from benchharness.search.loop import Search
from benchharness.seeding import generator
from benchharness.store.run_folder import Run

_PORTION: Final = 10
"""Cells that a worker scores at a time."""


class ScoreRequest(NamedTuple):
    """A proxy of some cells on one batch of a data set's training images."""

    measure: str
    dataset: str
    images_sha256: str
    setting: Setting
    batch: int
    """Images, drawn by the setting's seed."""


class ScoreTask(NamedTuple):
    """Some cells for one worker."""

    request: ScoreRequest
    codes: tuple[int, ...]
    device: str


class Scored(TypedDict):
    """A line of what is kept; a score is None where it is undefined."""

    codes: list[int]
    scores: list[float | None]


class ProxyScores:
    """What a proxy says of cells; every score is on disk once it is there, so that the same request goes on.

    Cells of one functional class are one network, whose score they share; parameters and FLOPs are each cell's own.
    """

    def __init__(self, request: ScoreRequest) -> None:
        proxies.check_measure(request.measure)
        request.setting.checked()
        if request.batch < 2:
            raise UserError(f"batch={request.batch} is out of range; it must be 2 or more")
        self.request, self.counted = request, request.measure not in proxies.PROXIES
        version = proxies.VERSIONS.get(request.measure)
        content = repr(tuple(request)) + (f" version {version}" if version else "")
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.path = catalog.measured_folder() / f"scores-{request.dataset}-{request.measure}-{key}.jsonl"

    def missing(self, codes: Int[np.ndarray, "archs"]) -> list[int]:
        """The codes of the networks to score that are not yet."""
        if self.counted:
            return []
        return sorted(set(space.classes()[codes].tolist()) - set(self._known_scores()))

    def complete(self, codes: Int[np.ndarray, "archs"], jobs: int, device: str) -> Iterator[int]:
        """Score what is missing of `codes`, yielding how many more are done; raises `UserError` where one fails."""
        left = self.missing(codes)
        parts = [tuple(left[start : start + _PORTION]) for start in range(0, len(left), _PORTION)]
        work = {key: ScoreTask(self.request, part, device) for key, part in enumerate(parts)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.keep_lines(self.path, len(files.read_lines(self.path, Scored)))  # what a crash left of its last line goes
        for key, scores in executors.serial(_try, work) if jobs == 1 else executors.processes(_try, work, jobs):
            if isinstance(scores, Exception):
                raise UserError(f"scoring by {self.request.measure} failed: {scores}")
            files.append_line(self.path, {"codes": list(parts[key]), "scores": scores})
            yield len(scores)

    def values(self, codes: Int[np.ndarray, "archs"]) -> Float[np.ndarray, "archs"]:
        """The score of each of `codes`; NaN where it is undefined, or not there yet."""
        if self.counted:
            batch, classes = _batch(self.request, "cpu")
            cells = map(space.from_code, map(int, codes))
            scores = [proxies.score(self.request.measure, cell, batch, classes, self.request.setting) for cell in cells]
            return np.array(scores, float)
        known = self._known_scores()
        return np.array([known.get(code, np.nan) for code in space.classes()[codes].tolist()], float)

    def _known_scores(self) -> dict[int, float]:
        lines = files.read_lines(self.path, Scored)
        pairs = [pair for line in lines for pair in zip(line["codes"], line["scores"], strict=False)]
        return {code: np.nan if score is None else score for code, score in pairs}


def supernet_scores(folder: Path, codes: Int[np.ndarray, "archs"], batches: int, device: str) -> Iterator[
    tuple[Int[np.ndarray, "part"], Float[np.ndarray, "part"]]
]:  # fmt: skip
    """Accuracy in percent of cells with weights inherited from the supernet of the run in `folder`, part by part.

    On the first `batches` evaluation batches of its validation half (0 for all), by batch statistics. Raises
    `UserError` where the run is not finished, its checkpoint is gone, or its images are others now.
    """
    job, base = job_of(folder)
    search = open_search(job, torch.device(device))
    restored(Run(job.base, base), search)
    assert isinstance(search, Search)
    evaluation = Evaluation(search.net, search.stream)
    for part in np.array_split(np.sort(codes), max(1, len(codes) // 500)):  # in order, since alike cells share work
        measured = evaluation.cells([space.from_code(int(code)) for code in part], batches=batches, bn="batch")
        yield part, np.array([one.accuracy_pct for one in measured])


def _try(task: ScoreTask) -> list[float | None] | Exception:
    try:
        return _score(task)
    except (ArithmeticError, RuntimeError) as error:  # memory was not enough
        return error


def _score(task: ScoreTask) -> list[float | None]:
    torch.set_num_threads(1)  # so that the bits do not depend on the cores
    request = task.request
    batch, classes = _batch(request, task.device)
    cells: Sequence[space.Arch] = [space.from_code(code) for code in task.codes]
    scores = [proxies.score(request.measure, cell, batch, classes, request.setting) for cell in cells]
    return [None if np.isnan(one) else one for one in scores]


@lru_cache(maxsize=2)
def _batch(request: ScoreRequest, device: str) -> tuple[Batch, int]:
    images = load_images(request.dataset)
    count = len(images.train_labels)
    drawn = torch.randperm(count, generator=generator("score", request.dataset, request.setting.seed))[: request.batch]
    pictures = DeviceImages(images, drawn.numpy(), torch.device(device))
    return next(pictures.fixed(request.batch, 1)), len(images.classes)
