"""What a worker looks at before it begins: the split that a run was planned with."""

import json
from pathlib import Path

import pytest

from benchharness.errors import UserError
from benchharness.plan import Job, make_plan, parse_methods
from benchharness.protocols import protocol
from benchharness.worker import _given_split


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
    assert _given_split(without) is None
    put(data, 0)
    job = planned("nats")
    found = _given_split(job.base)
    assert found is not None
    assert found.valid.tolist() == list(range(5_000))
    assert job.base.run_id != without.run_id
    assert planned("drnas").base.run_id == halves.run_id
    assert _given_split(without) is None, "planned as a seeded draw, it stays one"
    put(data, 1)
    with pytest.raises(UserError, match=r"planned with the cifar100 split file of sha256 \w{16}.*that of \w{16}"):
        _given_split(job.base)
    (data / "cifar100-test-split.json").unlink()
    with pytest.raises(UserError, match="there is none"):
        _given_split(job.base)
