"""Commands about the data folder: `data import`, `fetch`, `list`, `verify`."""

from collections.abc import Callable
from pathlib import Path

from benchharness.cli.base import DONE, FAILED, REFUSED, Parser
from benchharness.errors import unknown


def data(words: list[str]) -> int:
    """What is in the data folder, and what comes into it."""
    actions: dict[str, Callable[[list[str]], int]] = {
        "import": _import,
        "fetch": _fetch,
        "list": _list,
        "verify": _verify,
    }
    if not words or words[0] in ("-h", "--help"):
        print("usage: benchharness data import PATH | fetch NAME | list | verify")
        return DONE if words else REFUSED
    if words[0] not in actions:
        raise unknown("data command", words[0], actions)
    return actions[words[0]](words[1:])


def _import(words: list[str]) -> int:
    parser = Parser("data import", "Install a benchmark table, an image data set or a split file.")
    parser.add_argument("path", metavar="PATH", help="a file or folder in a layout that is known")
    args = parser.read(words)
    from benchharness import folder, printing

    printing.installed(folder.install(Path(args.path)))
    return DONE


def _fetch(words: list[str]) -> int:
    parser = Parser(
        "data fetch", "Download a public data set, check it and install it; the same command again goes on."
    )
    parser.add_argument("name", metavar="NAME", help="nas-bench-201, cifar10 or cifar100")
    parser.add_argument(
        "--from", dest="origin", default="", metavar="URL|PATH", help="another place, or a file of yours"
    )
    args = parser.read(words)
    from benchharness import fetch, printing

    printing.installed(fetch.fetch(args.name, args.origin))
    return DONE


def _list(words: list[str]) -> int:
    Parser("data list", "What is installed.").read(words)
    from benchharness import folder, printing

    print(f"data folder: {folder.data_folder()}")
    printing.installed(folder.installed())
    return DONE


def _verify(words: list[str]) -> int:
    Parser("data verify", "Compute the checksums of everything installed anew.").read(words)
    from benchharness import folder

    found = folder.verify()
    for item in found:
        print(f"{item.item.kind}/{item.item.name}: {item.problem or 'as installed'}")
    return FAILED if any(item.problem for item in found) else DONE
