"""What Python sessions use: running a plan, its results with their plots, one cell."""

from benchharness.compute.environment import wait_passively

wait_passively()  # before the modules here load torch, where it is not loaded yet
