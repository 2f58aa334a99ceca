"""Scores cells by a zero-cost proxy on untrained networks, or by a finished supernet's inherited weights."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

import numpy as np
import torch
from filelock import FileLock
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
from benchharness.seeding import generator, seed_for
from benchharness.store.run_folder import Run

_PORTION: Final = 10
"""Cells that a worker scores at a time."""
_VERSION: Final = 1
"""Version of the scoring by a supernet; stored scores of other versions are not used."""


def sample_codes(sample: int, seed: int) -> Int[np.ndarray, "archs"]:
    """Sorted codes of `sample` cells, drawn by `seed`; all 15,625 if `sample` is 0.

    Raises `UserError` if there are not so many cells.
    """
    if not 0 <= sample <= space.SIZE:
        raise UserError(f"sample={sample} is out of range; there are 1 to {space.SIZE} cells")
    rng = np.random.default_rng(seed_for("score sample", seed))
    return np.sort(rng.permutation(space.SIZE)[: sample or space.SIZE])


class ScoreRequest(NamedTuple):
    """Which proxy to compute, on which batch of training images."""

    measure: str
    dataset: str
    images_sha256: str
    setting: Setting
    batch: int
    """Number of images, drawn with the setting's seed."""


class SupernetRequest(NamedTuple):
    """The accuracy of some cells with weights inherited from a supernet."""

    folder: Path
    """Folder of a finished run, which may share another run's supernet."""
    batches: int
    """First evaluation batches of the validation half; 0 for all."""


class ScoreTask(NamedTuple):
    """Some cells for one worker."""

    request: ScoreRequest | SupernetRequest
    codes: tuple[int, ...]
    device: str


class Scored(TypedDict):
    """A line of the file of scores; a score is None if it is undefined."""

    codes: list[int]
    scores: list[float | None]


class ScoreJournal:
    """A file of scores of cells, to which each score is appended, so that an interrupted request can be resumed."""

    def __init__(self, name: str, depends_on: str) -> None:
        key = hashlib.sha256(depends_on.encode()).hexdigest()[:16]
        self.path = catalog.measured_folder() / f"scores-{name}-{key}.jsonl"
        self.lock = FileLock(self.path.with_suffix(".lock"))

    def scores(self) -> dict[int, float]:
        """The scores by architecture code; NaN if undefined."""
        lines = files.read_lines(self.path, Scored)
        pairs = [pair for line in lines for pair in zip(line["codes"], line["scores"], strict=False)]
        return {code: np.nan if score is None else score for code, score in pairs}

    def of(self, codes: Int[np.ndarray, "archs"]) -> Float[np.ndarray, "archs"]:
        """The score of each of `codes`; NaN if it is undefined or not computed yet."""
        saved_scores = self.scores()
        return np.array([saved_scores.get(code, np.nan) for code in codes.tolist()], float)

    def missing(self, codes: Int[np.ndarray, "archs"]) -> list[int]:
        """The `codes` that have not been scored, each once, in order."""
        return sorted(set(codes.tolist()) - set(self.scores()))

    def complete(
        self, request: ScoreRequest | SupernetRequest, missing_codes: list[int], jobs: int, devices: list[str]
    ) -> Iterator[int]:
        """Score the `missing_codes`, yielding the size of each finished part; raises `UserError` if one fails."""
        portions = [tuple(missing_codes[start : start + _PORTION]) for start in range(0, len(missing_codes), _PORTION)]
        work = {key: ScoreTask(request, portion, devices[key % len(devices)]) for key, portion in enumerate(portions)}
        self._ready()
        for key, scores in executors.serial(_try, work) if jobs == 1 else executors.processes(_try, work, jobs):
            if isinstance(scores, Exception):
                by = f" by {request.measure}" if isinstance(request, ScoreRequest) else ""
                raise UserError(f"scoring{by} failed: {scores}")
            with self.lock:
                files.append_line(self.path, {"codes": list(portions[key]), "scores": scores})
            yield len(scores)

    def _ready(self) -> None:
        """Cut off a last line that a crash left incomplete; raises `UserError` if the file cannot be written."""
        with files.writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.lock:
                files.keep_lines(self.path, len(files.read_lines(self.path, Scored)))


