"""Formulations of a cell's training step: padded as the plain one to 1e-10, chosen for a run, and gone on with."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchharness.cli import main
from benchharness.config import PROTOCOLS
from benchharness.errors import UserError
from benchharness.io import files
from benchharness.models import compiled as compiling
from benchharness.models import formulations, padded
from benchharness.models.formulations import NotFused
from benchharness.models.supernet import MixedCell, Supernet
from benchharness.records import RunSpec
from benchharness.runs import reproduce, worker
from benchharness.runs.estimate import estimate
from benchharness.runs.options import RunOptions
from benchharness.runs.worker import execute
from benchharness.store import Store
from benchharness.store.schemas import Machine
from tests.support.emulated import Emulated, adam_on_the_device
from tests.support.plain import pairs, twins, weights_of
from tests.support.stepping import plain_in, search_on, stepped
from tests.support.tiny import Walk, install_images, jobs

CPU = torch.device("cpu")
NEAR = {"rtol": 1e-10, "atol": 1e-10}
SHORT: Any = {"steps": 3, "batch": 8}


def outputs_and_slopes(net: torch.nn.Module, kind: str) -> list[Tensor]:
    """Logits, and slopes of a loss in the edge weights."""
    weights = weights_of(kind).requires_grad_()
    images = torch.randn(6, 3, 8, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits = net(images, weights)
    F.cross_entropy(logits, torch.arange(6)).backward()
    assert weights.grad is not None
    return [logits, weights.grad]


@pytest.mark.parametrize("kind", ["softmax", "one zero", "one-hot"])
@pytest.mark.parametrize("channels", [1, 2])
def test_padded_cells_are_those_of_the_plain_formulation(kind: str, channels: int) -> None:
    net, plain = twins(partial=channels)
    formulations.attach(net, "padded")
    torch.testing.assert_close(outputs_and_slopes(net, kind), outputs_and_slopes(plain, kind), **NEAR)
    for ours, theirs in pairs(net, plain):
        torch.testing.assert_close(ours, theirs, **NEAR)


@pytest.mark.parametrize("options", [{}, {"partial": 2}, {"partial": 2, "weighs_bypass": True}], ids=str)
def test_padded_cells_give_every_weight_the_slope_that_shared_ones_give(options: dict[str, Any]) -> None:
    nets = []
    for choice in ("padded", "shared"):
        torch.manual_seed(0)
        nets.append(Supernet(10, 4, 2, **options).double())
        formulations.attach(nets[-1], choice)
    torch.testing.assert_close(*(outputs_and_slopes(net, "softmax") for net in nets), **NEAR)
    for (name, ours), theirs in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, **NEAR, msg=name)
    torch.testing.assert_close(nets[0].state_dict(), nets[1].state_dict(), **NEAR)


def test_ten_padded_steps_are_those_of_the_plain_formulation() -> None:
    """Both half-steps of a search, clipping and optimisers included."""
    search, reference = (search_on(CPU, torch.float64, formulation=choice) for choice in ("padded", "shared"))
    plain = plain_in(reference)
    torch.testing.assert_close(stepped(search), stepped(reference), **NEAR)
    for ours, theirs in pairs(search.net, plain):
        torch.testing.assert_close(ours, theirs, **NEAR)


def test_padded_cells_start_half_as_many_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: dict[str, int] = {}
    for choice in ("padded", "shared"):
        net, _ = twins(cells=1)
        formulations.attach(net, choice)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            outputs_and_slopes(net, "softmax")
        calls = {event.key: event.count for event in profile.key_averages()}
        counted[choice] = calls["aten::convolution"], calls["aten::native_batch_norm"]
    cells, others = 3 * 3, (1 + 2 * 3, 1 + 2 * 2 + 1)
    assert counted == {
        "padded": tuple(cells + other for other in others),
        "shared": tuple(2 * cells + other for other in others),
    }


@pytest.mark.parametrize("method", ["darts2", "snas", "drnas-progressive", "sdarts-rs", "darts-pt"])
def test_every_kind_of_update_goes_the_same_way_with_padded_cells(method: str) -> None:
    searches = [search_on(CPU, torch.float64, method, formulation=choice, **SHORT) for choice in ("padded", "shared")]
    for search in searches:
        search.run_epoch()
        if method == "darts-pt":
            search._tune({0: 3, 4: 1}, 1, alpha=False)
    ours, theirs = (search.state() for search in searches)
    for part in ("net", "method"):
        torch.testing.assert_close(ours[part], theirs[part], rtol=1e-8, atol=1e-8)


def test_recorded_steps_of_padded_cells_have_the_same_bits() -> None:
    with adam_on_the_device():
        ways: Any = {"formulation": "padded", **SHORT}
        searches = [search_on(CPU, torch.float32, recorder=by, **ways) for by in (Emulated(), None)]
        for search in searches:
            for group in search.alpha_optimizer.param_groups:
                group["capturable"] = True
            search.run_epoch()
    assert searches[0].steps is not None
    assert searches[0].steps.trace_fields() == {"replayed_steps": SHORT["steps"] - 1}
    assert all(map(torch.equal, searches[0].net.state_dict().values(), searches[1].net.state_dict().values()))
    assert torch.equal(*(search.method.alpha for search in searches))


def test_checkpoints_go_from_either_formulation_to_the_other() -> None:
    for first, second in (("padded", "shared"), ("shared", "padded")):
        begun, late = (search_on(CPU, torch.float64, formulation=choice, **SHORT) for choice in (first, second))
        begun.run_epoch()
        late.load(deepcopy(begun.state()))
        for search in (begun, late):
            search.run_epoch()
        torch.testing.assert_close(late.state()["net"], begun.state()["net"], rtol=1e-8, atol=1e-8)


def test_compiled_cells_may_be_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[Any] = []
    monkeypatch.setattr(compiling, "_compiled", lambda trained: attached.append(trained) or trained)
    nets = [twins()[0] for _ in range(2)]
    formulations.attach(nets[0], "padded", batch=6)
    torch.testing.assert_close(*(outputs_and_slopes(net, "softmax") for net in nets), **NEAR)
    assert set(attached) == {padded.forward}


@pytest.fixture
def random_images(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of our own with random images."""
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    install_images(own_home / "data")


