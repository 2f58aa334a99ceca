import random
from contextlib import AbstractContextManager

import numpy as np
import pytest
import torch

from benchharness.seeding import generator, seed_for, seeded


def draw_numbers() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_seeds_depend_on_every_name_and_on_nothing_else() -> None:
    names = [("a", 1), ("a", 2), ("b", 1), ("a/1",), ("a",)]
    assert len({seed_for(*name) for name in names}) == 4, "names are joined by slashes"
    assert seed_for("supernet", "cifar10", 7) == 1145271766208136668
    assert torch.rand((), generator=generator("x", 1)) == torch.rand((), generator=generator("x", 1))


def test_a_block_has_its_own_numbers_and_gives_the_old_ones_back() -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = draw_numbers()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with seeded("block", 3):
        first = draw_numbers()
    assert draw_numbers() == expected
    with seeded("block", 3):
        assert draw_numbers() == first
    with seeded("block", 4):
        assert draw_numbers() != first


@pytest.mark.parametrize(("used", "expected"), [(True, [1]), (False, [])])
def test_of_several_gpus_only_the_one_in_use_is_asked(
    used: bool, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    forked: list[list[int]] = []
    torch_fork = torch.random.fork_rng

    def fork_rng(devices: list[int]) -> AbstractContextManager[None]:
        forked.append(devices)
        return torch_fork(devices=[])

    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: used)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)
    with seeded("block"):
        assert forked == [expected]


def test_the_old_numbers_come_back_after_an_error() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    try:
        with seeded("block"):
            raise KeyError
    except KeyError:
        pass
    assert random.random() == expected
