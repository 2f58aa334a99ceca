"""Commands for one table: `table import`, `info`, `export`, `verify`; `build` and `check` are in `table_build`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchharness.cli import table_build
from benchharness.cli.parser import DONE, FAILED, Parser, call_action
from benchharness.config import parse_pairs

_USAGE = """usage: benchharness table import PATH | info [NAME] | export [NAME] --out FILE | verify [NAME]
                         | build --dataset NAME [--sample N | --all] [--seeds K] | check [ARCH ...] --dataset NAME"""


def table(arguments: list[str]) -> int:
    """Commands for one table."""
    actions: dict[str, Callable[[list[str]], int]] = {
        "import": _import,
        "info": _info,
        "export": _export,
        "verify": _verify,
        "build": table_build.build,
        "check": table_build.check,
    }
    return call_action("table", arguments, actions, _USAGE)


def _import(arguments: list[str]) -> int:
    purpose = "Install a benchmark table, or latencies and energies: official files, or CSV, JSON or Parquet."
    parser = Parser("table import", f"{purpose} Official files are pickles; nothing that they name is run.")
    parser.add_argument("path", metavar="PATH", help="a file, or the folder of NATS-Bench's small form")
    parser.add_argument("--name", default="", help="name of the table (default: from its content or file name)")
    parser.add_argument(
        "--map",
        nargs="+",
        action="extend",
        default=[],
        metavar="OURS=THEIRS",
        help="columns under other names, such as arch=cell cifar10_test_200=accuracy",
    )
    parser.add_argument(
        "--unit", default="", help="every column is a cost in ms, us, mJ, uJ or J (default: by its name)"
    )
    args = parser.read(arguments)
    from benchharness.cli import console
    from benchharness.table.install import import_any

    console.installed(import_any(Path(args.path), args.name, _mapping(args.map), args.unit))
    return DONE


def _mapping(pairs: Sequence[str]) -> dict[str, str]:
    return parse_pairs(pairs, "mapping of a column", "--map OURS=THEIRS")


def _info(arguments: list[str]) -> int:
    args = _named("table info", "What a table holds, and where it comes from.").with_json().read(arguments)
    from benchharness.table.summary import info

    rows = info(args.name)
    if args.json:
        print(json.dumps([{"what": label, "value": value} for label, value in rows], indent=1))
    for label, value in rows if not args.json else ():
        print(f"{label:<14} {value}")
    return DONE


def _export(arguments: list[str]) -> int:
    parser = _named("table export", "A whole table as columns, one row an architecture.")
    parser.add_argument("--out", required=True, metavar="FILE", help="a name ending in .csv, .json or .parquet")
    args = parser.read(arguments)
    from benchharness.table import columns, load_table

    print(f"{columns.write_table(load_table(args.name), Path(args.out))} rows in {args.out}")
    return DONE


def _verify(arguments: list[str]) -> int:
    args = (
        _named("table verify", "Check rows, known optima, closed-form costs and checksums of a table.")
        .with_json()
        .read(arguments)
    )
    from benchharness.table.summary import verify

    checks = verify(args.name)
    if args.json:
        print(json.dumps([check._asdict() for check in checks], indent=1))
    for check in checks if not args.json else ():
        print(f"{'wrong' if check.problem else 'right'}  {check.problem or check.what}")
    return FAILED if any(check.problem for check in checks) else DONE


def _named(command: str, description: str) -> Parser:
    parser = Parser(command, description)
    parser.add_argument("name", metavar="NAME", nargs="?", default="nas-bench-201", help="default: nas-bench-201")
    return parser
