"""Fused cells beside the plain formulation and the supernet's own, in float64 by Triton's interpreter.

They run where triton is installed, which this project's tests do not ask for: on a machine with a GPU as part of
`benchmarks/gpu.py` (compiled, `-m gpu`), and by hand with `pip install triton` (interpreted).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is loaded, which asks for it then
pytest.importorskip("triton")

from benchharness.io import files
from benchharness.models import formulations, fused
from benchharness.models.supernet import Supernet
from benchharness.runs import reproduce, worker
from benchharness.runs.options import RunOptions
from benchharness.runs.worker import execute
from benchharness.store import Store
from benchharness.store.schemas import Machine
from tests.support.gpu import gpu
from tests.support.plain import pairs, twins, weights_of
from tests.support.stepping import plain_in, search_on, stepped
from tests.support.tiny import install_images, jobs

CPU = torch.device("cpu")
NEAR = {"rtol": 1e-10, "atol": 1e-10}
interpreted = pytest.mark.skipif(torch.cuda.is_available(), reason="of Triton's interpreter on a processor")


def slopes(net: torch.nn.Module, images: Tensor, weights: Tensor) -> list[Tensor]:
    """Logits, and the slopes of a loss in the edge weights and in everything that is trained."""
    at = weights.clone().requires_grad_()
    logits = net(images, at)
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    loss = F.cross_entropy(logits, torch.arange(len(images), device=images.device) % 10)
    return [logits.detach(), *torch.autograd.grad(loss, [at, *parameters], allow_unused=True)]


def images_of(size: int = 8) -> Tensor:
    return torch.randn(3, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def copies(partial: int, weighs_bypass: bool = False) -> tuple[Supernet, Supernet]:
    nets = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append(Supernet(10, 4, 1, partial, weighs_bypass).double())
    formulations.attach(nets[0], "fused")
    return nets[0], nets[1]


@pytest.mark.parametrize("kind", ["softmax", "one zero"])
@pytest.mark.parametrize(("partial", "weighs_bypass"), [(1, False), (2, False), (2, True)])
def test_fused_cells_give_the_same_slopes_and_statistics(kind: str, partial: int, weighs_bypass: bool) -> None:
    ours, reference = copies(partial, weighs_bypass)
    for slope, expected_slope in zip(
        *(slopes(net, images_of(), weights_of(kind)) for net in (ours, reference)), strict=True
    ):
        torch.testing.assert_close(slope, expected_slope, **NEAR)
    for name, buffer in reference.named_buffers():
        torch.testing.assert_close(ours.get_buffer(name), buffer, **NEAR)


def test_fused_cells_are_those_of_the_plain_formulation() -> None:
    net, reference = twins()
    formulations.attach(net, "fused")
    slopes_of_nets = []
    for module in (net, reference):
        logits, of_weights, *_ = slopes(module, images_of(), weights_of("softmax"))
        slopes_of_nets.append((logits, of_weights))
    torch.testing.assert_close(*slopes_of_nets, **NEAR)
    for ours, theirs in pairs(net, reference):
        torch.testing.assert_close(ours.detach(), theirs.detach(), **NEAR)


def test_the_alphas_step_needs_no_slopes_of_weights() -> None:
    ours, reference = copies(1)
    slopes_of_nets = []
    for net in (ours, reference):
        at = weights_of("softmax").requires_grad_()
        with net.holding_weights():
            logits = net(images_of(), at)
        slopes_of_nets.append(torch.autograd.grad(F.cross_entropy(logits, torch.arange(3)), at)[0])
    torch.testing.assert_close(*slopes_of_nets, **NEAR)


@pytest.mark.parametrize("rows", [1, 5, 1100])
def test_statistics_of_few_and_of_many_rows(rows: int) -> None:
    """Of more rows than one program sums, and far from zero, where sums of squares would lose all bits."""
    rng = torch.Generator().manual_seed(2)
    narrow, wide = (1e4 + torch.randn(rows, 6, 1, 1, generator=rng, dtype=torch.float64) for _ in range(2))
    size = fused.Size(rows, 6, 2)
    statistics = fused._statistics(narrow, wide, size, torch.float64)
    for (mean, var), features in zip(statistics, (narrow, wide), strict=True):
        torch.testing.assert_close(mean, features.mean((0, 2, 3)), **NEAR)
        torch.testing.assert_close(var, features.var((0, 2, 3), correction=0), **NEAR)


def test_bfloat16_is_mixed_in_float32() -> None:
    rng = torch.Generator().manual_seed(3)
    shapes = [(2, 6, 4, 4), (2, 6, 4, 4), (2, 2, 4, 4), (2, 2, 4, 4), (3, 4)]
    exact = [torch.randn(shape, generator=rng).bfloat16() for shape in shapes]
    outputs, statistics = fused.Mix.apply(*exact)
    precise, _ = fused.Mix.apply(*(tensor.double() for tensor in exact))
    assert outputs.dtype == torch.bfloat16
    assert statistics.dtype == torch.float32
    # One unit in the last place, since the interpreter cuts off what it should round.
    torch.testing.assert_close(outputs.double(), precise, rtol=2**-7, atol=1e-6)


@pytest.fixture
def tall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that read many rows at a time, of which the interpreter has fewer to go through."""
    monkeypatch.setattr(fused, "ROWS", 4096)
    monkeypatch.setattr(fused, "LONG", 4096)


