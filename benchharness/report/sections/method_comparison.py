"""One method against its baselines: paired by seed, with a verdict in a sentence each."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchharness import stats, store
from benchharness.analysis.decisions import warning
from benchharness.analysis.experiment import Evidence, gather_runs, lacks_table
from benchharness.errors import UserError
from benchharness.io.files import readable
from benchharness.report.blocks import Block, Bullets, Report, Section, TableBlock
from benchharness.report.formatting import count_of, enumeration, number, p_clause
from benchharness.report.render import write_report
from benchharness.report.sections.cells import cells
from benchharness.report.sections.collapse import collapse, verdicts
from benchharness.report.sections.costs import costs, search_seconds
from benchharness.report.sections.provenance import missing, setting, status_sentence
from benchharness.report.sections.ranking import LEVEL, paired_tests, tests_in_words
from benchharness.report.sections.search_similarity import similarity
from benchharness.report.sections.summary import answer
from benchharness.table import Tables


class Contest(NamedTuple):
    """A method against one baseline."""

    method: str
    baseline: str


def against(
    results: Path,
    out: Path,
    tables: Tables,
    method: str,
    baselines: Sequence[str],
    runs: pd.DataFrame | None = None,
) -> list[str]:
    """Report `method` against each of `baselines`, all in the folder `results`; returns the verdicts.

    The report is written to the folder `out`; `runs` as in `build`. Raises `UserError` if `results` lacks a method.
    """
    contests = [Contest(method, baseline) for baseline in baselines]
    runs = store.read(results) if runs is None else runs
    return _write(runs, out, tables, contests, f"{method} against {enumeration(baselines)}")


def versions(first: Path, second: Path, out: Path, tables: Tables) -> list[str]:
    """Report every method that two folders of results share, the first folder's runs against the second's.

    Their settings may differ; the report then shows the effect of that difference. If they share no method but hold one
    method each, these two are compared; otherwise `UserError` is raised.
    """
    frames = [store.read(folder) for folder in (first, second)]
    names = [sorted(frame["method"].unique()) for frame in frames]
    common_names = sorted(set(names[0]) & set(names[1]))
    pairs = [(name, name) for name in common_names] or (
        [(names[0][0], names[1][0])] if list(map(len, names)) == [1, 1] else []
    )
    if not pairs:
        raise UserError(
            f"{first} holds {enumeration(names[0])}, {second} holds {enumeration(names[1])}: no method to compare"
        )
    tags = _tags(first, second)
    tagged = [_tagged(frame, tag) for frame, tag in zip(frames, tags, strict=True)]
    contests = [Contest(a + tags[0], b + tags[1]) for a, b in pairs]
    runs = pd.concat(tagged, ignore_index=True)
    return _write(runs, out, tables, contests, f"{first} against {second}", together=True)


def _tagged(frame: pd.DataFrame, tag: str) -> pd.DataFrame:
    """`frame` with `tag` appended to methods and run ids, since both folders may hold a run with one id."""
    supernet = frame["supernet"].where(frame["supernet"].isna() | (frame["supernet"] == ""), frame["supernet"] + tag)
    return frame.assign(method=frame["method"] + tag, run_id=frame["run_id"] + tag, supernet=supernet)


def verdict(pair: Contest, difference: stats.Interval, holm: float, tests: int) -> str:
    """The verdict on a contest among `tests` of them; says if the seeds are too few. `difference` is in points."""
    n = difference.n
    a, b = pair
    if not n:
        return f"{a} and {b} share no finished seed whose cells a table has, so nothing can be said of them."
    low, value, high = difference.low, difference.value, difference.high
    interval_text = f" [{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else ""
    over = f"over {count_of(n, 'shared seed')}"
    figures = f"{value:+.2f} points{interval_text} {over}, {p_clause(holm)} after Holm's correction"
    if holm < LEVEL:
        return f"{a} finds {'better' if value > 0 else 'worse'} cells than {b}: {figures}."
    needed = stats.seeds_needed(tests, LEVEL)
    few = f" With so few seeds none could be: it takes {needed} or more." if n < needed else ""
    return f"No difference between {a} and {b} is shown: {figures}.{few}"


def contests_table(evidence: Evidence, contests: Sequence[Contest]) -> pd.DataFrame:
    """One row per contest: `stats.Paired`, Holm's p over all rows, cost ratio, collapsed seeds, and the verdict."""
    table = paired_tests(evidence.scores(), contests).rename(columns={"a": "method", "b": "baseline"})
    seconds = search_seconds(evidence.own()).groupby("method", observed=True)["search_seconds"].mean()
    fallen = verdicts(evidence.runs, evidence.curves).set_index("method")["collapsed"]
    tests = max(1, int(table["holm"].notna().sum()))
    sentences = [
        verdict(pair, stats.Interval(row["difference"], row["low"], row["high"], row["n"]), row["holm"], tests)
        for pair, row in zip(contests, table.to_dict("records"), strict=True)
    ]
    return table.assign(
        cost_ratio=table["method"].map(seconds).astype(float) / table["baseline"].map(seconds).astype(float),
        collapsed=table["method"].map(fallen).fillna(0).astype(int),
        baseline_collapsed=table["baseline"].map(fallen).fillna(0).astype(int),
        verdict=sentences,
    )


