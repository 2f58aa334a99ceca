"""The commands for whoever writes a method."""

from pathlib import Path

import pytest

from benchharness.cli import DONE, FAILED, REFUSED, main


def test_from_new_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine.py"]) == DONE
    assert "benchharness check mine.py" in capsys.readouterr().out
    assert main(["check", "mine.py"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("passed") for line in lines) >= 8
    assert main(["new", "mine.py"]) == REFUSED
    assert "already" in capsys.readouterr().err


def test_new_prints_a_command_that_a_shell_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "ünï côde.py"]) == DONE
    assert capsys.readouterr().out.endswith("next: benchharness check 'ünï côde.py'\n")


def test_check_says_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        "from benchharness import Method\nclass Bad(Method):\n"
        "    def expected(self):\n        return self.alpha.exp()\n"
    )
    assert main(["check", str(file)]) == FAILED
    assert "failed  Draws and means are finite" in capsys.readouterr().out


def test_baselines_print_and_write(data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.csv"
    assert main(["baselines", "--seeds", "0-9", "--out", str(out)]) == DONE
    assert "reinforce     10 seeds" in capsys.readouterr().out
    assert len(out.read_text().splitlines()) == 41
