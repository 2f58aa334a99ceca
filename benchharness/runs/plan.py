"""Turns `--methods darts,snas+ostr --seeds 0-4` into jobs: each supernet once, with all runs that derive from it."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchharness import data, methods
from benchharness.config import SearchConfig, for_method, recorded_settings
from benchharness.errors import UserError, unknown, unknown_option
from benchharness.io.files import path_of, readable
from benchharness.records import RunSpec
from benchharness.search import selection
from benchharness.space import EDGES, OPS

SEEDS_AT_MOST: Final = 100_000

_OPTIONS: Final = r"((?::[^:+]*)*)"
_METHOD: Final = re.compile(rf"(.+?\.py|[^:+]*){_OPTIONS}(?:\+(.+?\.py|[^:+]*){_OPTIONS})?")
_READ_BY_FILE: Final = re.compile(rf"([\w-]+){_OPTIONS}\+(.+?\.py){_OPTIONS}")


class MethodRequest(NamedTuple):
    """A method as the user wrote it: `NAME[:key=value]*[+SELECTION[:key=value]*]`.

    A value without a key, which belongs to the method's main option, is stored under the empty key.
    """

    name: str
    options: Mapping[str, str]
    selection: str | None
    selection_options: Mapping[str, str]


class Job(NamedTuple):
    """One supernet to train, and every run that derives a cell from it."""

    base: RunSpec
    """The supernet's own run: its method, with that method's own selection."""
    readouts: tuple[RunSpec, ...]
    """Further runs, which derive their cells from the same supernet."""
    files: Mapping[str, Path] = {}
    """Absolute path of each user's file by its SHA-256: the method's (`source`), and those of selections that read
    another method's supernet (`selection_source`)."""

    @property
    def source_path(self) -> Path | None:
        """Absolute path of the user's method file; None for a built-in method."""
        return self.files.get(self.base.source)

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """All runs of this job, the supernet's own first."""
        return (self.base, *self.readouts)


class _Supernet(NamedTuple):
    label: str
    source: str
    """SHA-256 of the user's file, which distinguishes files of one name; empty for a built-in method."""
    trains: str
    options: dict[str, Any]
    selection: str
    selection_options: dict[str, Any]
    path: Path | None
    version: int


class _Reading(NamedTuple):
    method: str
    selection: str
    options: dict[str, Any]
    source: str = ""
    path: Path | None = None
    """The user's file whose selection class reads another method's supernet."""


