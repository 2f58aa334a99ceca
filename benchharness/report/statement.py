"""How the results came about: all that a reader needs to judge or repeat them, and what is missing."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from benchharness.records import Status
from benchharness.report.content import Block, Bullets, Grid, Text
from benchharness.report.evidence import Evidence, changes
from benchharness.report.words import counted, listed, seeds
from benchharness.table import SPLITS, Table

RULE: Final = (
    "No test figure influenced a choice: the code that searches and selects cannot import the table; "
    "cells are looked up afterwards, by this report."
)


def standing(runs: pd.DataFrame) -> str:
    """One sentence on how complete the folder is."""
    counts = runs["status"].value_counts().sort_index()
    done = int(counts.get(Status.DONE, 0))
    if done == len(runs):
        return f"All {counted(done, 'run')} of this folder are finished." if done else "This folder holds no runs."
    rest = listed(f"{count} {status}" for status, count in counts.items() if status != Status.DONE)
    of = f"{done} of {counted(len(runs), 'run')} finished, {rest}"
    return f"This folder is unfinished: {of}. Every figure below is of the finished runs alone."


def setting(evidence: Evidence) -> list[Block]:
    """Protocol, data, seeds and read-outs of one setting."""
    runs, spec = evidence.runs, evidence.runs["spec"].iloc[0]
    done = runs[runs["status"] == Status.DONE]
    changed = ", ".join(f"{key}={value}" for key, value in sorted(changes(spec).items()))
    said = [
        f"Protocol {spec['protocol']['name']}, " + (f"changed: {changed}." if changed else "unchanged."),
        *_distinct(_images(record["data"]) for record in done["record"]),
        *(f"{name}: seeds {seeds(part['seed'])}." for name, part in done.groupby("method", observed=True)),
        *_distinct(_read_out(run) for run in runs.to_dict("records")),
    ]
    settings = pd.DataFrame(sorted(spec["protocol"].items()), columns=["setting", "value"]).astype(str)
    return [Bullets(said), Grid(f"protocol{evidence.slug}", f"Every setting, {evidence.name}", settings, settings)]


def method(runs: pd.DataFrame, table: Table | None) -> list[Block]:
    """Table, machines, versions, and the rules that hold for every report."""
    machines = [machine for machine in runs["machine"] if machine and "environment" in machine]
    splits = [f"{split.capitalize()}: {SPLITS[split]}." for split in ("valid", "test")]
    lines = [line(machine) for line in (_machine, _versions) for machine in machines]
    return [Bullets([_about(table), *splits, RULE, *_distinct(lines)])]


def missing(runs: pd.DataFrame) -> list[Block]:
    """Runs that did not finish, with reasons; and seeds that some methods have and others lack."""
    done, late = runs[runs["status"] == Status.DONE], runs[runs["status"] != Status.DONE]
    said = [line for name, part in done.groupby("setting") for line in _uneven(str(name), part)]
    blocks: list[Block] = [Bullets(said)] if said else []
    if late.empty:
        return [*blocks, Text("Every run of this folder finished.")]
    data = late[["setting", "method", "seed", "status", "run_id"]].reset_index(drop=True).astype(str)
    data["reason"] = [f"{found['type']}: {found['message']}" if found else "" for found in late["failure"]]
    note = "The command that began them goes on with them."
    return [*blocks, Grid("missing", "Runs that are missing or failed", data, data, note)]


def _uneven(name: str, done: pd.DataFrame) -> list[str]:
    by_method = done.groupby("method", observed=True)["seed"].agg(set)
    every: set[int] = set().union(*by_method)
    lacking = [f"{method} lacks {seeds(every - held)}" for method, held in by_method.items() if held != every]
    return [f"{name}: seeds differ, {listed(lacking)}; paired comparisons use the shared ones."] if lacking else []


def _about(table: Table | None) -> str:
    if table is None:
        return "No table was installed, so nothing was looked up."
    about, held = table.about, "all 15,625" if table.complete else f"{len(table)} of 15,625"
    return (
        f"Table {about['name']}, version {about['version']}, {held} architectures, sha256 {about['sha256'][:16]}, from "
        f"{about['source']}. Accuracies are after 200 epochs, {about['seed_rule']}, unless stated otherwise."
    )


def _images(data: Mapping[str, Any]) -> str:
    sizes = f"{data.get('train_images')} images train the weights, {data.get('valid_images')} the architecture"
    return (
        f"Searched on {data.get('label')}, split {data.get('split')}: {sizes} (sha256 {str(data.get('sha256'))[:16]})."
    )


def _read_out(run: Mapping[Any, Any]) -> str:
    options = ", ".join(f"{key}={value}" for key, value in sorted(run["spec"]["selection_options"].items()))
    trained = "" if run["trains"] == run["method"] else f" is the supernet of {run['trains']}"
    return f"{run['method']}{trained}, read out by {run['selection']}" + (f" ({options})." if options else ".")


def _machine(machine: Mapping[str, Any]) -> str:
    where = machine["environment"]
    gpus = ", ".join(f"{gpu['name']}, driver {gpu['driver']}" for gpu in where.get("gpus") or []) or "no GPU"
    return f"Device {machine.get('device')}: {where.get('processor')}, {where.get('cores')} cores, {gpus}."


def _versions(machine: Mapping[str, Any]) -> str:
    where = machine["environment"]
    packages = [f"{name} {version}" for name, version in sorted((where.get("packages") or {}).items()) if version]
    git = where.get("git") or {}
    commit = [f"commit {git['commit'][:10]}" + " with changes" * bool(git.get("changed"))] if git.get("commit") else []
    return ", ".join([f"Python {where.get('python')}", *packages, *commit]) + "."


def _distinct(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
