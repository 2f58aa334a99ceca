"""The command line: parsing, and which code a command calls. Imports nothing heavy before the command is known."""

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from benchharness.errors import UserError, unknown

if TYPE_CHECKING:
    from benchharness.plan import Job
    from benchharness.store import Store
    from benchharness.suite import Suite
    from benchharness.table import Table

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all as asked; some run (or check) failed; a request that cannot be met; stopped by Ctrl-C or SIGTERM."""

OVERVIEW: Final = """\
usage: benchharness COMMAND [options]

Differentiable architecture searches on NAS-Bench-201, run for real and compared honestly.

  run       make the searches of a plan, look up what they derive, write a report; the same command again goes on
  report    write the report of a results folder anew
  query     all figures of one architecture
  methods   the methods and selections there are, and their options
  data      import, list or verify benchmark tables and images
  export    all runs as one tidy CSV or Parquet file

`benchharness COMMAND --help` lists a command's options. Exit codes: 0 all done, 1 something failed, 2 bad request,
130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    """argparse with our errors: one sentence, with the nearest right name."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(f"benchharness {command}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; `{self.prog} --help` lists the options")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """The parsed arguments; raises `UserError` on any that is unknown."""
        args, rest = self.parse_known_args(argv)
        for word in rest:
            if word.startswith("-"):
                raise unknown("option", word.partition("=")[0], [name for name in self._option_string_actions if name])
            raise UserError(f"{word[:80]!r} is one argument too many; `{self.prog} --help` lists what there is")
        return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except UserError as error:
        return _complain(str(error), REFUSED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        return _complain(str(error), FAILED)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(OVERVIEW, end="")
        return DONE if words else REFUSED
    if words[0] in ("-V", "--version"):
        from benchharness import __version__

        print(f"benchharness {__version__}")
        return DONE
    if words[0] not in COMMANDS:
        raise unknown("command", words[0], COMMANDS)
    try:
        return COMMANDS[words[0]](words[1:])
    except SystemExit as left:  # argparse's --help
        return int(left.code or 0)


def _run(words: list[str]) -> int:
    args = _run_parser().read(words)
    suite = _suite(args)
    # Before torch is loaded: by default its threads spin while they wait for each other, which on two cores with other
    # work on them took a small search's selection 20 to 63 s instead of 4 (n = 4 each).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchharness import printing
    from benchharness.runner import plan_of
    from benchharness.store import Store

    plan, store = plan_of(suite), Store(Path(args.out), suite.name)
    printing.plan(plan, store, every_run=args.dry_run)
    if args.dry_run:
        return DONE
    code = _perform(plan, store, args, words)
    if code != INTERRUPTED:
        table = _table_if_installed()
        printing.summary(store.path, plan, table)
        print(f"report: {_build(store.path, args.reports, table)}")
    return code


def _run_parser() -> _Parser:
    parser = _Parser("run", "Make the searches of a plan. Runs that are done already are left alone.")
    add = parser.add_argument
    add("--suite", metavar="FILE|NAME", help="a TOML file with the plan, or only a name for the results' folder")
    add(
        "--methods",
        help="comma-separated: NAME[:key=value][+SELECTION[:key=value]], or your own file.py (which is run)",
    )
    add("--seeds", help="0-4, 5 (that one seed) or 0,3,7 (default 0-2)")
    add("--dataset", help="cifar10, cifar100 or imagenet16-120 (default cifar10)")
    add("--protocol", help="drnas, nats, nb201 or cpu (default cpu: about 2 minutes a search on two cores)")
    add("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change values of the protocol")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time, each in a process of its own (default 1)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default auto: every GPU there is, else the CPU)")
    add("--out", default="results", metavar="FOLDER", help="where results go, in a folder per suite (default results)")
    add("--reports", metavar="FOLDER", help="where the report goes (default: reports/SUITE beside the results)")
    add("--dry-run", action="store_true", help="print the plan, with what is done already, and stop")
    return parser


def _suite(args: argparse.Namespace) -> "Suite":
    from benchharness import suite

    given = args.suite or ""
    is_file = given.endswith(".toml") or os.sep in given
    base = suite.load(Path(given)) if is_file else suite.Suite()
    parts = {key: getattr(args, key) for key in ("methods", "seeds", "dataset", "protocol")}
    asked = base.changed(suite.parse_settings(args.set), **parts)
    return suite.named(asked, given) if given and not is_file else asked


def _perform(plan: "list[Job]", store: "Store", args: argparse.Namespace, words: list[str]) -> int:
    from benchharness import printing
    from benchharness.progress import shown
    from benchharness.runner import perform

    # A scheduler's SIGTERM is taken like Ctrl-C. Shells make background jobs ignore SIGINT; whoever sends one means it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    failed = 0
    try:
        with shown(plan, store):
            for outcome in perform(plan, store, args.jobs, args.device):
                failed += outcome.state == "failed"
                printing.outcome(outcome, store)
    except KeyboardInterrupt:
        command = shlex.join(["benchharness", "run", *words])
        return _complain(f"interrupted; nothing finished is lost, and this goes on from here: {command}", INTERRUPTED)
    return FAILED if failed else DONE


def _report(words: list[str]) -> int:
    parser = _Parser("report", "Write the report of a results folder anew; the same results give the same bytes.")
    parser.add_argument("results", metavar="RESULTS", help="a suite's folder, such as results/cifar10-cpu")
    parser.add_argument("--out", metavar="FOLDER", help="default: reports/SUITE beside the results")
    args = parser.read(words)
    print(_build(Path(args.results), args.out, _table_if_installed()))
    return DONE


def _build(results: Path, out: str | None, table: "Table | None") -> Path:
    from benchharness import report

    beside = results.resolve().parents[1] / "reports" / results.resolve().name
    return report.build(results, Path(out) if out else _shortened(beside), table)


def _query(words: list[str]) -> int:
    parser = _Parser("query", "All figures of one architecture, with data set, split, epochs and seed rule.")
    parser.add_argument("arch", metavar="ARCH|INDEX", help="'|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', or its index")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.read(words)
    from benchharness.table import load_table

    told = load_table().describe(args.arch)
    if args.json:
        print(json.dumps(told, indent=1))
    else:
        from benchharness import printing

        printing.architecture(told)
    return DONE


def _methods(words: list[str]) -> int:
    _Parser("methods", "The methods and selections there are, one line each, with their options.").read(words)
    from benchharness import printing

    printing.methods()
    return DONE


def _data(words: list[str]) -> int:
    actions: dict[str, Callable[[list[str]], int]] = {"import": _import, "list": _list, "verify": _verify}
    if not words or words[0] in ("-h", "--help"):
        print("usage: benchharness data import PATH | list | verify")
        return DONE if words else REFUSED
    if words[0] not in actions:
        raise unknown("data command", words[0], actions)
    return actions[words[0]](words[1:])


def _import(words: list[str]) -> int:
    parser = _Parser("data import", "Install a benchmark table or an image data set into the data folder.")
    parser.add_argument("path", metavar="PATH", help="a file or folder in a layout that is known")
    args = parser.read(words)
    from benchharness import folder, printing

    printing.installed(folder.install(Path(args.path)))
    return DONE


def _list(words: list[str]) -> int:
    _Parser("data list", "What is installed.").read(words)
    from benchharness import folder, printing

    print(f"data folder: {folder.data_folder()}")
    printing.installed(folder.installed())
    return DONE


def _verify(words: list[str]) -> int:
    _Parser("data verify", "Compute the checksums of everything installed anew.").read(words)
    from benchharness import folder

    found = folder.verify()
    for item in found:
        print(f"{item.item.kind}/{item.item.name}: {item.problem or 'as installed'}")
    return FAILED if any(item.problem for item in found) else DONE


def _export(words: list[str]) -> int:
    parser = _Parser("export", "All runs as one tidy file: a row per run and benchmark data set.")
    parser.add_argument("results", metavar="RESULTS", help="a results folder, of one suite or of all")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="where to write: a name ending in .csv or .parquet"
    )
    args = parser.read(words)
    if Path(args.out).suffix not in (".csv", ".parquet"):
        raise UserError(f"{args.out!r} ends in neither .csv nor .parquet")
    from benchharness import export

    print(f"{export.write(Path(args.results), Path(args.out), _table_if_installed())} rows in {args.out}")
    return DONE


def _table_if_installed() -> "Table | None":
    """The benchmark's table; without it a command does what it can, and says what is missing."""
    from benchharness.table import load_table

    try:
        return load_table()
    except UserError as error:
        _complain(f"without the benchmark's accuracies: {error}", DONE)
        return None


def _shortened(path: Path) -> Path:
    """`path` as seen from here, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _complain(sentence: str, code: int) -> int:
    print(f"benchharness: {sentence}", file=sys.stderr)
    return code


COMMANDS: Final[dict[str, Callable[[list[str]], Any]]] = {
    "run": _run,
    "report": _report,
    "query": _query,
    "methods": _methods,
    "data": _data,
    "export": _export,
}
