"""Noise of DARTS-PT's scores: `python benchmarks/scoring_noise.py`, from the repository's root.

Every operation's removal is scored on each of several parts of the validation images, none in two parts: once on
fixed images, as `prune` does by default, and once on augmented, shuffled batches of the training's size. `noise` is
what one operation's score differs by between parts, and `turn` when the same images score it again (both standard
deviations in points of accuracy), `operations` what the scores of one edge's operations differ by, and `agree` how
often two parts choose alike.
"""

import argparse
import copy

import numpy as np
import torch
from jaxtyping import Float
from timing import dataset, of_searches, parser, write_report

from benchharness.config import protocol
from benchharness.data import load_images
from benchharness.data.device_images import DeviceImages
from benchharness.runs.plan import make_plan, parse_methods
from benchharness.runs.suite import parse_settings
from benchharness.search import selection
from benchharness.search.evaluation import Evaluation
from benchharness.search.loop import Search
from benchharness.seeding import seeded
from benchharness.space import EDGES

WAYS = {"fixed": False, "augmented": True}


def main() -> None:
    """Train a DARTS supernet a seed, score it both ways, and print a line for each way."""
    options = of_searches(parser(__doc__, 4))
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    args.dataset = dataset(args.dataset)
    searches = [trained_search(args, seed) for seed in range(args.seeds)]
    figures = {}
    for name, augmented in WAYS.items():
        scores = np.stack([scores_of(search, augmented, args.repeats) for search in searches])
        second_scores = np.stack([scores_of(search, augmented, args.repeats, 1, 1) for search in searches])
        spread = scores.std(1, ddof=1)
        choices = scores.argmax(-1)
        figures[name] = {
            "noise": float(np.sqrt((spread**2).mean())),
            "turn": float(np.sqrt(((scores[:, :1] - second_scores) ** 2).mean() / 2)),
            "operations": float(scores.mean(1).std(-1, ddof=1).mean()),
            "agree": float(np.mean([choices[:, a] == choices[:, b] for a in range(args.repeats) for b in range(a)])),
        }
    write_report(figures.items(), vars(args), args.out)


def trained_search(args: argparse.Namespace, seed: int) -> Search:
    """A DARTS search, finished."""
    changes = parse_settings(args.set) | {"eigenvalue_every": 0}
    (job,) = make_plan(parse_methods("darts"), (seed,), args.dataset, protocol(args.protocol, changes))
    search = Search(job.base, load_images(args.dataset), torch.device(args.device))
    while not search.finished:
        search.run_epoch()
    return search


def scores_of(
    search: Search, augmented: bool, portions: int, first: int = 0, turn: int = 0
) -> Float[np.ndarray, "scored edges ops"]:
    """Accuracy lost by each operation's removal from the undecided supernet, on each part of the validation images.

    Only on the `first` parts, unless that is 0.
    """
    select = selection.make_selection("prune", {"metric": "accuracy", "augmented": augmented, "order": "margin"})
    weights = search.method.expected().detach()
    trials = [select.trial(weights, edge, op) for edge in range(len(EDGES)) for op in range(weights.shape[1])]  # type: ignore[attr-defined]
    scores = []
    for portion in range(first or portions):
        stream = copy.copy(search.stream)
        stream.valid = of(search.stream.valid, portion, portions)
        evaluation = Evaluation(search.net, stream)
        with seeded("scoring noise", portion, turn):
            before, *after = evaluation.mixes([weights, *trials], "valid", 0, "batch", augmented)
        scores.append([before.accuracy_pct - score.accuracy_pct for score in after])
    return np.array(scores).reshape(-1, *weights.shape)


def of(all_images: DeviceImages, portion: int, portions: int) -> DeviceImages:
    """Every `portions`-th of the pictures."""
    some = copy.copy(all_images)
    some.padded, some.labels = all_images.padded[portion::portions], all_images.labels[portion::portions]
    return some


if __name__ == "__main__":
    main()
