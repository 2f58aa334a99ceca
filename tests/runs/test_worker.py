"""What a worker looks at before it begins: the split that a run was planned with, the images that it was begun on."""

import json
from pathlib import Path

import pytest
import torch

from benchharness.config import protocol
from benchharness.errors import UserError
from benchharness.runs.plan import Job, make_plan, parse_methods
from benchharness.runs.worker import Where, execute, given_split
from benchharness.store import Store, read
from benchharness.store.run_folder import read_record
from tests.support import tiny
from tests.support.tiny import Walk


@pytest.fixture
def data(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (own_home / "data").mkdir()
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    return own_home / "data"


def planned(preset: str) -> Job:
    (job,) = make_plan(parse_methods("darts"), (0,), "cifar100", protocol(preset))
    return job


def put(data: Path, first: int) -> None:
    """A split of CIFAR-100's test images, the first half or the second validating."""
    halves = [list(range(5_000)), list(range(5_000, 10_000))]
    (data / "cifar100-test-split.json").write_text(json.dumps({"xvalid": halves[first], "xtest": halves[1 - first]}))


def test_a_run_on_the_benchmarks_split_says_which_and_is_made_with_no_other(data: Path) -> None:
    without, halves = planned("nats").base, planned("drnas").base
    assert given_split(without) is None
    put(data, 0)
    job = planned("nats")
    found = given_split(job.base)
    assert found is not None
    assert found.valid.tolist() == list(range(5_000))
    assert job.base.run_id != without.run_id
    assert planned("drnas").base.run_id == halves.run_id
    assert given_split(without) is None, "planned as a seeded draw, it stays one"
    put(data, 1)
    with pytest.raises(UserError, match=r"planned with the cifar100 split file of sha256 \w{16}.*that of \w{16}"):
        given_split(job.base)
    (data / "cifar100-test-split.json").unlink()
    with pytest.raises(UserError, match="there is none"):
        given_split(job.base)


def begun(tmp_path: Path, images: str) -> tuple[Job, Where]:
    """A run of three epochs that broke in its second, on images of that digest."""
    (job,), where = tiny.jobs(), Where(Store(tmp_path / "results", "mine"), "cpu", 1)
    (outcome,) = execute(job, where, lambda job, device: Walk(job, device, broken=2, images=images))
    assert outcome.state == "failed"
    return job, where


def test_a_run_begun_on_other_images_is_searched_anew_and_says_so(tmp_path: Path) -> None:
    job, where = begun(tmp_path, "a" * 64)
    seen = []

    def watched(job: Job, device: torch.device) -> Walk:
        seen.append(Walk(job, device, images="b" * 64))
        return seen[-1]

    (outcome,) = execute(job, where, watched)
    assert outcome.state == "done"
    folder = where.store.folder(job.base)
    assert outcome.message == (
        f"searched anew: {folder / 'checkpoint.pt'} is of images_sha256 aaaaaaaaaaaaaaaa, not bbbbbbbbbbbbbbbb, "
        "and was set aside as checkpoint.pt.unsound"
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
    job, where = begun(tmp_path, "a" * 64)
    (outcome,) = execute(job, where, Walk)
    (run,) = read(where.store.folder(job.base)).to_dict("records")
    assert (outcome.state, outcome.message) == ("done", "")
    assert [attempt["epoch"] for attempt in run["machine"]["attempts"]] == [0, 1]


def test_a_finished_supernet_is_not_read_out_on_other_images(tmp_path: Path) -> None:
    (job,), where = tiny.jobs("darts,ostr"), Where(Store(tmp_path / "results", "mine"), "cpu", 1)
    execute(job._replace(readouts=()), where, Walk)
    outcomes = execute(job, where, lambda job, device: Walk(job, device, images="b" * 64))
    assert [outcome.state for outcome in outcomes] == ["done", "failed"]
    assert "was searched on images of sha256 aaaaaaaaaaaaaaaa..., and cifar10 in" in outcomes[1].message
    assert "is now bbbbbbbbbbbbbbbb...: import those again, or give another --out" in outcomes[1].message
