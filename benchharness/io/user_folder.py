"""The user's folders for data and for caches; given by platformdirs if it is installed."""

import os
from pathlib import Path
from typing import Final, Literal

_BASE: Final = {"data": ("XDG_DATA_HOME", ".local/share"), "cache": ("XDG_CACHE_HOME", ".cache")}
"""By the XDG Base Directory Specification, which is also what platformdirs follows on Linux."""


def user_folder(kind: Literal["data", "cache"]) -> Path:
    """The package's own folder of a `kind`, which need not exist."""
    try:
        import platformdirs  # commands also run on machines that lack it; on Linux both give the same folder
    except ImportError:
        variable, default = _BASE[kind]
        path = Path(os.environ.get(variable, ""))
        return (path if path.is_absolute() else Path.home() / default) / "benchharness"
    return (platformdirs.user_data_path if kind == "data" else platformdirs.user_cache_path)("benchharness")
