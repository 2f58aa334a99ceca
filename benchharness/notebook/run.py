"""Running a plan from Python, as `benchharness run` does."""

import time
from collections.abc import Iterable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Final, TypeGuard

import pandas as pd

from benchharness.compute.devices import slots
from benchharness.errors import UserError, unknown
from benchharness.io.files import path_of
from benchharness.methods import Method, _written
from benchharness.notebook.results import Results
from benchharness.runs.caveats import cannot_show
from benchharness.runs.ending import perform_with_progress
from benchharness.runs.options import RunOptions
from benchharness.runs.requests import repeated
from benchharness.runs.runner import plan_of
from benchharness.runs.suite import Suite, requested
from benchharness.search.selection import SELECTIONS, Selection
from benchharness.store import Store, read
from benchharness.store.frame import COLUMNS
from benchharness.table.measurements import tables_of
from benchharness.training.completion import announced, train_missing

MethodLike = str | Path | type[Method] | tuple[str | Path | type[Method], str | Path | type[Selection]]
_KINDS: Final[Mapping[str, tuple[Any, str]]] = {
    "dataset": (str, "a name, such as 'digits'"),
    "protocol": (str, "a name, such as 'cpu'"),
    "changes": (Mapping | None, "a mapping, such as {'epochs': 10}"),
    "out": (str | Path, "the path of a folder"),
    "suite": (str | Path, "a name, or the path of a suite file"),
}
"""The type of an argument, and what it is, by the argument's name."""


def run(
    methods: MethodLike | Iterable[MethodLike] = Suite.methods,
    seeds: str | int | Iterable[int] = Suite.seeds,
    dataset: str = Suite.dataset,
    protocol: str = Suite.protocol,
    changes: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    device: str = "auto",
    out: str | Path = "results",
    suite: str | Path = "",
    training: bool = True,
    quiet: bool = False,
    **more_options: Any,
) -> Results:
    """Make every run of a request that `out` does not hold yet, train the ground truth that it lacks, and give the
    whole suite's results.

    The arguments are those of `benchharness run`. With the file of a suite, arguments left at their defaults are the
    file's. `methods` may be or hold paths of files, and classes derived from `Method`, also such as were written in a
    notebook; a pair of a method and a class derived from `Selection` reads that method's supernet by it. `changes`
    override values of the protocol; `jobs` are one a core, or one a GPU, unless given; `more_options` are the rest of
    `RunOptions`: threads, timeout, compile, graphs, formulation, executor, scheduler, return_results, any_source,
    epochs_now, until. From the time `until` on, in seconds since 1970, runs pause at the end of an epoch:
    `until=time.time() + 540` pauses them after nine minutes. A failed run is a row with status
    `failed`, and the same call tries it again. Raises `UserError` on a request that cannot be met.
    """
    known_options = [name for name in RunOptions._fields if name != "choice"]
    for name in more_options:
        if name not in known_options:
            raise unknown("argument of run", name, [*_OWN_ARGUMENTS, *known_options])
    options = RunOptions(1 if jobs is None else jobs, device, **more_options).checked()
    if 0 < options.until <= time.time():
        form = "it is a time in seconds since 1970; write time.time() + 540 for nine minutes from now"
        raise UserError(f"until={options.until:.15g} has passed: {form}")
    _check_kinds(dataset=dataset, protocol=protocol, changes=changes, out=out, suite=suite)
    parts = {"methods": _methods(methods), "seeds": _spelt(seeds), "dataset": dataset, "protocol": protocol}
    changed_parts = {key: value for key, value in parts.items() if value != getattr(Suite, key)}
    settings = {str(key): value for key, value in (changes or {}).items()}
    request, reason = requested(str(path_of(suite)) if suite else "", settings, **changed_parts)
    plan, store = plan_of(request), Store(path_of(out), request.name)
    store.check_place()
    tables = tables_of(store.path)
    options = options._replace(jobs=slots(device, len(plan)) if jobs is None else jobs, choice=reason)
    specs = [spec for job in plan for spec in job.specs]
    sentences = [f"data set {request.dataset}: {reason}"] if reason else []
    statuses = store.statuses(specs)
    if training:
        runs = read(store.path) if store.path.is_dir() else None
        sentences += announced(specs, statuses, runs, tables, jobs, device)
    sentences += [f"note: {sentence}" for sentence in (*repeated(request), *cannot_show(plan))]
    if sentences and not quiet:
        print("\n".join(sentences), flush=True)
    outcomes = list(perform_with_progress(plan, store, statuses, options, tables, quiet))
    runs = read(store.path) if store.path.is_dir() else pd.DataFrame(columns=list(COLUMNS))
    if training and not any(outcome.state == "paused" for outcome in outcomes):
        train_missing(store.path, runs, tables, jobs, device, quiet)
    return Results(runs, tables_of(store.path))


_OWN_ARGUMENTS: Final = [name for name in signature(run).parameters if name != "more_options"]


def _check_kinds(**values: Any) -> None:
    for name, value in values.items():
        kind, noun = _KINDS[name]
        if not isinstance(value, kind):
            raise UserError(f"{name}={value!r:.80} is not {noun}")


def _methods(methods: MethodLike | Iterable[MethodLike]) -> str:
    several = isinstance(methods, Iterable) and not isinstance(methods, str) and not _is_pair(methods)
    return ",".join(map(_spelling, methods if several else [methods]))  # type: ignore[arg-type]


def _is_pair(methods: object) -> bool:
    """Whether `methods` is one method and the selection that reads its supernet, and not several methods."""
    return isinstance(methods, tuple) and len(methods) == 2 and _is_selection(methods[1])


def _is_selection(kind: object) -> TypeGuard[type[Selection]]:
    return isinstance(kind, type) and issubclass(kind, Selection)


def _spelling(method: MethodLike) -> str:
    if isinstance(method, tuple):
        if len(method) != 2:
            raise UserError(f"{method!r:.80} is not a pair of a method and the selection that reads its supernet")
        return f"{_spelling(method[0])}+{_selection(method[1])}"
    if _is_selection(method):
        name = method.__name__
        raise UserError(f"{name} is a selection; name the method whose supernet it reads, as in ('darts', {name})")
    return str(method) if isinstance(method, str | Path) else _written.spelling(method)


def _selection(rule: str | Path | type[Selection]) -> str:
    if isinstance(rule, str | Path):
        return str(rule)
    if not _is_selection(rule) or rule is Selection:
        raise UserError(f"{rule!r} is not a selection; take a name, or a class derived from benchharness.Selection")
    built_in = {kind: name for name, kind in SELECTIONS.items()}
    return built_in[rule] if rule in built_in else _written.file_of(rule)


def _spelt(value: str | int | Iterable[Any]) -> str:
    return ",".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
