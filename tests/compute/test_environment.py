"""The environment of a run: complete, storable, and told without what is not there."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from benchharness.compute import environment


def test_the_environment_is_json_and_names_what_numbers_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    environment_facts = environment.describe()
    assert json.loads(json.dumps(environment_facts)) == environment_facts
    assert environment_facts["packages"]["torch"] == torch.__version__
    assert environment_facts["torch"]["threads"] == torch.get_num_threads()
    assert environment_facts["variables"]["OMP_NUM_THREADS"] == "1"
    assert "hidden" not in json.dumps(environment_facts)
    assert environment_facts["cores"] >= 1
    assert environment_facts["processor"]


def digest_of(package: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, bytes]) -> str:
    """The digest of a package made of `files`, by path."""
    for name, content in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_bytes(content)
    monkeypatch.setattr(environment, "__file__", str(package / "compute" / "environment.py"))
    environment.source_sha256.cache_clear()
    try:
        return environment.source_sha256()
    finally:
        environment.source_sha256.cache_clear()


def test_the_source_digest_is_that_of_the_modules_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"__init__.py": b"x = 1\ny = 2\n", "store/run.py": b"z = 3\n"}
    digest = digest_of(tmp_path / "one", monkeypatch, sources)
    ignored = {"store/notes.txt": b"", "__pycache__/run.cpython-311.pyc": b"", "store/.#run.py": b"", "a-b.py": b""}
    equal_sources = [{**sources, "__init__.py": b"x = 1\r\ny = 2\r\n"}, {**sources, **ignored}]
    other = [
        {**sources, "__init__.py": b"x = 1\ny = 3\n"},
        {**sources, "methods/mine.py": b""},
        {"__init__.py": b"x = 1\ny = 2\n"},
        {"__init__.py": b"x = 1\ny = 2\n", "store/walk.py": b"z = 3\n"},
        {"__init__.py": b"x = 1\n", "store/run.py": b"y = 2\nz = 3\n"},
    ]
    assert {digest_of(tmp_path / f"alike-{n}", monkeypatch, files) for n, files in enumerate(equal_sources)} == {digest}
    digests = [digest_of(tmp_path / f"other-{n}", monkeypatch, files) for n, files in enumerate(other)]
    assert len({digest, *digests}) == 6
    assert digest_of(tmp_path / "none", monkeypatch, {}) == "", "a package that is no folder of files"


def test_the_source_is_read_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = environment.source_sha256()
    monkeypatch.setattr(environment, "__file__", None)
    assert environment.source_sha256() == first
    assert len(first) == 64


def test_the_commit_is_that_of_the_checkout() -> None:
    root = Path(environment.__file__).parents[2]
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


def test_a_copy_without_history_is_of_the_commit_that_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.Path, "exists", lambda path: False)
    environment._git.cache_clear()
    try:
        assert environment._git() is None
        environment._git.cache_clear()
        monkeypatch.setenv("BENCHHARNESS_COMMIT", "abc")
        assert environment._git() == {"commit": "abc", "changed": None}
    finally:
        environment._git.cache_clear()
