"""Shell completion: the real script in a real bash, and the values that it suggests."""

import os
import shutil
import subprocess
import sys
from argparse import Action, Namespace
from pathlib import Path

import pytest

from benchharness import cli, methods
from benchharness.cli import completion
from benchharness.config import PROTOCOLS
from benchharness.data.load import names as datasets
from benchharness.models import compiled, formulations, proxies
from benchharness.search import selection

pytest.importorskip("argcomplete")

COMPLETE = """
source <(benchharness completion bash)
function=$(complete -p benchharness | grep -o '_python_argcomplete[^ ]*')
for COMP_LINE in "$@"; do
    COMP_POINT=${#COMP_LINE}
    $function benchharness
    echo "${COMPREPLY[*]}"
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    program = tmp_path / "benchharness"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m benchharness "$@"\n')
    program.chmod(0o755)
    lines = ["benchharness re", "benchharness data ve", "benchharness run --methods darts,snas+str"]
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", *lines],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    suggestions = [set(line.replace("\v", " ").split()) for line in done.stdout.splitlines()]
    assert suggestions == [{"report", "rerun"}, {"verify"}, {"darts,snas+strength"}], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == cli.DONE
    assert "benchharness" in capsys.readouterr().out


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert cli.main(["completion", "bash"]) == cli.REFUSED
    assert "pip install 'benchharness[completion]'" in capsys.readouterr().err


def suggested(dest: str, prefix: str = "", metavar: str | None = None, **arguments: str) -> list[str]:
    action = Action([f"--{dest}"], dest, metavar=metavar)
    return list(completion.completer(action)(prefix=prefix, parsed_args=Namespace(**arguments)))


def test_names_are_the_real_ones() -> None:
    assert sorted(suggested("methods")) == methods.names()
    assert suggested("methods", "darts+") == [f"darts+{name}" for name in selection.SELECTIONS]
    assert suggested("measures", "snip,") == [f"snip,{name}" for name in completion.PROXIES]
    assert sorted(completion.PROXIES) == sorted(proxies.NAMES)
    assert suggested("protocol") == list(PROTOCOLS)
    assert suggested("compile") == list(compiled.CHOICES)
    assert suggested("formulation") == list(formulations.CHOICES)
    assert suggested("dataset") == list(datasets())
    assert "epochs=" in suggested("set")
    assert "rate_by=" in suggested("set", recipe="small")
    assert suggested("seeds") == []


def test_runs_suites_and_files_are_those_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "mine" / "digits" / "darts" / "seed-000-0123456789abcdef").mkdir(parents=True)
    (tmp_path / "plan.toml").write_text("")
    assert suggested("run_id", results="results") == ["0123456789abcdef"]
    assert suggested("run_id", results="results/mine") == ["0123456789abcdef"]
    assert {"mine", "plan.toml"} <= set(suggested("suite", metavar="FILE|NAME", out="results"))
    assert suggested("results", metavar="RESULTS") == ["results/"]
