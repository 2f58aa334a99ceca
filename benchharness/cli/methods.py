"""Commands for writing a method: `new`, `check`; and searches without a supernet: `baselines`."""

import json
import shlex
from pathlib import Path

from benchharness.cli.parser import DONE, FAILED, Parser, dataset_name
from benchharness.compute.environment import wait_passively


def new(arguments: list[str]) -> int:
    """Write the file of a new method."""
    parser = Parser("new", "Write the file of a new method: commented, and ready to run.")
    parser.add_argument("file", metavar="FILE.py")
    args = parser.read(arguments)
    from benchharness.methods import _template

    _template.write_method_file(Path(args.file))
    print(f"{args.file} written; next: benchharness check {shlex.quote(args.file)}")
    return DONE


def check(arguments: list[str]) -> int:
    """Run the conformance checks of a method and say what failed and why."""
    parser = Parser("check", "Run the conformance checks of a method. This executes a file of your own.")
    parser.add_argument("method", metavar="FILE.py|NAME")
    args = parser.with_json().read(arguments)
    wait_passively()
    from benchharness.runs.conformance import check_method as checked

    findings = checked(args.method)
    if args.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
    for finding in findings if not args.json else ():
        print(finding)
    return FAILED if any(finding.state == "failed" for finding in findings) else DONE


def baselines(arguments: list[str]) -> int:
    """Run the searches that query the table, and print their accuracies."""
    parser = Parser("baselines", "Run searches of the table on simulated budgets; they see 12-epoch validation only.")
    add = parser.add_argument
    add("--seeds", default="0-499", help="0-499, 5 (that one seed) or 0,3,7 (default 0-499)")
    add("--dataset", type=dataset_name, default="cifar10", help="a data set whose table is complete (default cifar10)")
    add("--budget", type=float, metavar="SECONDS", help="simulated seconds (default 12000)")
    add("--out", metavar="FILE.csv", help="write one row per run to this file")
    args = parser.read(arguments)
    import pandas as pd

    from benchharness.runs.plan import parse_seeds
    from benchharness.table import baselines as searches
    from benchharness.table import load_for

    table, seeds = load_for(args.dataset), parse_seeds(args.seeds)
    budget = searches.BUDGETS["nb201"]["cifar10"] if args.budget is None else args.budget
    trials = pd.concat([searches.trials(name, table, seeds, args.dataset, budget) for name in searches.names()])
    for name, rows in trials.groupby("method", sort=False):
        means = "   ".join(f"{split} {rows[split].mean():.2f}±{rows[split].std():.2f}" for split in ("valid", "test"))
        print(f"{name:14}{len(rows)} seeds   {rows['visits'].mean():.0f} cells   {means}")
    if args.out:
        trials.to_csv(args.out, index=False)
    return DONE
