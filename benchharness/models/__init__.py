"""Networks on the NAS-Bench-201 space: the supernet and stand-alone networks."""
