"""What a worker looks at before it begins: the split that a run was planned with, the images that it was begun on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchharness.config import protocol
from benchharness.data import load_images
from benchharness.data.image_set import build_image_set
from benchharness.data.kinds import Part
from benchharness.errors import UserError
from benchharness.runs import worker
from benchharness.runs.plan import Job, make_plan, parse_methods
from benchharness.runs.worker import execute, given_split
from benchharness.store import Store, read
from benchharness.store.run_folder import read_record
from tests.support import tiny
from tests.support.tiny import ON_CPU, SETTINGS, Walk


@pytest.fixture
def data(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (own_home / "data").mkdir()
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    return own_home / "data"


def job_of(preset: str) -> Job:
    (job,) = make_plan(parse_methods("darts"), (0,), "cifar100", protocol(preset))
    return job


def install_split(data: Path, first: int) -> None:
    """A split of CIFAR-100's test images, the first half or the second validating."""
    halves = [list(range(5_000)), list(range(5_000, 10_000))]
    (data / "cifar100-test-split.json").write_text(json.dumps({"xvalid": halves[first], "xtest": halves[1 - first]}))


def test_a_run_on_the_benchmarks_split_says_which_and_is_made_with_no_other(data: Path) -> None:
    without, halves = job_of("nats").base, job_of("drnas").base
    assert given_split(without) is None
    install_split(data, 0)
    job = job_of("nats")
    split = given_split(job.base)
    assert split is not None
    assert split.valid.tolist() == list(range(5_000))
    assert job.base.run_id != without.run_id
    assert job_of("drnas").base.run_id == halves.run_id
    assert given_split(without) is None, "planned as a seeded draw, it stays one"
    install_split(data, 1)
    with pytest.raises(UserError, match=r"planned with the cifar100 split file of sha256 \w{16}.*that of \w{16}"):
        given_split(job.base)
    (data / "cifar100-test-split.json").unlink()
    with pytest.raises(UserError, match="there is none"):
        given_split(job.base)


def partial_run(tmp_path: Path, images: str) -> tuple[Job, Store]:
    """A run of three epochs that broke in its second, on images of that digest."""
    (job,), suite_store = tiny.jobs(), Store(tmp_path / "results", "mine")
    (outcome,) = execute(job, suite_store, ON_CPU, lambda job, device: Walk(job, device, broken=2, images=images))
    assert outcome.state == "failed"
    return job, suite_store


def test_a_run_begun_on_other_images_is_searched_anew_and_says_so(tmp_path: Path) -> None:
    job, suite_store = partial_run(tmp_path, "a" * 64)
    epochs = []

    def search_of(job: Job, device: torch.device) -> Walk:
        epochs.append(Walk(job, device, images="b" * 64))
        return epochs[-1]

    (outcome,) = execute(job, suite_store, ON_CPU, search_of)
    assert outcome.state == "done"
    folder = suite_store.folder(job.base)
    assert outcome.message == (
        f"the search started again: {folder / 'checkpoint.pt'} is of images_sha256 aaaaaaaaaaaaaaaa, "
        "not bbbbbbbbbbbbbbbb, and was renamed to checkpoint.pt.unsound"
    )
    record = read_record(folder)
    assert record is not None
    assert record.data["sha256"] == "b" * 64
    (run,) = read(folder).to_dict("records")
    attempts = run["machine"]["attempts"]
    assert [attempt["epoch"] for attempt in attempts] == [0, 0], "nothing of the first attempt is left in it"
    assert [attempt["images_sha256"] for attempt in attempts] == ["a" * 64, "b" * 64]
    assert attempts[1]["anew"] == outcome.message


def test_a_run_goes_on_with_the_images_that_it_was_begun_on(tmp_path: Path) -> None:
    job, suite_store = partial_run(tmp_path, "a" * 64)
    (outcome,) = execute(job, suite_store, ON_CPU, Walk)
    (run,) = read(suite_store.folder(job.base)).to_dict("records")
    assert (outcome.state, outcome.message) == ("done", "")
    assert [attempt["epoch"] for attempt in run["machine"]["attempts"]] == [0, 1]


