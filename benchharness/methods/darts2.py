"""DARTS, second order (Liu, Simonyan & Yang, ICLR 2019, equations 6 to 8): alpha looks one weight step ahead."""

from benchharness.methods.darts import Darts


class Darts2(Darts):
    """DARTS, second order: softmax(alpha), updated by the validation loss's gradient after one step of the weights.

    The protocol's order holds for it too: under `nats` the weights step first, as that code does it.
    """

    version = 2
    update = "second"
