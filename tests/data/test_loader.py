import hashlib

import numpy as np
import pytest
import torch

from benchharness.config import protocol
from benchharness.data.loader import Stream, split
from benchharness.data.official import OFFICIAL, Digests
from benchharness.data.splits import Split
from tests.support.sets import SIZE, small_images

CPU = torch.device("cpu")


def stream(seed: int = 0, name: str = "drnas", **changes: object) -> Stream:
    return Stream(small_images(), protocol(name, {"batch": 32, **changes}), seed, CPU)


def test_halves_are_the_first_and_the_last() -> None:
    train, valid, description = split(small_images(), protocol("drnas"), 3)
    assert train.tolist() == list(range(200))
    assert valid.tolist() == list(range(200, 400))
    assert "first half" in description


def test_a_missing_benchmark_split_is_drawn_and_said() -> None:
    train, valid, description = split(small_images(), protocol("nb201"), 0)
    assert sorted([*train, *valid]) == list(range(400))
    assert "not installed" in description
    other_seed = split(small_images(), protocol("nb201"), 1)
    assert np.array_equal(train, other_seed.train), "the split belongs to the data set, not to the search's seed"


def test_a_given_benchmark_split_is_taken() -> None:
    benchmark = Split(np.arange(0, 400, 2), np.arange(1, 400, 2), "mine")
    train, valid, description = split(small_images(), protocol("nb201"), 0, benchmark)
    assert (train.tolist(), valid.tolist()) == (benchmark.train.tolist(), benchmark.valid.tolist())
    assert description.startswith("mine")
    assert "mine" not in split(small_images(), protocol("drnas"), 0, benchmark).words


def test_a_benchmark_split_of_images_in_another_order_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = Split(np.arange(0, 400, 2), np.arange(1, 400, 2), "the benchmark's own split")
    assert split(small_images(), protocol("nb201"), 0, benchmark).words == (
        "the benchmark's own split (whose indices count the images in their official order, and these are in another)"
    )
    labels = np.concatenate([small_images().train_labels, small_images().test_labels])
    monkeypatch.setitem(OFFICIAL, "cifar10", Digests("", hashlib.sha256(labels.data).hexdigest(), ""))
    assert split(small_images(), protocol("nb201"), 0, benchmark) == benchmark


def test_nats_trains_on_all_images_and_validates_on_half_of_the_test_images() -> None:
    images = small_images(name="cifar100")
    train, valid, description = split(images, protocol("nats"), 0)
    assert len(train) == 400
    assert len(valid) == 100
    assert valid.min() >= 400
    assert "x-valid" in description
    batches = Stream(images, protocol("nats"), 0, CPU)
    pixels = batches.valid.padded[:, :, 4:-4, 4:-4].numpy()
    assert np.array_equal(pixels, images.test[valid - 400])
    assert np.array_equal(batches.valid.labels.numpy(), images.test_labels[valid - 400])


def test_a_part_is_drawn_by_seed_from_both_halves() -> None:
    settings = protocol("drnas", {"images": 150})
    first, second = split(small_images(), settings, 0), split(small_images(), settings, 1)
    assert len(first.train) == len(first.valid) == 75
    assert first.train.max() < 200 <= first.valid.min()
    assert set(first.train) != set(second.train)


def test_a_set_with_fewer_images_than_asked_for_is_taken_whole() -> None:
    all_images, too_many = (split(small_images(), protocol("drnas", {"images": count}), 0) for count in (0, 1000))
    assert np.array_equal(all_images.train, too_many.train)
    assert np.array_equal(all_images.valid, too_many.valid)


def test_an_epoch_shows_every_training_image_once_and_keeps_the_last_partial_batch() -> None:
    batches = list(stream().epoch(0))
    assert [len(train.labels) for train, _ in batches] == [32] * 6 + [8]
    labels = torch.cat([train.labels for train, _ in batches])
    assert torch.equal(labels.bincount(), stream().train.labels.bincount())


@pytest.mark.parametrize(("name", "sizes"), [("drnas", [32] * 7), ("nb201", [32] * 6 + [8])])
def test_alpha_sees_a_fresh_batch_or_one_image_per_training_image(name: str, sizes: list[int]) -> None:
    assert [len(valid.labels) for _, valid in stream(name=name).epoch(0)] == sizes


def test_batches_are_a_function_of_seed_and_epoch_alone() -> None:
    first, repeat = list(stream().epoch(1)), list(stream().epoch(1))
    torch.manual_seed(99)
    for pair, same_pair in zip(first, repeat, strict=True):
        assert torch.equal(pair[0].images, same_pair[0].images)
        assert torch.equal(pair[1].images, same_pair[1].images)
    for other in (list(stream(seed=1).epoch(1)), list(stream().epoch(2))):
        assert not torch.equal(first[0][0].labels, other[0][0].labels)


