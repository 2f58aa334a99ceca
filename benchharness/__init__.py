"""benchharness: differentiable architecture searches on NAS-Bench-201, run for real and compared honestly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from benchharness import plots, report
    from benchharness.methods._base import Method
    from benchharness.methods._updates import Update
    from benchharness.report.pairs import compare
    from benchharness.runs.cell import cell
    from benchharness.runs.runner import run
    from benchharness.search.selection import Selected, Selection
    from benchharness.store import results
    from benchharness.table import Table

_HOME = {
    "Method": "benchharness.methods._base",
    "Selected": "benchharness.search.selection",
    "Selection": "benchharness.search.selection",
    "Table": "benchharness.table",
    "Update": "benchharness.methods._updates",
    "cell": "benchharness.runs.cell",
    "compare": "benchharness.report.pairs",
    "results": "benchharness.store",
    "run": "benchharness.runs.runner",
}
_MODULES = ("plots", "report")
__all__ = [
    "Method",
    "Selected",
    "Selection",
    "Table",
    "Update",
    "__version__",
    "cell",
    "compare",
    "plots",
    "report",
    "results",
    "run",
]


def __getattr__(name: str) -> Any:
    """The public names, imported at first use so that `import benchharness` and `--help` need no torch."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'benchharness' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """What completion offers."""
    return __all__
