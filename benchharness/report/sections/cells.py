"""The derived cells: how often, by which seed, and their rank in the table."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Final

import pandas as pd

from benchharness import plots, stats
from benchharness.analysis.decisions import undecided
from benchharness.analysis.experiment import Evidence
from benchharness.analysis.lookup import by_code, codes_of
from benchharness.plots.style import figure_of, panels
from benchharness.report.blocks import Block, FigureBlock, TableBlock, Text, folded
from benchharness.report.formatting import count_of, enumeration, few, number, p_clause, p_value, seeds
from benchharness.report.ground_truth import HERE, footnote, sample_sentence
from benchharness.report.sections.ranking import LEVEL
from benchharness.space import NONE, OPS, all_ops, from_string

DRAWN: Final = 6
"""Most cells that are drawn as graphs."""
COLUMNS: Final = ("method", "seed", "arch", "valid", "test", "regret", "rank", "percentile", "run_id", "measured_here")


def cells(evidence: Evidence) -> list[Block]:
    """Distinct cells with counts, the cell of every seed, their place in the table, and the cells as graphs."""
    own_runs = evidence.own().astype({"method": str})
    if own_runs.empty:
        return [Text("No finished run yet.")]
    sentence = f"{own_runs['arch'].nunique()} distinct cells were derived in {count_of(len(own_runs), 'run')}."
    blocks: list[Block] = [_distinct(evidence, own_runs), _per_seed(evidence, own_runs)]
    if own_runs["test"].notna().any():
        column = by_code(evidence.table, evidence.dataset, "test", own=True)
        info = plots.distribution.data(evidence.scores(), column)
        draw = partial(figure_of, plots.distribution.draw, info, 7.5, 1.3 + 0.23 * len(info.runs))
        blocks.append(
            FigureBlock(
                f"distribution{evidence.slug}",
                "Percentiles of the derived cells among the table's cells; random cells would be spread evenly.",
                draw,
            )
        )
    distinct = own_runs["arch"].nunique()
    caption = "The derived cells" + (f", the {DRAWN} most frequent of {distinct}." * (distinct > DRAWN) or ".")
    infos = most_frequent(own_runs, DRAWN)
    blocks.append(FigureBlock(f"cells{evidence.slug}", caption, partial(panels, plots.cell.draw, infos, 3, (3.5, 2.5))))
    agreements = seed_agreements(evidence)
    if len(agreements):
        sentence += f" {agreement_sentence(agreements)}"
        blocks.insert(0, _agreement_grid(evidence, agreements))
    return [Text(sentence), *folded("Every cell, by method and by seed", blocks, evidence.slug)]


def seed_agreements(evidence: Evidence) -> pd.DataFrame:
    """One row per method of two seeds or more that draws no cell at random: `stats.SeedAgreement` of its cells.

    `share` and `chance`, that of random cells, are in percent; `holm` is p after Holm's correction over all methods.
    """
    rows = []
    for name, group in evidence.own().drop_duplicates(["method", "seed"]).groupby("method", observed=True):
        if len(group) > 1 and not (group["selection"] == "uniform").all():
            ops = all_ops()[codes_of(group["arch"])].astype(int)
            first = NONE if any(spec["selection_options"].get("none", True) for spec in group["spec"]) else NONE + 1
            agreement = stats.seed_agreement(ops - first, len(OPS) - first)
            chance = 100 / (len(OPS) - first)
            rows.append((str(name), agreement.n, 100 * agreement.share, chance, agreement.p))
    frame = pd.DataFrame(rows, columns=["method", "n", "share", "chance", "p"])
    return frame.assign(holm=stats.holm(frame["p"].to_numpy(float)))


def agreement_sentence(agreements: pd.DataFrame) -> str:
    """Sentence on which methods' seeds agree best and least on the operations of an edge."""
    ordered = agreements.sort_values("share", ascending=False, kind="stable").to_dict("records")
    most, least = ordered[0], ordered[-1]
    by_chance = f"random cells on {100 / len(OPS):.0f} %"
    agree = f"Two seeds of {most['method']} have the same operation on {most['share']:.0f} % of edges"
    if len(ordered) == 1:
        return f"{agree}, {by_chance}."
    return f"{agree}, of {least['method']} on {least['share']:.0f} %, {by_chance}."


def agreeing(evidence: Evidence) -> str:
    """Sentence on methods that count as undecided though their seeds agree, with a space before it; empty if none."""
    agreements = seed_agreements(evidence).set_index("method")
    clear = agreements[(agreements["holm"] < LEVEL) & agreements.index.isin(undecided(evidence.decisions))]
    if clear.empty:
        return ""
    clauses = [f"{name} ({row['share']:.0f} %)" for name, row in clear.iterrows()]
    by_chance = enumeration(f"{chance:.0f} %" for chance in sorted(set(clear["chance"])))
    holm = p_clause(clear["holm"].max(), "=" if len(clear) == 1 else "≤")
    return (
        " Yet small leads are no mere noise where two seeds have the same operation on more edges than random cells "
        f"({by_chance}): {few(clauses)}; {holm}, Holm."
    )


