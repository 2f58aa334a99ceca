"""The scripts that put ours beside what others released: every number of theirs and of ours stands where it belongs."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchharness import space
from benchharness.config import RECIPES
from benchharness.data import load_images
from benchharness.io.ground_truth import Training
from benchharness.training.journal import Journal
from tests.support import releases
from tests.support.official import FORMS, official_api

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", SCRIPTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    module.main()
    return capsys.readouterr().out.splitlines()


def test_learning_curves_stand_beside_the_releases(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = script("learning_curves")
    monkeypatch.setattr(module, "load_images", lambda _: load_images("digits"))
    journal = Journal(load_images("digits"), RECIPES["nas-bench-201"])
    journal.ready()
    code = space.to_code(releases.ARCHS[2941])
    journal.add(Training(code, 0, 33.25, 32.0, 9.0, tuple(10.0 + epoch for epoch in range(12))))
    journal.add(Training(code, 1, 34.5, 32.0, 9.0))  # of an older version, without its course
    release = FORMS["folder"](tmp_path)
    out = run(module, monkeypatch, capsys, release, "--archs", 2941, "--out", tmp_path / "curves")
    api = official_api(release)
    for row, seed in zip(out[2:4], (111, 777), strict=True):
        figures = [api.get_more_info(2941, "cifar10-valid", epoch, "12", seed) for epoch in range(12)]
        curve = " | ".join(f"{one['train-accuracy']:.1f}" for one in figures)
        assert f"| released, seed {seed} | {curve} | {figures[-1]['valid-accuracy']:.2f} |" in row
    assert [row.split("|")[1].strip() for row in out[2:]] == ["2941", "", ""]
    assert out[4:] == ["|  | here, seed 0 | " + " | ".join(f"{10 + epoch}.0" for epoch in range(12)) + " | 33.25 |"]
    assert (tmp_path / "curves.svg").stat().st_size > 1000


def write_run(folder: Path, seed: int, weights: np.ndarray) -> Path:
    folder.mkdir()
    lines = [
        {"train_accuracy_pct": 30.0 + epoch, "valid_accuracy_pct": 20.0 + epoch, "arch": space.to_string(arch)}
        for epoch, arch in enumerate(weights.argmax(-1).tolist())
    ]
    (folder / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = {"channels": 8, "images": 0, "epochs": 3, "learning_rate_min": 0.001, "alpha_learning_rate": 3e-4}
    (folder / "spec.json").write_text(json.dumps({"seed": seed, "protocol": settings}))
    torch.save({"state": {"history": {"expected": list(torch.tensor(weights))}}}, folder / "checkpoint.pt")
    return folder


def write_logs(folder: Path, module: Any) -> Path:
    """Two epochs: none leads on every edge before the first step, skip after each epoch."""
    folder.mkdir()
    cells = [space.to_string((space.SKIP,) * 6)] * 2
    epochs = {"train_acc": [40.0, 50.0], "valid_acc": [41.0, 51.0], "genotype_after_epoch": cells}
    frame = pd.DataFrame({"run": module.SEARCH, "epoch": [0, 1], **epochs})
    frame.to_csv(folder / "asquaredm_epochs.csv")
    rows = [
        {"run": module.SEARCH, "epoch": epoch, "edge": edge}
        | dict(
            zip(
                space.OPS, [0.24, 0.19, 0.19, 0.19, 0.19] if epoch == 0 else [0.19, 0.24, 0.19, 0.19, 0.19], strict=True
            )
        )
        for epoch in range(3)
        for edge in range(6)
    ]
    pd.DataFrame(rows).to_csv(folder / "asquaredm_softmax_alphas.csv")
    return folder


def test_a_full_size_search_stands_beside_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = script("full_size")
    weights = np.full((3, 6, 5), 0.2)
    weights[1, :, space.SKIP], weights[1, :, space.NONE] = 0.21, 0.19
    weights[:, 5, space.CONV3], weights[:, 5, space.POOL] = 0.25, 0.15
    folder = write_run(tmp_path / "run", 7, weights)
    out = run(module, monkeypatch, capsys, folder, write_logs(tmp_path / "logs", module))
    assert [line[:60] for line in out[2:6]] == [
        "| 1 | published | 40.0 | 41.0 | 1.6047 | 6 of 6 edges | \\|ski"[:60],
        "| 1 | seed 7 | 30.0 | 20.0 | 1.6073 | 0 of 6 edges | \\|none~"[:60],
        "| 2 | published | 50.0 | 51.0 | 1.6047 | 6 of 6 edges | \\|ski"[:60],
        out[5][:60],
    ]
    assert "| 2 | seed 7 | 31.0 | 21.0 |" in out[5]
    assert "| 5 of 6 edges |" in out[5]
    assert out[-6:-3] == [
        "| 3<-2 | published | -100 | +400 | -100 | -100 | -100 |",
        "| 3<-2 | seed 7 | -100 | +100 | +0 | +500 | -500 |",
        "",
    ]
    lean = np.corrcoef(weights[-1].ravel(), np.tile([0.19, 0.24, 0.19, 0.19, 0.19], 6))[0, 1]
    assert out[-1].startswith(
        f"| seed 7 | 8 | 0 | 3 | 0.001 | 0.0003 | 3 | 32.0 | 0 of 6 edges | 0.008 | {lean:.2f} | "
    )


def test_a_finished_search_is_read_from_its_trace(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(5), (4, 6))
    folder = write_run(tmp_path / "run", 7, np.full((4, 6, 5), 0.2))
    np.savez(folder / "trace.npz", expected=weights)
    assert np.array_equal(script("full_size").ours(folder).weights, weights)
