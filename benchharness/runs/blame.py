"""Finds the line of a user's method in which an error occurred, and names the command that checks the method."""

import traceback
from pathlib import Path
from typing import Final

from benchharness.methods._written import class_in

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def error_line(error: BaseException, method: Path | None, name: str = "") -> str:
    """The innermost line of the file `method`, or of one beside it, in the traceback of `error`: `(mine.py:12)`.

    Empty if there is none. `name` is the user's name for the file if `method` is a copy. For a class written in a
    notebook, whose file the user does not know, it is the line itself: `(in Mine: return self.alpha / 0)`.
    """
    method = method and method.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__) if method else []):
        path = Path(frame.filename).resolve()
        if method and path.is_relative_to(method.parent) and not _is_installed(path):
            if path == method and (class_name := class_in(path)):
                return f"(in {class_name}: {frame.line})"
            file_name = (name if path == method else "") or path.relative_to(method.parent).as_posix()
            return f"({file_name}:{frame.lineno})"
    return ""


def advice(method: Path, name: str) -> str:
    """The command or call that checks the method in the file `method`, which the user calls `name`."""
    class_name = class_in(method)
    return f"call `benchharness.check({class_name})`" if class_name else f"run `benchharness check {name}`"


def _is_installed(path: Path) -> bool:
    return "site-packages" in path.parts or path.is_relative_to(_PACKAGE)
