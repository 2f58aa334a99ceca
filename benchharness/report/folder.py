"""Writes a report's folder beside its place and swaps it in; files that no report wrote are never lost."""

import errno
import hashlib
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
from benchharness.io.files import check_folder

LIST: Final = "report.files.json"
"""The files of a report and their digests, in its own folder: these alone may be replaced."""
_WRITER: Final = "benchharness report"
_LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers create."""
_LEFT_SECONDS: Final = 3600
"""Age from which an unfinished report beside `out` is taken to be a killed process's."""
_TAKEN: Final = (errno.ENOTEMPTY, errno.EEXIST)
"""Errors of renaming onto a folder that another report has just written."""
_ATTEMPTS: Final = 100
"""Most attempts to swap, as other reports may be written to the same folder."""


@contextmanager
def swapped(out: Path) -> Iterator[Path]:
    """An empty folder to write a report into; on leaving it takes the place of `out`, on an error it is removed.

    Of two reports at once the later one stays, whole. Raises `UserError` if `out` holds what no report wrote, and
    if it cannot be written.
    """
    out = out.resolve()
    check_place(out)
    new = (out if _fixed(out) else out.parent) / f".report-{secrets.token_hex(6)}.new"
    try:
        new.mkdir(parents=True)
        _clear(new.parent)
        with suppress(FileNotFoundError):  # no report yet, or another one is being swapped in
            shutil.copymode(out, new)
        yield new
        _list(new)
        _swap(new, out)
    except OSError as error:
        raise UserError(f"no report is written to {out}, what was there is untouched: {error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_place(out: Path) -> None:
    """Raise `UserError` if a report written to `out` would lose what no report wrote there."""
    check_folder(out, "report")
    lost = foreign(out)
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise UserError(
            f"{out} holds files that no report wrote, or that were changed since, and a report there would lose them: "
            f"{', '.join(lost[:3])}{more}; move them, or name another folder"
        )


def foreign(folder: Path) -> list[str]:
    """The files under `folder`, by path from there, that are not on its list as they are now; none without a folder."""
    while True:
        identity, listed = _identity(folder), _listed(folder)
        lost = [name for name, path in _files(folder) if listed.get(name) != _digest(path)]
        if (identity, listed) == (_identity(folder), _listed(folder)):  # otherwise a report was swapped in meanwhile
            return lost if identity else []


def _identity(folder: Path) -> tuple[int, int] | None:
    """What another folder of that name, with the same list perhaps, does not share; None without a folder."""
    try:
        about = folder.stat()
    except OSError:
        return None
    return about.st_ino, about.st_ctime_ns


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file and link under `folder` but its list and what file managers leave."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(place, name)
            if name not in _LITTER and not (path == folder / LIST and _listed(folder)):
                yield path.relative_to(folder).as_posix(), path


def _clear(place: Path) -> None:
    """Remove what killed reports left in `place`."""
    for left in [*place.glob(".report-*.new"), *place.glob(".report-*.old")]:
        with suppress(FileNotFoundError):  # that report has just been finished
            lost = left.suffix == ".old" and foreign(left)
            if not lost and time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _digest(path: Path) -> str:
    """The sha256 of a regular file; empty for anything else."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
    except OSError:
        return ""


def _list(folder: Path) -> None:
    """Put the list of what is in `folder` there."""
    files = {name: _digest(path) for name, path in _files(folder)}
    (folder / LIST).write_text(json.dumps({"written by": _WRITER, "files": files}, indent=1) + "\n", encoding="utf-8")


def _listed(folder: Path) -> dict[str, str]:
    """Files and digests in the list of `folder`; empty if there is no list of ours."""
    try:
        about = json.loads((folder / LIST).read_bytes())
        return dict(about["files"]) if about["written by"] == _WRITER else {}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _fixed(out: Path) -> bool:
    """Whether `out` cannot be renamed: it is the working folder, a mount point, or its parent is read-only."""
    try:
        return out.is_dir() and (Path.cwd().is_relative_to(out) or out.is_mount() or not os.access(out.parent, os.W_OK))
    except FileNotFoundError:  # another report is being swapped in, so `out` can be renamed
        return False


def _swap(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; entry by entry if `out` cannot be renamed."""
    old = new.with_suffix(".old")
    if new.parent == out:
        old.mkdir()
        for entry in [path for path in out.iterdir() if path not in (new, old)]:
            entry.rename(old / entry.name)
        for entry in list(new.iterdir()):
            entry.rename(out / entry.name)
    else:
        _swap_whole(new, out, old)
    shutil.rmtree(old, ignore_errors=True)


def _swap_whole(new: Path, out: Path, old: Path) -> None:
    """Swap by two renamings; begins again if another report came in between."""
    for attempt in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            out.rename(old)
        if foreign(old):
            old.rename(out)
            check_place(out)
        try:
            new.rename(out)
            return
        except OSError as error:
            if error.errno not in _TAKEN or attempt == _ATTEMPTS - 1:
                with suppress(OSError):
                    old.rename(out)
                raise
            shutil.rmtree(old, ignore_errors=True)
