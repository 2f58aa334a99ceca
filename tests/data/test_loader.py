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
    train, valid, words = split(small_images(), protocol("drnas"), 3)
    assert train.tolist() == list(range(200))
    assert valid.tolist() == list(range(200, 400))
    assert "first half" in words


def test_a_missing_benchmark_split_is_drawn_and_said() -> None:
    train, valid, words = split(small_images(), protocol("nb201"), 0)
    assert sorted([*train, *valid]) == list(range(400))
    assert "not installed" in words
    again = split(small_images(), protocol("nb201"), 1)
    assert np.array_equal(train, again.train), "the split belongs to the data set, not to the search's seed"


def test_a_given_benchmark_split_is_taken() -> None:
    given = Split(np.arange(0, 400, 2), np.arange(1, 400, 2), "mine")
    train, valid, words = split(small_images(), protocol("nb201"), 0, given)
    assert (train.tolist(), valid.tolist()) == (given.train.tolist(), given.valid.tolist())
    assert words.startswith("mine")
    assert "mine" not in split(small_images(), protocol("drnas"), 0, given).words


def test_a_benchmark_split_of_images_in_another_order_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Split(np.arange(0, 400, 2), np.arange(1, 400, 2), "the benchmark's own split")
    assert split(small_images(), protocol("nb201"), 0, given).words == (
        "the benchmark's own split (whose indices count the images in their official order, and these are in another)"
    )
    labels = np.concatenate([small_images().train_labels, small_images().test_labels])
    monkeypatch.setitem(OFFICIAL, "cifar10", Digests("", hashlib.sha256(labels.data).hexdigest(), ""))
    assert split(small_images(), protocol("nb201"), 0, given) == given


def test_nats_trains_on_all_images_and_validates_on_half_of_the_test_images() -> None:
    images = small_images(name="cifar100")
    train, valid, words = split(images, protocol("nats"), 0)
    assert len(train) == 400
    assert len(valid) == 100
    assert valid.min() >= 400
    assert "x-valid" in words
    held = Stream(images, protocol("nats"), 0, CPU)
    pixels = held.valid.padded[:, :, 4:-4, 4:-4].numpy()
    assert np.array_equal(pixels, images.test[valid - 400])
    assert np.array_equal(held.valid.labels.numpy(), images.test_labels[valid - 400])


def test_a_part_is_drawn_by_seed_from_both_halves() -> None:
    settings = protocol("drnas", {"images": 150})
    first, second = split(small_images(), settings, 0), split(small_images(), settings, 1)
    assert len(first.train) == len(first.valid) == 75
    assert first.train.max() < 200 <= first.valid.min()
    assert set(first.train) != set(second.train)


def test_a_set_with_fewer_images_than_asked_for_is_taken_whole() -> None:
    whole, asked = (split(small_images(), protocol("drnas", {"images": count}), 0) for count in (0, 1000))
    assert np.array_equal(whole.train, asked.train)
    assert np.array_equal(whole.valid, asked.valid)


def test_an_epoch_shows_every_training_image_once_and_keeps_the_last_partial_batch() -> None:
    batches = list(stream().epoch(0))
    assert [len(train.labels) for train, _ in batches] == [32] * 6 + [8]
    seen = torch.cat([train.labels for train, _ in batches])
    assert torch.equal(seen.bincount(), stream().train.labels.bincount())


@pytest.mark.parametrize(("name", "sizes"), [("drnas", [32] * 7), ("nb201", [32] * 6 + [8])])
def test_alpha_sees_a_fresh_batch_or_one_image_per_training_image(name: str, sizes: list[int]) -> None:
    assert [len(valid.labels) for _, valid in stream(name=name).epoch(0)] == sizes


def test_batches_are_a_function_of_seed_and_epoch_alone() -> None:
    first, again = list(stream().epoch(1)), list(stream().epoch(1))
    torch.manual_seed(99)
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one[0].images, two[0].images)
        assert torch.equal(one[1].images, two[1].images)
    for other in (list(stream(seed=1).epoch(1)), list(stream().epoch(2))):
        assert not torch.equal(first[0][0].labels, other[0][0].labels)


def test_every_augmented_image_is_a_crop_of_the_bordered_image_or_of_its_mirror() -> None:
    held = stream()
    batch = next(held.epoch(0))[0]
    pixels = (batch.images * held.train.std + held.train.mean).round().to(torch.uint8)
    for image, label in zip(pixels, batch.labels, strict=True):
        sources = held.train.padded[held.train.labels == label]
        windows = sources.unfold(2, SIZE, 1).unfold(3, SIZE, 1)
        whole = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIZE, SIZE)
        assert any(bool((whole == view).flatten(1).all(1).any()) for view in (image, image.flip(-1)))


