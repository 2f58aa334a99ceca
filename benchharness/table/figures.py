"""The names of the figures a table holds: never a position, so that validation and test cannot change places."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from benchharness.errors import UserError, unknown

DATASETS: Final = ("cifar10", "cifar100", "imagenet16-120")
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
        return f"{self.dataset} {self.split} after {self.epochs} epochs"


def lacking(figure: Figure, held: Iterable[Figure]) -> UserError:
    """The error for a figure that is not among those `held`: names a misspelt part, else lists what there is."""
    for kind, name, known in (("data set", figure.dataset, DATASETS), ("split", figure.split, SPLITS)):
        if name not in known:
            return unknown(kind, name, known)
    return UserError(f"this table holds no {figure}; it holds: {'; '.join(map(str, held)) or 'nothing'}")
