"""Training one architecture: recipes, which images train and measure, the rate, and that a network learns."""

from dataclasses import replace
from math import cos, isnan, pi

import numpy as np
import pytest
import torch

from benchharness.config import RECIPES, TrainConfig, recipe, with_changes
from benchharness.data import Split, load_images
from benchharness.errors import UserError
from benchharness.space import CONV3, NONE, POOL, Arch
from benchharness.training import trainer as training
from benchharness.training.trainer import Trainer, image_parts
from tests.support.sets import small_images

CPU = torch.device("cpu")
QUICK = TrainConfig(name="quick", epochs=2, batch=50, channels=4, cells=1)


def trainer(**changes: object) -> Trainer:
    return Trainer(small_images(), replace(QUICK, **changes), CPU)  # type: ignore[arg-type]


def test_the_benchmarks_recipe() -> None:
    benchmark_recipe = recipe("nas-bench-201")
    assert (
        benchmark_recipe.epochs,
        benchmark_recipe.batch,
        benchmark_recipe.learning_rate,
        benchmark_recipe.momentum,
    ) == (12, 256, 0.1, 0.9)
    assert (
        benchmark_recipe.nesterov,
        benchmark_recipe.weight_decay,
        benchmark_recipe.channels,
        benchmark_recipe.cells,
    ) == (True, 5e-4, 16, 5)
    assert recipe("nas-bench-201-full").epochs == 200
    assert benchmark_recipe.rate_by == recipe("nas-bench-201-full").rate_by == "epoch"
    assert recipe("small").rate_by == recipe("digits").rate_by == "step", "as the tables were made that exist"


QUICKLY = {"batch": 50, "channels": 4, "cells": 1, "trained_on": "half"}


