"""Every command and example in the README and the documentation is one that works, taken out of the Markdown."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from benchharness import cli
from tests.support.markdown import code_blocks
from tests.support.tiny import SETTINGS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OWN = ROOT / "docs" / "own-method.md"
COMMAND = re.compile(r"^(?:    )?benchharness (.+)$", re.MULTILINE)
MISUSE = ("unknown option", "unknown command", "unknown data command", "unknown table command", "too many", "required")
CHANGES = {**SETTINGS, "epochs": 1}
TINY = ["--device", "cpu", "--set", *(f"{key}={value}" for key, value in CHANGES.items())]


def commands(page: Path) -> list[str]:
    return [plain_line(line) for line in COMMAND.findall(page.read_text())]


def plain_line(line: str) -> str:
    """A command without the comment behind it."""
    return re.split(r"\s#\s", line)[0].strip()


EVERY = sorted({line for page in PAGES for line in commands(page)})


@pytest.fixture
def work(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with the method file that the README shows, and a suite."""
    monkeypatch.chdir(own_home)
    (own_home / "mine.py").write_text(next(text for _, text in blocks() if "class Mine" in text))
    (own_home / "two.py").write_text(next(text for _, text in blocks(OWN) if "class BetterOfTwo" in text))
    (own_home / "paper.toml").write_text('methods = ["darts", "snas"]\nseeds = "0-9"\n')
    plt.switch_backend("agg")
    yield own_home
    plt.close("all")


def blocks(page: Path = ROOT / "README.md") -> list[tuple[str, str]]:
    return code_blocks(page)


def all_commands() -> list[tuple[str, str]]:
    """The blocks of the quickstart's section of that name."""
    page = (ROOT / "docs" / "quickstart.md").read_text()
    section = page.partition("## All commands")[2].partition("\n## ")[0]
    return [block for block in blocks(ROOT / "docs" / "quickstart.md") if block[1] in section]


def test_the_readme_has_at_most_a_thousand_words() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1000


def test_there_are_commands_to_look_at() -> None:
    assert len(EVERY) > 30
    assert {"run", "compare", "report", "export", "doctor", "rerun", "check", "new"} <= {
        line.split()[0] for line in EVERY
    }


@pytest.mark.parametrize("line", EVERY)
def test_a_command_is_spelt_right(
    line: str, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Searches are planned only; what takes files or tables that are not here is refused for that and nothing else."""
    monkeypatch.setattr("benchharness.runs.estimate.PATIENCE", 0)
    arguments = shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", "1"))
    if arguments[0] == "new":
        (work / arguments[1]).unlink()
    if arguments[0] in ("run", "compare"):
        arguments += ["--dry-run", "--dataset", "digits", *TINY]
    code = cli.main(arguments)
    message = capsys.readouterr().err
    assert not any(sign in message for sign in MISUSE), message
    assert code == cli.DONE or (arguments[0] not in ("run", "compare", "new", "check") and code == cli.REFUSED), message


def test_the_readmes_examples_run(
    work: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From its own method on, with the quickstart's, commands first; tiny searches of one seed, in one suite.

    Reports are composed and not drawn, which would take most of the time.
    """
    monkeypatch.setenv("BENCHHARNESS_DATA", str(data_folder))
    for module in ("build", "sections.method_comparison"):
        monkeypatch.setattr(
            import_module(f"benchharness.report.{module}"), "write_report", lambda _, out, *formats: out / "report.md"
        )
    first = next(index for index, (_, text) in enumerate(blocks()) if "class Mine" in text)
    examples = [*blocks()[first + 1 :], *all_commands()]
    for language, text in sorted(examples, key=lambda block: block[0] == "python"):
        if language == "sh" and "birds" not in text:
            for line in COMMAND.findall(text):
                run(work, shlex.split(plain_line(line)))
        elif language == "python":
            exec(compile(shrunk(text), "README.md", "exec"), {})
    output = capsys.readouterr().out
    assert "every bit of its record, arrays and trace is the same" in output
    assert (work / "runs.csv").exists()


def test_the_selection_of_the_documentation_derives_cells(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = ["run", "--methods", "darts+two.py", "--dataset", "digits", "--seeds", "0", "--no-training", *TINY]
    assert cli.main(request) == cli.DONE
    (record,) = work.glob("results/*/digits/darts+two/*/record.json")
    assert record.with_name("selection.py").read_bytes() == (work / "two.py").read_bytes()


def run(work: Path, arguments: list[str]) -> None:
    if arguments[0] == "new":
        (work / "mine.py").unlink()
    if arguments[0] in ("run", "compare"):
        arguments = [*arguments, "--seeds", "0", "--suite", "cifar10-cpu", "--jobs", "1", "--dataset", "cifar10", *TINY]
    if arguments[0] in ("rerun", "show"):
        (folder,) = work.glob("results/cifar10-cpu/*/darts/seed-*")
        arguments = [word.replace("RUN_ID", folder.name.rpartition("-")[2]) for word in arguments]
    assert cli.main(arguments) == cli.DONE, arguments


def shrunk(text: str) -> str:
    """The Python example with tiny searches, and without what takes measurements that are no part of the table."""
    tiny = f"seeds=[0], dataset='cifar10', jobs=1, changes={CHANGES!r}"
    text, changes = re.subn(r"seeds=range\(6\), changes=\{[^}]*\}", tiny, text)
    assert changes == 1
    return "\n".join(line for line in text.splitlines() if "raspi4" not in line)