def test_every_augmented_image_is_a_crop_of_the_bordered_image_or_of_its_mirror() -> None:
    batches = stream()
    batch = next(batches.epoch(0))[0]
    pixels = (batch.images * batches.train.std + batches.train.mean).round().to(torch.uint8)
    for image, label in zip(pixels, batch.labels, strict=True):
        sources = batches.train.padded[batches.train.labels == label]
        windows = sources.unfold(2, SIZE, 1).unfold(3, SIZE, 1)
        crops = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIZE, SIZE)
        assert any(bool((crops == view).flatten(1).all(1).any()) for view in (image, image.flip(-1)))


def test_crops_and_flips_are_uniform() -> None:
    batches = stream()
    draw = batches.train.draw([torch.zeros(9000, dtype=torch.long)], torch.Generator().manual_seed(0))
    for shift in draw.shift:
        counts = shift.bincount(minlength=9)
        assert counts.min() > 850
        assert counts.max() < 1150
    assert abs(draw.mirrored.float().mean() - 0.5) < 0.03


@pytest.mark.parametrize("name", ["drnas", "nats"])
def test_batches_that_were_drawn_ahead_are_the_same(name: str) -> None:
    """In whatever order epochs are asked for, as a search does that goes on from a checkpoint or trains on after it."""
    one_by_one, ahead = stream(name=name, epochs=4), stream(name=name, epochs=4)
    ahead.draw_ahead()
    epochs: list[int] = []
    draws_of = ahead._draws
    ahead._draws = lambda number: epochs.append(number) or draws_of(number)  # type: ignore[func-returns-value, method-assign]
    for number in (0, 1, 3, 2, 2, 5):
        pairs = zip(one_by_one.epoch(number), ahead.epoch(number), strict=True)
        for batch, same_batch in (batches for pair in pairs for batches in zip(*pair, strict=True)):
            assert torch.equal(batch.images, same_batch.images)
            assert torch.equal(batch.labels, same_batch.labels)
    assert ahead._ahead
    ahead._ahead.shutdown()
    assert sorted(epochs) == [0, 1, 2, 2, 2, 3, 3, 3, 5], "each once, and those ahead that were not asked for next"


def test_every_image_lies_where_its_draw_says() -> None:
    batches = stream()
    draw = batches.train.draw([torch.arange(40), torch.arange(40, 50)], torch.Generator().manual_seed(0))
    images = torch.cat([batch.images for batch in batches.train.batches(draw)])
    pixels = (images * batches.train.std + batches.train.mean).round().to(torch.uint8)
    for image, index, (down, right), mirrored in zip(
        pixels, draw.images.tolist(), draw.shift.T.tolist(), draw.mirrored.tolist(), strict=True
    ):
        crop = batches.train.padded[index, :, down : down + SIZE, right : right + SIZE]
        assert torch.equal(image, crop.flip(-1) if mirrored else crop)


def test_fixed_batches_are_the_half_in_order_without_augmentation() -> None:
    batches = stream(eval_batch=150)
    images = torch.cat([batch.images for batch in batches.fixed("valid")])
    expected = (torch.from_numpy(small_images().train[200:]) / 255 - 0.4) / 0.2
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)
    assert [len(batch.labels) for batch in batches.fixed("train", batches=1)] == [150]


def test_what_was_searched_on_is_stated() -> None:
    about = stream().about
    halves = "|".join(",".join(map(str, half)) for half in (range(200), range(200, 400)))
    assert about["split_sha256"] == hashlib.sha256(halves.encode()).hexdigest()
    assert (about["train_images"], about["valid_images"], about["label"]) == (200, 200, "small cifar10")


@pytest.mark.parametrize("crop", [0, 2])
def test_images_that_must_not_be_mirrored_never_are(crop: int) -> None:
    images = small_images()._replace(flip=False, crop=crop)
    batches = Stream(images, protocol("drnas", {"batch": 32}), 0, CPU)
    assert {key: batches.about[key] for key in ("flip", "crop")} == {"flip": False, "crop": crop}
    batch = next(batches.epoch(0))[0]
    pixels = (batch.images * batches.train.std + batches.train.mean).round().to(torch.uint8)
    for image, label in zip(pixels, batch.labels, strict=True):
        windows = batches.train.padded[batches.train.labels == label].unfold(2, SIZE, 1).unfold(3, SIZE, 1)
        crops = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIZE, SIZE)
        assert bool((crops == image).flatten(1).all(1).any())
    valid_images = torch.cat([fixed_batch.images for fixed_batch in batches.fixed("valid")])
    expected = (torch.from_numpy(images.train[200:]) / 255 - 0.4) / 0.2
    torch.testing.assert_close(valid_images, expected, rtol=1e-4, atol=1e-4)


def test_the_order_of_batches_does_not_depend_on_how_images_are_moved() -> None:
    mirroring, unmirrored = (
        stream(),
        Stream(small_images()._replace(flip=False), protocol("drnas", {"batch": 32}), 0, CPU),
    )
    for pair, same_pair in zip(mirroring.epoch(3), unmirrored.epoch(3), strict=True):
        assert torch.equal(pair[0].labels, same_pair[0].labels)
        assert torch.equal(pair[1].labels, same_pair[1].labels)
    assert not {"flip", "crop"} & set(mirroring.about), "what every run on CIFAR-10 says stays as it was"
