"""Renders tables as LaTeX: any table block, and the table of accuracies as papers print it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from benchharness.analysis import published
from benchharness.analysis.experiment import Evidence
from benchharness.report.blocks import TableBlock
from benchharness.report.formatting import count_of

SPLITS: Final = ("valid", "test")
_NAMED: Final = ("backslash", "asciitilde", "asciicircum", "bar", "less", "greater")
_TEX: Final = str.maketrans(
    {
        **{c: f"\\{c}" for c in "&%$#_{}"},
        **dict(zip("\\~^|<>", (rf"\text{name}{{}}" for name in _NAMED), strict=True)),
        "±": r"$\pm$",
        "–": "--",
        "∞": r"$\infty$",
        "é": r"\'e",
        "†": r"\dag{}",
    }
)
_MINUS: Final = re.compile(r"(?<![\w.}-])-(?=[\d$])")
_DATASETS: Final = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
_NAMES: Final = {
    "darts": "DARTS (1st order)",
    "darts2": "DARTS (2nd order)",
    "snas": "SNAS (bilevel)",
    "snas-single": "SNAS (single level)",
    "drnas": "DrNAS",
    "drnas-progressive": "DrNAS (progressive)",
    "ostr": "OStr-DARTS (our reading)",
    "gdas": "GDAS",
    "setn": "SETN",
    "rsps": "RSPS",
    "enas": "ENAS",
    "pc-darts": "PC-DARTS",
    "beta-darts": r"$\beta$-DARTS",
    "sdarts-rs": "SDARTS-RS",
    "sdarts-adv": "SDARTS-ADV",
    "darts-pt": "DARTS-PT",
    "darts-pt-fixed": r"DARTS-PT (fixed $\alpha$)",
    "darts-es": "DARTS-ES",
    "random": "Random cells",
}
_SELECTIONS: Final = {"ostr": "operation strength", "strength": "operation strength", "prune": "pruning"}
_CITED: Final = {
    "DARTS": "liu2019darts",
    "DARTS-V1": "liu2019darts",
    "DARTS-V2": "liu2019darts",
    "SNAS": "xie2019snas",
    "DrNAS": "chen2021drnas",
    "ENAS": "pham2018enas",
    "RSPS": "li2019rsps",
    "GDAS": "dong2019gdas",
    "SETN": "dong2019setn",
    "PC-DARTS": "xu2020pcdarts",
    "beta-DARTS": "ye2022betadarts",
    "DARTS-PT": "wang2021dartspt",
}


class Group(NamedTuple):
    """Rows between two rules: names in LaTeX, and per column a mean and a deviation (NaN: none), in percent."""

    names: list[str]
    figures: pd.DataFrame
    compared: bool
    """Whether the best of each column is marked among these rows."""


def latex(grid: TableBlock) -> str:
    """The table as LaTeX; needs the package booktabs."""
    return environment().get_template("table.tex").render(grid=grid)


def tex(text: object) -> str:
    """`text` with LaTeX's special characters escaped."""
    return _MINUS.sub("$-$", str(text).translate(_TEX))


def cell(text: object) -> str:
    """`text` as one field of a Markdown table; architectures as code."""
    escaped = str(text).replace("|", "\\|").replace("\n", " ")
    return f"`{escaped}`" if "~" in escaped else escaped


def table(ours: pd.DataFrame, theirs: pd.DataFrame, evidence: Evidence, label: str) -> str:
    """LaTeX of `ours`, rows as `paper_rows` gives them, and of published figures, rows as `published` gives them.

    There are two columns per data set. Among our rows and published ones of the same protocol, the best value of each
    column is bold and the second best underlined.
    """
    datasets = [name for name in _DATASETS if f"{name} test" in ours] or [evidence.dataset]
    columns = [f"{dataset} {split}" for dataset in datasets for split in SPLITS if f"{dataset} {split}" in ours]
    same = theirs[theirs["protocol"] == evidence.protocol] if evidence.protocol else theirs.iloc[:0]
    other = theirs.drop(same.index)
    ranked = ours.sort_values(f"{evidence.dataset} test", ascending=False, kind="stable")
    groups = [
        Group([printed_name(name) for name in ranked["method"]], ranked, True),
        _cited(same, True),
        _cited(other, False),
    ]
    marks = {column: _best([group for group in groups if group.compared], column) for column in columns}
    body = [
        [
            [name, *(_cell(row, column, marks[column], group.compared) for column in columns)]
            for name, row in _rows(group)
        ]
        for group in groups
        if len(group.names)
    ]
    heads = [
        (_DATASETS.get(name, tex(name)), sum(column.startswith(f"{name} ") for column in columns)) for name in datasets
    ]
    caption = _table_caption(evidence, ours, same, other)
    return (
        environment()
        .get_template("paper.tex")
        .render(
            caption=caption,
            label=label,
            star="*" * (len(columns) > len(SPLITS)),
            heads=heads,
            spans=_spans(heads),
            splits=[c.split()[-1] for c in columns],
            body=body,
        )
    )


