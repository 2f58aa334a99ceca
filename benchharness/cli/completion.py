"""Shell completion: `benchharness completion SHELL`, and the suggestions that argcomplete prints when TAB is pressed.

The shell then starts `benchharness` with the variable `_ARGCOMPLETE`, and argcomplete suggests words from the parser of
the command that has been typed so far.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

from benchharness.cli.parser import COMPLETING, DONE, Parser
from benchharness.errors import UserError

SELECTIONS: Final = ("magnitude", "strength", "prune", "uniform", "best", "proxy")
PROXIES: Final = ("snip", "grasp", "fisher", "synflow", "jacob_cov", "zen", "params", "flops")
"""Written out, like the selections, because importing them would take torch's two seconds; a test compares them."""
_METHODS: Final = Path(__file__).parents[1] / "methods"


def completion(words: list[str]) -> int:
    """Print the script that makes a shell complete commands, options and values."""
    parser = Parser("completion", "Print the completion script of a shell, for example: source <(... completion bash)")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")
    shell = parser.read(words).shell
    print(_argcomplete().shellcode(["benchharness"], shell=shell))
    return DONE


def words_before() -> list[str]:
    """The words typed between `benchharness` and the word to complete, from the variables that the shell sets."""
    line, point = os.environ.get("COMP_LINE", ""), int(os.environ.get("COMP_POINT", "0"))
    words: list[str] = _argcomplete().split_line(line, point)[3]
    return words[1:]


def suggest(parser: argparse.ArgumentParser) -> None:
    """Print the words that can follow in a command line of `parser`, and end the process."""
    for action in parser._actions:
        action.completer = completer(action)  # type: ignore[attr-defined]
    os.environ[COMPLETING] = str(len(parser.prog.split()))  # argcomplete skips the words of the command itself
    _argcomplete().autocomplete(parser, always_complete_options="long")


def suggest_among(prog: str, commands: Iterable[str]) -> None:
    """Print those of `commands` that can follow the words `prog`, and end the process."""
    parser = argparse.ArgumentParser(prog)
    parser.add_argument("command", choices=list(commands))
    suggest(parser)


def completer(action: argparse.Action) -> Callable[..., Iterable[str]]:
    """A function for argcomplete that gives the possible values of `action` for a prefix and the arguments so far."""
    completers: Any = import_module("argcomplete.completers")  # partly typed, and not installed with the package
    metavar = str(action.metavar or "")
    if metavar in ("FOLDER", "RESULTS"):
        folders: Callable[..., Iterable[str]] = completers.DirectoriesCompleter()
        return folders
    files = completers.FilesCompleter() if metavar.startswith(("FILE", "PATH", "URL|PATH")) else None

    def values(prefix: str, parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
        """The values that can follow `prefix`."""
        known = VALUES[action.dest](parsed_args) if action.dest in VALUES else action.choices or ()
        start, options = _last_item(prefix, known) if action.dest in _LISTS else ("", known)
        return [*(start + option for option in options), *(files(prefix) if files else ())]

    return values


def _last_item(prefix: str, values: Iterable[str]) -> tuple[str, Iterable[str]]:
    """The finished part of a list such as `darts,snas+str`, and the values that can follow it."""
    place = max(prefix.rfind(","), prefix.rfind("+")) + 1
    return prefix[:place], SELECTIONS if prefix[place - 1 : place] == "+" else values


def _argcomplete() -> Any:
    try:
        import argcomplete
    except ImportError:
        raise UserError("completion needs the package argcomplete: pip install 'benchharness[completion]'") from None
    return argcomplete


def _methods(_: argparse.Namespace) -> list[str]:
    return [name.replace("_", "-") for _, name, _ in iter_modules([str(_METHODS)]) if not name.startswith("_")]


def _datasets(_: argparse.Namespace) -> Iterable[str]:
    from benchharness.data.load import names

    return names()


def _settings(args: argparse.Namespace) -> list[str]:
    from benchharness.config import SearchConfig, TrainConfig

    config = TrainConfig if "recipe" in args else SearchConfig
    return [f"{field.name}=" for field in fields(config) if field.name != "name"]


def _protocols(_: argparse.Namespace) -> Iterable[str]:
    from benchharness.config import PROTOCOLS

    return PROTOCOLS


def _recipes(_: argparse.Namespace) -> Iterable[str]:
    from benchharness.config import RECIPES

    return RECIPES


def _suites(args: argparse.Namespace) -> list[str]:
    return [path.name for path in Path(args.out).glob("*/")]


def _run_ids(args: argparse.Namespace) -> list[str]:
    results = Path(args.results)
    runs = [*results.glob("*/*/*/seed-*-*"), *results.glob("*/*/seed-*-*")]
    return [path.name.rpartition("-")[2] for path in runs]


VALUES: Final[Mapping[str, Callable[[argparse.Namespace], Iterable[str]]]] = {
    **dict.fromkeys(("methods", "method", "baselines"), _methods),
    **dict.fromkeys(("run_id", "run"), _run_ids),
    "dataset": _datasets,
    "protocol": _protocols,
    "recipe": _recipes,
    "set": _settings,
    "suite": _suites,
    "measures": lambda _: PROXIES,
    "device": lambda _: ("auto", "cpu", "cuda"),
    "compile": lambda _: ("auto", "on", "off"),
    "formulation": lambda _: ("shared", "padded", "fused"),
    "executor": lambda _: ("local", "dask"),
    "figures": lambda _: ("png", "svg", "pdf"),
}
"""Possible values by the name of the argument; other arguments have their `choices`, or none."""
_LISTS: Final = ("methods", "method", "baselines", "measures", "figures")
"""Arguments that take a comma-separated list."""