def parse_methods(text: str) -> list[MethodRequest]:
    """The methods in a comma-separated request; raises `UserError` on a part with bad syntax."""
    return [_parse(item.strip()) for item in text.split(",")]


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds in `0-4`, `5` (that one seed) or `0,3,7-9`, each once, in ascending order."""
    seeds: set[int] = set()
    for item in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", item.strip(), re.ASCII)
        if not match:
            raise UserError(f"seeds={text[:80]!r} names no seeds; write them as 0-4, 5 or 0,3,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 <= last - first < SEEDS_AT_MOST:
            raise UserError(f"seeds {item.strip()} is no range of 1 to {SEEDS_AT_MOST} seeds")
        seeds.update(range(first, last + 1))
    return tuple(sorted(seeds))


def make_plan(
    requests: Iterable[MethodRequest],
    seeds: Iterable[int],
    dataset: str,
    settings: SearchConfig,
    changed_keys: Collection[str] = (),
) -> list[Job]:
    """The jobs of a request, seed by seed; raises `UserError` on an unknown method, selection, option or data set.

    A supernet's own run is always planned: `ostr` alone also plans `darts`, which needs no further training. A protocol
    with `split=benchmark` uses the split file in the data folder if there is one, and the run records its digest. The
    protocol's settings for single methods apply unless their names are in `changed_keys`.
    """
    data.canonical_name(dataset)
    groups: dict[tuple[str, str], tuple[_Supernet, dict[tuple[str, str], _Reading]]] = {}
    for request in requests:
        supernet, reading = _resolve(request)
        _, readings = groups.setdefault((supernet.label, supernet.source), (supernet, {}))
        own_reading = (supernet.selection, supernet.selection_options, "")
        if (reading.selection, reading.options, reading.source) != own_reading:
            readings[reading.method, reading.source] = reading
    split = data.benchmark_split(dataset) if settings.split == "benchmark" else None
    settings_by_key = {
        key: for_method(settings, supernet.trains, changed_keys) for key, (supernet, _) in groups.items()
    }
    return [
        _job(supernet, list(readings.values()), seed, dataset, settings_by_key[key], split.sha256 if split else "")
        for seed in seeds
        for key, (supernet, readings) in groups.items()
    ]


def _parse(text: str) -> MethodRequest:
    match = _METHOD.fullmatch(text)
    if match and "+" in match[1] and not path_of(match[1]).exists():
        match = _READ_BY_FILE.fullmatch(text) or match
    if not match or not match[1] or match[3] == "":
        raise UserError(f"{text[:80]!r} is no method; write NAME[:key=value][+SELECTION[:key=value]]")
    return MethodRequest(match[1], _pairs(match[2], text), match[3], _pairs(match[4] or "", text))


def _pairs(text: str, spelling: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in text.split(":")[1:]:
        key, equals, value = item.partition("=")
        if item and not equals and not pairs:
            key, value = "", item
        elif not (key and equals and value):
            raise UserError(f"{item[:80]!r} in {spelling[:80]!r} is no option; write key=value")
        if pairs.setdefault(key, value) != value:
            raise UserError(
                f"{key}={pairs[key]} and {key}={value} in {spelling[:80]!r} contradict each other; keep one"
            )
    return pairs


def _resolve(request: MethodRequest) -> tuple[_Supernet, _Reading]:
    """The supernet that a request needs, and how the cell is derived from it.

    Options right after the name go to the method if it has them, and otherwise to its selection.
    """
    named_method, name, path = _load(request.name)
    request = request._replace(
        options=_by_name(request.options, request.name, named_method.main_option),
        selection_options=_by_name(request.selection_options, request.selection or "", ""),
    )
    trained_name = named_method.trains_as
    trainee, trains, source = _load(trained_name) if trained_name else (named_method, name, path)
    _check_names_differ(name, trainee, named_method.selection)
    trainee_options = methods.options(trainee)
    own_options = {key: value for key, value in request.options.items() if key in trainee_options}
    rest = {key: value for key, value in request.options.items() if key not in trainee_options}
    _refuse_unknown(request, rest, trainee_options, named_method.selection)
    supernet = _supernet(trainee, trains, source, own_options)
    if request.selection is not None:
        return supernet, _borrowed(request, supernet)
    reading = _reading(named_method.selection, {**named_method.selection_options, **rest})
    changed_options = _changed(
        _reading(named_method.selection, named_method.selection_options).options, reading.options
    )
    own_options = _shown(trainee, supernet.options)
    reading = reading._replace(method=_label(name, {**own_options, **changed_options}, named_method.main_option))
    return supernet, _from_file(reading, named_method.selection, path) if trained_name else reading


def _check_names_differ(name: str, method: type[methods.Method], chosen: str | type) -> None:
    """Raise `UserError` if an option of the selection class of a user's own could not be reached."""
    if not isinstance(chosen, str):
        for key in methods.options(method).keys() & selection.options(chosen).keys():
            raise UserError(f"{name} and its selection both have an option {key!r}; give one of them another name")


def _by_name(options: Mapping[str, str], name: str, main: str) -> dict[str, str]:
    """`options` with a value without key under the main option `main`; raises `UserError` if it is empty."""
    if "" in options and (not main or main in options):
        plain_request = options[""]
        raise UserError(f"{plain_request[:80]!r} in {f'{name}:{plain_request}'[:80]!r} is no option; write key=value")
    return {key or main: value for key, value in options.items()}


def _refuse_unknown(
    request: MethodRequest, rest: Mapping[str, str], known_options: Mapping[str, Any], chosen: str | type
) -> None:
    """Raise `UserError` on unknown options; if a selection is named, the first ones are the method's."""
    allowed = {**known_options, **({} if request.selection else selection.options(chosen))}
    for key in rest:
        if key not in allowed:
            raise unknown_option(request.name, key, allowed)


