"""Matplotlib, loaded whatever backend the environment names: figures here belong to no window.

A notebook hands its own backend down to every command it starts, and matplotlib refuses to load where the command's
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