def printed_name(method: str) -> str:
    """A method's name as papers print it, in LaTeX, followed by its options and its selection if not the default."""
    base, plus, selection = method.partition("+")
    terms = [_NAMES.get(name, tex(name)) + _options(options) for name, options in (_split(base),)]
    terms += [_SELECTIONS.get(name, tex(name)) + _options(options) for name, options in (_split(selection),) if plus]
    return " + ".join(terms)


def _split(spelling: str) -> tuple[str, str]:
    """A name, and the options after it."""
    name, _, options = spelling.partition(":")
    return name, options


def _options(options: str) -> str:
    return f", {tex(options.replace(':', ', '))}" if options else ""


def _cited(frame: pd.DataFrame, compared: bool) -> Group:
    rows, names = published.by_method(frame), []
    for row in rows.to_dict("records"):
        key = _CITED.get(row["method"])
        names.append(tex(row["method"]) + (f"~\\cite{{{key}}}" if key else f" ({tex(row['source'])})"))
    return Group(names, rows, compared)


def _rows(group: Group) -> Iterable[tuple[str, Mapping[Any, Any]]]:
    return zip(group.names, group.figures.to_dict("records"), strict=True)


def _best(groups: Sequence[Group], column: str) -> list[str]:
    """The highest two figures of a column as they are printed."""
    values = pd.concat([group.figures[column] for group in groups if column in group.figures]).dropna()
    return [f"{value:.2f}" for value in sorted({round(float(value), 2) for value in values}, reverse=True)[:2]]


def _cell(row: Mapping[Any, Any], column: str, marks: Sequence[str], compared: bool) -> str:
    mean, std = float(row.get(column, np.nan)), float(row.get(f"{column} std", np.nan))
    if np.isnan(mean):
        return "--"
    text = f"{mean:.2f}"
    if compared and text in marks:
        text = rf"\textbf{{{text}}}" if text == marks[0] else rf"\underline{{{text}}}"
    return text + (rf"{{\scriptsize$\pm${std:.2f}}}" if np.isfinite(std) else "")


def _spans(heads: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
    """First and last column of every heading; the first column of all holds the methods."""
    ends = np.cumsum([count for _, count in heads]) + 1
    return [(int(end) - count + 1, int(end)) for (_, count), end in zip(heads, ends, strict=True)]


def _table_caption(evidence: Evidence, ours: pd.DataFrame, same: pd.DataFrame, other: pd.DataFrame) -> str:
    seeds = sorted({int(n) for n in ours["seeds"]})
    over = count_of(seeds[0], "search seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} search seeds"
    sentence = (
        f"Accuracy in percent of the cells found on NAS-Bench-201 (mean±std over {over}, after "
        f"{count_of(evidence.epochs, 'epoch')}); setting: {evidence.name}."
        if evidence.benchmark
        else f"Accuracy in percent of the cells found on {evidence.dataset} (mean±std over {over})."
    )
    caption = tex(sentence)
    if len(same):
        caption += " Cited rows: published, same protocol."
    if len(other):
        sources = "; ".join(dict.fromkeys(map(str, other["source"])))
        caption += f" Cited rows: published under another protocol or one the source does not state ({tex(sources)})."
    return caption + r" Best in bold, second \underline{underlined}, among rows of one protocol."


@cache
def environment(template: str = "") -> Environment:
    """The Jinja environment; values are escaped for templates whose name ends in .html."""
    loader = PackageLoader("benchharness.report")
    jinja = Environment(
        loader=loader,
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters |= {"tex": tex, "cell": cell}
    jinja.tests["kind"] = lambda block, name: type(block).__name__ == name
    return jinja
