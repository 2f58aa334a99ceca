"""DARTS, second order (Liu, Simonyan & Yang, ICLR 2019, equations 6 to 8): alpha's gradient looks one step ahead."""

from benchharness.methods.darts import Darts


class Darts2(Darts):
    """DARTS, second order: softmax(alpha), updated by the validation loss's gradient after one step of the weights.

    The protocol decides which of weights and alpha steps first: under `nats` the weights do, as in NATS-Bench's code.
    """

    version = 2
    update = "second"
