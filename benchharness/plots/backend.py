"""Loads matplotlib whatever backend the environment names; our figures belong to no window.

A notebook passes its backend on to every command that it starts, and matplotlib does not load if the command's
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
        f"matplotlib cannot be loaded, as the matplotlibrc that it reads is not UTF-8 ({error}); save that file as "
        "UTF-8, or name another in MATPLOTLIBRC"
    ) from None

if _user_backend:
    os.environ["MPLBACKEND"] = _user_backend
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = _user_backend
