"""Training architectures for a table: `table build`, `table check`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchharness.cli.parser import DONE, INTERRUPTED, Parser, complain, dataset_name, stoppable
from benchharness.errors import UserError

if TYPE_CHECKING:
    from benchharness.config import TrainConfig
    from benchharness.table import Table
    from benchharness.training.journal import Journal


SAMPLE: Final = 500
"""Functional classes that `table build` trains by default."""


def build(arguments: list[str]) -> int:
    """Train a sample of architectures, or all, on a data set, and install the table."""
    purpose = "Measure a table by training one architecture of each functional class."
    parser = Parser("table build", f"{purpose} The same command resumes after an interruption.")
    add = parser.add_argument
    add("--dataset", type=dataset_name, required=True, help="a data set that `benchharness data list` shows, or digits")
    size_options = parser.add_mutually_exclusive_group()
    size_options.add_argument(
        "--sample", type=int, default=SAMPLE, metavar="N", help="functional classes trained (default 500)"
    )
    size_options.add_argument("--all", action="store_true", help="train all 6,466")
    add("--seeds", type=int, default=2, metavar="K", help="trainings per architecture (default 2)")
    add("--name", default="", help="name of the table (default: that of the data set)")
    add("--out", metavar="FILE.npz", help="write the table there instead of installing it")
    args = _trained(parser, "digits for digits, else small").read(arguments)
    from benchharness import config
    from benchharness.data import load_images
    from benchharness.table import DATASETS
    from benchharness.training import journal as measuring

    images = load_images(args.dataset)
    recipe = _recipe(args, config.RECIPES["digits" if images.name == "digits" else "small"])
    all_codes = measuring.representatives()
    number = len(all_codes) if args.all else args.sample
    if not 1 <= number <= len(all_codes):
        raise UserError(f"sample={number} is out of range; there are 1 to {len(all_codes)} functional classes")
    if args.seeds < 1:
        raise UserError(f"seeds={args.seeds} is out of range; it must be 1 or more")
    codes, journal = all_codes[:number].tolist(), measuring.Journal(images, recipe)
    if not _trained_all(journal, codes, args, f"{number} functional classes x {args.seeds} seeds on {images.label}"):
        return INTERRUPTED
    name = args.name or (f"{images.name}-measured" if images.name in DATASETS else images.name)
    table = journal.table(codes, args.seeds, name)
    print(f"{len(table)} architectures in {_kept(table, args.out)}")
    return DONE


def check(arguments: list[str]) -> int:
    """Train architectures anew and compare with a table."""
    purpose = "Train architectures by a table's own recipe and compare: are our networks the benchmark's networks?"
    parser = Parser("table check", purpose)
    add = parser.add_argument
    add("archs", nargs="*", metavar="ARCH", help="a table's index or an architecture string (default: 3 drawn by seed)")
    add("--dataset", type=dataset_name, default="cifar10", help="data set, and so the table (default cifar10)")
    add("--sample", type=int, default=3, metavar="N", help="architectures to draw if none is named (default 3)")
    add("--seeds", type=int, default=1, metavar="K", help="trainings of each (default 1)")
    args = _trained(parser, "the table's own, else nas-bench-201").read(arguments)
    from benchharness.cli.console import comparisons
    from benchharness.data import load_images
    from benchharness.space import order
    from benchharness.table import load_for
    from benchharness.training import journal as measuring
    from benchharness.training import table_check

    table, images = load_for(args.dataset), load_images(args.dataset)
    recipe = _recipe(args, measuring.recipe_of(table))
    journal = measuring.Journal(images, recipe)
    shared_figures = [figure for figure in journal.figures() if figure in table.figures()]
    if not shared_figures:
        names = " or ".join(map(str, journal.figures()))
        raise UserError(
            f"table {table.about['name']!r} holds no {names}; another --recipe or --set epochs=N may fit it"
        )
    indices = table_check.rows_to_compare(table, args.archs, args.sample, shared_figures[0])
    codes = order()[indices].tolist()
    if not _trained_all(journal, codes, args, f"{len(indices)} architectures x {args.seeds} seeds on {images.label}"):
        return INTERRUPTED
    comparisons(table_check.compare(table, indices, journal, args.seeds), table, recipe)
    return DONE


def _trained_all(journal: "Journal", codes: "list[int]", args: argparse.Namespace, title: str) -> bool:
    """Say what a journal lacks of `codes`, and train it; False if Ctrl-C or SIGTERM stopped the trainings."""
    from benchharness.io.progress import with_counts
    from benchharness.training.completion import train_options

    missing = journal.missing(codes, args.seeds)
    begun_count = sum(journal.unfinished(*training).exists() for training in missing)
    goes_on = f", {begun_count} of them begun" if begun_count else ""
    print(f"{title}: {len(missing)} trainings to make{goes_on}", flush=True)
    options = train_options(args.jobs, args.device, len(missing))
    stoppable()
    try:
        for _ in with_counts(journal.measure(codes, args.seeds, options), len(missing), "trained"):
            pass
    except KeyboardInterrupt:
        complain("interrupted; all trainings so far are kept, and the same command resumes", INTERRUPTED)
        return False
    return True


def _trained(parser: Parser, default: str) -> Parser:
    add = parser.add_argument
    add("--recipe", help=f"small, digits, nas-bench-201 (12 epochs) or nas-bench-201-full (200); default: {default}")
    add("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change settings of the recipe")
    add("--jobs", type=int, metavar="N", help="trainings at a time, a process each (default: one a core, or one a GPU)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default auto)")
    return parser


def _recipe(args: argparse.Namespace, table_recipe: "TrainConfig | None" = None) -> "TrainConfig":
    """The named recipe, else `table_recipe`, else the benchmark's, with the changes of `--set`."""
    from benchharness import config
    from benchharness.config import with_changes
    from benchharness.runs import suite

    changes = suite.parse_settings(args.set)
    if table_recipe is not None and not args.recipe:
        return config.checked(with_changes(table_recipe, changes))
    return config.recipe(args.recipe or "nas-bench-201", changes)


def _kept(table: "Table", out: str | None) -> Path:
    """Save the table to `out`, or install it in the data folder; returns its path."""
    if out:
        table.save(out)
        return Path(out)
    from benchharness.table.install import install_table

    return install_table(table)
