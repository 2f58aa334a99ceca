"""Our trainings beside a release's: `python benchmarks/learning_curves.py RELEASE --archs 284 0`, from the root.

RELEASE is an official file or folder that holds learning curves of CIFAR-10 after training on half of the images for 12
epochs. `benchharness table check ARCH ... --recipe nas-bench-201` makes our trainings, which lie in a journal; here
they are only read. Prints a table in Markdown and draws a figure: training accuracy epoch by epoch, and validation
accuracy at the end with every training seed that the release has.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

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
    sides = [beside(released[index], journal, index) for index in args.archs]
    print("\n".join(lines(sides)))
    if args.out:
        draw(sides, args.out)


def trainings(states: dict[str, Any]) -> list[dict[str, Any]]:
    """The trainings of an architecture over 12 epochs on half of CIFAR-10, as the release has them."""
    results = states.get("12", states.get("less", {}))["all_results"]
    return [training for (trained_on, _), training in sorted(results.items()) if trained_on == TRAINED_ON]


def beside(released: list[dict[str, Any]], journal: Journal, index: int) -> dict[str, Any]:
    """One architecture, on both sides; the released curve is the mean over trainings."""
    code = int(space.order()[index])  # of the cell itself, which `table check` trains, not of its functional class
    ours = [line for (own, _), line in sorted(journal.trainings().items()) if own == code and line.train_accuracies]
    return {
        "index": index,
        "ours": ours,
        "curve": np.mean([list(one["train_acc1es"].values())[:EPOCHS] for one in released], axis=0),
        "valid": [one["eval_acc1es"][f"x-valid@{EPOCHS - 1}"] for one in released],
    }


def lines(sides: list[dict[str, Any]]) -> list[str]:
    """The table."""
    rows = ["| cell | | " + " | ".join(str(epoch + 1) for epoch in range(12)) + " | validation, each seed |"]
    rows.append("| --- " * 15 + "|")
    for side in sides:
        rows.append(_row(side["index"], "released, mean", side["curve"], side["valid"]))
        rows += [
            _row("", f"here, seed {line.seed}", np.array(line.train_accuracies), np.array([line.valid]))
            for line in side["ours"]
        ]
    return rows


def _row(index: Any, name: str, curve: Float[np.ndarray, "epochs"], valid: Float[np.ndarray, "seeds"]) -> str:
    cells = (str(index), name, *(f"{value:.1f}" for value in curve), ", ".join(f"{value:.2f}" for value in valid))
    return "| " + " | ".join(cells) + " |"


def draw(sides: list[dict[str, Any]], path: Path) -> None:
    """A panel an architecture: the released mean as a line, our trainings as marks."""
    metric, panels = canvas(3.2 * len(sides), 2.8, 1, len(sides))
    epochs = np.arange(1, 13)
    for panel, side in zip(panels, sides, strict=True):
        panel.plot(epochs, side["curve"], color="#7F7F7F", label="released, mean of seeds")
        for line, marker in zip(side["ours"], "os^D", strict=False):
            panel.plot(epochs, line.train_accuracies, marker, color="#0072B2", ms=4, label=f"here, seed {line.seed}")
        panel.set(title=f"cell {side['index']}", xlabel="epoch", ylabel="training accuracy (%)", xticks=[1, 4, 8, 12])
        panel.legend(frameon=False)
    save_figure(metric, path)


if __name__ == "__main__":
    main()
