"""Commands that search: `run`, `compare`."""

import argparse
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchharness.cli.parser import (
    DONE,
    FAILED,
    INTERRUPTED,
    MORE,
    Parser,
    complain,
    dataset_name,
    report_place,
    stoppable,
    tables_if_installed,
)
from benchharness.cli.report import build_report
from benchharness.compute.environment import wait_passively
from benchharness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from benchharness.records import Status
    from benchharness.runs.options import RunOptions
    from benchharness.runs.plan import Job
    from benchharness.runs.suite import Suite
    from benchharness.store import Store
    from benchharness.table import Tables


def run(arguments: list[str]) -> int:
    """Make the searches of a plan, then write the report and print its summary."""
    parser = Parser("run", "Make the searches of a plan. Finished runs are not made again.")
    args = _request(parser).read(arguments)
    return _until_stopped(["run", *arguments], lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    suite = _suite(args)
    wait_passively()
    from benchharness.cli import console
    from benchharness.report.folder import check_place
    from benchharness.runs.runner import plan_of, share
    from benchharness.store import Store

    plan, store = plan_of(suite), Store(Path(args.out), suite.name)
    store.check_place()
    plan = share(plan, args.shard) if args.shard else plan
    out = Path(args.reports) if args.reports else report_place(store.path, suite.name)
    if not args.shard:
        check_place(out)
    statuses = _announce(plan, store, args)
    _say_repeated(suite)
    if args.dry_run:
        return _checked(plan, store, args)
    code = _perform(plan, store, statuses, args)
    if args.shard:
        print(f"report, once every shard is done: benchharness report {shlex.quote(str(store.path))}")
    elif code != MORE:
        runs, tables = _completed(store, args)
        report = build_report(store.path, str(out), tables, console.summary, runs=runs)
        _say_failed(args)
        print(f"report: {report} and {report.with_suffix('.html').name}")
    return code


def compare(arguments: list[str]) -> int:
    """Compare a method with its baselines, or one results folder with another, and print the verdicts."""
    parser = Parser("compare", "Compare a method with its baselines: makes missing runs, then prints the verdicts.")
    parser.add_argument("folders", nargs="*", metavar="RESULTS", help="two results folders to compare with each other")
    parser.add_argument("--method", help="the method, spelt as for `run`")
    parser.add_argument("--baselines", default="darts", help="baselines, spelt as for `run --methods` (default darts)")
    args = _request(parser).read(arguments)
    if args.shard:
        raise UserError("compare takes no --shard; `benchharness run` does")
    if args.folders:
        return _folders(args)
    if not args.method or args.methods:
        raise UserError("compare takes --method and --baselines, or two results folders")
    return _until_stopped(["compare", *arguments], lambda: _contest(args))


def _until_stopped(arguments: list[str], work: Callable[[], int]) -> int:
    """The exit code of `work`; if Ctrl-C or SIGTERM ends it, the command that resumes is printed."""
    stoppable()
    try:
        return work()
    except KeyboardInterrupt:
        command = shlex.join(["benchharness", *arguments])
        sentence = f"interrupted; nothing finished is lost, and this command resumes: {command}"
        return complain(sentence, INTERRUPTED)


def _folders(args: argparse.Namespace) -> int:
    if len(args.folders) != 2 or args.method:
        raise UserError(f"compare takes two results folders and no method, not {len(args.folders)} folders")
    from benchharness import report

    first, second = (Path(folder) for folder in args.folders)
    name = f"{first.resolve().name}-against-{second.resolve().name}"
    out = Path(args.reports) if args.reports else report_place(first, name)
    return _print_verdicts(report.versions(first, second, out, tables_if_installed(first, second)), out)


def _contest(args: argparse.Namespace) -> int:
    args.methods = f"{args.method},{args.baselines}"
    suite = _suite(args)
    wait_passively()
    from benchharness import report
    from benchharness.report.folder import check_place
    from benchharness.runs.requests import methods_in, shared_seeds
    from benchharness.runs.runner import plan_of
    from benchharness.store import Store

    store = Store(Path(args.out), suite.name)
    store.check_place()
    if not (args.seeds or args.suite):
        suite = replace(suite, seeds=shared_seeds(suite, store))
    plan = plan_of(suite)
    method, *baselines = [spec for _, spec in methods_in(suite)]
    if same := [baseline.method for baseline in baselines if baseline.run_id == method.run_id]:
        raise UserError(f"{args.method} and its baseline {same[0]} are one method, of the same content and options")
    out = Path(args.reports) if args.reports else report_place(store.path, f"{suite.name}-{method.label}")
    check_place(out)
    statuses = _announce(plan, store, args)
    if args.dry_run:
        return _checked(plan, store, args)
    code = _perform(plan, store, statuses, args)
    if code == MORE:
        return code
    runs, tables = _completed(store, args)
    methods = dict(zip(runs["run_id"], runs["method"], strict=True))
    names = [str(methods[spec.run_id]) for spec in (method, *baselines)]
    _print_verdicts(report.against(store.path, out, tables, names[0], names[1:], runs), out)
    return code


def _print_verdicts(verdicts: list[str], out: Path) -> int:
    print("\n".join(verdicts))
    print(f"report: {out / 'report.md'}")
    return DONE


def _request(parser: Parser) -> Parser:
    """Add the options that say what to run and where, and return `parser`."""
    add = parser.add_argument
    add("--suite", metavar="FILE|NAME", help="a TOML file with the plan, or just a name for the results folder")
    add(
        "--methods",
        help="comma-separated: NAME[:key=value][+SELECTION[:key=value]], or your own file.py (which is executed)",
    )
    add("--seeds", help="0-4, 5 (that one seed) or 0,3,7 (default 0-5)")
    add(
        "--dataset",
        type=dataset_name,
        help="cifar10, digits, ... or auto: cifar10 if installed, else digits (default auto)",
    )
    add("--protocol", help="drnas, nats, nb201, cpu, cpu-deep or small (default: cpu; small on your own data)")
    add("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change settings of the protocol")
    add("--jobs", type=int, metavar="N", help="runs at a time, one process each (default: one per core, or per GPU)")
    add(
        "--threads", type=int, default=1, metavar="N", help="torch's threads a run on the CPU (default 1); changes bits"
    )
    add("--compile", default="auto", help="auto, on or off: compile cells; changes bits (auto: on a CPU, if faster)")
    add("--graphs", action="store_true", help="on a GPU: record whole steps as CUDA graphs and replay them")
    add("--formulation", default="shared", help="of cells in training: shared, or for GPUs padded, fused; changes bits")
    add("--timeout", type=float, default=0, metavar="SECONDS", help="end a run, or a wait for workers, after this time")
    add(
        "--epochs-now",
        type=int,
        default=0,
        metavar="E",
        help="pause after E epochs; the same command without this option resumes",
    )
    add("--for", dest="until", default="", metavar="TIME", help="pause after this time: 540s, 9m or 1h30m")
    add("--executor", default="local", help="local, or dask with --scheduler (default local)")
    add("--scheduler", default="", metavar="tcp://HOST:PORT", help="the dask scheduler whose workers make the runs")
    add("--any-source", action="store_true", help="with dask: accept workers with another source of benchharness")
    add("--return-results", action="store_true", help="with dask: workers send results back, and need no shared folder")
    add("--shard", metavar="I/N", help="make only part I of N; for N commands that share --out, before `report`")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default auto: every GPU there is, else the CPU)")
    add("--out", default="results", metavar="FOLDER", help="results folder, with a folder per suite (default results)")
    add(
        "--reports",
        metavar="FOLDER",
        help="folder of the report (default: reports/SUITE beside results)",
    )
    add(
        "--no-training",
        dest="training",
        action="store_false",
        help="do not train derived cells that a measured table lacks; they then have no accuracy",
    )
    add(
        "--fast",
        action="store_true",
        help="a smoke run: tiny searches, one seed, nothing trained afterwards",
    )
    add("-q", "--quiet", action="store_true", help="print no progress, and only runs that failed")
    add("-v", "--verbose", action="store_true", help="print each run's cell, and its accuracy with inherited weights")
    add("--dry-run", action="store_true", help="print the plan, what is done, and the time that the rest will take")
    return parser