def _write(
    runs: pd.DataFrame, out: Path, tables: Tables, contests: Sequence[Contest], title: str, together: bool = False
) -> list[str]:
    names = {name for pair in contests for name in pair}
    if absent := sorted(names - set(runs["method"])):
        raise UserError(
            f"there are no runs of {enumeration(absent)}; there are of {enumeration(sorted(set(runs['method'])))}"
        )
    runs, settings = gather_runs(runs[runs["method"].isin(names)].assign(suite=""), tables, together)
    sentences: list[str] = []
    blocks: list[Block] = []
    for evidence in settings:
        table = contests_table(evidence, contests)
        verdicts_said = [*filter(None, [warning(evidence.decisions)]), *table["verdict"]]
        sentences += verdicts_said
        blocks += [Bullets(verdicts_said), _grid(evidence, table)]
        if together:
            bullets, grid = similarity(evidence, contests)
            sentences += bullets.items
            blocks += [bullets, grid]
    blocks_by_title = {"Each method": answer, "Collapse": collapse, "Costs": costs, "Cells": cells, "What ran": setting}
    sections = [Section("Verdict", blocks)]
    sections += [
        Section(name, [block for setting_evidence in settings for block in part(setting_evidence)])
        for name, part in blocks_by_title.items()
    ]
    sections.append(Section("Missing or failed", missing(runs)))
    write_report(Report(title, status_sentence(runs), sections, lacks_table(settings)), out)
    return sentences


def _grid(evidence: Evidence, table: pd.DataFrame) -> TableBlock:
    tests = tests_in_words(table, "method", "baseline", "P(better) [95 %]").drop(columns="Wilcoxon p")
    grid = tests.assign(
        **{
            "cost ratio": table["cost_ratio"].map(partial(number, digits=2)),
            "collapsed": table["collapsed"].astype(str) + " / " + table["baseline_collapsed"].astype(str),
        }
    )
    note = (
        f"Test accuracy on {evidence.dataset} in points, paired by seed; sign-flip permutation test, two-sided, Holm "
        "over the rows. P(better): probability that a run of the method beats one of the baseline, ties half. Cost "
        "ratio: mean search seconds of the method over the baseline's. Collapsed: seeds with four skips or more."
    )
    return TableBlock(f"contests{evidence.slug}", f"Against the baselines, {evidence.name}", table, grid, note)


def _tags(first: Path, second: Path) -> tuple[str, str]:
    """Tags for the methods of two folders: the parts of the folder names that differ, else A and B."""
    name_parts = [readable(folder.resolve().name).split("+") for folder in (first, second)]
    own_tags = [
        "+".join(name_part for name_part in mine if name_part not in others)
        for mine, others in (name_parts, name_parts[::-1])
    ]
    names = own_tags if all(own_tags) else ["+".join(name_part) for name_part in name_parts]
    return (" (A)", " (B)") if names[0] == names[1] else (f" ({names[0]})", f" ({names[1]})")
