"""Matplotlib, loaded whatever backend the environment names: figures here belong to no window.

A notebook hands its own backend down to every command it starts, and matplotlib refuses to load where the command's
environment lacks that backend.
"""

import os
from contextlib import suppress

_wanted = os.environ.pop("MPLBACKEND", "")
import matplotlib  # noqa: E402

if _wanted:
    os.environ["MPLBACKEND"] = _wanted
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = _wanted
