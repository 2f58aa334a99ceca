"""Analyses of finished runs as data frames: look-ups, correlations, comparisons."""