def _borrowed(request: MethodRequest, supernet: _Supernet) -> _Reading:
    """The derivation `+SELECTION`: the name of a selection, or a method or user's file whose selection is used."""
    selection_name = request.selection or ""
    rule: str | type = selection_name
    preset: Mapping[str, Any] = {}
    path = None
    if selection_name.endswith(".py"):
        selection_name, path = _own_file(selection_name, "selection", selection.names())
        rule, preset = selection.in_file(path)
    elif (method_name := methods.canonical(selection_name)) in methods.names():
        lender, selection_name = methods.load(method_name), method_name
        rule, preset = lender.selection, lender.selection_options
    elif selection_name not in selection.names():
        raise unknown("selection", selection_name, [*selection.names(), *methods.names()])
    if rule == "proxy" and supernet.trains != "proxy":
        raise UserError(
            f"{request.name}+{selection_name}: proxies score untrained networks; write proxy:synflow, or another of "
            "them"
        )
    reading = _reading(rule, {**preset, **request.selection_options})
    changed_options = _changed(_reading(rule, preset).options, reading.options)
    reading = reading._replace(method=f"{supernet.label}+{_label(selection_name, changed_options)}")
    return _from_file(reading, rule, path)


def _from_file(reading: _Reading, rule: str | type, path: Path | None) -> _Reading:
    """`reading` with its file, if the selection class is in it; a built-in selection needs no file."""
    return reading._replace(source=_sha256(path), path=path) if path and not isinstance(rule, str) else reading


def _load(name: str) -> tuple[Any, str, Path | None]:
    """The method, its name in tables, and its file if it is the user's own."""
    if not name.endswith(".py"):
        return methods.load(name), methods.canonical(name), None
    label, path = _own_file(name, "method", methods.names())
    return methods.load(path), label, path


def _own_file(name: str, kind: str, taken: Collection[str]) -> tuple[str, Path]:
    """A user's file's name in tables, and its absolute path; raises `UserError` if a built-in one has that name."""
    path = path_of(name).resolve()
    if path.stem in taken:
        raise UserError(f"{name} is called like the built-in {kind} {path.stem!r}; rename the file")
    return readable(path.stem), path


def _sha256(path: Path) -> str:
    """SHA-256 of a user's file with what it imports from beside it."""
    return hashlib.sha256(methods.source_of(path)).hexdigest()


def _supernet(method: Any, name: str, path: Path | None, changes: Mapping[str, str]) -> _Supernet:
    configured = methods.configured(method, changes)
    try:
        configured(len(EDGES), len(OPS))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"method {name!r} cannot be made: {type(error).__name__}: {error}") from error
    label = _label(name, _shown(method, methods.options(configured)), method.main_option)
    reading = _reading(method.selection, method.selection_options)
    source = _sha256(path) if path else ""
    reading_key = (reading.selection, reading.options)
    return _Supernet(label, source, name, methods.options(configured), *reading_key, path, method.version)


def _reading(kind: str | type, changes: Mapping[str, Any]) -> _Reading:
    return _Reading("", selection.name_of(kind), asdict(selection.make_selection(kind, changes)))


def _changed(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that differ from the defaults, so that two spellings of one request get one label and one run id."""
    return {key: value for key, value in values.items() if value != defaults[key]}


def _shown(method: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options in a label: the main one, and those that differ from the default."""
    defaults = methods.options(method)
    main = {key: value for key, value in values.items() if key == method.main_option}
    return {**main, **_changed(defaults, values)}


def _label(name: str, options: Mapping[str, Any], main: str = "") -> str:
    """`NAME:key=value`, keys in order, the value of the `main` option first and alone."""
    first = [str(options[main])] if main in options else []
    return ":".join([name, *first, *(f"{key}={options[key]}" for key in sorted(options) if key != main)])


def _job(
    supernet: _Supernet, readings: list[_Reading], seed: int, dataset: str, settings: SearchConfig, split_sha256: str
) -> Job:
    base = RunSpec(
        method=supernet.label,
        trains=supernet.trains,
        selection=supernet.selection,
        dataset=dataset,
        seed=seed,
        protocol=recorded_settings(settings),
        train_options=supernet.options,
        selection_options=selection.recorded(supernet.selection, supernet.selection_options),
        source=supernet.source,
        split_sha256=split_sha256,
        versions=_versions(supernet, dataset),
    )
    readouts = tuple(
        base.read_out_as(one.method, one.selection, selection.recorded(one.selection, one.options), one.source)
        for one in readings
    )
    sources = [(supernet.source, supernet.path), *((reading.source, reading.path) for reading in readings)]
    return Job(base, readouts, {sha256: path for sha256, path in sources if path})


def _versions(supernet: _Supernet, dataset: str) -> dict[str, int]:
    """The versions of the method and of the image handling that are not 1."""
    both = {"method": supernet.version, "images": data.version(dataset)}
    return {name: version for name, version in both.items() if version != 1}
