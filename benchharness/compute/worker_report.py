"""Compares a dask worker's copy of this package with ours, to decide whether its runs count as ours."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from benchharness.compute import environment

_PACKAGE: Final = __name__.partition(".")[0]
EXPRESSION: Final = "exec(source, space) or space['report'](*words)"
"""Expression that workers evaluate with the names of `request`."""


def request(needed: str) -> dict[str, Any]:
    """The names for `EXPRESSION`: the source of `report`, and the modules that it imports, `needed` last."""
    names = (_PACKAGE, environment.__name__, needed)
    return {"source": inspect.getsource(report), "space": {}, "words": names}


def report(package: str, digest: str, needed: str) -> dict[str, str]:
    """The `version` and `source` digest of `package` in this process, and the `error` if it cannot be imported.

    `digest` is the module that computes the source's digest, `needed` a module that the work imports. The function is
    sent to workers as text, since they may lack the package or have another Python; it uses nothing of this module.
    """
    import socket
    from importlib import import_module

    answer = {"host": socket.gethostname(), "version": "", "source": "", "error": ""}
    try:
        answer["version"] = str(getattr(import_module(package), "__version__", "of no version"))
        answer["source"] = import_module(digest).source_sha256()
        import_module(needed)
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    return answer


def shortcoming(answer: Mapping[str, str]) -> str:
    """Why a worker with this report cannot make runs at all; empty if it can."""
    if not answer["version"]:
        return f"cannot load benchharness ({answer['error']}); install {_version()} there"
    if answer["error"] and answer["version"] != _version():
        return f"has benchharness {answer['version']}, here is {_version()} ({answer['error']}); install that there"
    if answer["error"]:
        return f"lacks what benchharness needs ({answer['error']})"
    return ""


def difference(answer: Mapping[str, str]) -> str:
    """How the worker's package differs from this one; empty if it does not."""
    if answer["version"] != _version():
        return f"has benchharness {answer['version']}, here is {_version()}"
    own_source, worker_source = environment.source_sha256(), answer["source"]
    return (
        ""
        if own_source == worker_source
        else f"has another source of benchharness (sha256 {worker_source[:16]}, here {own_source[:16]})"
    )


def _version() -> str:
    return str(import_module(_PACKAGE).__version__)
