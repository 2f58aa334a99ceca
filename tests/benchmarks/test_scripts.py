"""The timings under benchmarks run from end to end and print and write what they claim."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from benchharness.table import load_table

SPEED = Path(__file__).parents[2] / "benchmarks"
SMALL = "--set images=32 channels=2 batch=16 eval_batch=16"
Timed = Callable[..., dict[str, dict[str, float]]]

TINY_NETWORK = """
import torch
from torch import nn

class TinyNetworkDarts(nn.Module):
    def __init__(self, C, N, max_nodes, num_classes, search_space, affine, track_running_stats):
        super().__init__()
        assert (max_nodes, num_classes, affine) == (4, 10, False)
        assert search_space == ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
        self.arch_parameters = nn.Parameter(torch.zeros(6, 5))
        self.layer = nn.Linear(3, num_classes)

    def forward(self, inputs):
        pooled = inputs.mean((2, 3))
        return pooled, self.layer(pooled) * self.arch_parameters.softmax(-1).sum()
"""


class Told(nn.Module):
    """A network that notes in each backward pass whether TF32 is allowed there."""

    def __init__(self, allowed: list[bool]) -> None:
        super().__init__()
        self.allowed, self.weight = allowed, nn.Parameter(torch.ones(3, 10))

    def forward(self, images: torch.Tensor, weights: torch.Tensor | None = None) -> Any:
        logits = images.mean((2, 3)) @ self.weight * (1 if weights is None else weights.sum())
        logits.register_hook(lambda slope: self.allowed.append(torch.backends.cudnn.allow_tf32))
        return logits if weights is not None else (None, logits)


def import_script(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"speed_{script}", SPEED / f"{script}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Timed:
    """Runs a script with words; gives what it found, which it must have printed too."""
    monkeypatch.syspath_prepend(SPEED)

    def run(script: str, arguments: str) -> dict[str, dict[str, float]]:
        module = import_script(script)
        out = tmp_path / "found.json"
        monkeypatch.setattr(sys, "argv", [script, *arguments.split(), "--out", str(out)])
        module.main()
        report: dict[str, Any] = json.loads(out.read_text())
        assert report["environment"]["processor"]
        assert report["options"]
        assert report["complete"]
        lines = capsys.readouterr().out.splitlines()
        for title, figures in report["figures"].items():
            assert f"{title}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()) in lines
        return report["figures"]  # type: ignore[no-any-return]

    return run


def test_commands_beside_a_bare_python_and_torch(timed: Timed) -> None:
    figures = timed("start", "--repeats 1 --commands=--help,--version")
    assert set(figures) == {"python", "import torch", "--help", "--version"}
    assert figures["import torch"]["over python"] > 1
    assert figures["--help"]["over import torch"] == figures["--help"]["seconds"] / figures["import torch"]["seconds"]


def test_a_command_that_fails_is_not_timed(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    run_process = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **more: run_process([command[0], "-c", "raise SystemExit('broken')"], **more)
    )
    with pytest.raises(SystemExit, match="failed: broken"):
        timed("start", "--repeats 1 --commands=--help")


def test_searches_at_a_time(timed: Timed) -> None:
    figures = timed("several", f"--at-a-time 1,2 --epochs 1 --repeats 1 --dataset digits {SMALL}")
    assert set(figures) == {"1 at a time", "2 at a time"}
    alone, together = figures.values()
    assert alone["times the first"] == 1
    assert together["times the first"] == together["epochs an hour"] / alone["epochs an hour"] > 0
    assert alone["peak memory of one in MB"] > 100


def test_searches_that_come_to_nothing_are_told_as_none(timed: Timed) -> None:
    figures_by_name = timed(
        "several", f"--at-a-time 1,2 --epochs 1 --repeats 1 --dataset digits --method nothing {SMALL}"
    )
    assert [figures["epochs an hour"] for figures in figures_by_name.values()] == [0, 0]


def test_epochs_of_each_method(timed: Timed) -> None:
    figures_by_method = timed(
        "epoch", f"--methods darts,gdas --dataset digits --repeats 2 --clock processor --threads 1 {SMALL}"
    )
    assert set(figures_by_method) == {"darts", "gdas"}
    for figures in figures_by_method.values():
        assert figures["fastest"] <= figures["seconds an epoch"] <= figures["slowest"]
        assert figures["images a second"] == pytest.approx(32 / figures["seconds an epoch"])


def test_what_reads_a_supernet_out_gives_what_the_plain_way_gives(timed: Timed) -> None:
    figures = timed("probes", f"--dataset digits --repeats 1 --threads 1 --cells 5 {SMALL}")
    assert set(figures) == {"strength", "ranking", "eigenvalue", "pass"}
    for name in ("strength", "ranking"):
        assert figures[name]["largest difference"] < 1e-4
        assert figures[name]["plain over together"] == figures[name]["plain"] / figures[name]["together"]
    assert figures["pass"]["stem's share"] < 1


def test_scores_on_fixed_images_are_the_same_again(timed: Timed) -> None:
    figures = timed("scoring_noise", f"--dataset digits --repeats 2 --seeds 1 {SMALL} images=64 epochs=1")
    assert set(figures) == {"fixed", "augmented"}
    assert figures["fixed"]["turn"] == 0
    assert figures["fixed"]["noise"] > 0


def test_the_package_is_asked_for_a_part_and_scaled(timed: Timed, data_folder: Path) -> None:
    figures = timed("table", "--archs 5 --repeats 1 --clock processor")
    assert figures["nas_201_api's file"]["archs"] == 5
    assert len(load_table()) == 15_625
    for name in ("load", "all architectures, six figures"):
        assert figures[name]["scaled"] == pytest.approx(figures[name]["nas_201_api"] * 15_625 / 5)
        assert figures[name]["nas_201_api over ours"] == pytest.approx(figures[name]["scaled"] / figures[name]["ours"])
    assert figures["one look-up"]["bound"] == 5e-6


def test_other_arithmetic_takes_part_in_the_race_of_steps(timed: Timed) -> None:
    figures = timed("step", "--channels 2 --cells 1 --batch 4 --repeats 1 --threads 1 --device cpu --numerics bf16")
    for name in ("weights half-step", "alpha half-step"):
        assert figures[name]["plain over shared work"] == figures[name]["plain"] / figures[name]["shared work"]
        assert (
            figures[name]["plain over shared work, bf16"] == figures[name]["plain"] / figures[name]["shared work, bf16"]
        )
        assert 0 < figures[name]["shared work, operations"] < figures[name]["plain, operations"]
        assert 0 < figures[name]["shared work, GB"] < figures[name]["plain, GB"]


@pytest.mark.parametrize("folder", ["xautodl/models", "lib/models"])
def test_another_projects_supernet_is_found_in_its_checkout(
    timed: Timed, tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "checkout" / folder / "cell_searchs" / "search_model_darts.py"
    module.parent.mkdir(parents=True)
    module.write_text(TINY_NETWORK)
    monkeypatch.setattr(sys, "path", list(sys.path))
    figures = timed("autodl", f"{tmp_path / 'checkout'} --channels 2 --cells 1 --batch 4 --repeats 1 --threads 1")
    assert figures["step"]["theirs"] == 2 * figures["alpha half-step"]["theirs"]
    assert figures["sizes"]["weights of theirs"] == 3 * 10 + 10
    assert figures["step"]["theirs over ours"] == figures["step"]["theirs"] / figures["step"]["ours"]


def test_a_folder_that_is_no_checkout_is_named(timed: Timed, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is no checkout of AutoDL-Projects"):
        timed("autodl", f"{tmp_path} --channels 2 --cells 1")


def test_backward_passes_are_in_the_arithmetic_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions on CUDA would fall to TF32 there, as torch has it by itself."""
    monkeypatch.syspath_prepend(SPEED)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    step, allowed, images = import_script("step"), list[bool](), torch.ones(2, 3, 4, 4)
    step_ways = {name: step.Way(Told(allowed), images) for name in ("plain", "shared work")}
    assert len(dict(step.compared(step_ways, 1, "wall"))) == 2
    assert allowed
    assert not any(allowed)
    allowed.clear()
    args = SimpleNamespace(batch=2, device="cpu", repeats=1, clock="wall")
    import_script("autodl").steps(Told(allowed), Told(allowed), args)
    assert allowed
    assert not any(allowed)


def test_what_was_measured_so_far_is_written_part_by_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(SPEED)
    out, timing = tmp_path / "some.json", importlib.import_module("timing")

    def figures_so_far() -> Iterator[tuple[str, dict[str, float]]]:
        yield "one", {"seconds": 1.0}
        yield "one", {"seconds": 2.0}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        timing.write_report(figures_so_far(), {"repeats": 3, "out": out}, out)
    report = json.loads(out.read_text())
    assert report["figures"] == {"one": {"seconds": 2.0}}
    assert report["options"] == {"repeats": 3}
    assert not report["complete"]
