"""Settings, data, machines and versions behind the results, and what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from benchharness.analysis.experiment import Evidence, changes, preset
from benchharness.config import pairs_text
from benchharness.io.files import slug
from benchharness.records import Status
from benchharness.report.blocks import Block, Bullets, TableBlock, Text, folded
from benchharness.report.formatting import count_of, enumeration, seeds
from benchharness.report.ground_truth import cell_count, probed_coverage, table_sentences
from benchharness.table import Table

RULE: Final = (
    "No test figure influenced a choice: the code that searches and selects cannot import the table; "
    "cells are looked up afterwards, by this report."
)


def title(name: str, runs: pd.DataFrame) -> str:
    """The report's title: the folder's name and the labels of the images."""
    labels = _distinct(record["data"]["label"] for record in runs["record"] if record and record["data"].get("label"))
    datasets = labels or _distinct(runs["dataset"])
    return f"{name}: searches on {enumeration(datasets)}" if datasets else name


def status_sentence(runs: pd.DataFrame) -> str:
    """Sentence below the title: why this data set was chosen, and how complete the folder is."""
    choices = _distinct(str(machine["dataset_choice"]) for machine in runs["machine"] if _chosen(machine))
    return " ".join([*(f"{reason[:1].upper()}{reason[1:]}." for reason in choices), _standing(runs), *_mixed(runs)])


def _mixed(runs: pd.DataFrame) -> list[str]:
    """A warning for each data set of which the runs in this folder used different images."""
    done_runs = runs[runs["images_sha256"].notna()]
    label = done_runs.groupby("images_sha256")["images_label"].transform("first").astype(str)  # one label per digest
    images = label + " (sha256 " + done_runs["images_sha256"].astype(str).str[:16] + ")"
    sentences = []
    for dataset, kinds in images.groupby(done_runs["dataset"]):
        if kinds.nunique() > 1:
            each = [f"{count} on {name}" for name, count in kinds.value_counts().items()]
            sentences.append(
                f"Runs on {dataset} saw different images: {enumeration(each)}; comparing them compares images too."
            )
    return sentences


def _chosen(machine: Any) -> bool:
    return isinstance(machine, dict) and bool(machine.get("dataset_choice"))


def _standing(runs: pd.DataFrame) -> str:
    counts = runs["status"].value_counts().sort_index()
    done_count = int(counts.get(Status.DONE, 0))
    if done_count == len(runs):
        return (
            f"All {count_of(done_count, 'run')} of this folder are finished."
            if done_count
            else "This folder holds no runs."
        )
    rest = enumeration(f"{count} {status}" for status, count in counts.items() if status != Status.DONE)
    of = f"{done_count} of {count_of(len(runs), 'run')} finished, {rest}"
    return f"This folder is unfinished: {of}. Every figure below is of the finished runs alone."


def setting(evidence: Evidence) -> list[Block]:
    """Protocol, data, seeds and selections of one setting, or of both if two folders are compared."""
    groups = list(evidence.runs.groupby("setting"))
    if len(groups) == 1:
        return _setting(evidence)
    run_ids = evidence.long["run_id"]
    evidences = [
        replace(
            evidence, name=str(name), slug=f"-{slug(name)}", runs=runs, long=evidence.long[run_ids.isin(runs["run_id"])]
        )
        for name, runs in groups
    ]
    return [
        block
        for evidence_of_group in evidences
        for block in (Text(f"{evidence_of_group.name}:"), *_setting(evidence_of_group))
    ]


def _setting(evidence: Evidence) -> list[Block]:
    runs, spec = evidence.runs, evidence.runs["spec"].iloc[0]
    done_runs = runs[runs["status"] == Status.DONE]
    changes_text = pairs_text(dict(sorted(changes(spec).items())))
    sentences = [
        f"Protocol {preset(spec)}, " + (f"changed: {changes_text}." if changes_text else "unchanged."),
        *_by_method(runs),
        *_distinct(_images(record["data"]) for record in done_runs["record"]),
        *_seeds(done_runs),
        *_covered(evidence),
    ]
    settings = pd.DataFrame(sorted(spec["protocol"].items()), columns=["setting", "value"]).astype(str)
    grid = TableBlock(f"protocol{evidence.slug}", f"Every setting, {evidence.name}", settings, settings)
    readings = Bullets(_distinct(_read_out(run) for run in runs.to_dict("records")))
    more = folded("How every method was read out, and every setting of the protocol", [readings, grid], evidence.slug)
    return [Bullets(sentences), *more]


def _seeds(done_runs: pd.DataFrame) -> list[str]:
    """The seeds of every method; methods with the same ones in one sentence."""
    by_seeds: dict[str, list[str]] = {}
    for name, group in done_runs.groupby("method", observed=True):
        by_seeds.setdefault(seeds(group["seed"]), []).append(str(name))
    if len(by_seeds) == 1 and done_runs["method"].nunique() > 1:
        return [f"Seeds {seeds_text} of every method." for seeds_text in by_seeds]
    return [f"Seeds {seeds_text}: {enumeration(names)}." for seeds_text, names in by_seeds.items()]


def _by_method(runs: pd.DataFrame) -> list[str]:
    """Settings that the protocol sets differently for single methods."""
    specs = runs.drop_duplicates("trains")["spec"]
    first = specs.iloc[0]["protocol"]
    sentences = []
    for spec in specs:
        values = {**dict.fromkeys(first, "the default"), **spec["protocol"]}
        other = [f"{key}={values[key]}" for key in sorted(values) if values[key] != first.get(key)]
        sentences += [f"The protocol's own for {spec['trains']}: {', '.join(other)}."] if other else []
    return sentences


def method(runs: pd.DataFrame, tables: Iterable[Table | None]) -> list[Block]:
    """Tables, machines, versions, and the rules that hold for every report."""
    machines = [machine for machine in runs["machine"] if machine and "environment" in machine]
    looked_up = _distinct(line for table in tables for line in table_sentences(table))
    lines = [line(machine) for line in (_machine, _versions) for machine in machines]
    lines += [f"{line[:1].upper()}{line[1:]}." for line in sources(runs["record"])]
    return [Bullets([*looked_up, RULE, *_distinct(lines), *_ways(machines)])]


def _ways(machines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Differences in threads, device, compilation, graphs or formulation, which run ids leave out; often empty."""
    way_counts = pd.Series([_way(machine) for machine in machines], dtype=str).value_counts()
    each = enumeration(f"{way_text} ({count_of(int(number), 'run')})" for way_text, number in way_counts.items())
    return [f"Runs differ in what run ids leave out and last bits depend on: {each}."] if len(way_counts) > 1 else []