def test_a_finished_supernet_is_not_read_out_on_other_images(tmp_path: Path) -> None:
    (job,), suite_store = tiny.jobs("darts,ostr"), Store(tmp_path / "results", "mine")
    execute(job._replace(readouts=()), suite_store, ON_CPU, Walk)
    outcomes = execute(job, suite_store, ON_CPU, lambda job, device: Walk(job, device, images="b" * 64))
    assert [outcome.state for outcome in outcomes] == ["done", "failed"]
    assert "was searched on images of sha256 aaaaaaaaaaaaaaaa..., and cifar10 in" in outcomes[1].message
    assert "is now bbbbbbbbbbbbbbbb...: import those again, or give another --out" in outcomes[1].message


TRAIN, TEST = np.arange(24), np.arange(6)
OTHER_IMAGES: Mapping[str, Mapping[str, Any]] = {
    "one value of one pixel": {"pixel": 1},
    "one pixel of a test image": {"test_pixel": 1},
    "the label of one image": {"relabelled": [0]},
    "the labels of two images swapped": {"relabelled": [0, 1]},
    "another order": {"train": TRAIN[::-1]},
    "one image fewer": {"train": TRAIN[1:]},
    "an image twice": {"train": [*TRAIN, 0]},
    "one test image fewer": {"test": TEST[:-1]},
    "test images that are training images now": {"train": [*TRAIN[:-6], *TRAIN[:6]], "test": TEST[::-1]},
    "turned by a quarter": {"is_turned": True},
    "colours in another order": {"colours": [2, 1, 0]},
    "squares of another size": {"size": 8},
    "a class more": {"classes": 4},
    "no longer mirrored": {"flip": False},
}
SAME_IMAGES: Mapping[str, Mapping[str, Any]] = {
    "imported again": {},
    "under another label": {"label": "Pets (another camera)"},
    "classes of other names": {"names": "xyz"},
}


def pets(
    data: Path,
    train: Any = TRAIN,
    test: Any = TEST,
    pixel: int = 0,
    test_pixel: int = 0,
    relabelled: Sequence[int] = (),
    is_turned: bool = False,
    colours: Any = (0, 1, 2),
    size: int = 12,
    classes: int = 3,
    names: str = "abcd",
    flip: bool = True,
    label: str = "Pets",
) -> None:
    """Install images called `pets`, as they are or changed."""
    pixels = np.random.default_rng(0).integers(1, 255, (30, 3, 12, 12), np.uint8)[:, list(colours), :size, :size]
    pixels[0, 0, 0, 0] += pixel
    pixels[-1, 0, 0, 0] += test_pixel
    pixels, labels = np.rot90(pixels, axes=(2, 3)) if is_turned else pixels, np.arange(30) % classes
    for image in relabelled:
        labels[image] = 1 - labels[image]
    splits = [Part(np.ascontiguousarray(pixels[index]), labels[index]) for index in map(np.array, (train, 24 + test))]
    (data / "images").mkdir(exist_ok=True)
    images = build_image_set("pets", *splits, tuple(names[:classes]), label=label, flip=flip)
    images.save(data / "images" / "pets.npz")


def on_pets(job: Job, device: torch.device, failing_epoch: int = -1) -> Walk:
    """A search on the images called `pets` that are there when it begins."""
    return Walk(job, device, failing_epoch, load_images("pets").sha256)


def pets_job(methods: str = "darts") -> Job:
    (job,) = make_plan(parse_methods(methods), (0,), "pets", protocol("cpu", SETTINGS))
    return job


def begun_on_pets(data: Path, tmp_path: Path) -> tuple[Job, Store]:
    """A run that broke in its second epoch, on those images as they are."""
    pets(data)
    job, suite_store = pets_job(), Store(tmp_path / "results", "mine")
    (outcome,) = execute(job, suite_store, ON_CPU, lambda job, device: on_pets(job, device, failing_epoch=2))
    assert outcome.state == "failed"
    return job, suite_store


