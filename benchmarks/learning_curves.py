"""Our trainings beside a release's: `python benchmarks/learning_curves.py RELEASE --archs 284 0`, from the root.

RELEASE is an official file or folder that holds learning curves of CIFAR-10 after training on half of the images for 12
epochs. `benchharness table check ARCH ... --recipe nas-bench-201` makes our trainings, which lie in a journal; here
they are only read. Prints a table in Markdown and draws a figure: training accuracy epoch by epoch and validation
accuracy at the end, for every training seed of the release and of ours.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchharness import space
from benchharness.config import RECIPES
from benchharness.data import load_images
from benchharness.plots.style import canvas, save_figure
from benchharness.table.importers import official
from benchharness.training.journal import Journal

TRAINED_ON = "cifar10-valid"
EPOCHS = 12


def main() -> None:
    """Read both sides and put them beside each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", type=Path)
    parser.add_argument("--archs", type=int, nargs="+", required=True, help="indices of the benchmark")
    parser.add_argument("--out", type=Path, help="where the figure goes, without an ending")
    args = parser.parse_args()
    journal = Journal(load_images("cifar10"), RECIPES["nas-bench-201"])
    released = {index: trainings(states) for index, states in official.entries(args.release) if index in args.archs}
    sides = [side_by_side(released[index], journal, index) for index in args.archs]
    print("\n".join(lines(sides)))
    if args.out:
        draw_curves(sides, args.out)


def trainings(states: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The trainings of an architecture over 12 epochs on half of CIFAR-10, by the release's training seeds."""
    results = states.get("12", states.get("less", {}))["all_results"]
    return {seed: training for (trained_on, seed), training in sorted(results.items()) if trained_on == TRAINED_ON}


def side_by_side(released: dict[int, dict[str, Any]], journal: Journal, index: int) -> dict[str, Any]:
    """One architecture, on both sides: (name, training accuracies by epoch, validation accuracy) of every training."""
    code = int(space.order()[index])  # of the cell itself, which `table check` trains, not of its functional class
    ours = [
        line
        for (line_code, _), line in sorted(journal.trainings().items())
        if line_code == code and line.train_accuracies
    ]
    theirs = [
        (f"released, seed {seed}", np.array(list(training["train_acc1es"].values())[:EPOCHS]), _validation(training))
        for seed, training in released.items()
    ]
    own_curves = [(f"here, seed {line.seed}", np.array(line.train_accuracies), line.valid) for line in ours]
    return {"index": index, "released": theirs, "here": own_curves}


def _validation(training: dict[str, Any]) -> float:
    return training["eval_acc1es"][f"x-valid@{EPOCHS - 1}"]


def lines(sides: list[dict[str, Any]]) -> list[str]:
    """The table."""
    rows = ["| cell | | " + " | ".join(str(epoch + 1) for epoch in range(EPOCHS)) + " | validation |"]
    rows.append("| --- " * (EPOCHS + 3) + "|")
    for side in sides:
        for position, (name, curve, valid) in enumerate((*side["released"], *side["here"])):
            index = str(side["index"]) if position == 0 else ""
            rows.append("| " + " | ".join([index, name, *(f"{value:.1f}" for value in curve), f"{valid:.2f}"]) + " |")
    return rows


def draw_curves(sides: list[dict[str, Any]], path: Path) -> None:
    """A panel an architecture: the released trainings as lines, ours as marks."""
    metric, panels = canvas(3.2 * len(sides), 2.8, 1, len(sides))
    epochs = np.arange(1, EPOCHS + 1)
    for panel, side in zip(panels, sides, strict=True):
        for (name, curve, _), style in zip(side["released"], ("-", "--", ":"), strict=False):
            panel.plot(epochs, curve, style, color="#7F7F7F", label=name)
        for (name, curve, _), marker in zip(side["here"], "os^D", strict=False):
            panel.plot(epochs, curve, marker, color="#0072B2", ms=4, label=name)
        panel.set(title=f"cell {side['index']}", xlabel="epoch", ylabel="training accuracy (%)", xticks=[1, 4, 8, 12])
        panel.legend(frameon=False)
    save_figure(metric, path)


if __name__ == "__main__":
    main()
