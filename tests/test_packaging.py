"""What is said in several files about the package is the same in all of them."""

import re
import tomllib
from pathlib import Path

import benchharness

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def _key(requirement: str) -> str:
    name = NAME.match(requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_the_version_stands_in_one_place() -> None:
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited
    assert cited[1] == benchharness.__version__


def test_every_dependency_has_an_exact_release_among_the_constraints() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in lines)
    assert lines == sorted(set(lines), key=str)
    declared = [
        *PROJECT["dependencies"],
        *(name for extra in PROJECT["optional-dependencies"].values() for name in extra),
    ]
    assert {_key(requirement) for requirement in declared} - {_key(line) for line in lines} == {"torch"}


def test_the_hooks_before_a_commit_are_those_of_make_check() -> None:
    check = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert check
    commands = [line.strip().removeprefix("$(BIN)/") for line in check[1].splitlines()]
    hooks = re.findall(r"entry: ([^,]+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == commands


def test_types_travel_with_the_package() -> None:
    assert (Path(benchharness.__file__).parent / "py.typed").exists()
