"""Warnings before a run that its plan cannot answer the question: alpha moves too little, or seeds are too few."""

from collections.abc import Iterable, Sequence
from typing import Final

from benchharness.analysis.planned import CONTROL, planned_pairs
from benchharness.config import SearchConfig
from benchharness.data.kinds import KNOWN
from benchharness.records import named_apart
from benchharness.runs.plan import Job
from benchharness.stats import seeds_needed, smallest_p

REACH: Final = 1.0
"""Smallest product of alpha's learning rate and number of steps with which a search can decide.

Adam moves an alpha by at most about its learning rate per step. The papers' 100 epochs of CIFAR-10 have 11.7; a public
full-size search had a lead of 0.02 on most edges after seven epochs, which is 0.8."""
_PAPERS: Final = 11.7


def cannot_show(plan: Sequence[Job]) -> list[str]:
    """A sentence for each question that this plan cannot answer, whatever its searches derive."""
    return [*_immovable(plan), *_few_seeds(plan)]


def alpha_reach(settings: SearchConfig, train_images: int) -> float:
    """The distance that alpha can move in a search on `train_images` images per epoch: learning rate times steps."""
    return settings.alpha_learning_rate * settings.epochs * -(-train_images // settings.batch)


def _immovable(plan: Iterable[Job]) -> list[str]:
    """A sentence if alpha can move too little. Checks one job, since settings in a plan differ only by method."""
    for job in plan:
        settings, images = SearchConfig(**job.base.protocol), _train_images(job)
        reach = alpha_reach(settings, images) if images else REACH
        if job.base.selection == "magnitude" and reach < REACH:
            return [
                f"alpha can move by {reach:.2g} at most (rate {settings.alpha_learning_rate:g} x {settings.epochs} "
                f"epochs of {-(-images // settings.batch)} steps), where the papers' searches can by {_PAPERS}: "
                "these searches will decide nothing; raise alpha_learning_rate, epochs or images"
            ]
    return []


def _train_images(job: Job) -> int:
    """Training images per epoch; 0 if only the installed data set could tell."""
    limit, digests = int(job.base.protocol["images"]) // 2, KNOWN.get(job.base.dataset)
    halves = digests.counts[0] // 2 if digests else 0
    return min(limit, halves) if limit and halves else limit or halves


def _few_seeds(plan: Iterable[Job]) -> list[str]:
    specs = [spec for job in plan for spec in job.specs]
    seeds, methods = len({spec.seed for spec in specs}), sorted(set(named_apart(specs)))
    tests = len(planned_pairs(methods))
    if not tests or seeds >= seeds_needed(tests):
        return []
    smallest, for_a_pair, for_all = smallest_p(seeds), seeds_needed(1), seeds_needed(tests)
    if seeds < for_a_pair:
        return [
            f"{seeds} seed{'s' * (seeds != 1)} cannot show that one method beats another: the smallest p of a paired "
            f"test is {smallest:.3g}; {for_a_pair} seeds can reach 5 %, 10 are usual"
        ]
    family = f"the {tests} comparisons with {CONTROL}" if CONTROL in methods else f"{tests} comparisons"
    return [
        f"with {seeds} seeds none of {family} can be significant at 5 % after Holm's correction: the smallest p of a "
        f"paired test is {smallest:.3g}; it takes {for_all} seeds"
    ]