@pytest.mark.usefixtures("random_images")
def test_runs_are_padded_where_asked_for_and_gone_on_with_and_repeated_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convolved: list[MixedCell] = []
    monkeypatch.setattr(padded, "_convolved", lambda cell, *of: convolved.append(cell) or cell.convolved(*of))
    (job,), store = jobs(seeds=(1,), epochs=2), Store(tmp_path / "results", "mine")
    begun = RunOptions(device="cpu", formulation="padded", epochs_now=1)
    assert [outcome.state for outcome in execute(job, store, begun)] == ["paused"]
    calls = [len(convolved)]
    assert [outcome.state for outcome in execute(job, store, RunOptions(device="cpu"))] == ["done"]
    calls.append(len(convolved))
    machine = files.read_json(store.folder(job.base) / "machine.json", Machine) or {}
    assert machine["formulation"] == "padded"
    assert [attempt["formulation"] for attempt in machine["attempts"]] == ["padded", "padded"]
    assert reproduce.repeat(store.folder(job.base), tmp_path / "again", "cpu").differences == ()
    calls.append(len(convolved))
    assert 0 < calls[0] == calls[1] - calls[0] == (calls[2] - calls[1]) / 2


@pytest.mark.usefixtures("random_images")
def test_other_formulations_are_timed_and_told_apart(tmp_path: Path) -> None:
    store, options = Store(tmp_path / "results", "mine"), RunOptions(device="cpu", formulation="padded")
    first, second = jobs(seeds=(0, 1), epochs=1)
    foretold = estimate([first], store, options, timing=True)
    assert foretold is not None
    assert foretold.timed == 1
    execute(first, store, options)
    for formulation, recorded in (("padded", 1), ("shared", 0)):
        forecast = estimate([second], store, options._replace(formulation=formulation), timing=True)
        assert forecast is not None
        assert (forecast.recorded, forecast.timed) == (recorded, 1 - recorded)


