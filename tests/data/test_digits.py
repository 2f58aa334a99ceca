"""The embedded data set: always the same images, halves and test from different digits."""

import numpy as np

from benchharness.data import load_images
from benchharness.data.digits import COUNTS, NOISE, SIZE, digits


def test_it_is_the_same_everywhere() -> None:
    assert digits().sha256 == "a06d8847f4e9594982791f7932cd8e4bd01bb757d8cd54364fb21edec612a03f"


def test_it_needs_no_installation_and_is_a_checked_set() -> None:
    images = load_images("digits")
    assert images is digits()
    assert images.checked() is images
    assert images.train.shape == (COUNTS[0] + COUNTS[1], 3, SIZE, SIZE)
    assert images.test.shape == (COUNTS[2], 3, SIZE, SIZE)
    assert (images.flip, images.crop, images.classes) == (False, 0, tuple("0123456789"))
    assert np.array_equal(images.train[:, 0], images.train[:, 1])


def test_every_class_is_about_a_tenth() -> None:
    for labels in (digits().train_labels, digits().test_labels):
        share = np.bincount(labels, minlength=10) / len(labels)
        assert share.min() > 0.05
        assert share.max() < 0.13


def test_a_whole_digit_shows_in_every_image() -> None:
    """Its ink covers more than what clutter or noise alone would leave."""
    bright = (digits().test[:, 0] > 30 + 2 * NOISE).sum((1, 2))
    assert bright.min() >= 10


def test_no_image_comes_twice() -> None:
    both = np.concatenate([digits().train, digits().test])[:, 0].reshape(-1, SIZE * SIZE)
    assert len(np.unique(both, axis=0)) == len(both)
