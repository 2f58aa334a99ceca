"""Lists the run folders below a results folder, and decides which of several copies of a run counts."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchharness.errors import UserError
from benchharness.records import RunSpec
from benchharness.store import parallel_read

NAME: Final = re.compile(r"seed-\d{3,}-([0-9a-f]{16})")
"""Name of a run's folder; the group is the run id."""
DEPTH: Final = 8
"""Number of folder levels that are searched; more than any results folder has."""


def place(spec: RunSpec, run_id: str) -> tuple[str, str, str]:
    """Names of the folders from a suite's folder to that of the run with this spec and id."""
    return spec.dataset, spec.label, f"seed-{spec.seed:03d}-{run_id}"


def run_folders(root: Path) -> list[str]:
    """Every folder at or under `root` that is named like a run or holds a spec: sorted paths relative to `root`.

    Links to folders are followed, except links to a folder above them.
    """
    run_paths, level = list[str](), [""]
    for _ in range(DEPTH):
        entries_of_level = list(zip(level, parallel_read.each(partial(_listed, root), level), strict=True))
        run_paths += [
            run_path for run_path, (has_spec, _) in entries_of_level if has_spec or _is_called_so(root / run_path)
        ]
        level = [
            f"{run_path}/{name}" if run_path else name for run_path, (_, names) in entries_of_level for name in names
        ]
    return sorted(run_paths, key=lambda run_path: run_path.split("/"))


def suites(results: Path) -> list[Path]:
    """The suites at `results`: the folder itself, or the suites in it. Raises `UserError` for a part of a suite."""
    if any(results.glob("*/*/seed-*/spec.json")):
        return [results]
    for depth in range(3):
        if any(results.glob("*/" * depth + "spec.json")):
            ancestor = Path(results.resolve(), *[".."] * (3 - depth)).resolve()
            raise UserError(f"{str(results)!r} is a part of the suite {str(ancestor)!r}; name that")
    folders = run_folders(results) if results.is_dir() else []
    runs = [path for folder in folders if (path := Path(folder)).name.startswith("seed-")]
    suite_folders = {run.parents[2] for run in runs if len(run.parts) > 3}
    return sorted(results / folder for folder in suite_folders if suite_folders.isdisjoint(folder.parents)) or [results]


def misplaced(root: Path, runs: Mapping[str, tuple[str, RunSpec]]) -> dict[str, str]:
    """The runs, among `runs` (run id and spec by path from `root`), that do not count, each with the reason.

    A run counts if its folder is named after its spec. Among copies with one run id, the copy nearest to `root` whose
    parent folders are named after its data set and method counts; others count only in suites beside that one.
    """
    reasons: dict[str, str] = {}
    places_by_id: dict[str, list[tuple[str, ...]]] = {}
    above = root.absolute().parts
    path_parts = {run_path: (*above, *filter(None, run_path.split("/"))) for run_path in runs}
    places = {run_path: place(spec, run_id) for run_path, (run_id, spec) in runs.items()}
    is_misplaced = {run_path: path_parts[run_path][-3:] != places[run_path] for run_path in runs}
    for run_path in sorted(runs, key=lambda run_path: (is_misplaced[run_path], len(path_parts[run_path]), run_path)):
        run_id, own_parts = runs[run_path][0], path_parts[run_path]
        name = places[run_path][-1]
        if own_parts[-1] != name and (root / run_path).resolve().name != name:
            reasons[run_path] = f"its spec.json belongs to run {run_id}, but the folder is not named after that run"
            continue
        twins = places_by_id.setdefault(run_id, [])
        if twins and (is_misplaced[run_path] or not all(_are_suites(own_parts, twin) for twin in twins)):
            reasons[run_path] = f"it is a copy of run {run_id} in {Path(*twins[0])}"
        else:
            twins.append(own_parts)
    return reasons


def _are_suites(path_parts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two copies of a run lie in suites of one folder."""
    return len(path_parts) == len(others) and path_parts[-3:] == others[-3:] and path_parts[:-4] == others[:-4]


def _is_called_so(folder: Path) -> bool:
    return NAME.fullmatch(folder.name or folder.resolve().name) is not None


def _listed(root: Path, relative: str) -> tuple[bool, list[str]]:
    """Whether the folder `relative` under `root` holds a spec, and the names of its subfolders."""
    try:
        with os.scandir(root / relative) as scan:
            entries = list(scan)
    except (PermissionError, FileNotFoundError):
        return False, []
    has_spec = any(entry.name == "spec.json" and Path(entry.path).exists() for entry in entries)
    return has_spec, [entry.name for entry in entries if _is_folder(entry)]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether `entry` is a folder to search, or a link to one that is not above the link."""
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        link = Path(entry.path)
        return entry.is_dir() and not link.parent.resolve().is_relative_to(link.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False
