"""Without platformdirs everything still works, in the same folders on Linux."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchharness.io.user_folder import user_folder


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs knows other folders")
@pytest.mark.parametrize("kind", ["data", "cache"])
@pytest.mark.parametrize("xdg_value", ["", "/some/where", "not/absolute"])
def test_folders_are_the_same_without_platformdirs(kind: str, xdg_value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
        if xdg_value:
            monkeypatch.setenv(variable, xdg_value)
    with_it = user_folder(kind)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert user_folder(kind) == with_it  # type: ignore[arg-type]
    assert with_it.name == "benchharness"


COMMANDS = """
import sys
sys.modules["platformdirs"] = None
from benchharness.cli import main
results, out = sys.argv[1:]
for words in (
    "methods",
    "data list",
    "table info digits",
    f"run --dataset digits --protocol small --seeds 0 --out {out} --dry-run",
    f"doctor {results}",
    f"export {results} --out {out}/runs.csv",
):
    print(words, main(words.split()), file=sys.stderr)
"""


def test_every_kind_of_command_works_without_platformdirs(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "BENCHHARNESS_"))}
    process = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(Path(__file__).parents[2] / "results" / "cifar10-cpu"), str(tmp_path)],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    ends = [line.rsplit(" ", 1)[1] for line in process.stderr.splitlines() if line.endswith((" 0", " 1", " 2"))]
    assert ends == ["0"] * 6, process.stderr
    assert (tmp_path / "runs.csv").exists()
