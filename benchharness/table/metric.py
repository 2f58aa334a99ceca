"""Names of a table's numbers by data set, split and epochs, so that validation and test cannot be swapped."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from benchharness.errors import UserError, unknown

DATASETS: Final = ("cifar10", "cifar100", "imagenet16-120")
"""The data sets of NAS-Bench-201; a table may hold metrics of others."""
SPLITS: Final = {
    "valid": "validation accuracy; for cifar10 after training on 25,000 images, measured on the other 25,000 (x-valid)",
    "test": "test accuracy after training on the whole training set; for cifar10 on all 10,000 test images (ori-test), "
    "else on the half of the test images that is not x-valid (x-test)",
    "test-halftrain": "cifar10 test accuracy after training on 25,000 images (cifar10-valid, ori-test)",
}
EPOCHS: Final = (200, 12)


class Metric(NamedTuple):
    """One accuracy that a table holds for every architecture: data set, split, and epochs of training."""

    dataset: str
    split: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.dataset} {self.split} {after(self.epochs)}"


def after(epochs: int) -> str:
    """`after 1 epoch`, `after 200 epochs`."""
    return f"after {epochs} epoch{'' if epochs == 1 else 's'}"


def missing_metric(metric: Metric, available: Iterable[Metric]) -> UserError:
    """The error for a metric that is not `available`: it names the misspelt part, or else lists the metrics."""
    metrics = list(available)
    datasets = list(dict.fromkeys(other.dataset for other in metrics))
    if metric.dataset not in (*datasets, *DATASETS):
        return unknown("data set", metric.dataset, datasets or DATASETS)
    if metric.split not in SPLITS:
        return unknown("split", metric.split, SPLITS)
    return UserError(f"this table holds no {metric}; it holds: {'; '.join(map(str, metrics)) or 'nothing'}")
