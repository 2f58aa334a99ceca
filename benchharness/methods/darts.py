"""DARTS, first order (Liu, Simonyan & Yang, ICLR 2019, equation 2): every edge carries the softmax of its alphas."""

from benchharness.methods._base import Method


class Darts(Method):
    """DARTS, first order: softmax(alpha), updated by the validation loss's gradient at the current weights."""