def test_crops_and_flips_are_uniform() -> None:
    held = stream()
    draw = held.train.draw([torch.zeros(9000, dtype=torch.long)], torch.Generator().manual_seed(0))
    for shift in draw.shift:
        counts = shift.bincount(minlength=9)
        assert counts.min() > 850
        assert counts.max() < 1150
    assert abs(draw.mirrored.float().mean() - 0.5) < 0.03


@pytest.mark.parametrize("name", ["drnas", "nats"])
def test_batches_that_were_drawn_ahead_are_the_same(name: str) -> None:
    """In whatever order epochs are asked for, as a search does that goes on from a checkpoint or trains on after it."""
    plain, ahead = stream(name=name, epochs=4), stream(name=name, epochs=4)
    ahead.draw_ahead()
    drawn: list[int] = []
    real = ahead._draws
    ahead._draws = lambda number: drawn.append(number) or real(number)  # type: ignore[func-returns-value, method-assign]
    for number in (0, 1, 3, 2, 2, 5):
        pairs = zip(plain.epoch(number), ahead.epoch(number), strict=True)
        for one, other in (batches for pair in pairs for batches in zip(*pair, strict=True)):
            assert torch.equal(one.images, other.images)
            assert torch.equal(one.labels, other.labels)
    assert ahead._ahead
    ahead._ahead.shutdown()
    assert sorted(drawn) == [0, 1, 2, 2, 2, 3, 3, 3, 5], "each once, and those ahead that were not asked for next"


def test_every_image_lies_where_its_draw_says() -> None:
    held = stream()
    draw = held.train.draw([torch.arange(40), torch.arange(40, 50)], torch.Generator().manual_seed(0))
    images = torch.cat([batch.images for batch in held.train.batches(draw)])
    pixels = (images * held.train.std + held.train.mean).round().to(torch.uint8)
    for image, place, (down, right), mirrored in zip(
        pixels, draw.images.tolist(), draw.shift.T.tolist(), draw.mirrored.tolist(), strict=True
    ):
        crop = held.train.padded[place, :, down : down + SIZE, right : right + SIZE]
        assert torch.equal(image, crop.flip(-1) if mirrored else crop)


def test_fixed_batches_are_the_half_in_order_without_augmentation() -> None:
    held = stream(eval_batch=150)
    images = torch.cat([batch.images for batch in held.fixed("valid")])
    expected = (torch.from_numpy(small_images().train[200:]) / 255 - 0.4) / 0.2
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-4)
    assert [len(batch.labels) for batch in held.fixed("train", batches=1)] == [150]


def test_what_was_searched_on_is_stated() -> None:
    about = stream().about
    halves = "|".join(",".join(map(str, half)) for half in (range(200), range(200, 400)))
    assert about["split_sha256"] == hashlib.sha256(halves.encode()).hexdigest()
    assert (about["train_images"], about["valid_images"], about["label"]) == (200, 200, "small cifar10")


@pytest.mark.parametrize("crop", [0, 2])
def test_images_that_must_not_be_mirrored_never_are(crop: int) -> None:
    images = small_images()._replace(flip=False, crop=crop)
    held = Stream(images, protocol("drnas", {"batch": 32}), 0, CPU)
    assert {key: held.about[key] for key in ("flip", "crop")} == {"flip": False, "crop": crop}
    batch = next(held.epoch(0))[0]
    pixels = (batch.images * held.train.std + held.train.mean).round().to(torch.uint8)
    for image, label in zip(pixels, batch.labels, strict=True):
        windows = held.train.padded[held.train.labels == label].unfold(2, SIZE, 1).unfold(3, SIZE, 1)
        whole = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIZE, SIZE)
        assert bool((whole == image).flatten(1).all(1).any())
    fixed = torch.cat([one.images for one in held.fixed("valid")])
    expected = (torch.from_numpy(images.train[200:]) / 255 - 0.4) / 0.2
    torch.testing.assert_close(fixed, expected, rtol=1e-4, atol=1e-4)


def test_the_order_of_batches_does_not_depend_on_how_images_are_moved() -> None:
    moved, still = stream(), Stream(small_images()._replace(flip=False), protocol("drnas", {"batch": 32}), 0, CPU)
    for one, other in zip(moved.epoch(3), still.epoch(3), strict=True):
        assert torch.equal(one[0].labels, other[0].labels)
        assert torch.equal(one[1].labels, other[1].labels)
    assert not {"flip", "crop"} & set(moved.about), "what every run on CIFAR-10 says stays as it was"
