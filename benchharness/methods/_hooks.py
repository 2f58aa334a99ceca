"""Finds names in a user's method file that have no effect: misspelt hooks, and options of an unsupported type."""

import inspect
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Final

from benchharness.errors import UserError

_NEAR: Final = 0.85
"""Similarity (0 to 1) from which a name is taken for a misspelt hook."""
_CONTAINERS: Final = (list, tuple, set, dict)


def check_names(module: ModuleType) -> None:
    """Raise `UserError` if a class of `module` has a name that nearly matches a hook but overrides none.

    The same for a lower-case list, tuple, set or dict, which looks like an option but cannot be one.
    """
    for kind in vars(module).values():
        if inspect.isclass(kind) and kind.__module__ == module.__name__:
            hooks = {
                name: value for base in kind.__mro__[1:] if _is_ours(base) for name, value in _public(base).items()
            }
            for name, value in _public(kind).items() if hooks else ():
                if not any(name in vars(base) for base in kind.__mro__[1:]):
                    _check_name(kind, name, value, hooks)


def _check_name(kind: type, name: str, value: Any, hooks: dict[str, Any]) -> None:
    routine = inspect.isroutine(value)
    candidates = [
        hook for hook, attribute in hooks.items() if inspect.isroutine(attribute) == routine and hook not in vars(kind)
    ]
    if matches := get_close_matches(name.lower(), candidates, n=1, cutoff=_NEAR):
        raise UserError(
            f"{kind.__name__}.{name} overrides nothing; did you mean {matches[0]!r}? If not, call it '_{name}'"
        )
    if isinstance(value, _CONTAINERS) and name.islower():
        raise UserError(
            f"{kind.__name__}.{name} is a {type(value).__name__}, which cannot be an option: options are numbers, "
            f"strings or truth values; if it is not meant as one, call it '_{name}'"
        )


def _is_ours(base: type) -> bool:
    return base.__module__.partition(".")[0] == "benchharness"


def _public(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}
