"""Training one architecture: recipes, which images train and measure, the rate, and that a network learns."""

from dataclasses import replace
from math import cos, isnan, pi

import numpy as np
import pytest
import torch

from benchharness.config import RECIPES, TrainConfig, changed, recipe
from benchharness.data import Split, load_images
from benchharness.errors import UserError
from benchharness.space import CONV3, NONE, POOL, Arch
from benchharness.training import trainer as training
from benchharness.training.trainer import Trainer, parts
from tests.support.sets import small_images

CPU = torch.device("cpu")
QUICK = TrainConfig(name="quick", epochs=2, batch=50, channels=4, cells=1)


def trainer(**changes: object) -> Trainer:
    return Trainer(small_images(), replace(QUICK, **changes), CPU)  # type: ignore[arg-type]


def test_the_benchmarks_recipe() -> None:
    asked = recipe("nas-bench-201")
    assert (asked.epochs, asked.batch, asked.learning_rate, asked.momentum) == (12, 256, 0.1, 0.9)
    assert (asked.nesterov, asked.weight_decay, asked.channels, asked.cells) == (True, 5e-4, 16, 5)
    assert recipe("nas-bench-201-full").epochs == 200
    assert asked.rate_by == recipe("nas-bench-201-full").rate_by == "epoch"
    assert recipe("small").rate_by == recipe("digits").rate_by == "step", "as the tables were made that exist"


QUICKLY = {"batch": 50, "channels": 4, "cells": 1, "trained_on": "half"}


