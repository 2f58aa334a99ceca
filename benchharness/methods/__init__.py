"""The search methods, one file each; and functions that load a method by name or from a file, and list its options."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, TypeVar

from benchharness.config import coerce
from benchharness.errors import UserError, unknown, unknown_option
from benchharness.io.files import path_of
from benchharness.methods import _beside, _hooks
from benchharness.methods._base import Method, Weights
from benchharness.methods._beside import source_of

__all__ = [
    "Method",
    "Weights",
    "canonical",
    "classes_in",
    "configured",
    "load",
    "method_in",
    "module_at",
    "names",
    "options",
    "source_of",
    "summary",
]

T = TypeVar("T")

_FRAMEWORK = set(vars(Method)) | {"training", "dump_patches", "call_super_init"}


def names() -> list[str]:
    """The built-in methods, in alphabetical order."""
    return sorted(canonical(module.name) for module in iter_modules(__path__) if not module.name.startswith("_"))


def canonical(name: str) -> str:
    """A built-in method's name in its standard spelling: dashes where its file name has underscores."""
    return name.replace("_", "-")


def load(name: str | Path) -> type[Method]:
    """The built-in method called `name`, or the method class that the Python file `name` defines.

    A file is executed. Raises `UserError` if there is no such method or file, or the file does not define one method.
    """
    if str(name).endswith(".py"):
        return method_in(module_at(path_of(name)), str(name))
    module_name = canonical(str(name))
    if module_name not in names():
        raise unknown("method", name, names())
    return method_in(import_module(f"{__name__}.{module_name.replace('-', '_')}"), module_name)


def options(method: type[Method]) -> dict[str, Any]:
    """The options of `method` with defaults: its lower-case class attributes that are numbers, strings or bools."""
    attributes: dict[str, Any] = {}
    for base in reversed(method.__mro__):
        if issubclass(base, Method) and base is not Method:
            attributes |= {
                key: value for key, value in vars(base).items() if isinstance(value, bool | int | float | str)
            }
    return {key: value for key, value in attributes.items() if not key.startswith("_") and key not in _FRAMEWORK}


def configured(method: type[Method], changes: Mapping[str, Any]) -> type[Method]:
    """`method` with some of its options changed; raises `UserError` on an unknown option or a value of another type."""
    defaults = options(method)
    values = {}
    for key, value in changes.items():
        if key not in defaults:
            raise unknown_option(method.__name__.lower(), key, defaults)
        values[key] = coerce(key, value, type(defaults[key]))
    return type(method.__name__, (method,), {**values, "__doc__": method.__doc__}) if values else method


def summary(method: type[Method]) -> str:
    """The first line of the method's docstring."""
    return (inspect.getdoc(method) or method.__name__).splitlines()[0]


def classes_in(module: ModuleType, base: type[T]) -> list[type[T]]:
    """The subclasses of `base` that `module` defines, without those from which others of them derive."""
    subclasses = [
        item
        for item in vars(module).values()
        if inspect.isclass(item) and issubclass(item, base) and item.__module__ == module.__name__
    ]
    return [item for item in subclasses if not any(item in other.__mro__[1:] for other in subclasses)]


def module_at(path: Path) -> ModuleType:
    """The user's file at `path`, executed; raises `UserError` if there is none, or it fails or misspells a hook."""
    if not path.is_file():
        raise UserError(f"there is no method file {str(path)!r}")
    try:
        module = _beside.load_module(f"benchharness_user_{path.stem}", path)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} does not load: {type(error).__name__}: {error}") from error
    _hooks.check_names(module)
    return module


def method_in(module: ModuleType, name: str) -> type[Method]:
    """The one method that `module`, called `name` in errors, defines; raises `UserError` if there are none or more."""
    classes = classes_in(module, Method)
    if len(classes) != 1:
        raise UserError(
            f"{name} defines {len(classes)} subclasses of benchharness.Method; a method file defines one, besides its "
            f"bases (to read the supernet of darts by a selection alone, write darts+{name})"
        )
    return classes[0]
