"""Descriptions and checks of a table for `table info` and `table verify`."""

from collections.abc import Iterator

from benchharness.config import pairs_text
from benchharness.io import catalog
from benchharness.table import nas_bench_201, quality
from benchharness.table.importers import TABLES
from benchharness.table.load import is_packaged, load_table
from benchharness.table.metric import Metric, after
from benchharness.table.nas_bench_201 import Check
from benchharness.table.table import Table


def info(name: str) -> list[tuple[str, str]]:
    """Description of the installed table `name`, as pairs of label and text; raises `UserError` if there is none."""
    table = load_table(name)
    description = {
        key: table.about[key] for key in ("name", "version", "source", "seed_rule", "note") if key in table.about
    }
    rows = [(key.replace("_", " "), str(value)) for key, value in description.items()]
    rows += [(key, pairs_text(table.about[key])) for key in ("network", "recipe") if key in table.about]
    rows.append(("coverage", str(quality.coverage(table))))
    for metric in table.figures():
        best = table.optimum(*metric)
        runs = f", {table.by_seed[metric].shape[1]} training runs" if metric in table.by_seed else ""
        rows.append(("figure", f"{metric}: best {best.accuracy:.2f} (index {best.arch_index}){runs}"))
    whys = {metric: quality.cannot_rank(table, metric) for metric in table.figures()}
    rows += [("cannot rank", f"{metric}: {reason}") for metric, reason in whys.items() if reason]
    rows += [row for metric in table.figures() for row in _worth(table, metric)]
    for seeds in (table.about.get("training_seeds") or {}).items():
        rows.append(("seeds", f"{after(int(seeds[0]))}: {', '.join(map(str, seeds[1]))}"))
    rows += [("seconds", f"{dataset} {after(epochs)}") for dataset, epochs in table.times]
    rows += [("cost", cost.summary()) for cost in table.costs.values()]
    return [*rows, ("sha256", str(table.about["sha256"]))]


def _worth(table: Table, metric: Metric) -> Iterator[tuple[str, str]]:
    """Spread and noise of `metric`."""
    tenth, median, ninetieth = (spread := quality.spread(table, metric))
    between = f"{tenth:.2f}, {median:.2f}, {ninetieth:.2f}"
    yield "spread", f"{metric}: 10th, 50th, 90th percentile {between}, {spread.points:.2f} points from first to last"
    if (noise := quality.noise(table, metric)) is not None:
        spread_clause = f"which lie {noise.spread:.2f} points apart from the 10th to the 90th percentile"
        over = f"over {noise.trained:,} networks trained more than once, {spread_clause}"
        yield "seed noise", f"{metric}: {noise.points:.2f} points between training seeds, {over}"
        yield "tau", f"{metric}: {noise.tau:.3f} between training seeds"
    if metric.split == "test" and (valid := metric._replace(split="valid")) in table.means:
        yield "tau", f"{metric}: {quality.tau_between(table, valid, metric):.3f} with validation accuracy"


def verify(name: str) -> list[Check]:
    """All checks of the installed table `name`; raises `UserError` if there is none."""
    cost_sentence = (
        "costs are computed in closed form; those a source states beside its accuracies were compared with them"
    )
    if is_packaged(name):
        return [*nas_bench_201.checks(load_table(name)), Check(cost_sentence, "")]
    catalog.find_installed(TABLES, name)
    checks = [Check(f"{item.item.path} is as it came", item.problem) for item in catalog.verify((TABLES,), name)]
    if any(check.problem for check in checks):
        return checks
    return [*checks, *nas_bench_201.checks(load_table(name)), Check(cost_sentence, "")]
