"""Errors meant for the person at the keyboard: one sentence that names the bad value and what would be right."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A request that cannot be met as asked; the command line prints its sentence and exits with 2."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the `known` ones, with the nearest right name first."""
    names = list(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.4)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {kind} {str(name)!r};{hint} known: {', '.join(names) or 'none'}")