@pytest.fixture
def random_images(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of our own with random images."""
    monkeypatch.setenv("BENCHHARNESS_DATA", str(own_home / "data"))
    install_images(own_home / "data")


@interpreted
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("tall")
def test_ten_steps_of_a_search_are_those_of_the_plain_formulation() -> None:
    search, reference = (search_on(CPU, torch.float64, formulation=choice, batch=8) for choice in ("fused", "shared"))
    reference_search = plain_in(reference)
    torch.testing.assert_close(stepped(search), stepped(reference), **NEAR)
    for ours, theirs in pairs(search.net, reference_search):
        torch.testing.assert_close(ours, theirs, **NEAR)


@interpreted
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("tall")
@pytest.mark.parametrize("method", ["darts2", "snas", "drnas-progressive"])
def test_every_kind_of_update_goes_the_same_way(method: str) -> None:
    short: Any = {"steps": 2, "batch": 4, "epochs": 1}
    searches = [search_on(CPU, torch.float64, method, formulation=choice, **short) for choice in ("fused", "shared")]
    for search in searches:
        search.run_epoch()
    ours, theirs = (search.state() for search in searches)
    for module in ("net", "method"):
        torch.testing.assert_close(ours[module], theirs[module], rtol=1e-8, atol=1e-8)


@interpreted
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("tall", "random_images")
def test_a_run_with_fused_cells_goes_on_with_them_is_repeated_and_learns_what_others_do(tmp_path: Path) -> None:
    (job,), store = jobs(epochs=2, images=32, batch=8), Store(tmp_path / "results", "mine")
    first_options = RunOptions(device="cpu", formulation="fused", epochs_now=1)
    assert [outcome.state for outcome in execute(job, store, first_options)] == ["paused"]
    assert [outcome.state for outcome in execute(job, store, RunOptions(device="cpu"))] == ["done"]
    machine = files.read_json(store.folder(job.base) / "machine.json", Machine) or {}
    assert [attempt["formulation"] for attempt in machine["attempts"]] == ["fused", "fused"]
    assert reproduce.repeat(store.folder(job.base), tmp_path / "again", "cpu").differences == ()
    other = Store(tmp_path / "shared", "mine")
    execute(job, other, RunOptions(device="cpu", epochs_now=1))
    first, second = (
        json.loads((at.folder(job.base) / "trace.jsonl").read_text().splitlines()[0]) for at in (store, other)
    )
    assert first["train_loss"] == pytest.approx(second["train_loss"], rel=1e-4)


@interpreted
@pytest.mark.usefixtures("tall", "random_images")
@pytest.mark.parametrize("kernel", ["_mix", "_slopes"])
def test_a_run_goes_on_without_a_kernel_that_cannot_be_compiled(
    kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_UNFIT", [])
    monkeypatch.setattr(fused, kernel, Broken(kernel, RuntimeError("at 3:4:\n\nPassManager::run failed")))
    (job,), store = jobs(epochs=1, images=32, batch=8), Store(tmp_path / "results", "mine")
    (first,) = execute(job, store, RunOptions(device="cpu", formulation="fused"))
    assert first.state == "afresh"
    sentence = f"the kernel {kernel[1:]} cannot run (PassManager::run failed); it goes on without --formulation fused"
    assert first.message == sentence
    worker._UNFIT.clear()  # another process
    assert [outcome.state for outcome in execute(job, store, RunOptions(device="cpu", formulation="fused"))] == ["done"]
    machine = files.read_json(store.folder(job.base) / "machine.json", Machine) or {}
    assert "formulation" not in machine


def test_a_device_without_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "_moments", Broken("_moments", torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(torch.OutOfMemoryError):
        slopes(copies(1)[0], images_of(), weights_of("softmax"))


class Broken:
    """A kernel that raises an error when it is started."""

    def __init__(self, name: str, error: Exception) -> None:
        self.fn, self.error = SimpleNamespace(__name__=name), error

    def __getitem__(self, programs: Any) -> Any:
        return self

    def __call__(self, *arguments: Any, **sizes: int) -> None:
        raise self.error


COMPILED = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from benchharness.models import fused

WIDER = {"means", "squares", "of_column", "of_edge", "sums"}
SIZES = {"long": fused.LONG, "tall": fused.ROWS, "broad": fused.COLUMNS, "edges": 3}
NUMBERS = {"rows", "columns", "channels", "width"}
for narrow, wide in (("fp32", "fp32"), ("bf16", "fp32"), ("fp64", "fp64")):
    for kernel in (fused._moments, fused._mix, fused._sums, fused._slopes):
        kinds = {name: f"*{wide if name in WIDER else narrow}" for name in kernel.arg_names}
        kinds |= {name: "i32" for name in kinds if name in NUMBERS}
        given = {name: SIZES[name] for name in kernel.arg_names if name in SIZES}
        source = ASTSource(kernel, {**kinds, **dict.fromkeys(given, "constexpr")}, given)
        made = compile(source, target=GPUTarget("cuda", 90, 32))
        assert made.asm["cubin"]
        assert ".local" not in made.asm["ptx"], "registers that went to memory"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="triton compiles for CUDA on Linux")
def test_all_kernels_compile_for_an_h100() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "0"}
    process = subprocess.run(
        [sys.executable, "-c", COMPILED], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_kernels_on_a_gpu_give_what_torch_gives_there(dtype: torch.dtype) -> None:
    device, (ours, reference) = gpu(), copies(1)
    slopes_of_nets = []
    for net in (ours, reference):
        net.to(device, dtype)
        weights = weights_of("softmax").to(device, dtype)
        slopes_of_nets.append(slopes(net, images_of(32).to(device, dtype), weights))
    tolerance = 1e-8 if dtype == torch.float64 else 1e-3
    torch.testing.assert_close(*slopes_of_nets, rtol=tolerance, atol=tolerance)
