"""Which folders below a results folder hold its runs: one answer for everyone who reads, checks or repeats them."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchharness.records import RunSpec
from benchharness.store import parallel_read

NAME: Final = re.compile(r"seed-\d{3,}-([0-9a-f]{16})")
"""What a run's folder is called, with its run id."""
SOURCES: Final = ("failure.json", "machine.json", "record.json", "spec.json", "trace.jsonl", "trace.npz")
DEPTH: Final = 8
"""Levels of folders that are looked through; more than any results folder has."""

Mark = list[list[Any]]
"""Name, inode, size and time of each of the `SOURCES` in a folder."""


def run_folders(root: Path) -> list[tuple[str, Mark]]:
    """Every folder at or under `root` that is called like a run or holds a spec: its path from there, and its mark.

    In the order of the paths. Links to folders are followed, but for those that lead back to where they stand.
    """
    found, level = list[tuple[str, Mark]](), [""]
    for _ in range(DEPTH):
        listed = list(zip(level, parallel_read.each(partial(_listed, root), level), strict=True))
        found += [(place, mark) for place, (mark, _) in listed if _is_run(root / place, mark)]
        level = [f"{place}/{name}" if place else name for place, (_, names) in listed for name in names]
    return sorted(found, key=lambda run: run[0].split("/"))


def misplaced(root: Path, runs: Mapping[str, tuple[str, RunSpec]]) -> dict[str, str]:
    """Of the runs (id and spec by path from `root`), those that do not count, and why: a run id counts once.

    A run counts where its folder is called after its spec. Of several with one id the one counts that lies nearest, and
    as its data set and method are called; others do too where they lie so in suites beside that one.
    """
    found: dict[str, str] = {}
    seen: dict[str, list[tuple[str, ...]]] = {}
    above = root.absolute().parts
    whole = {place: (*above, *filter(None, place.split("/"))) for place in runs}
    names = {place: f"seed-{spec.seed:03d}-{run_id}" for place, (run_id, spec) in runs.items()}
    away = {place: whole[place][-3:] != (spec.dataset, spec.label, names[place]) for place, (_, spec) in runs.items()}
    for place in sorted(runs, key=lambda place: (away[place], len(whole[place]), place)):
        run_id, parts = runs[place][0], whole[place]
        if parts[-1] != names[place] and (root / place).resolve().name != names[place]:
            found[place] = f"its spec.json is that of run {run_id}, after which the folder is not called"
            continue
        twins = seen.setdefault(run_id, [])
        if twins and (away[place] or not all(_are_suites(parts, twin) for twin in twins)):
            found[place] = f"it is a copy of run {run_id} in {Path(*twins[0])}"
        else:
            twins.append(parts)
    return found


def _are_suites(parts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two paths of one run lie in suites side by side."""
    return len(parts) == len(others) and parts[-3:] == others[-3:] and parts[:-4] == others[:-4]


def _is_run(folder: Path, mark: Mark) -> bool:
    if any(name == "spec.json" for name, *_ in mark):
        return True
    return NAME.fullmatch(folder.name or folder.resolve().name) is not None


def _listed(root: Path, place: str) -> tuple[Mark, list[str]]:
    """The mark of the files at `place` under `root`, and the names of the folders there."""
    try:
        with os.scandir(root / place) as found:
            entries = list(found)
    except (PermissionError, FileNotFoundError):
        return [], []
    mark = []
    for entry in sorted(entries, key=lambda one: one.name):
        if entry.name in SOURCES:
            with suppress(OSError):  # a failure's note, gone as its run is tried again, or a link to nothing
                about = entry.stat()
                mark.append([entry.name, about.st_ino, about.st_size, about.st_mtime_ns])
    return mark, [entry.name for entry in entries if _is_folder(entry)]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether to look into it: a folder, or a link to one that does not lead to a folder above the link."""
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        link = Path(entry.path)
        return entry.is_dir() and not link.parent.resolve().is_relative_to(link.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False
