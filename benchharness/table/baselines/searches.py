"""Searches that train nothing: each asks for one cell after another until its budget is spent."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from benchharness.space import EDGES, OPS, SIZE, Arch

Ask = Callable[[Arch], float]
Search = Callable[[Ask, np.random.Generator], None]
SHAPE: Final = (len(EDGES), len(OPS))


def random_search(ask: Ask, random: np.random.Generator) -> None:
    """Cells drawn uniformly, with replacement (Bergstra & Bengio, JMLR 2012)."""
    while True:
        ask(random_cell(random))


def evolution(ask: Ask, random: np.random.Generator, population: int = 10, sample: int = 3) -> None:
    """Regularised evolution (Real et al., AAAI 2019): the best of a sample has a mutant child, and the oldest dies.

    The sample is drawn with replacement, as in the benchmark's code.
    """
    living: deque[tuple[float, Arch]] = deque()
    while True:
        if len(living) < population:
            cell = random_cell(random)
        else:
            positions = random.choice(population, sample)
            cell = mutated(max(living[int(position)] for position in positions)[1], random)
        living.append((ask(cell), cell))
        if len(living) > population:
            living.popleft()


def reinforce(ask: Ask, random: np.random.Generator, rate: float = 0.01, decay: float = 0.9) -> None:
    """REINFORCE (Williams 1992) on independent categorical edges: Adam, and a moving average as baseline.

    As in the benchmark's own baseline code, the reward enters its baseline before it is compared with it.
    """
    logits = 1e-3 * random.standard_normal(SHAPE)
    first, second, total, weight = np.zeros(SHAPE), np.zeros(SHAPE), 0.0, 0.0
    for step in range(1, 10**9):
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        ops = drawn_ops(chances, random)
        reward = ask(tuple(ops.tolist()))
        total, weight = decay * total + (1 - decay) * reward, decay * weight + (1 - decay)
        ascent = (reward - total / weight) * (np.eye(SHAPE[1])[ops] - chances)
        first, second = 0.9 * first + 0.1 * ascent, 0.999 * second + 0.001 * ascent**2
        logits += rate * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)


def local_search(ask: Ask, random: np.random.Generator) -> None:
    """Hill climbing (White, Nolen & Savani, UAI 2021): to the best neighbour while one is better, then anew."""
    accuracies: dict[Arch, float] = {}

    def value(cell: Arch) -> float:
        """The validation accuracy of a cell."""
        if cell not in accuracies:
            accuracies[cell] = ask(cell)
        return accuracies[cell]

    while len(accuracies) < SIZE:
        current = random_cell(random)
        while True:
            nearby = list(neighbours(current))
            random.shuffle(nearby)
            best = max([current, *nearby], key=value)
            if value(best) <= value(current):
                break
            current = best


SEARCHES: Final[Mapping[str, Search]] = {
    "random-search": random_search,
    "evolution": evolution,
    "reinforce": reinforce,
    "local-search": local_search,
}


def random_cell(random: np.random.Generator) -> Arch:
    """A uniformly random cell."""
    return tuple(random.integers(0, SHAPE[1], SHAPE[0]).tolist())


def mutated(cell: Arch, random: np.random.Generator) -> Arch:
    """`cell` with another operation on one edge."""
    edge, shift = int(random.integers(SHAPE[0])), int(random.integers(1, SHAPE[1]))
    return (*cell[:edge], (cell[edge] + shift) % SHAPE[1], *cell[edge + 1 :])


def neighbours(cell: Arch) -> Iterator[Arch]:
    """The 24 cells that differ from `cell` on one edge."""
    for edge in range(SHAPE[0]):
        for shift in range(1, SHAPE[1]):
            yield (*cell[:edge], (cell[edge] + shift) % SHAPE[1], *cell[edge + 1 :])


def drawn_ops(chances: Float[np.ndarray, "edges ops"], random: np.random.Generator) -> Int[np.ndarray, "edges"]:
    """One operation per edge, drawn with the probabilities `chances`."""
    is_above = random.random((len(chances), 1)) >= chances.cumsum(1)
    return np.minimum(is_above.sum(1), chances.shape[1] - 1)
