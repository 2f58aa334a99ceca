"""The names of the figures a table holds: never a position, so that validation and test cannot change places."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from benchharness.errors import UserError, unknown

DATASETS: Final = ("cifar10", "cifar100", "imagenet16-120")
"""Those of NAS-Bench-201; a table may hold figures of any other."""
SPLITS: Final = {
    "valid": "validation accuracy; for cifar10 after training on 25,000 images, measured on the other 25,000 (x-valid)",
    "test": "test accuracy after training on the whole training set; for cifar10 on all 10,000 test images (ori-test), "
    "else on the half of the test images that is not x-valid (x-test)",
    "test-halftrain": "cifar10 test accuracy after training on 25,000 images (cifar10-valid, ori-test)",
}
EPOCHS: Final = (200, 12)


class Figure(NamedTuple):
    """What an accuracy is of: the data set, the split it is measured on, and the epochs of training before it."""

    dataset: str
    split: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.dataset} {self.split} {after(self.epochs)}"


def after(epochs: int) -> str:
    """`after 1 epoch`, `after 200 epochs`."""
    return f"after {epochs} epoch{'' if epochs == 1 else 's'}"


def lacking(figure: Figure, available: Iterable[Figure]) -> UserError:
    """The error for a figure that is not among those `available`: names a misspelt part, else lists what there is."""
    figures = list(available)
    datasets = list(dict.fromkeys(other.dataset for other in figures))
    if figure.dataset not in (*datasets, *DATASETS):
        return unknown("data set", figure.dataset, datasets or DATASETS)
    if figure.split not in SPLITS:
        return unknown("split", figure.split, SPLITS)
    return UserError(f"this table holds no {figure}; it holds: {'; '.join(map(str, figures)) or 'nothing'}")
