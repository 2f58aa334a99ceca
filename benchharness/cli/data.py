"""Commands about the data folder: `data import`, `fetch`, `list`, `verify`."""

import json
from collections.abc import Callable
from pathlib import Path

from benchharness.cli.parser import DONE, FAILED, Parser, call_action
from benchharness.io.files import path_of


def data(arguments: list[str]) -> int:
    """Commands for the data folder."""
    actions: dict[str, Callable[[list[str]], int]] = {
        "import": _import,
        "fetch": _fetch,
        "list": _list,
        "verify": _verify,
    }
    usage = "usage: benchharness data import PATH [--name NAME] [--size N] [--no-flip] | fetch NAME | list | verify"
    return call_action("data", arguments, actions, usage)


def _import(arguments: list[str]) -> int:
    parser = Parser("data import", "Install a benchmark table, an image data set or a split file.")
    add = parser.add_argument
    add("path", metavar="PATH", help="a file or folder in a known layout, or a folder of images by class")
    add("--name", default="", help="name of images by class (default: the folder's name in lower case)")
    add("--size", type=int, metavar="N", help="height and width in pixels to which images are resized (default 32)")
    add(
        "--no-flip",
        action="store_true",
        help="do not mirror images in training, if mirrored images belong to other classes",
    )
    args = parser.read(arguments)
    from benchharness.cli import console
    from benchharness.data.importers import image_folder
    from benchharness.data.install import import_images
    from benchharness.io import catalog

    path = path_of(args.path)
    if args.name or args.size is not None or args.no_flip or image_folder.holds(path):
        size = image_folder.SIZE if args.size is None else args.size
        before = catalog.imported_items()
        console.imported_items([import_images(path, args.name, size, not args.no_flip, print)], before)
    else:
        _install(path)
    return DONE


def _install(path: Path) -> None:
    from benchharness.cli import console
    from benchharness.io import catalog
    from benchharness.runs import data_sets

    before = catalog.imported_items()
    console.imported_items(data_sets.install(path), before)
    for kind, name, earlier_path in catalog.doubled(path, data_sets.KINDS):
        print(f"left out: {earlier_path}, since {kind} {name} came from elsewhere in {path}")


def _fetch(arguments: list[str]) -> int:
    parser = Parser(
        "data fetch", "Download a public data set, check it and install it; the same command resumes a download."
    )
    parser.add_argument("name", metavar="NAME", help="nas-bench-201, cifar10 or cifar100")
    parser.add_argument(
        "--from", dest="origin", default="", metavar="URL|PATH", help="another address, or a local file"
    )
    args = parser.read(arguments)
    from benchharness.cli import console
    from benchharness.io import catalog
    from benchharness.runs import data_sets

    before = catalog.imported_items()
    console.imported_items(data_sets.fetch(args.name, args.origin), before)
    return DONE


def _list(arguments: list[str]) -> int:
    parser = Parser("data list", "List installed tables and images.")
    args = parser.with_json().read(arguments)
    from benchharness.cli import console
    from benchharness.io import catalog
    from benchharness.runs import data_sets

    if args.json:
        print(json.dumps([item._asdict() for item in data_sets.installed()], indent=1, default=str))
        return DONE
    print(f"data folder: {catalog.data_folder()}")
    console.installed(data_sets.installed())
    return DONE


def _verify(arguments: list[str]) -> int:
    args = (
        Parser("data verify", "Check the checksums and the content of everything installed.")
        .with_json()
        .read(arguments)
    )
    from benchharness.runs import data_sets

    verified = data_sets.verify()
    if args.json:
        problems = [
            {"kind": verification.item.kind, "name": verification.item.name, "problem": verification.problem}
            for verification in verified
        ]
        print(json.dumps(problems, indent=1))
    else:
        for item in verified:
            print(f"{item.item.kind}/{item.item.name}: {item.problem or 'as installed'}")
    return FAILED if any(item.problem for item in verified) else DONE
