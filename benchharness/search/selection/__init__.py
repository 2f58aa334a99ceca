"""Selections: rules that derive a cell from a trained supernet. Each is a frozen dataclass; its fields are options."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from benchharness import methods
from benchharness.config import coerce
from benchharness.errors import UserError, unknown, unknown_option
from benchharness.methods import Method
from benchharness.search.selection._base import Selected, Selection, checked
from benchharness.search.selection.direct import Best, Magnitude, Uniform
from benchharness.search.selection.proxy import Proxy
from benchharness.search.selection.strength import Prune, Strength, is_dead

__all__ = [
    "SELECTIONS",
    "Selected",
    "Selection",
    "checked",
    "in_file",
    "is_dead",
    "make_selection",
    "name_of",
    "names",
    "of",
    "options",
    "recorded",
]

SELECTIONS: Final[Mapping[str, type[Selection]]] = {
    "magnitude": Magnitude,
    "strength": Strength,
    "prune": Prune,
    "uniform": Uniform,
    "best": Best,
    "proxy": Proxy,
}


def names() -> list[str]:
    """The names of all selections."""
    return list(SELECTIONS)


def name_of(kind: str | type) -> str:
    """The name of a selection in results; of a user's own selection, the class name in lower case."""
    return kind if isinstance(kind, str) else kind.__name__.lower()


def options(kind: str | type) -> dict[str, Any]:
    """The options of a selection with their defaults; raises `UserError` on an unknown name."""
    return {field.name: field.default for field in fields(_class(kind))}


def recorded(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a run of selection `kind` records; those in `LATER` only if they differ from the default."""
    later = SELECTIONS[kind].LATER if kind in SELECTIONS else ()
    return {key: value for key, value in values.items() if key not in later or value != options(kind)[key]}


def make_selection(kind: str | type, changes: Mapping[str, Any]) -> Selection:
    """The selection `kind` with changed options; raises `UserError` on an unknown name or option, or a bad value."""
    defaults = options(kind)
    for key in changes:
        if key not in defaults:
            raise unknown_option(name_of(kind), key, defaults)
    values = {key: coerce(key, value, type(defaults[key])) for key, value in changes.items()}
    build: Callable[..., Selection] = _class(kind)
    return build(**values)


def of(method: type[Method], name: str, path: Path | None = None) -> str | type:
    """The selection that a run of `method` records as `name`: the method's own class if it has that name.

    If the run's selection is from a user's file, `path` is that file, and its class is meant.
    """
    default = in_file(path)[0] if path else method.selection
    return default if name_of(default) == name else name


def in_file(path: Path) -> tuple[str | type, Mapping[str, Any]]:
    """The selection that the user's file `path` defines, and the options that it sets.

    It is that of the method in the file, or the one subclass of `Selection` in a file without a method. The file is
    executed. Raises `UserError` if there is no such file, or no such class.
    """
    module = methods.module_at(path)
    if methods.classes_in(module, Method):
        method = methods.method_in(module, str(path))
        return method.selection, method.selection_options
    classes = methods.classes_in(module, Selection)
    if len(classes) != 1:
        raise UserError(
            f"{path} defines no method and {len(classes)} subclasses of benchharness.Selection; a file whose selection "
            "reads the supernets of other methods defines one of either"
        )
    return classes[0], {}


def _class(kind: str | type) -> type[Selection]:
    if isinstance(kind, str):
        if kind not in SELECTIONS:
            raise unknown("selection", kind, SELECTIONS)
        return SELECTIONS[kind]
    if not issubclass(kind, Selection) or "__dataclass_params__" not in vars(kind):
        raise UserError(f"selection {kind.__name__} is not a dataclass derived from benchharness.Selection")
    if SELECTIONS.get(name_of(kind), kind) is not kind:
        raise UserError(f"selection {kind.__name__} is called like a built-in one, {name_of(kind)!r}; rename the class")
    return kind
