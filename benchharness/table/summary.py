"""A table in words: what it holds, and what of it can be verified."""

from benchharness import folder, space
from benchharness.errors import UserError
from benchharness.table import benchmark
from benchharness.table.benchmark import Check
from benchharness.table.load import load_details, load_table


def info(name: str) -> list[tuple[str, str]]:
    """What the installed table called `name` holds, as labels and words; raises `UserError` where there is none."""
    table = load_table(name)
    about = {key: table.about[key] for key in ("name", "version", "source", "seed_rule", "note") if key in table.about}
    rows = [(key.replace("_", " "), str(value)) for key, value in about.items()]
    rows.append(("architectures", f"{len(table):,} of {space.SIZE:,}"))
    for figure in table.figures():
        best = table.optimum(*figure)
        runs = f", {table.by_seed[figure].shape[1]} training runs" if figure in table.by_seed else ""
        rows.append(("figure", f"{figure}: best {best.accuracy:.2f} (index {table.numbers[best.row]}){runs}"))
    for seeds in (table.about.get("training_seeds") or {}).items():
        rows.append(("seeds", f"after {seeds[0]} epochs: {', '.join(map(str, seeds[1]))}"))
    rows += [("seconds", f"{dataset} after {epochs} epochs") for dataset, epochs in table.times]
    try:
        rows += [("curve", str(curve)) for curve in load_details(name).curves]
    except UserError as none:
        rows.append(("curves", str(none)))
    return [*rows, ("sha256", str(table.about["sha256"]))]


def verify(name: str) -> list[Check]:
    """Everything that can be checked of the installed table called `name`; raises `UserError` where there is none."""
    folder.find("tables", name)
    found = [Check(f"{item.item.path} is as it came", item.problem) for item in folder.verify("tables", name)]
    if any(check.problem for check in found):
        return found
    table = load_table(name)
    found += benchmark.checks(table)
    counted = "costs are computed in closed form; those a source states beside its accuracies were compared with them"
    return [*found, Check(counted, "")]
