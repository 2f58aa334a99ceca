"""For Python sessions and notebooks: run a plan, its results with plots, one cell."""

from benchharness.compute.environment import wait_passively

wait_passively()  # has to be set before torch is loaded
