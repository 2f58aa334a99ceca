"""For Python sessions and notebooks: run a plan, its results with plots, one cell."""

from benchharness.compute.environment import wait_passively

wait_passively()  # before the modules here load torch, where it is not loaded yet