def attempts_of(suite_store: Store, job: Job) -> list[int]:
    (run,) = read(suite_store.folder(job.base)).to_dict("records")
    return [attempt["epoch"] for attempt in run["machine"]["attempts"]]


@pytest.mark.parametrize("name", OTHER_IMAGES)
def test_whatever_is_changed_in_the_images_a_run_begun_is_searched_anew(data: Path, tmp_path: Path, name: str) -> None:
    job, suite_store = begun_on_pets(data, tmp_path)
    pets(data, **OTHER_IMAGES[name])
    (outcome,) = execute(job, suite_store, ON_CPU, on_pets)
    assert outcome.state == "done"
    assert outcome.message.startswith("the search started again: ")
    assert attempts_of(suite_store, job) == [0, 0]


@pytest.mark.parametrize("name", OTHER_IMAGES)
def test_whatever_is_changed_in_the_images_a_supernet_is_not_read_out(data: Path, tmp_path: Path, name: str) -> None:
    pets(data)
    job, suite_store = pets_job("darts,ostr"), Store(tmp_path / "results", "mine")
    execute(job._replace(readouts=()), suite_store, ON_CPU, on_pets)
    pets(data, **OTHER_IMAGES[name])
    outcomes = execute(job, suite_store, ON_CPU, on_pets)
    assert [outcome.state for outcome in outcomes] == ["done", "failed"]
    assert "import those again, or give another --out" in outcomes[1].message
    pets(data)
    assert [outcome.state for outcome in execute(job, suite_store, ON_CPU, on_pets)] == ["done", "done"], (
        "once they are back"
    )


@pytest.mark.parametrize("name", SAME_IMAGES)
def test_the_same_images_in_another_file_are_gone_on_with(data: Path, tmp_path: Path, name: str) -> None:
    job, suite_store = begun_on_pets(data, tmp_path)
    pets(data, **SAME_IMAGES[name])
    (outcome,) = execute(job, suite_store, ON_CPU, on_pets)
    assert (outcome.state, outcome.message) == ("done", "")
    assert attempts_of(suite_store, job) == [0, 1]


def test_images_that_are_gone_end_a_run_and_it_goes_on_once_they_are_back(data: Path, tmp_path: Path) -> None:
    job, suite_store = begun_on_pets(data, tmp_path)
    (data / "images" / "pets.npz").rename(data / "images" / "cats.npz")
    (outcome,) = execute(job, suite_store, ON_CPU, on_pets)
    assert outcome.state == "failed"
    assert "benchharness data import" in outcome.message
    (data / "images" / "cats.npz").rename(data / "images" / "pets.npz")
    (outcome,) = execute(job, suite_store, ON_CPU, on_pets)
    assert (outcome.state, outcome.message) == ("done", "")
    assert attempts_of(suite_store, job) == [0, 1]


def test_the_same_images_under_another_name_make_another_run(data: Path) -> None:
    pets(data)
    (data / "images" / "cats.npz").write_bytes((data / "images" / "pets.npz").read_bytes())
    names = ("pets", "cats")
    plans = [make_plan(parse_methods("darts"), (0,), name, protocol("cpu", SETTINGS)) for name in names]
    assert len({job.base.run_id for (job,) in plans}) == 2


def test_every_search_counts_its_own_peak_of_a_gpus_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run would be told the peak of one that its process made before."""
    calls: list[Any] = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: calls.append(("set", device)))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: calls.append(("reset", device)))
    monkeypatch.setattr(worker, "load_images", lambda name: None)
    monkeypatch.setattr(worker, "Search", lambda *given: calls.append(("begin", given[2])))
    device = torch.device("cuda", 1)
    worker.open_search(job_of("drnas"), device)
    assert calls == [("set", device), ("reset", device), ("begin", device)]
