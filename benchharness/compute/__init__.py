"""Executing searches: processes, devices, dask clusters, time limits, and a description of the environment."""
