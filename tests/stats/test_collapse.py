import numpy as np
import pytest

from benchharness import stats


def test_entropy_from_undecided_to_decided() -> None:
    undecided, decided = np.full((6, 5), 0.2), np.eye(5)[[1] * 6]
    assert stats.entropy(np.stack([undecided, decided])) == pytest.approx([np.log(5), 0])


def test_skip_margin_is_against_the_mean_convolution() -> None:
    weights = np.tile([0.1, 0.5, 0.1, 0.2, 0.1], (3, 6, 1))
    assert stats.skip_margin(weights) == pytest.approx(np.full(3, 0.35))


def test_first_epoch_with_four_skips() -> None:
    epochs = np.array([1, 2, 3, 4])
    assert stats.first_epoch(np.array([0, 4, 3, 6]), epochs) == 2
    assert stats.first_epoch(np.array([0, 1, 3, 3]), epochs) is None
    assert stats.first_epoch(np.array([], dtype=int), np.array([], dtype=int)) is None


def test_a_cell_that_nothing_passes_through_is_told_beside_the_rest() -> None:
    sentence = stats.verdict([0, 0, 0], [2, 1, 3], [None] * 3, [False, False, True]).sentence
    assert sentence.startswith("did not collapse in any of 3 seeds")
    assert sentence.endswith("; nothing passes through the cell of 1 of 3 seeds")
    assert "passes" not in stats.verdict([0], [0], [None], [False]).sentence


@pytest.mark.parametrize(
    ("skips", "free", "firsts", "sentence"),
    [
        ([6, 6, 6], [6, 6, 6], [41, 41, 41], "collapsed to all-skip in 3 of 3 seeds, from epoch 41"),
        ([6, 4, 1], [6, 5, 2], [30, 50, None], "collapsed to four skips or more in 2 of 3 seeds, from epoch 30 to 50"),
        ([6], [6], [None], "collapsed to all-skip in 1 of 1 seed"),
        ([2, 0], [6, 1], [None, None], "derived a cell without any weights in 1 of 2 seeds, not by skips alone"),
        ([1, 0], [2, 3], [9, None], "did not collapse in any of 2 seeds: at most 1 skip and 3 parameter-free"),
    ],
)
def test_the_verdict_is_computed(skips: list[int], free: list[int], firsts: list[int | None], sentence: str) -> None:
    verdict = stats.verdict(skips, free, firsts)
    assert verdict.sentence.startswith(sentence)
    assert verdict.n == len(skips)
    assert verdict.collapsed == sum(count >= 4 for count in skips)


def test_the_epoch_is_the_median_of_collapsed_seeds_alone() -> None:
    assert stats.verdict([6, 5, 0], [6, 5, 0], [10, 20, 3]).epoch == 15
    assert np.isnan(stats.verdict([6], [6], [None]).epoch)
