"""The command line: finds the command and calls it. Imports nothing heavy before the command is known."""

import codecs
import io
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final, Self

from benchharness.cli.parser import COMPLETING, DONE, FAILED, INTERRUPTED, MORE, REFUSED, complain
from benchharness.compute.streams import replace_closed
from benchharness.errors import UserError, unknown

__all__ = ["DONE", "FAILED", "INTERRUPTED", "MORE", "REFUSED", "main"]

OVERVIEW: Final = """\
usage: benchharness COMMAND [options]

Differentiable architecture searches on NAS-Bench-201, run for real and compared honestly.

  run        make the searches of a plan, look up the derived cells, write a report; the same command resumes
  compare    compare a method with its baselines, making missing runs; or two results folders
  report     write the report of a results folder
  query      print all accuracies and costs of one architecture
  methods    list the methods and selections, with their options
  protocols  list the presets of settings, with their values
  data       fetch, import, list or verify benchmark tables and images
  table      import, describe, export or verify one table
  new        write the file of a new method, ready to run
  check      run the conformance checks of a method, your own or built in
  baselines  run searches that query the table, on simulated budgets
  score      score all cells by zero-cost proxies or by a supernet, with tau against the table
  export     write all runs to one tidy CSV or Parquet file
  show       print one run: settings, cell, times, and the traceback if it failed
  doctor     print what is wrong with a results folder, and the remedies
  merge      merge results folders of several machines
  rerun      make a finished run again and compare every bit
  completion print the script that completes commands, options and values in bash, zsh or fish

`benchharness COMMAND --help` lists a command's options; `benchharness --version` prints the version.
Exit codes: 0 all done, 1 something failed, 2 bad request, 75 told to pause with more to do, 130 interrupted.
"""
_SPELT: Final = str.maketrans({"±": "+-", "–": "-", "…": "...", "×": "x", "→": "->", "†": "*", "·": "*", "∞": "inf"})
"""ASCII spellings of the characters that we print, for encodings that lack them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    replace_closed()
    arguments = list(sys.argv[1:] if argv is None else argv)
    print_anyway()
    output = _Lasting.in_place_of_stdout()
    code = _called(arguments)
    if output is None or not (write_error := output.ended()) or isinstance(write_error, BrokenPipeError):
        return code
    return code or complain(f"not all of the output could be written: {write_error.strerror}", FAILED)


def _called(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except UserError as error:
        return complain(str(error), REFUSED)
    except KeyboardInterrupt:
        return complain(f"interrupted; to try again: {shlex.join(['benchharness', *arguments])}", INTERRUPTED)
    except NotADirectoryError as error:
        return complain(f"{error.filename}: a part of that path is a file, not a folder; choose another place", REFUSED)
    except OSError as error:
        plainly = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error.strerror
        return complain(plainly or str(error), FAILED)


class _Lasting(io.FileIO):
    """Standard output that ignores write errors, so that a closed pipe or a full disk does not end the runs."""

    broken: OSError | None = None

    @classmethod
    def in_place_of_stdout(cls) -> Self | None:
        """Replace the process's standard output; None if there is none, or a caller has replaced it already."""
        stdout = sys.stdout
        if not isinstance(stdout, io.TextIOWrapper) or stdout is not sys.__stdout__:
            return None
        stdout.flush()
        lasting = cls(stdout.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(lasting), stdout.encoding, stdout.errors, line_buffering=stdout.line_buffering
        )
        return lasting

    def write(self, content: Any) -> int:
        """Write `content`; nothing is written after the first failure."""
        try:
            return super().write(content) if self.broken is None else len(content)
        except OSError as error:
            self.broken = error
            return len(content)

    def ended(self) -> OSError | None:
        """Flush, and return the first error, if any."""
        sys.stdout.flush()
        return self.broken


def print_anyway() -> None:
    """Let stdout and stderr print any text; characters that their encoding lacks are spelt in ASCII."""
    codecs.register_error("spelt", _spelt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spelt")


def _spelt(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return error.object[error.start : error.end].translate(_SPELT).encode("ascii", "replace").decode(), error.end


def _dispatch(arguments: list[str]) -> int:
    if COMPLETING in os.environ:
        return _suggest()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(OVERVIEW, end="")
        return DONE if arguments else REFUSED
    if arguments[0] in ("-V", "--version"):
        from benchharness import __version__

        print(f"benchharness {__version__}")
        return DONE
    if arguments[0] not in COMMANDS:
        raise unknown("command", arguments[0], COMMANDS)
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except SystemExit as exit_request:  # argparse's --help
        return int(exit_request.code or 0)


def _suggest() -> int:
    """Print the words that can follow in the command line that a shell is completing; ends the process."""
    from benchharness.cli.completion import suggest_among, words_before

    if not (arguments := words_before()):
        suggest_among("benchharness", COMMANDS)
    return COMMANDS[arguments[0]](arguments[1:]) if arguments[0] in COMMANDS else REFUSED


def _later(module: str, name: str) -> Callable[[list[str]], int]:
    """The command `name` of a module; the module is imported when the command is called."""

    def call(arguments: list[str]) -> int:
        """Import the module and call its command."""
        command: Callable[[list[str]], int] = getattr(import_module(f"benchharness.cli.{module}"), name)
        return command(arguments)

    return call


COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "run": _later("run", "run"),
    "compare": _later("run", "compare"),
    "report": _later("report", "report"),
    "query": _later("report", "query"),
    "methods": _later("report", "methods"),
    "protocols": _later("report", "protocols"),
    "data": _later("data", "data"),
    "table": _later("table", "table"),
    "export": _later("report", "export"),
    "new": _later("methods", "new"),
    "check": _later("methods", "check"),
    "baselines": _later("methods", "baselines"),
    "show": _later("results", "show"),
    "doctor": _later("results", "doctor"),
    "merge": _later("results", "merge"),
    "rerun": _later("results", "rerun"),
    "score": _later("score", "score"),
    "completion": _later("completion", "completion"),
}
