"""The environment of a run: complete, storable, and told without what is not there."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from benchharness import environment


def test_the_environment_is_json_and_names_what_numbers_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    told = environment.describe()
    assert json.loads(json.dumps(told)) == told
    assert told["packages"]["torch"] == torch.__version__
    assert told["torch"]["threads"] == torch.get_num_threads()
    assert told["variables"]["OMP_NUM_THREADS"] == "1"
    assert "hidden" not in json.dumps(told)
    assert told["cores"] >= 1
    assert told["processor"]


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(environment.__file__).parents[1]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    environment._git.cache_clear()
    assert environment.describe()["git"]["commit"] == commit


def test_gpus_are_those_the_driver_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "NVIDIA H100 80GB HBM3, 550.54.15, 81559 MiB\nodd line\n"
    monkeypatch.setattr(environment, "_output", lambda *command: listing)
    environment._gpus.cache_clear()
    assert environment._gpus() == [{"name": "NVIDIA H100 80GB HBM3", "driver": "550.54.15", "memory": "81559 MiB"}]
    environment._gpus.cache_clear()


def test_a_tool_that_is_not_there_tells_nothing() -> None:
    assert environment._output("no-such-tool-anywhere") is None
    assert environment._output("false") is None
    assert environment._version("no-such-package-anywhere") is None
