"""Turns a class of methods or selections of a Python session into what `--methods` takes: a name or a file.

A class written in a notebook becomes a file that holds the class and what it uses from the notebook (modules,
functions, classes, plain values). Run ids hash this file, and it is sent to workers, as with any method file.
"""

import ast
import builtins
import hashlib
import inspect
import linecache
import re
import symtable
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from types import ModuleType
from typing import Any, Final

from benchharness.errors import UserError
from benchharness.methods import canonical
from benchharness.methods._base import Method

_MARK: Final = '"""Written in a notebook."""'
_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None))


def spelling(kind: type[Method]) -> str:
    """The name or file of `kind` for `--methods`; raises `UserError` if it is not a method or cannot become a file."""
    if not (inspect.isclass(kind) and issubclass(kind, Method)) or kind is Method:
        raise UserError(f"{kind!r} is not a method; take a name, or a class derived from benchharness.Method")
    package = f"{__package__}."
    if kind.__module__.startswith(package):
        return canonical(kind.__module__.removeprefix(package))
    return file_of(kind)


def file_of(kind: type) -> str:
    """The file that defines a class of methods or selections; one is made of a class that was written in a notebook.

    Raises `UserError` if the source of the class, or of what it uses, is not known.
    """
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return str(path) if path and kind.__module__ != "__main__" else str(_file(kind))


def text(kind: type) -> str:
    """The text of the file of a class that was written in a notebook; raises `UserError` if its source is not known."""
    sections = _Parts(kind)
    sections.add(kind)
    return "\n\n".join([_MARK, "\n".join(sorted(sections.imports)), *sections.definitions.values()])


def class_in(path: Path) -> str:
    """The name of the notebook class from which `text` made the file `path`; empty for any other file."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return ""
    classes = re.findall(r"^class (\w+)", content, re.MULTILINE) if content.startswith(_MARK) else []
    return classes[-1] if classes else ""


class _Parts:
    """The imports and definitions of a notebook that a class needs, in an order in which they can be executed."""

    def __init__(self, kind: type) -> None:
        self.kind, self.space = kind, vars(sys.modules[kind.__module__])
        self.imports: set[str] = set()
        self.definitions: dict[str, str] = {}
        self.begun: set[str] = set()

    def add(self, definition: Any) -> None:
        """Add a class or function of the notebook, after those that it uses."""
        name = definition.__name__
        if name not in self.begun:
            self.begun.add(name)
            source = _source(definition)
            for other in sorted(_globals(source) - {name}):
                if other in self.space and not hasattr(builtins, other):
                    self._take(other, self.space[other])
            self.definitions[name] = source

    def _take(self, name: str, value: Any) -> None:
        origin, value_name = getattr(value, "__module__", None), getattr(value, "__name__", None)
        if isinstance(value, ModuleType):
            self.imports.add(f"import {value.__name__} as {name}")
        elif origin == self.kind.__module__ and value_name == name:
            self.add(value)
        elif home := _home(value, origin, value_name):
            self.imports.add(f"from {home} import {value_name} as {name}")
        elif _is_plain(value):
            self.definitions[name] = f"{name} = {value!r}"
        else:
            raise UserError(
                f"{self.kind.__name__} uses {name}, a {type(value).__name__} of this session, which cannot travel with "
                "it; define it in the class, or write that as a file"
            )


def _home(value: Any, origin: Any, value_name: Any) -> str:
    """The name of the module from which `value` can be imported as `value_name`; empty if there is none."""
    package = __name__.partition(".")[0]
    for module in (package, origin, "torch"):
        if (
            isinstance(module, str)
            and isinstance(value_name, str)
            and getattr(_imported(module), value_name, None) is value
        ):
            return module
    return ""


def _imported(module: str) -> ModuleType | None:
    return import_module(module) if module == "torch" else sys.modules.get(module)


def _is_plain(value: Any) -> bool:
    return type(value) in _PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


def _globals(source: str) -> set[str]:
    """The global names that `source` uses."""

    def names(scope: symtable.SymbolTable) -> Iterator[str]:
        """The global names in this scope and in those inside it."""
        for symbol in scope.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or scope.get_type() == "module"):
                yield symbol.get_name()
        for inner in scope.get_children():
            yield from names(inner)

    return set(names(symtable.symtable(source, "notebook", "exec")))


def _source(definition: Any) -> str:
    """The source of a class or function. `inspect` knows no file of a notebook class, so its cells are searched."""
    if "<locals>" in definition.__qualname__:
        raise UserError(f"{definition.__name__} is defined in a function; define it on its own, so that it can travel")
    try:
        return dedent(inspect.getsource(definition))
    except (OSError, TypeError):
        sources = (_defined(definition.__name__, cell) for cell in _cells(definition))
        source = next(filter(None, sources), None)
    if source is None:
        raise UserError(f"the source of {definition.__name__} is not known in this session; write it as a file")
    return source


def _cells(kind: Any) -> Iterator[str]:
    """The names of cells whose text may define `kind`: the cells of its functions, else all cells, last first."""
    codes = (getattr(member, "__code__", None) for member in vars(kind).values())
    yield from (code.co_filename for code in codes if code is not None)
    yield from reversed(list(linecache.cache))


def _defined(name: str, cell: str) -> str | None:
    """The source of the last definition of class `name` in the text of `cell`."""
    lines = linecache.getlines(cell)
    try:
        nodes = ast.parse("".join(lines)).body
    except (SyntaxError, ValueError):
        return None
    for node in reversed(nodes):
        if isinstance(node, ast.ClassDef) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "".join(lines[first - 1 : node.end_lineno])
    return None


def _file(kind: type) -> Path:
    """A file with the class's text, named after the class, in a folder that depends on the content."""
    content = text(kind).encode()
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    path = Path(_folder().name, hashlib.sha256(content).hexdigest()[:16], f"{stem}.py")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@cache
def _folder() -> TemporaryDirectory[str]:
    """A temporary folder that is removed with the process; runs keep a copy of their method file."""
    return TemporaryDirectory(prefix="benchharness-")
