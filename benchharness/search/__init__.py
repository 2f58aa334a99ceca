"""One supernet search: the training loop, its measurements, and the derivation of an architecture."""
