"""A single random draw: the baseline that any search has to beat."""

from benchharness.methods._base import Method


class Random(Method):
    """A uniformly random cell; nothing is trained."""

    update = "none"
    selection = "uniform"
