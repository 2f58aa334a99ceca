"""Generates docs/methods: a page per method, from its docstrings and from its results.

Run `python docs/method_pages.py --results results/cifar10-cpu results/cifar10-cpu-more` from the repository's root.
"""

import argparse
import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchharness import methods, store
from benchharness.analysis.lookup import lookup
from benchharness.cli.parser import tables_if_installed
from benchharness.methods import Method
from benchharness.search import selection
from benchharness.table import Tables, baselines

RULES: Mapping[str, str] = {
    "first": "first order: weights by the training batch, alpha by the validation batch",
    "second": "second order: alpha's gradient looks one step of the weights ahead",
    "single": "single level: weights and alpha by the training batch",
    "none": "nothing is trained",
}
_NO_RESULTS = "The committed results hold no search by this method."


def main() -> None:
    """Write the pages of all methods."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--results", type=Path, nargs="+", default=[], help="results folders whose figures the pages quote"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/methods"), help="default docs/methods")
    args = parser.parse_args()
    write_pages(args.out, [(folder, tables_if_installed(folder)) for folder in args.results])


def write_pages(folder: Path, results: Iterable[tuple[Path, Tables]]) -> list[Path]:
    """Write a page for every built-in method and one for the table-only baselines; return the files.

    `results` are results folders, each with its table; a run that is in several of them counts once.
    """
    frames = [(store.read(path), tables) for path, tables in results if tables is not None]
    frames_looked_up = [lookup(frame, tables) for frame, tables in frames if len(frame)]
    runs = pd.concat(frames_looked_up).drop_duplicates(["run_id", "benchmark_dataset"]) if frames_looked_up else None
    texts = {name: page(name, runs) for name in methods.names()}
    texts["table-only"] = table_only()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return [folder / f"{name}.md" for name in texts]


def page(name: str, runs: pd.DataFrame | None) -> str:
    """The page of one method; `runs` is the frame of `report.lookup`, or None without results."""
    kind = methods.load(name)
    module = inspect.getdoc(inspect.getmodule(kind)) or ""
    sections = [
        f"# {name}",
        module,
        "## What is implemented",
        inspect.getdoc(kind) or "",
        "\n".join(f"- {line}" for line in _facts(kind)),
        "## Options",
        _options(kind),
        "## Expected figures",
        _figures(name, runs),
    ]
    return "\n\n".join(sections) + "\n"


def table_only() -> str:
    """The page of the searches that only query the table."""
    lines = [f"- `{name}`: {inspect.getdoc(one)}" for name, one in baselines.SEARCHES.items()]
    budgets = "; ".join(
        f"`{protocol}`: " + ", ".join(f"{seconds:,.0f} s on {dataset}" for dataset, seconds in by_dataset.items())
        for protocol, by_dataset in baselines.BUDGETS.items()
    )
    return (
        "\n\n".join(
            [
                "# Table-only baselines",
                inspect.getdoc(baselines) or "",
                "\n".join(lines),
                f"Simulated budgets: {budgets}. Reports take those of `nats` under that protocol, else `nb201`'s.",
            ]
        )
        + "\n"
    )


def _facts(kind: type[Method]) -> Iterable[str]:
    rule = kind.update
    if kind.trains_as:
        yield f"Supernet: that of `{kind.trains_as}`."
    elif isinstance(rule, str):
        yield f"Update: {RULES[rule]}."
    else:
        yield f"Update: {(inspect.getdoc(rule) or rule.__name__).splitlines()[0]}"
    changes_text = "".join(f", {key}={value}" for key, value in kind.selection_options.items())
    yield f"Cell derived by: `{selection.name_of(kind.selection)}`{changes_text}."


def _options(kind: type[Method]) -> str:
    rows = [f"| `{key}` | {value} |" for key, value in methods.options(kind).items()]
    return "\n".join(["| option | default |", "| --- | --- |", *rows]) if rows else "None of its own."


def _figures(name: str, runs: pd.DataFrame | None) -> str:
    if runs is None:
        return _NO_RESULTS
    of_method = (runs["method"] == name) | runs["method"].str.startswith(f"{name}:")
    own_runs = runs[of_method & runs["test"].notna()]
    if own_runs.empty:
        return _NO_RESULTS
    keys = ["method", "dataset", "protocol", "images_label", "benchmark_dataset"]
    rows = [_row(key, group) for key, group in own_runs.groupby(keys, sort=True, observed=True)]
    heads = "| method | searched on | protocol | looked up on | seeds | cells | valid (%) | test (%) |"
    commands = [_command(key, group) for key, group in own_runs.groupby(keys[:3], sort=True, observed=True)]
    epochs = " or ".join(map(str, sorted(own_runs["table_epochs"].unique(), reverse=True)))
    note = (
        f"Accuracy after {epochs} epochs of training, mean over the table's training seeds; mean±std over search seeds."
    )
    return "\n".join([heads, f"|{' --- |' * 8}", *rows, "", note, "", *commands])


def _row(key: Any, group: pd.DataFrame) -> str:
    method, dataset, protocol, label, looked_up = key
    seeds, cells = group["seed"].nunique(), group["arch"].nunique()
    columns = (f"`{method}`", label or dataset, protocol, looked_up, seeds, cells)
    return f"| {' | '.join(map(str, columns))} | {' | '.join(_spread(group[split]) for split in ('valid', 'test'))} |"


def _spread(values: "pd.Series[Any]") -> str:
    return f"{values.mean():.2f}" + (f"±{values.std():.2f}" if values.count() > 1 else "")


def _command(key: Any, group: pd.DataFrame) -> str:
    method, dataset, protocol = key
    seeds = ",".join(map(str, sorted(group["seed"].unique())))
    return f"    benchharness run --methods {method} --seeds {seeds} --dataset {dataset} --protocol {protocol}"


if __name__ == "__main__":
    main()