def test_the_benchmarks_recipe_trains_on_the_benchmarks_half(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = recipe("nas-bench-201")
    given = Split(np.arange(0, 400, 2), np.arange(1, 400, 2), "the benchmark's own split")
    monkeypatch.setattr(training, "benchmark_split", lambda name: {"cifar10": given}[name])
    found = parts(small_images(), asked)
    assert (found.train.tolist(), found.valid.tolist()) == (given.train.tolist(), given.valid.tolist())
    assert found.test.tolist() == list(range(400, 600))
    assert parts(small_images(name="cifar100"), asked).train.tolist() == list(range(200)), "which it does not halve"
    monkeypatch.setattr(training, "benchmark_split", lambda name: None)
    with pytest.raises(UserError, match=r"whose split file is missing; .* --set trained_on=half takes the first half"):
        parts(small_images(), asked)


def test_the_benchmarks_recipe_holds_the_rate_within_an_epoch() -> None:
    held = Trainer(small_images(), recipe("nas-bench-201", QUICKLY), CPU)
    rates = [held.rate(step) for step in range(12 * held.steps)]
    assert held.steps == 4
    by_epoch = np.reshape(rates, (12, 4))
    assert (by_epoch == by_epoch[:, :1]).all()
    assert by_epoch[:, 0] == pytest.approx([0.05 * (1 + cos(pi * epoch / 12)) for epoch in range(12)])
    assert by_epoch[-1, 0] == pytest.approx(0.0017, abs=5e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"epochs": 0}, "epochs=0"),
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"warmup": 1.0}, "warmup=1.0"),
        ({"trained_on": "hal"}, "half"),
        ({"batch": "many"}, "batch='many'"),
        ({"name": "mine"}, "name"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_sentence(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        recipe("small", changes)


def test_an_unknown_recipe_is_named_with_its_neighbour() -> None:
    with pytest.raises(UserError, match="did you mean 'small'"):
        recipe("smal")


def test_values_may_be_strings() -> None:
    assert changed(QUICK, {"epochs": "7", "nesterov": "no", "learning_rate": "0.5"}) == replace(
        QUICK, epochs=7, nesterov=False, learning_rate=0.5
    )


def test_half_trains_on_the_first_half_and_measures_on_the_rest() -> None:
    found = parts(small_images(), QUICK)
    assert found.train.tolist() == list(range(200))
    assert found.valid.tolist() == list(range(200, 400))
    assert found.test.tolist() == list(range(400, 600))


def test_whole_halves_the_test_images_but_for_cifar10() -> None:
    whole = replace(QUICK, trained_on="whole")
    train, valid, test = parts(small_images(name="cifar100"), whole)
    assert len(train) == 400
    assert sorted([*valid, *test]) == list(range(400, 600))
    assert len(valid) == len(test) == 100
    train, valid, test = parts(small_images(), whole)
    assert (len(train), len(valid), test.tolist()) == (400, 0, list(range(400, 600)))


def test_fewer_images_can_be_asked_for() -> None:
    found = parts(small_images(), replace(QUICK, images=30, measured=20))
    assert [len(index) for index in found] == [30, 20, 20]
    assert found.valid[0] == 200


def test_the_rate_rises_to_its_peak_and_falls_to_zero_along_a_cosine() -> None:
    plain = trainer()
    rates = [plain.rate(step) for step in range(8)]
    assert rates == pytest.approx([0.05 * (1 + cos(pi * step / 8)) for step in range(8)])
    warm = trainer(warmup=0.5)
    rates = [warm.rate(step) for step in range(8)]
    assert rates == pytest.approx([0.02, 0.04, 0.06, 0.08, *(0.05 * (1 + cos(pi * step / 4)) for step in range(4))])


def test_a_network_learns_what_can_be_learnt() -> None:
    found = trainer(epochs=12, learning_rate=0.2).run((CONV3,) * 6, 0)
    assert found.valid > 40  # ten classes told apart by brightness under noise
    assert found.test > 40
    assert found.loss < 2.0
    assert found.seconds > 0


def test_the_accuracy_of_every_epoch_is_that_of_the_images_as_they_went_by() -> None:
    still = trainer(epochs=2, learning_rate=1e-30)  # so that the weights can be asked again afterwards
    net = still.network((CONV3,) * 6, 0)
    course = still.fit(net, 5)
    expected = [
        sum(int((net(batch.images).argmax(1) == batch.labels).sum()) for batch in still._epoch(5, epoch)) / 2
        for epoch in range(2)
    ]
    assert len(still.train) == 200
    assert course.train_accuracies == tuple(expected)
    assert len(set(expected)) == 2


def test_a_training_is_a_function_of_architecture_and_seed() -> None:
    arch: Arch = (CONV3, 2, POOL, 1, NONE, CONV3)
    first, again, other = trainer().run(arch, 0), trainer().run(arch, 0), trainer().run(arch, 1)
    assert (first.valid, first.test, first.loss) == (again.valid, again.test, again.loss)
    assert first.loss != other.loss


def test_a_cell_that_passes_nothing_is_at_chance() -> None:
    found = trainer().run((NONE,) * 6, 0)
    assert found.test <= 20


def test_a_part_that_is_not_measured_is_nan() -> None:
    assert isnan(trainer(trained_on="whole").run((1,) * 6, 0).valid)


def test_a_diverging_training_says_so() -> None:
    with pytest.raises(FloatingPointError, match="training seed 3"):
        trainer(learning_rate=1e30).run((CONV3,) * 6, 3)


def test_weights_that_take_no_part_stay_as_they_were() -> None:
    held = trainer()
    net = held.network((NONE, NONE, CONV3, 1, NONE, NONE), 0)  # 2<-1 leads nowhere
    before = {name: weight.detach().clone() for name, weight in net.named_parameters() if "bundles" in name}
    held.fit(net, 0)
    assert all(torch.equal(before[name], dict(net.named_parameters())[name]) for name in before)
    assert len(before) == 3 * 3


def test_the_embedded_images_are_grey_and_never_mirrored_or_moved() -> None:
    held = Trainer(load_images("digits"), replace(RECIPES["small"], images=256), CPU)
    assert (held.train.crop, held.train.flip) == (0, False)
    batch = next(held.train.augmented(torch.arange(4), 4, torch.Generator()))
    assert torch.equal(batch.images, next(held.train.fixed(4)).images)
    assert np.array_equal(batch.images[:, 0], batch.images[:, 2])
