"""The documentation: the tutorial runs, and every page is in the site's menu."""

import re
import shlex
from pathlib import Path
from pkgutil import resolve_name

import pytest

from benchharness import cli
from tests.support.markdown import code_blocks

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_block_of_the_tutorial_runs(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(own_home)
    names: dict[str, object] = {}
    blocks = code_blocks(ROOT / "docs" / "tutorial.md")
    assert {language for language, _ in blocks} == {"python", "sh"}
    for language, text in blocks:
        if language == "python":
            exec(compile(text, "tutorial.md", "exec"), names)
        else:
            for line in text.splitlines():
                assert cli.main(shlex.split(line)[1:]) == cli.DONE, line
    assert "undecided" in capsys.readouterr().out
    assert (own_home / "reports" / "tutorial" / "report.md").exists()
    assert (own_home / "runs.csv").exists()


def test_every_page_is_in_the_menu_and_names_no_other_host_for_what_it_loads() -> None:
    menu = re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text().partition("nav:")[2])
    pages = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    assert sorted(menu) == pages
    settings = (ROOT / "mkdocs.yml").read_text()
    assert "\n  font: false\n" in settings
    assert "extra_javascript" not in settings
    assert "extra_css" not in settings


def test_every_name_in_the_reference_exists() -> None:
    names = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert "benchharness.stats" in names
    assert [name for name in names if resolve_name(name) is None] == []


def test_links_out_of_the_documentation_become_names_of_files() -> None:
    module: dict[str, object] = {}
    exec((ROOT / "docs" / "repository_links.py").read_text(), module)

    def of(src: str, markdown: str) -> str:
        page = type("Page", (), {"file": type("File", (), {"src_uri": src})})
        return module["on_page_markdown"](markdown, page)  # type: ignore[operator]

    assert of("a.md", "see [it](../reports/x/report.md).") == "see it (`reports/x/report.md` in the repository)."
    assert of("methods/a.md", "see [it](../ostr.md) and [that](../../results/x)") == (
        "see [it](../ostr.md) and that (`results/x` in the repository)"
    )
