"""Compiled cells: the same function in another spelling, compiled where asked for, and resumed as they were begun."""

from functools import partial
from io import BytesIO
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
from benchharness.models import padded
from benchharness.models.supernet import Forward, MixedCell, Supernet, apart
from benchharness.runs import reproduce
from benchharness.runs.options import RunOptions
from benchharness.runs.worker import execute
from benchharness.search.loop import Search
from benchharness.store import Store
from benchharness.store.schemas import Machine
from tests.support.plain import weights_of
from tests.support.sets import small_images
from tests.support.tiny import Walk, jobs

CPU = torch.device("cpu")
BATCH = 6
# All are warnings of torch's compiler about what it does itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.torch.jit:DeprecationWarning",
    "ignore:The .grad attribute:UserWarning",
    "ignore:.*autograd.function.Function.*should not be instantiated:DeprecationWarning",
)
needs_compiler = pytest.mark.skipif(not compiling.compiler(), reason="no C++ compiler")


@pytest.fixture
def use_python_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be compiled is run as Python."""
    monkeypatch.setattr(compiling, "_compiled", lambda train_epochs: train_epochs)


def images(count: int = BATCH) -> Tensor:
    return torch.randn(count, 3, 8, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def twins(**options: Any) -> tuple[Supernet, Supernet]:
    """Two supernets of the same weights, the first one's cells compiled."""
    nets = [Supernet(10, 4, 2, **options).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    compiling.attach(nets[0], BATCH)
    return nets[0], nets[1]


def outputs_and_slopes(net: Supernet, kind: str, count: int = BATCH) -> list[Tensor]:
    """Logits, the gradient of the edge weights, and those of the supernet's weights."""
    weights = weights_of(kind).requires_grad_()
    logits = net(images(count), weights)
    F.cross_entropy(logits, torch.arange(count)).backward()
    assert weights.grad is not None
    return [logits, weights.grad, *(weight.grad for weight in net.parameters() if weight.grad is not None)]


def test_evaluations_and_batches_of_other_sizes_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(forward: Forward) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(compiling, "_compiled", never)
    net, reference = twins()
    torch.testing.assert_close(
        outputs_and_slopes(net, "softmax", 5), outputs_and_slopes(reference, "softmax", 5), rtol=1e-10, atol=1e-10
    )
    with pytest.raises(AssertionError, match="compiled"):
        outputs_and_slopes(net, "softmax")
    reference.load_state_dict(net.state_dict())
    with net.evaluating(), reference.evaluating(), torch.no_grad():
        assert torch.equal(net(images(), weights_of("softmax")), reference(images(), weights_of("softmax")))


@pytest.mark.usefixtures("use_python_spelling")
def test_where_weights_are_held_their_gradients_are_left_out_and_asked_for_again_after() -> None:
    net, _ = twins()
    alpha = weights_of("softmax").requires_grad_()
    with net.holding_weights():
        logits = net(images(), alpha)
    assert all(weight.requires_grad for weight in net.parameters())
    slopes = torch.autograd.grad(logits.sum(), [alpha, *net.parameters()], allow_unused=True)
    assert slopes[0] is not None
    assert all(slope is None for slope in slopes[1:])
    with pytest.raises(ZeroDivisionError), net.holding_weights():
        raise ZeroDivisionError
    assert all(weight.requires_grad for weight in net.parameters())


@needs_compiler
@pytest.mark.parametrize("uncompiled", [MixedCell.forward, pytest.param(padded.forward, marks=pytest.mark.slow)])
def test_a_cell_really_compiles(uncompiled: Forward) -> None:
    torch.manual_seed(0)
    net, reference = Supernet(10, 2, 1), Supernet(10, 2, 1)
    reference.load_state_dict(net.state_dict())
    cells = [next(each.mixed_cells()) for each in (net, reference)]
    x = torch.randn(4, 2, 6, 6).contiguous(memory_format=torch.channels_last)
    weights, before = weights_of("softmax").float(), compiling.seconds()
    results = []
    for y_of, cell in zip((compiling.Compiled(4, uncompiled), MixedCell.forward), cells, strict=True):
        y = y_of(cell, x, apart(weights, x.dtype))
        (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
        results.append([y, *(weight.grad for weight in cell.parameters())])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)
    assert compiling.seconds() > before


@pytest.mark.parametrize(("device", "threads"), [("cpu", 1), ("meta", 8)])
def test_the_compiler_takes_one_process_on_cpus_alone(device: str, threads: int) -> None:
    with torch._inductor.config.patch(compile_threads=8):
        compiling.attach(Supernet(10, 2, 1).to(device), BATCH)
        assert torch._inductor.config.compile_threads == threads


def search_of(compiled: bool, numerics: str = "float32") -> Search:
    (job,) = jobs(epochs=2, images=64, batch=16, eigenvalue_every=1, numerics=numerics)
    return Search(job.base, small_images(), CPU, compiled=compiled)


def train_epochs(search: Search, epochs: int = 2) -> list[dict[str, Any]]:
    return [search.run_epoch() for _ in range(epochs)]


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("numerics", "tolerance"), [("float32", 1e-3), ("bf16", 2e-2)])
def test_a_compiled_search_goes_as_the_other_does_and_is_resumed_bit_for_bit(numerics: str, tolerance: float) -> None:
    undisturbed, uncompiled, partial = (search_of(compiled, numerics) for compiled in (True, False, True))
    for ours, theirs in zip(train_epochs(undisturbed), train_epochs(uncompiled), strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=tolerance)
        assert ours["valid_loss"] == pytest.approx(theirs["valid_loss"], rel=tolerance)
        assert ours["seconds"] > 0
        assert "compile_seconds" not in theirs
    train_epochs(partial, 1)
    torch.save(partial.state(), file := BytesIO())
    file.seek(0)
    resumed_search = search_of(True, numerics)
    resumed_search.load(torch.load(file, weights_only=True))
    train_epochs(resumed_search, 1)
    assert all(map(torch.equal, undisturbed.net.state_dict().values(), resumed_search.net.state_dict().values()))
    assert torch.equal(undisturbed.method.alpha, resumed_search.method.alpha)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("method", ["snas", "snas-single", "drnas-progressive", "darts2", "gdas", "sdarts-adv", "rsps"])
