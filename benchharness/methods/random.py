"""Random search's single draw: the floor that any search has to clear."""

from benchharness.methods._base import Method


class Random(Method):
    """A uniformly random cell; nothing is trained."""

    update = "none"
    selection = "uniform"
