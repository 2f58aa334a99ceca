"""The reports in the repository are what the command in `reports/README.md` writes from the results there."""

import re
import shlex
from pathlib import Path

import pytest

from benchharness.cli import main
from benchharness.report.folder import foreign

ROOT = Path(__file__).parents[2]
REPORTS = sorted(path.parent for path in (ROOT / "reports").glob("*/report.md"))


@pytest.mark.parametrize("folder", REPORTS, ids=lambda folder: folder.name)
def test_figures_are_there_once_and_every_link_leads_somewhere(folder: Path) -> None:
    assert foreign(folder) == [], "changed since the command wrote it"
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".svg"}
    for page in (folder / "report.md", folder / "appendix.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (folder / link).is_file() or link.startswith("https:"), f"{page}: {link}"


@pytest.mark.slow
def test_the_command_writes_the_committed_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = re.findall(r"^    benchharness (report .*)", (ROOT / "reports/README.md").read_text(), re.MULTILINE)
    monkeypatch.chdir(ROOT)
    assert main([*shlex.split(command), "--out", str(tmp_path / "again")]) == 0
    pages = ["report.md", "appendix.md", *(f"figures/{path.name}" for path in (tmp_path / "again/figures").iterdir())]
    assert len(pages) == 2 + len(list((ROOT / "reports/digits-small/figures").iterdir()))
    for name in pages:
        assert (tmp_path / "again" / name).read_bytes() == (ROOT / "reports/digits-small" / name).read_bytes(), name