@pytest.fixture
def without_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


@pytest.mark.usefixtures("without_interpreter")
def test_what_cannot_be_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--device", "cpu", "--dataset", "digits", "--methods", "random", "--out", str(tmp_path)]
    assert main([*words, "--formulation", "fussed"]) == 2
    assert "'fussed'; did you mean 'fused'" in capsys.readouterr().err
    for more in ([], ["--dry-run"]):
        assert main([*words, "--formulation", "fused", *more]) == 2
        assert "--formulation fused runs on CUDA, and device 'cpu' is none of CUDA's" in capsys.readouterr().err
    with pytest.raises(UserError, match="leave one out"):
        RunOptions(compile="on", formulation="fused").checked()


@pytest.mark.usefixtures("without_interpreter")
def test_fused_cells_need_triton_and_a_device_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    options = RunOptions(device="cuda:0")
    for there in (True, False):
        monkeypatch.setattr(formulations, "find_spec", lambda name, there=there: name if there else None)
        assert formulations.usable("fused", "cuda:1") is there
        assert not formulations.usable("fused", "cpu")
        assert options.as_recorded({"formulation": "fused"}).formulation == ("fused" if there else "shared")
        assert options._replace(device="cpu").as_recorded({"formulation": "fused"}).formulation == "shared"
    with pytest.raises(UserError, match="needs triton, which is not installed; pip install triton"):
        formulations.check_choice("fused", "cuda:0")
    assert options.as_recorded({"formulation": "padded"}).formulation == "padded"


def test_fused_cells_are_not_compiled_by_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "compiler", lambda: "g++")
    long = vars(PROTOCOLS["drnas"])
    assert [RunOptions(formulation=name).compiles(long, "cpu") for name in formulations.CHOICES] == [True, True, False]


class Fused(Walk):
    """A search whose kernels fail in the epoch, or in the reading, that `nowhere` names."""

    nowhere: int | str = 0
    begun: list[str]

    def __init__(self, job: Any, device: torch.device, formulation: str = "shared") -> None:
        super().__init__(job, device)
        self.formulation = formulation
        Fused.begun.append(formulation)

    def run_epoch(self) -> dict[str, Any]:
        self._try(self.epoch)
        return super().run_epoch()

    def read_out(self, spec: RunSpec, file: Path | None = None) -> Any:
        self._try(spec.method)
        return super().read_out(spec, file)

    def _try(self, place: int | str) -> None:
        if self.formulation == "fused" and place == Fused.nowhere:
            raise NotFused("the kernel mix cannot run (Failed to find C compiler)")


@pytest.mark.parametrize(
    ("nowhere", "states"), [(0, ["afresh"] * 2), (2, ["afresh"] * 2), ("ostr", ["done", "afresh"])]
)
def test_where_a_kernel_fails_the_run_goes_on_without_in_another_process(
    nowhere: int | str, states: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_UNFIT", [])
    monkeypatch.setattr(formulations, "usable", lambda choice, device: True)
    monkeypatch.setattr(Fused, "nowhere", nowhere)
    monkeypatch.setattr(Fused, "begun", [], raising=False)
    (job,), store = jobs("darts,ostr"), Store(tmp_path / "results", "mine")
    options = RunOptions(device="cpu", compile="off", formulation="fused")
    first = execute(job, store, options, Fused)
    assert [outcome.state for outcome in first] == states
    assert "cannot run (Failed to find C compiler); it goes on without --formulation fused" in first[-1].message
    assert [outcome.state for outcome in execute(job, store, options, Fused)][-1] == "afresh", "not in this process"
    worker._UNFIT.clear()  # another process
    assert [outcome.state for outcome in execute(job, store, options, Fused)] == ["done", "done"]
    assert (Fused.begun[0], Fused.begun[-1]) == ("fused", "shared")
    machine = files.read_json(store.folder(job.base) / "machine.json", Machine) or {}
    assert machine.get("formulation") == ("fused" if nowhere == "ostr" else None)
