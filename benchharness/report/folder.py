"""Writes a report into a new folder and swaps it with the old one; files that no report wrote are never lost."""

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from benchharness.errors import UserError
from benchharness.io.files import check_folder, file_sha256

LIST: Final = "report.files.json"
"""File in a report's folder that lists its files with digests; only these files may be replaced."""
_WRITER: Final = "benchharness report"
_LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers create."""
_LEFT_SECONDS: Final = 3600
"""An unfinished report older than this is taken for one of a killed process."""
_TAKEN: Final = (errno.ENOTEMPTY, errno.EEXIST)
"""Errors of renaming onto a folder that another report has just written."""
_ATTEMPTS: Final = 100
"""Most attempts to swap, as other reports may be written to the same folder."""


@contextmanager
def swapped(out: Path) -> Iterator[Path]:
    """Yields an empty folder for a report, which replaces `out` when the block ends, or is removed on an error.

    If two reports are written at once, the later one stays, complete. Raises `UserError` if `out` holds files that no
    report wrote, or cannot be written.
    """
    out = out.resolve()
    check_place(out)
    new_folder = (out if _fixed(out) else out.parent) / f".report-{secrets.token_hex(6)}.new"
    try:
        new_folder.mkdir(parents=True)
        _clear(new_folder.parent)
        with suppress(FileNotFoundError):  # no report yet, or another one is being swapped in
            shutil.copymode(out, new_folder)
        yield new_folder
        _list(new_folder)
        _swap(new_folder, out)
    except OSError as error:
        raise UserError(f"the report could not be written to {out}, and files there are unchanged: {error}") from error
    finally:
        shutil.rmtree(new_folder, ignore_errors=True)


def check_place(out: Path) -> None:
    """Raise `UserError` if `out` is a file, or holds files that no report wrote, which a report would delete."""
    check_folder(out, "report")
    foreign_names = foreign(out)
    if foreign_names:
        more = f" and {len(foreign_names) - 3} more" if len(foreign_names) > 3 else ""
        raise UserError(
            f"{out} holds files that no report wrote, or that were changed since; a report there would delete them: "
            f"{', '.join(foreign_names[:3])}{more}; move them, or name another folder"
        )


def foreign(folder: Path) -> list[str]:
    """Relative paths of the files under `folder` that are not on its list with their digest; none without a folder."""
    while True:
        identity, known_digests = _identity(folder), listed(folder)
        foreign_names = [name for name, path in _files(folder) if known_digests.get(name) != _digest(path)]
        if (identity, known_digests) == (
            _identity(folder),
            listed(folder),
        ):  # otherwise a report was swapped in meanwhile
            return foreign_names if identity else []


def _identity(folder: Path) -> tuple[int, int] | None:
    """Inode and change time, which identify the folder even if another one takes its name; None without a folder."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file and link under `folder`, except its list and the files of file managers."""
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(root, name)
            if name not in _LITTER and not (path == folder / LIST and listed(folder)):
                yield path.relative_to(folder).as_posix(), path


def _clear(parent: Path) -> None:
    """Remove the folders that killed reports left in `parent`."""
    for leftover in [*parent.glob(".report-*.new"), *parent.glob(".report-*.old")]:
        with suppress(FileNotFoundError):  # that report has just been finished
            foreign_names = leftover.suffix == ".old" and foreign(leftover)
            if not foreign_names and time.time() - leftover.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)


def _digest(path: Path) -> str:
    """The sha256 of a regular file; empty for anything else."""
    try:
        return file_sha256(path) if path.is_file() and not path.is_symlink() else ""
    except (OSError, UserError):
        return ""


def _list(folder: Path) -> None:
    """Write the list of the files in `folder` into it."""
    files = {name: _digest(path) for name, path in _files(folder)}
    (folder / LIST).write_text(json.dumps({"written by": _WRITER, "files": files}, indent=1) + "\n", encoding="utf-8")


def listed(folder: Path) -> dict[str, str]:
    """Files of the report in `folder` and their digests, from its list; empty if there is no list of ours."""
    try:
        listing = json.loads((folder / LIST).read_bytes())
        return dict(listing["files"]) if listing["written by"] == _WRITER else {}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _fixed(out: Path) -> bool:
    """Whether `out` cannot be renamed: it is the working folder, a mount point, or its parent is read-only."""
    try:
        return out.is_dir() and (Path.cwd().is_relative_to(out) or out.is_mount() or not os.access(out.parent, os.W_OK))
    except FileNotFoundError:  # another report is being swapped in, so `out` can be renamed
        return False


def _swap(new_folder: Path, out: Path) -> None:
    """Replace `out` by `new_folder`; entry by entry if `out` cannot be renamed."""
    old_folder = new_folder.with_suffix(".old")
    if new_folder.parent == out:
        old_folder.mkdir()
        for entry in [path for path in out.iterdir() if path not in (new_folder, old_folder)]:
            entry.rename(old_folder / entry.name)
        for entry in list(new_folder.iterdir()):
            entry.rename(out / entry.name)
    else:
        _swap_whole(new_folder, out, old_folder)
    shutil.rmtree(old_folder, ignore_errors=True)


def _swap_whole(new_folder: Path, out: Path, old_folder: Path) -> None:
    """Swap by two renamings; start again if another report interferes."""
    for attempt in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            out.rename(old_folder)
        if foreign(old_folder):
            old_folder.rename(out)
            check_place(out)
        try:
            new_folder.rename(out)
            return
        except OSError as error:
            if error.errno not in _TAKEN or attempt == _ATTEMPTS - 1:
                with suppress(OSError):
                    old_folder.rename(out)
                raise
            shutil.rmtree(old_folder, ignore_errors=True)
