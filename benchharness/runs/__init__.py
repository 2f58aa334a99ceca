"""Runs of a plan: which there are, who makes them, and how they are made again."""
