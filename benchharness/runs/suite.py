"""The request of `run`: methods, seeds, data set and protocol, from defaults, a TOML file and the command line."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from benchharness.config import parse_pairs
from benchharness.data.importers import IMAGES
from benchharness.data.kinds import KNOWN, canonical
from benchharness.errors import UserError, unknown
from benchharness.io import catalog
from benchharness.io.files import open_file, shortened
from benchharness.records import folder_name
from benchharness.runs import data_sets
from benchharness.table.importers import TABLES

AUTO: Final = "auto"
"""As a data set: CIFAR-10 if its images and table are installed, else the embedded `digits`."""
FAST: Final = {"epochs": 2, "images": 256, "channels": 2, "cells": 1, "ranking": 4, "eigenvalue_every": 0}
"""Settings of searches that only show that everything works."""
_WANTED: Final = {("images", "cifar10"): "the image set", ("tables", "nas-bench-201"): "the table"}


@dataclass(frozen=True)
class Suite:
    """A comparison to run; every field has the syntax of the command line."""

    methods: str = "darts,snas,drnas,ostr"
    seeds: str = "0-5"
    dataset: str = AUTO
    protocol: str = AUTO
    """A preset's name; `auto` is `cpu` on the benchmark's own data sets and `small` on any other."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from the protocol's."""
    given_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dataset", canonical(self.dataset))  # so that one request has one folder

    @property
    def name(self) -> str:
        """Folder under `results/`: the given name, or one with all changed settings, so that settings never mix."""
        changes_text = "".join(f"+{key}={value}" for key, value in sorted(self.settings.items()))
        return self.given_name or _folder(f"{self.dataset}-{self.protocol}{changes_text}")

    def resolved(self) -> tuple["Suite", str]:
        """This suite with `auto` replaced by a data set and a protocol; and why, empty if a data set is named."""
        dataset, reason = _dataset() if self.dataset == AUTO else (self.dataset, "")
        fitting = "cpu" if dataset in KNOWN else "small"
        return replace(self, dataset=dataset, protocol=fitting if self.protocol == AUTO else self.protocol), reason

    def changed(self, settings: Mapping[str, Any], **parts: str | None) -> "Suite":
        """This suite with some parts changed; a given name is extended by the changes."""
        replaced = {key: value for key, value in parts.items() if value is not None and value != getattr(self, key)}
        other = {key: value for key, value in replaced.items() if key in ("dataset", "protocol")} | dict(settings)
        suffix = "".join(f"+{key}={value}" for key, value in sorted(other.items()))
        name = _folder(self.given_name + suffix) if self.given_name else ""
        return replace(self, **replaced, settings={**self.settings, **settings}, given_name=name)


_KEYS: Final = ("methods", "seeds", "dataset", "protocol", "settings")


def requested(name_or_file: str, settings: Mapping[str, Any], **parts: str | None) -> tuple[Suite, str]:
    """The suite of a TOML file, or the default one with results in the folder of that name, with changes; resolved.

    Also gives the reason for its data set, as `Suite.resolved` does. An empty name leaves the default name. Raises
    `UserError` if there is no such file, or if the name cannot be that of a folder.
    """
    is_file = name_or_file.endswith(".toml") or os.sep in name_or_file
    base = load_suite(Path(name_or_file)) if is_file else Suite()
    suite, reason = base.changed(settings, **parts).resolved()
    return (with_name(suite, name_or_file) if name_or_file and not is_file else suite), reason


def load_suite(path: Path) -> Suite:
    """The suite in the TOML file at `path`, named after the file; raises `UserError` if it is not a suite file."""
    if path.is_dir():
        advice = f"for results in it, --suite {path.absolute().name} --out {path.absolute().parent}"
        raise UserError(f"{path} is no regular file but a folder; {advice}")
    try:
        with open_file(path) as file:
            content = tomllib.loads(file.read().decode("utf-8-sig"))  # Windows editors begin files with a mark
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"there is no suite file {str(path)!r}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no suite file: {error}") from None
    for key in content:
        if key not in _KEYS:
            raise unknown(f"key of {path}", key, _KEYS)
    settings = content.pop("settings", {})
    if not isinstance(settings, dict) or any(isinstance(value, dict | list) for value in settings.values()):
        raise UserError(f"{path}: settings is a table of single values, such as epochs = 20")
    texts = {key: _text(path, key, value) for key, value in content.items()}
    return with_name(Suite(**texts, settings=settings), _folder(path.stem))


def _dataset() -> tuple[str, str]:
    """The data set that `auto` stands for, and why."""
    kinds_and_names = {(kind.name, name) for kind in (IMAGES, TABLES) for name in catalog.names(kind)}
    if not _WANTED.keys() <= kinds_and_names:  # sources that merely stand in the folder take a second to recognise
        kinds_and_names |= {(item.kind, item.name) for item in data_sets.installed()}
    missing = [f"{word} {key[1]!r}" for key, word in _WANTED.items() if key not in kinds_and_names]
    if not missing:
        return "cifar10", "taken since its images and the benchmark's table are installed"
    missing_sentence = " and ".join(missing) + (" are" if len(missing) > 1 else " is") + " not installed"
    return "digits", f"embedded, taken since {missing_sentence} (`benchharness data import PATH` does that)"


def with_name(suite: Suite, name: str) -> Suite:
    """`suite` with results in the folder `name`; raises `UserError` if that is not a valid name."""
    if _folder(name) != name or name.strip(".") == "":
        raise UserError(f"{name[:80]!r} cannot name a folder of results; take up to 100 letters, digits and + - _ . =")
    return replace(suite, given_name=name)


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """`--set epochs=2 images=256` as a mapping; raises `UserError` unless all are key=value."""
    return parse_pairs(pairs, "setting", "--set key=value")


def _text(path: Path, key: str, value: Any) -> str:
    """A string as it is, a list joined by commas."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str | int) and not isinstance(item, bool) for item in items):
        raise UserError(f"{path}: {key} is a string, or a list of strings or whole numbers, not {value!r}")
    return ",".join(map(str, items))


def _folder(name: str) -> str:
    """`name` as a valid folder name; one that is too long is shortened and stays unique."""
    return shortened(folder_name(name))
