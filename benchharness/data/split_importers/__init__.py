"""One module a layout of split files: `LAYOUT` in words, `recognises(path)` and `read(path)`."""

from pathlib import Path

from benchharness.data.split_importers.lists import read


def check(path: Path) -> None:
    """Raise `UserError` where the installed split file at `path` is not the benchmark's or one of its kind."""
    read(path)