def _suite(args: argparse.Namespace) -> "Suite":
    """The request; prints why a data set was chosen if none was named."""
    from benchharness.runs import suite

    args.until = _until(args.until) if args.until else 0.0
    if args.fast:
        args.set, args.training = [*(f"{key}={value}" for key, value in suite.FAST.items()), *args.set], False
        args.seeds, args.suite = args.seeds or "0", args.suite or "fast"
    parts = {key: getattr(args, key) for key in ("methods", "seeds", "dataset", "protocol")}
    request, args.choice = suite.requested(args.suite or "", suite.parse_settings(args.set), **parts)
    if args.choice:
        print(f"data set {request.dataset}: {args.choice}", flush=True)  # before torch is loaded, which takes seconds
    return request


def _announce(plan: "list[Job]", store: "Store", args: argparse.Namespace) -> "dict[str, Status]":
    """Print the plan and the trainings that follow it; returns the status of every run, by run id."""
    from benchharness.cli import console
    from benchharness.store import read
    from benchharness.training.completion import announced

    specs = [spec for job in plan for spec in job.specs]
    statuses = store.statuses(specs)
    console.plan(plan, store, statuses, args.dry_run, args.epochs_now)
    if args.training and not args.shard:
        runs, tables = read(store.path) if store.path.is_dir() else None, tables_if_installed(store.path, quiet=True)
        for sentence in announced(specs, statuses, runs, tables, args.jobs, args.device):
            print(f"{sentence}; --no-training leaves them without accuracy", flush=True)
    return statuses


