"""Commands for results folders: `show`, `doctor`, `rerun`, `merge`."""

import json
import tempfile
from pathlib import Path
from typing import Final

from benchharness.cli.parser import DONE, FAILED, Parser, tables_if_installed
from benchharness.compute.environment import wait_passively

RUN_HELP: Final = "a run's folder, the name of it, or the first digits of the run's id, four at least"


def show(arguments: list[str]) -> int:
    """Print everything about one run."""
    parser = Parser("show", "Print one run: settings, cell, accuracies, times, and the error if it failed.")
    parser.add_argument("run_id", metavar="RUN_ID", help=RUN_HELP)
    parser.add_argument("--results", default="results", metavar="FOLDER", help="where the run is (default results)")
    args = parser.with_json().read(arguments)
    from benchharness.analysis.run_details import details
    from benchharness.cli import console
    from benchharness.store.run_folder import find_run

    folder = find_run(Path(args.results), args.run_id)
    facts = details(folder, tables_if_installed(folder, quiet=True))
    if args.json:
        print(json.dumps(facts, indent=1))
    else:
        console.run_details(facts)
    return DONE


def doctor(arguments: list[str]) -> int:
    """Print what is wrong with a results folder and what to do."""
    parser = Parser("doctor", "Check every run of a results folder; prints problems and remedies, and changes nothing.")
    parser.add_argument("results", metavar="RESULTS", help="a results folder, of one suite or of several")
    args = parser.with_json().read(arguments)
    from benchharness.store.doctor import examine

    diagnosis = examine(Path(args.results))
    if args.json:
        findings = [{**finding._asdict(), "path": str(finding.path)} for finding in diagnosis.findings]
        print(json.dumps({"runs": diagnosis.runs, "findings": findings, "sources": dict(diagnosis.sources)}, indent=1))
        return FAILED if findings else DONE
    for finding in diagnosis.findings:
        print(finding)
    if len(diagnosis.sources) > 1:
        each = ", ".join(f"{number} with {digest[:16]}" for digest, number in diagnosis.sources.items())
        print(f"runs were made with {len(diagnosis.sources)} sources of benchharness (sha256): {each}")
    paths = {finding_of_run.path for finding_of_run in diagnosis.findings}
    print(f"{diagnosis.runs} runs looked at, {len(paths)} with something to say")
    return FAILED if diagnosis.findings else DONE


def rerun(arguments: list[str]) -> int:
    """Make a finished run again, and compare the two."""
    parser = Parser("rerun", "Make a finished run again from its folder. This executes its method file, if it has one.")
    add = parser.add_argument
    add("run_id", metavar="RUN_ID", help=RUN_HELP)
    add("--check", action="store_true", help="make it in a temporary folder, and only compare records and arrays")
    add("--results", default="results", metavar="FOLDER", help="where the run is (default results)")
    add("--out", default="rerun", metavar="FOLDER", help="where to make it, without --check (default rerun)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    args = parser.read(arguments)
    wait_passively()
    from benchharness.runs.reproduce import repeat
    from benchharness.store.run_folder import find_run

    folder = find_run(Path(args.results), args.run_id)
    with tempfile.TemporaryDirectory(prefix="benchharness-") as scratch:
        repetition = repeat(folder, Path(scratch if args.check else args.out), args.device)
    for change in repetition.circumstances:
        print(f"not as it was: {change}")
    for difference in repetition.differences:
        print(f"DIFFERS  {difference}")
    if not repetition.differences:
        print(f"{folder.name}: made again, and every bit of its record, arrays and trace is the same")
    if not args.check:
        print(f"made again in {repetition.folder}")
    return FAILED if repetition.differences else DONE


def merge(arguments: list[str]) -> int:
    """Merge results folders of several machines."""
    parser = Parser("merge", "Merge results folders: every run once. The source folders do not change.")
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="results folders, of one suite or of several")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the merged folder; may hold runs already")
    args = parser.read(arguments)
    from benchharness.store.merge import merge as merged

    total = merged([Path(folder) for folder in args.results], Path(args.out))
    for sentence in (*total.left, *total.conflicts):
        print(sentence)
    print(
        f"{args.out}: of {total.runs} runs {total.new} are new there, {total.same} were there with equal results, "
        f"{total.shorter} were there and further, {len(total.conflicts)} in conflict, {len(total.left)} left alone"
    )
    return FAILED if total.conflicts or total.left else DONE