class ProxyScores:
    """Scores of cells by a proxy.

    Cells of one functional class are one network and share its score, except for parameters and FLOPs.
    """

    def __init__(self, request: ScoreRequest, device: str = "cpu") -> None:
        proxies.check_measure(request.measure)
        request.setting.checked()
        if request.batch < 2:
            raise UserError(f"batch={request.batch} is out of range; it must be 2 or more")
        self.request, self.counted = request, request.measure not in proxies.PROXIES
        version = proxies.VERSIONS.get(request.measure)
        content = repr(tuple(request)) + (f" version {version}" if version else "") + _rounding(device)
        self.journal = ScoreJournal(f"{request.dataset}-{request.measure}", content)

    def missing(self, codes: Int[np.ndarray, "archs"]) -> list[int]:
        """The codes of the networks that have no score yet."""
        return [] if self.counted else self.journal.missing(space.classes()[codes])

    def complete(self, codes: Int[np.ndarray, "archs"], jobs: int, devices: list[str]) -> Iterator[int]:
        """Score the `missing` of `codes`, yielding the size of each finished part; raises `UserError` if one fails."""
        return self.journal.complete(self.request, self.missing(codes), jobs, devices)

    def values(self, codes: Int[np.ndarray, "archs"]) -> Float[np.ndarray, "archs"]:
        """The score of each of `codes`; NaN if it is undefined or not computed yet."""
        if not self.counted:
            return self.journal.of(space.classes()[codes])
        batch, classes = _batch(self.request, "cpu")
        cells = map(space.from_code, map(int, codes))
        scores = [proxies.score(self.request.measure, cell, batch, classes, self.request.setting) for cell in cells]
        return np.array(scores, float)


class SupernetScores:
    """Accuracy in percent of cells with weights inherited from the supernet of a finished run.

    Measured on the first `batches` evaluation batches of the validation half, with batch statistics.
    """

    def __init__(self, folder: Path, batches: int, device: str = "cpu") -> None:
        """Raises `UserError` if the run is not finished, its checkpoint is missing, or its images have changed."""
        if batches < 0:
            raise UserError(f"batches={batches} is out of range; it must be 1 or more, or 0 for all")
        self.request = SupernetRequest(folder.absolute(), batches)
        job, base = job_of(folder)
        _evaluation(self.request, device)
        self.dataset = job.base.dataset
        with files.open_file(base / "checkpoint.pt", files.CHECKPOINT_BYTES) as checkpoint:
            weights = hashlib.file_digest(checkpoint, "sha256").hexdigest()
        content = repr((job.base.run_id, weights, batches, _VERSION)) + _rounding(device)
        self.journal = ScoreJournal(f"{job.base.dataset}-supernet-{job.base.run_id}", content)

    def missing(self, codes: Int[np.ndarray, "archs"]) -> list[int]:
        """The codes of the cells that are not scored yet."""
        return self.journal.missing(codes)

    def complete(self, codes: Int[np.ndarray, "archs"], jobs: int, devices: list[str]) -> Iterator[int]:
        """Score the `missing` of `codes`, yielding the size of each finished part; raises `UserError` if one fails."""
        return self.journal.complete(self.request, self.missing(codes), jobs, devices)

    def values(self, codes: Int[np.ndarray, "archs"]) -> Float[np.ndarray, "archs"]:
        """The score of each of `codes`; NaN if it is not there yet."""
        return self.journal.of(codes)


def _rounding(device: str) -> str:
    """The part of the file's key that depends on the device, since a GPU rounds differently from a processor."""
    kind = device.partition(":")[0]
    return "" if kind == "cpu" else f" on {kind}"


def _try(task: ScoreTask) -> list[float | None] | Exception:
    try:
        return _score(task)
    except (ArithmeticError, RuntimeError, UserError) as error:  # memory was not enough, or the checkpoint is gone
        return error


def _score(task: ScoreTask) -> list[float | None]:
    torch.set_num_threads(1)  # so that the bits do not depend on the cores
    request = task.request
    cells: Sequence[space.Arch] = [space.from_code(code) for code in task.codes]
    if isinstance(request, SupernetRequest):
        cell_scores = _evaluation(request, task.device).cells(cells, batches=request.batches, bn="batch")
        return [score.accuracy_pct for score in cell_scores]
    batch, classes = _batch(request, task.device)
    scores = [proxies.score(request.measure, cell, batch, classes, request.setting) for cell in cells]
    return [None if np.isnan(score) else score for score in scores]


@lru_cache(maxsize=2)
def _evaluation(request: SupernetRequest, device: str) -> Evaluation:
    job, base = job_of(request.folder)
    search = open_search(job, torch.device(device))
    restored(Run(job.base, base), search)
    assert isinstance(search, Search)
    return Evaluation(search.net, search.stream)


@lru_cache(maxsize=2)
def _batch(request: ScoreRequest, device: str) -> tuple[Batch, int]:
    images = load_images(request.dataset)
    count = len(images.train_labels)
    positions = torch.randperm(count, generator=generator("score", request.dataset, request.setting.seed))[
        : request.batch
    ]
    pictures = DeviceImages(images, positions.numpy(), torch.device(device))
    return next(pictures.fixed(request.batch, 1)), len(images.classes)
