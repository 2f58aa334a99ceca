"""Loads matplotlib with any backend named in the environment; our figures need no window.

A notebook passes its backend to every command that it starts, and matplotlib cannot be loaded if the command's
environment lacks that backend.
"""

import os
from contextlib import suppress

from benchharness.errors import UserError

_user_backend = os.environ.pop("MPLBACKEND", "")
try:
    import matplotlib
except UnicodeDecodeError as error:
    raise UserError(
        f"matplotlib cannot be loaded, since its matplotlibrc file is not UTF-8 ({error}); save that file as "
        "UTF-8, or name another in MATPLOTLIBRC"
    ) from None

if _user_backend:
    os.environ["MPLBACKEND"] = _user_backend
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = _user_backend