def _way(machine: Mapping[str, Any]) -> str:
    extras = [name for key, name in (("compiled", "compiled"), ("graphs", "CUDA graphs")) if machine.get(key)]
    extras += [f"{machine['formulation']} cells"] if machine.get("formulation") else []
    threads = [count_of(int(machine["threads"]), "thread")] if machine.get("threads") else ["unknown threads"]
    return f"{str(machine.get('device', 'cpu')).partition(':')[0]} with {' and '.join([*threads, *extras])}"


def sources(records: "Iterable[Mapping[str, Any] | None]") -> list[str]:
    """Digests of the package sources that made the records; older records do not state them."""
    digests = pd.Series(
        [str(record["package_sha256"])[:16] for record in records if record and record.get("package_sha256")]
    )
    each = enumeration(
        f"{digest} ({count_of(int(number), 'run')})" for digest, number in digests.value_counts().items()
    )
    return [f"source of benchharness, by its sha256: {each}"] if len(digests) else []


def missing(runs: pd.DataFrame) -> list[Block]:
    """Runs that did not finish, with reasons; and seeds that some methods have and others lack."""
    done_runs, other_runs = runs[runs["status"] == Status.DONE], runs[runs["status"] != Status.DONE]
    sentences = [line for name, group in done_runs.groupby("setting") for line in _uneven(str(name), group)]
    blocks: list[Block] = [Bullets(sentences)] if sentences else []
    if other_runs.empty:
        return [*blocks, Text("Every run of this folder finished.")]
    data = other_runs[["setting", "method", "seed", "status", "run_id"]].reset_index(drop=True).astype(str)
    data["reason"] = [
        f"{failure['type']}: {failure['message']}" if failure else "" for failure in other_runs["failure"]
    ]
    note = "The command that began them resumes them."
    return [*blocks, TableBlock("missing", "Runs that are missing or failed", data, data, note)]


def _uneven(name: str, done_runs: pd.DataFrame) -> list[str]:
    by_method = done_runs.groupby("method", observed=True)["seed"].agg(set)
    every: set[int] = set().union(*by_method)
    lack_clauses = [
        f"{method} lacks {seeds(every - present)}" for method, present in by_method.items() if present != every
    ]
    return (
        [f"{name}: seeds differ, {enumeration(lack_clauses)}; paired comparisons use the shared ones."]
        if lack_clauses
        else []
    )


def _covered(evidence: Evidence) -> list[str]:
    """How many derived cells a table of a part of the space holds; empty for a complete table."""
    table = evidence.table
    if table is None or table.complete:
        return []
    cells = evidence.long[evidence.long["benchmark_dataset"] == evidence.dataset]
    archs = cells.drop_duplicates("arch")
    added = f", {archs['measured_here'].sum()} of them trained besides" if archs["measured_here"].any() else ""
    coverage = f"{archs['test'].notna().sum()} of {len(archs)} distinct cells derived{added}"
    probes = (
        f"; {probed_coverage(evidence.ranking)} of the cells that probed supernets ranked"
        if len(evidence.ranking)
        else ""
    )
    return [
        f"Table {table.about['name']} holds {cell_count(table)} architectures, and of this setting {coverage}{probes}."
    ]


def _images(data: Mapping[str, Any]) -> str:
    sizes = f"{data.get('train_images')} images train the weights, {data.get('valid_images')} the architecture"
    return (
        f"Searched on {data.get('label')}, split {data.get('split')}: {sizes} (sha256 {str(data.get('sha256'))[:16]})."
    )


def _read_out(run: Mapping[Any, Any]) -> str:
    options = pairs_text(dict(sorted(run["spec"]["selection_options"].items())))
    supernet_clause = "" if run["trains"] == run["method"] else f" is the supernet of {run['trains']}"
    return f"{run['method']}{supernet_clause}, read out by {run['selection']}" + (f" ({options})." if options else ".")


def _machine(machine: Mapping[str, Any]) -> str:
    environment = machine["environment"]
    gpus = ", ".join(f"{gpu['name']}, driver {gpu['driver']}" for gpu in environment.get("gpus") or []) or "no GPU"
    return f"Device {machine.get('device')}: {environment.get('processor')}, {environment.get('cores')} cores, {gpus}."


def _versions(machine: Mapping[str, Any]) -> str:
    environment = machine["environment"]
    packages = [f"{name} {version}" for name, version in sorted((environment.get("packages") or {}).items()) if version]
    git = environment.get("git") or {}
    commit = [f"commit {git['commit'][:10]}" + " with changes" * bool(git.get("changed"))] if git.get("commit") else []
    return ", ".join([f"Python {environment.get('python')}", *packages, *commit]) + "."


def _distinct(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