def _perform(plan: "list[Job]", store: "Store", statuses: "dict[str, Status]", args: argparse.Namespace) -> int:
    from benchharness.runs.ending import perform_with_progress

    options, tables = _run_options(plan, args), tables_if_installed(store.path, quiet=True)
    args.failed, pauses = [], 0
    for outcome in perform_with_progress(plan, store, statuses, options, tables, args.quiet, args.verbose):
        if outcome.state == "failed":
            args.failed.append(f"{outcome.spec.name} seed {outcome.spec.seed}")
        pauses += outcome.state == "paused"
    if pauses:
        reason = f"{pauses} of {sum(len(job.specs) for job in plan)} runs pause"
        turn = "the command without --epochs-now resumes them" if args.epochs_now else "the same command resumes them"
        return complain(f"more to do: {reason}; {turn}", MORE)
    return FAILED if args.failed else DONE


def _completed(store: "Store", args: argparse.Namespace) -> "tuple[pd.DataFrame, Tables]":
    """All runs, and the tables after training the derived cells that these lack, unless `--no-training`."""
    from benchharness.store import read
    from benchharness.training.completion import train_missing

    runs, tables = read(store.path), tables_if_installed(store.path)
    if args.training and train_missing(store.path, runs, tables, args.jobs, args.device, args.quiet):
        tables = tables_if_installed(store.path)
    return runs, tables


def _run_options(plan: "list[Job]", args: argparse.Namespace) -> "RunOptions":
    from benchharness.compute.devices import slots
    from benchharness.runs.options import RunOptions

    args.jobs = args.jobs if args.jobs is not None else slots(args.device, len(plan))
    return RunOptions(**{name: getattr(args, name) for name in RunOptions._fields})


def _checked(plan: "list[Job]", store: "Store", args: argparse.Namespace) -> int:
    """End of a dry run: raise the errors that the run would raise, and print its estimated time."""
    from benchharness.runs.estimate import estimate
    from benchharness.runs.runner import check_plan

    options = _run_options(plan, args)
    check_plan(plan, options)
    forecast = estimate(plan, store, options, timing=True)
    if forecast is None:
        return DONE
    if forecast.ways:
        print(f"{forecast}; trainings of cells and the report come on top", flush=True)
    for failure in forecast.failures:
        complain(f"{failure}; the run would fail", FAILED)
    return FAILED if forecast.failures else DONE


def _say_repeated(suite: "Suite") -> None:
    from benchharness.runs.requests import repeated

    for sentence in repeated(suite):
        complain(f"note: {sentence}", DONE)


def _say_failed(args: argparse.Namespace) -> None:
    if args.failed:
        count = f"{len(args.failed)} runs" if len(args.failed) > 1 else "1 run"
        print(f"{count} failed: {', '.join(args.failed)}; the same command tries again")


def _until(text: str) -> float:
    """The time, in seconds since the epoch, that is `text` from now: `540s`, `9m`, `1h30m` or plain seconds."""
    match = re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s?)?", text.strip(), re.ASCII)
    hours, minutes, seconds = (int(number or 0) for number in match.groups()) if match else (0, 0, 0)
    if not (total := 3600 * hours + 60 * minutes + seconds):
        raise UserError(f"--for {text[:40]!r} is no time; write 540s, 9m or 1h30m")
    return time.time() + total
