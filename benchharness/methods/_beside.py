"""Packs a user's method file and the files beside it that it imports into one text that runs anywhere.

The imported files are appended to the method file as comments. The run id hashes this text, the run's folder keeps it
as `method.py`, and remote workers receive it; a changed imported file therefore makes a different method.
"""

import ast
import builtins
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, NamespaceLoader
from importlib.util import find_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchharness.errors import UserError

_FILE: Final = b"#@ benchharness: beside it, the file "
_LINE: Final = b"#@ "
_ELSEWHERE: Final = sys.stdlib_module_names | {"benchharness", "numpy", "torch"}
"""Module names that are never looked up beside the method file."""


def source_of(path: Path) -> bytes:
    """The method file at `path`, with the files beside it that it imports anywhere in its code appended.

    Imports whose name is computed at run time are not detected and fail. Raises `UserError` if an imported file is not
    text in UTF-8.
    """
    content = path.read_bytes()
    if _FILE in content:
        return content
    blocks = [_block(name, text) for name, text in sorted(_imported(path, content).items())]
    return (content.removesuffix(b"\n") + b"\n" if blocks else content) + b"".join(blocks)


def load_module(name: str, path: Path) -> ModuleType:
    """The method file at `path`, loaded as a module called `name`; modules from beside it are private to it."""
    source = source_of(path)
    helpers = _Beside(f"{name}_{hashlib.sha256(source).hexdigest()[:16]}", path.parent, dict(_helpers(source)))
    module = ModuleType(name)
    sys.modules[name] = module
    helpers.run(module, source, path)
    return module


class _Beside(MetaPathFinder, Loader):
    """Import finder that puts a method's helpers in a package of their own, so that two methods may use equal names."""

    def __init__(self, package: str, folder: Path, texts: Mapping[str, str]) -> None:
        self.package, self.folder, self.texts = package, folder, texts
        if texts and package not in sys.modules:
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = []
            sys.meta_path.append(self)

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """The spec of a helper module; None for any other module."""
        if not fullname.startswith(f"{self.package}."):
            return None
        stem = fullname.removeprefix(f"{self.package}.").replace(".", "/")
        if f"{stem}/__init__.py" not in self.texts and f"{stem}.py" in self.texts:
            return spec_from_loader(fullname, self, origin=f"{stem}.py", is_package=False)
        if any(name.startswith(f"{stem}/") for name in self.texts):
            return spec_from_loader(fullname, self, origin=f"{stem}/__init__.py", is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Execute a helper module; a folder without `__init__.py` is an empty package."""
        assert module.__spec__ is not None
        name = str(module.__spec__.origin)
        self.run(module, self.texts.get(name, "").encode(), self.folder / name)

    def run(self, module: ModuleType, source: bytes, path: Path) -> None:
        """Execute `source` in `module` so that its imports find this method's helpers."""
        module.__file__ = str(path)
        if self.texts:
            vars(module)["__builtins__"] = {**vars(builtins), "__import__": self.imported}
        exec(compile(source, str(path), "exec"), vars(module))

    def imported(self, name: str, space: Any = None, local: Any = None, names: Any = (), level: int = 0) -> Any:
        """Replacement of `__import__`: imports a file beside the method if there is one, else the usual module."""
        top = name.partition(".")[0]
        if level or not any(text.partition("/")[0].removesuffix(".py") == top for text in self.texts):
            return builtins.__import__(name, space, local, names, level)
        import_module(f"{self.package}.{name}")
        if not names:
            return sys.modules[f"{self.package}.{top}"]
        return builtins.__import__(f"{self.package}.{name}", space, local, names, 0)


def _imported(path: Path, content: bytes) -> dict[str, str]:
    """The text of every file beside `path` that it imports directly or indirectly, by path relative to its folder."""
    texts: dict[str, str] = {}
    unread = [content]
    while unread:
        for top in _tops(unread.pop()):
            for file in _files(path.parent, top):
                name = file.relative_to(path.parent).as_posix()
                if file != path and name not in texts:
                    texts[name] = _text(file)
                    unread.append(texts[name].encode())
    return texts


def _tops(source: bytes) -> set[str]:
    """The top-level names of all modules that `source` imports absolutely; none if it is not valid Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {module.partition(".")[0] for module in modules}


def _files(folder: Path, top: str) -> list[Path]:
    """The files in `folder` that make up the module or package `top`."""
    if top in _ELSEWHERE:
        return []
    if (folder / top / "__init__.py").is_file():
        return sorted((folder / top).rglob("*.py"))
    if (folder / f"{top}.py").is_file():
        return [folder / f"{top}.py"]
    if (folder / top).is_dir() and not _is_installed(top):
        return sorted((folder / top).rglob("*.py"))
    return []


def _is_installed(top: str) -> bool:
    """Whether an installed module has that name; a folder without `__init__.py` does not count."""
    spec = find_spec(top)
    return spec is not None and not isinstance(spec.loader, NamespaceLoader | None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # with every kind of line ending as a line feed
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}, which a method imports, is not text in UTF-8: {error}") from None


def _block(name: str, text: str) -> bytes:
    lines = b"".join(_LINE + line.encode() + b"\n" for line in text.split("\n"))
    return _FILE + json.dumps(name).encode() + b"\n" + lines


def _helpers(source: bytes) -> Iterator[tuple[str, str]]:
    """Path and text of each file that `source_of` appended."""
    for section in source.split(_FILE)[1:]:
        name, *lines = section.removesuffix(b"\n").split(b"\n")
        yield json.loads(name), b"\n".join(line.removeprefix(_LINE) for line in lines).decode()
