"""Code blocks of the documentation, for the tests that run them."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code_blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of every Python and shell block of a Markdown page, in order."""
    return BLOCK.findall(page.read_text())
