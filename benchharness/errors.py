"""Errors for users: one sentence that names the bad value and says what would be right."""

import errno
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

_FULL: Final = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota is used up"}


class UserError(ValueError):
    """A request that cannot be met; the command line prints its sentence and exits with code 2."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: only the sentence, since a traceback through this package does not help users."""
        return [f"UserError: {self}"]


class UnwritableError(OSError):
    """A file that cannot be written: one sentence with the path and a remedy."""


def unwritable(path: object, error: OSError) -> UnwritableError:
    """The `UnwritableError` for `path`, where writing failed with the operating system's `error`."""
    full = _FULL.get(error.errno or 0, "")
    remedy = "make room" if full else "see to that, or choose another place"
    reason = full or error.strerror or error
    return UnwritableError(f"{path} cannot be written: {reason}; {remedy}, and give the command again")


class SpeedupError(RuntimeError):
    """What was to make steps faster failed, and perhaps the device with it; runs go on without it in a new process."""

    option = ""
    """What it was asked for by on the command line."""
    note = ""
    """The name under which an attempt in `machine.json` has the reason."""


class WorkerError(UserError):
    """Something that the worker's machine lacks; another machine may be able to make the run."""


def unknown_option(owner: str, key: str, options: Mapping[str, object]) -> UserError:
    """The error for an option that `owner` does not have; lists `options` with their values."""
    if not options:
        return UserError(f"unknown option {key!r}; {owner} has no options")
    matches = get_close_matches(key, options, n=1, cutoff=0.4)
    hint = f" did you mean {matches[0]!r}?" if matches else ""
    spellings = {True: "yes", False: "no"}
    values = [f"{name}={spellings[value] if isinstance(value, bool) else value}" for name, value in options.items()]
    return UserError(f"unknown option of {owner} {key!r};{hint} known: {', '.join(values)}")


def unknown(kind: str, name: object, available: Iterable[str]) -> UserError:
    """The error for a `name` that is not `available`; suggests the most similar known name."""
    names = list(available)
    matches = get_close_matches(str(name), names, n=1, cutoff=0.4)
    hint = f" did you mean {matches[0]!r}?" if matches else ""
    return UserError(f"unknown {kind} {str(name)!r};{hint} known: {', '.join(names) or 'none'}")
