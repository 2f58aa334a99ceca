"""benchharness: differentiable architecture searches on NAS-Bench-201, run for real and compared honestly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from benchharness import plots, report
    from benchharness.methods._base import Method
    from benchharness.methods._updates import Update
    from benchharness.notebook.cell import cell
    from benchharness.notebook.check import check
    from benchharness.notebook.results import Results, results
    from benchharness.notebook.run import run
    from benchharness.report.pairs import compare
    from benchharness.search.selection import Selected, Selection
    from benchharness.table import Table

_HOME = {
    "Method": "benchharness.methods._base",
    "Results": "benchharness.notebook.results",
    "Selected": "benchharness.search.selection",
    "Selection": "benchharness.search.selection",
    "Table": "benchharness.table",
    "Update": "benchharness.methods._updates",
    "cell": "benchharness.notebook.cell",
    "check": "benchharness.notebook.check",
    "compare": "benchharness.report.pairs",
    "results": "benchharness.notebook.results",
    "run": "benchharness.notebook.run",
}
_MODULES = ("plots", "report")
__all__ = [
    "Method",
    "Results",
    "Selected",
    "Selection",
    "Table",
    "Update",
    "__version__",
    "cell",
    "check",
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
    """The public names, for completion in notebooks."""
    return __all__