def test_every_kind_of_update_can_be_compiled(method: str) -> None:
    (job,) = jobs(method, epochs=2, images=64, batch=16, channels=8)
    searches = [Search(job.base, small_images(), CPU, compiled=compiled) for compiled in (True, False)]
    for ours, theirs in zip(*map(train_epochs, searches), strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=0.05)


@pytest.mark.parametrize(
    ("choice", "changes", "device", "compiled"),
    [
        ("on", {}, "cpu", True),
        ("off", {}, "cpu", False),
        ("auto", {}, "cpu", True),
        ("auto", {}, "cuda:0", False),
        ("auto", {"numerics": "bf16"}, "cpu", True),
        ("auto", {"epochs": 1, "images": 3000}, "cpu", False),
    ],
)
def test_auto_compiles_long_searches_on_a_cpu(
    choice: str, changes: dict[str, Any], device: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "compiler", lambda: "g++")
    assert compiling.decided(choice, {**vars(PROTOCOLS["drnas"]), **changes}, device) is compiled
    assert not compiling.decided("auto", vars(PROTOCOLS["cpu"]), "cpu"), "five minutes are not worth it"
    assert not compiling.decided("auto", vars(PROTOCOLS["small"]), "cpu")


def test_without_a_compiler_auto_does_without_and_on_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not compiling.decided("auto", vars(PROTOCOLS["drnas"]), "cpu")
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler.*install g\+\+"):
        compiling.check_choice("on")
    compiling.check_choice("auto")


def test_what_cannot_be_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="maybe"):
        RunOptions(compile="maybe").checked()
    assert main(["run", "--compile", "onn", "--dataset", "digits", "--methods", "random", "--seeds", "0"]) == 2
    assert "'onn'; did you mean 'on'" in capsys.readouterr().err


class Told(Walk):
    """A search that notes whether it was to be compiled."""

    compile_requests: list[bool]

    def __init__(self, job: Any, device: torch.device, broken: int = -1, compiled: bool = False) -> None:
        super().__init__(job, device, broken)
        Told.compile_requests.append(compiled)


@pytest.fixture
def compile_requests() -> list[bool]:
    Told.compile_requests = []
    return Told.compile_requests


@pytest.mark.parametrize("first", ["on", "off"])
def test_a_run_goes_on_as_it_was_begun_and_is_repeated_so(
    tmp_path: Path, compile_requests: list[bool], first: str
) -> None:
    (job,) = jobs("darts", (1,))
    suite_store, first_options = Store(tmp_path / "results", "mine"), RunOptions(device="cpu", compile=first)
    other = first_options._replace(compile="off" if first == "on" else "on")
    execute(job, suite_store, first_options, partial(Told, broken=2))
    (outcome,) = execute(job, suite_store, other, Told)
    assert outcome.state == "done"
    machine = files.read_json(suite_store.folder(job.base) / "machine.json", Machine) or {}
    assert machine.get("compiled", False) is (first == "on")
    reproduce.repeat(suite_store.folder(job.base), tmp_path / "again", "cpu", Told)
    assert set(compile_requests) == {first == "on"}