def test_the_benchmarks_recipe_trains_on_the_benchmarks_half(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark_recipe = recipe("nas-bench-201")
    split = Split(np.arange(0, 400, 2), np.arange(1, 400, 2), "the benchmark's own split")
    monkeypatch.setattr(training, "benchmark_split", lambda name: {"cifar10": split}[name])
    halves = image_parts(small_images(), benchmark_recipe)
    assert (halves.train.tolist(), halves.valid.tolist()) == (split.train.tolist(), split.valid.tolist())
    assert halves.test.tolist() == list(range(400, 600))
    assert image_parts(small_images(name="cifar100"), benchmark_recipe).train.tolist() == list(range(200)), (
        "which it does not halve"
    )
    monkeypatch.setattr(training, "benchmark_split", lambda name: None)
    with pytest.raises(UserError, match=r"whose split file is missing; .* --set trained_on=half takes the first half"):
        image_parts(small_images(), benchmark_recipe)


def test_the_benchmarks_recipe_holds_the_rate_within_an_epoch() -> None:
    benchmark_trainer = Trainer(small_images(), recipe("nas-bench-201", QUICKLY), CPU)
    rates = [benchmark_trainer.rate(step) for step in range(12 * benchmark_trainer.steps)]
    assert benchmark_trainer.steps == 4
    by_epoch = np.reshape(rates, (12, 4))
    assert (by_epoch == by_epoch[:, :1]).all()
    assert by_epoch[:, 0] == pytest.approx([0.05 * (1 + cos(pi * epoch / 12)) for epoch in range(12)])
    assert by_epoch[-1, 0] == pytest.approx(0.0017, abs=5e-5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
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
def test_what_is_no_recipe_is_refused_in_a_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        recipe("small", changes)


def test_an_unknown_recipe_is_named_with_its_neighbour() -> None:
    with pytest.raises(UserError, match="did you mean 'small'"):
        recipe("smal")


def test_values_may_be_strings() -> None:
    assert with_changes(QUICK, {"epochs": "7", "nesterov": "no", "learning_rate": "0.5"}) == replace(
        QUICK, epochs=7, nesterov=False, learning_rate=0.5
    )


def test_half_trains_on_the_first_half_and_measures_on_the_rest() -> None:
    halves = image_parts(small_images(), QUICK)
    assert halves.train.tolist() == list(range(200))
    assert halves.valid.tolist() == list(range(200, 400))
    assert halves.test.tolist() == list(range(400, 600))


def test_whole_halves_the_test_images_but_for_cifar10() -> None:
    whole_recipe = replace(QUICK, trained_on="whole")
    train, valid, test = image_parts(small_images(name="cifar100"), whole_recipe)
    assert len(train) == 400
    assert sorted([*valid, *test]) == list(range(400, 600))
    assert len(valid) == len(test) == 100
    train, valid, test = image_parts(small_images(), whole_recipe)
    assert (len(train), len(valid), test.tolist()) == (400, 0, list(range(400, 600)))


def test_fewer_images_can_be_asked_for() -> None:
    halves = image_parts(small_images(), replace(QUICK, images=30, measured=20))
    assert [len(index) for index in halves] == [30, 20, 20]
    assert halves.valid[0] == 200


def test_the_rate_rises_to_its_peak_and_falls_to_zero_along_a_cosine() -> None:
    trainer_of_epochs = trainer()
    rates = [trainer_of_epochs.rate(step) for step in range(8)]
    assert rates == pytest.approx([0.05 * (1 + cos(pi * step / 8)) for step in range(8)])
    warm = trainer(warmup=0.5)
    rates = [warm.rate(step) for step in range(8)]
    assert rates == pytest.approx([0.02, 0.04, 0.06, 0.08, *(0.05 * (1 + cos(pi * step / 4)) for step in range(4))])


def test_a_network_learns_what_can_be_learnt() -> None:
    training = trainer(epochs=12, learning_rate=0.2).run((CONV3,) * 6, 0)
    assert training.valid > 40  # ten classes told apart by brightness under noise
    assert training.test > 40
    assert training.loss < 2.0
    assert training.seconds > 0


def test_the_accuracy_of_every_epoch_is_that_of_the_images_as_they_went_by() -> None:
    frozen_trainer = trainer(epochs=2, learning_rate=1e-30)  # so that the weights can be asked again afterwards
    net = frozen_trainer.network((CONV3,) * 6, 0)
    course = frozen_trainer.fit(net, 5)
    expected = [
        sum(int((net(batch.images).argmax(1) == batch.labels).sum()) for batch in frozen_trainer._epoch(5, epoch)) / 2
        for epoch in range(2)
    ]
    assert len(frozen_trainer.train) == 200
    assert course.train_accuracies == tuple(expected)
    assert len(set(expected)) == 2


def test_a_training_is_a_function_of_architecture_and_seed() -> None:
    arch: Arch = (CONV3, 2, POOL, 1, NONE, CONV3)
    first, repeat, other = trainer().run(arch, 0), trainer().run(arch, 0), trainer().run(arch, 1)
    assert (first.valid, first.test, first.loss) == (repeat.valid, repeat.test, repeat.loss)
    assert first.loss != other.loss


def test_a_cell_that_passes_nothing_is_at_chance() -> None:
    training = trainer().run((NONE,) * 6, 0)
    assert training.test <= 20


def test_a_part_that_is_not_measured_is_nan() -> None:
    assert isnan(trainer(trained_on="whole").run((1,) * 6, 0).valid)


def test_a_diverging_training_says_so() -> None:
    with pytest.raises(FloatingPointError, match="training seed 3"):
        trainer(learning_rate=1e30).run((CONV3,) * 6, 3)


def test_weights_that_take_no_part_stay_as_they_were() -> None:
    small_trainer = trainer()
    net = small_trainer.network((NONE, NONE, CONV3, 1, NONE, NONE), 0)  # 2<-1 leads nowhere
    before = {name: weight.detach().clone() for name, weight in net.named_parameters() if "bundles" in name}
    small_trainer.fit(net, 0)
    assert all(torch.equal(before[name], dict(net.named_parameters())[name]) for name in before)
    assert len(before) == 3 * 3


def test_the_embedded_images_are_grey_and_never_mirrored_or_moved() -> None:
    digits_trainer = Trainer(load_images("digits"), replace(RECIPES["small"], images=256), CPU)
    assert (digits_trainer.train.crop, digits_trainer.train.flip) == (0, False)
    batch = next(digits_trainer.train.augmented(torch.arange(4), 4, torch.Generator()))
    assert torch.equal(batch.images, next(digits_trainer.train.fixed(4)).images)
    assert np.array_equal(batch.images[:, 0], batch.images[:, 2])
