"""Shared by all commands: exit codes, the argument parser, the installed tables."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from benchharness.errors import UserError, unknown

if TYPE_CHECKING:
    from benchharness.table import Table

DONE, FAILED, REFUSED, MORE, INTERRUPTED = 0, 1, 2, 75, 130
"""Exit codes: done; some run or check failed; the request cannot be met; paused with more to do; stopped by Ctrl-C or
SIGTERM."""
COMPLETING: Final = "_ARGCOMPLETE"
"""Environment variable that is set when a shell asks which words can follow: see `cli.completion`."""


class Parser(argparse.ArgumentParser):
    """argparse with our errors: one sentence with the most similar known name."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(f"benchharness {command}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` with argparse's message."""
        raise UserError(f"{message}; `{self.prog} --help` lists the options")

    def with_json(self) -> "Parser":
        """Add `--json`, and return this parser."""
        self.add_argument("--json", action="store_true", help="print JSON")
        return self

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """The parsed arguments; raises `UserError` if one is unknown. During shell completion it ends the process."""
        if COMPLETING in os.environ:
            from benchharness.cli.completion import suggest

            suggest(self)
        args, rest = self.parse_known_args([_at_home(word) for word in argv])
        for word in rest:
            if word.startswith("-"):
                raise unknown("option", word.partition("=")[0], [name for name in self._option_string_actions if name])
            raise UserError(f"{word[:80]!r} is one argument too many; `{self.prog} --help` lists the arguments")
        return args


def call_action(command: str, words: list[str], actions: Mapping[str, Callable[[list[str]], int]], usage: str) -> int:
    """Call the action of `command` that the first word names, with the other words; `usage` is the text of `--help`."""
    if COMPLETING in os.environ and not words:
        from benchharness.cli.completion import suggest_among

        suggest_among(f"benchharness {command}", actions)
    if not words or words[0] in ("-h", "--help"):
        print(usage)
        return DONE if words else REFUSED
    if words[0] not in actions:
        raise unknown(f"{command} command", words[0], actions)
    return actions[words[0]](words[1:])


def _at_home(word: str) -> str:
    """`word` with ~ replaced by the home folder, also in `--out=~/x`, which shells leave alone."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if not value.startswith("~"):
        return word
    from benchharness.io.files import path_of

    return f"{option}{equals}{path_of(value)}"


def dataset_name(word: str) -> str:
    """The data set that `--dataset` names, in our spelling."""
    from benchharness.data.kinds import canonical

    return canonical(word)


def tables_if_installed(*results: Path, quiet: bool = False) -> "Callable[[str], Table | None]":
    """A function that gives the table of a data set, with the cells that were trained for `results`.

    It gives None if there is no table, and says so once on stderr unless `quiet`.
    """
    from benchharness.table.measurements import tables_of

    def missing(error: UserError) -> None:
        """Report once why a table is missing."""
        if not quiet:
            complain(f"without the accuracies of cells: {error}", DONE)

    return tables_of(*results, missing=missing)


def report_place(results: Path, name: str) -> Path:
    """The folder `reports/<name>` beside a suite's results; a relative path if it lies below the working directory.

    If the folder that holds the suite is not called `results`, it is `reports/<folder>/<name>`.
    """
    out = results.resolve().parent
    parent_name = "" if out.name == "results" else out.name  # two results folders have separate reports
    path, working_folder = out.parent / "reports" / parent_name / name, Path.cwd()
    return path.relative_to(working_folder) if path.is_relative_to(working_folder) else path


def stoppable() -> None:
    """Let SIGTERM, which schedulers send, and SIGINT, which shells let background jobs ignore, act like Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def complain(sentence: str, code: int) -> int:
    """Print `sentence` on standard error and return `code`."""
    print(f"benchharness: {sentence}", file=sys.stderr)
    return code
