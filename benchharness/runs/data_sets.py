"""Installs, lists and verifies everything in the data folder: tables, costs, images and split files."""

from pathlib import Path
from typing import Final

from benchharness.data.importers import IMAGES, SPLITS
from benchharness.io import catalog
from benchharness.io.catalog import Installed, Verified
from benchharness.table.importers import COSTS, TABLES

KINDS: Final = (TABLES, COSTS, IMAGES, SPLITS)


def install(path: Path | str) -> list[Installed]:
    """Install every table, set of costs, image set and split file found at `path`.

    Raises `UserError` as `catalog.install` does.
    """
    return catalog.install(path, KINDS)


def fetch(name: str, origin: str = "") -> list[Installed]:
    """Download the public data set `name` and install it; raises `UserError` as `download.fetch` does."""
    from benchharness.io import download  # and httpx with it, which nothing else needs

    return download.fetch(name, install, origin)


def installed() -> list[Installed]:
    """Everything installed in the data folder, then the sources that merely lie in it."""
    return catalog.installed(KINDS)


def verify() -> list[Verified]:
    """Everything `installed`, its checksums computed anew and its content checked."""
    return catalog.verify(KINDS)