def _agreement_grid(evidence: Evidence, agreements: pd.DataFrame) -> TableBlock:
    data = agreements.sort_values("share", ascending=False, kind="stable", ignore_index=True)
    grid = pd.DataFrame(
        {
            "method": data["method"],
            "seeds": data["n"].astype(str),
            "same operation (%)": data["share"].map(partial(number, digits=0)),
            "random cells (%)": data["chance"].map(partial(number, digits=0)),
            "p (Holm)": data["holm"].map(p_value),
        }
    )
    note = (
        "Same operation: share of edges on which the cells of two seeds have the same one, mean over all pairs of "
        "seeds. Random cells: of all operations that may be chosen. p: one-sided, against these (9,999 simulated "
        "sets). A method whose seeds agree leans the same way from every start, however small the lead of each "
        "search; one whose seeds do not agree decides, if it does, what depends on the seed."
    )
    return TableBlock(f"seed-agreement{evidence.slug}", f"Do seeds agree, {evidence.name}", data, grid, note)


def most_frequent(own_runs: pd.DataFrame, most: int) -> list[plots.cell.Cell]:
    """The cells that runs derived most often, each named after its methods; `most` of them at most."""
    by_arch = own_runs.groupby("arch", sort=False).size().sort_values(ascending=False, kind="stable")
    methods = {str(arch): own_runs.loc[own_runs["arch"] == arch, "method"] for arch in by_arch.index[:most]}
    return [plots.cell.data(from_string(arch), _methods(names)) for arch, names in methods.items()]


def _distinct(evidence: Evidence, own_runs: pd.DataFrame) -> TableBlock:
    keys, seeds_by_cell = ["method", "arch"], defaultdict[tuple[str, str], list[int]](list)
    for method, arch, seed in own_runs[[*keys, "seed"]].itertuples(index=False):
        seeds_by_cell[method, arch].append(seed)
    data = own_runs.drop_duplicates(keys)[[*keys, "valid", "test", "measured_here"]]
    seeds_of_cell = [seeds_by_cell[method, arch] for method, arch in data[keys].itertuples(index=False)]
    data.insert(2, "count", list(map(len, seeds_of_cell)))
    data.insert(3, "seeds", list(map(seeds, seeds_of_cell)))
    data = data.sort_values(["method", "count", "arch"], ascending=[True, False, True], ignore_index=True)
    grid = _marked(data.assign(count=data["count"].astype(str)), {"valid": 2, "test": 2})
    after = count_of(evidence.epochs, "epoch")
    note = f"Accuracy in percent on {evidence.dataset} after {after}.{_footnote(evidence, data)}"
    return TableBlock(f"distinct-cells{evidence.slug}", f"Distinct cells by method, {evidence.name}", data, grid, note)


def _per_seed(evidence: Evidence, own_runs: pd.DataFrame) -> TableBlock:
    data = own_runs[list(COLUMNS)].reset_index(drop=True)
    digits = {"valid": 2, "test": 2, "regret": 2, "rank": 0, "percentile": 1}
    grid = _marked(data, digits)
    note = (
        f"On {evidence.dataset}, {count_of(evidence.epochs, 'epoch')}; regret, rank (1 is best) and percentile are of "
        f"the test figure.{sample_sentence(evidence.table)}{_footnote(evidence, data)}"
    )
    title = f"The cell of every seed, {evidence.name}"
    return TableBlock(f"cells{evidence.slug}", title, data, grid.astype({"seed": str}), note)


def _marked(data: pd.DataFrame, digits: Mapping[str, int]) -> pd.DataFrame:
    """`data` formatted for readers, with a mark behind accuracies of cells that were added to the table."""
    grid = data.assign(
        **{name: data[name].map(partial(number, digits=digit_count)) for name, digit_count in digits.items()}
    )
    marks = data["measured_here"].map({True: HERE, False: ""})
    return grid.assign(**{name: grid[name] + marks for name in ("valid", "test")}).drop(columns="measured_here")


def _footnote(evidence: Evidence, data: pd.DataFrame) -> str:
    return f" {footnote(evidence.table)}" if evidence.table is not None and data["measured_here"].any() else ""


def _methods(column: "pd.Series[str]") -> str:
    counts = column.value_counts().sort_index()
    return ", ".join(f"{name} x{count}" for name, count in counts.items())
