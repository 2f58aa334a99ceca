"""Saves tensors to a file in torch's format, in whole or not at all."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchharness.io import files


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path` for `torch.load`; raises `UnwritableError` where the system refuses."""
    # In memory first: torch, writing the file itself, names neither the file nor a full disk in its error.
    file = io.BytesIO()
    torch.save(content, file)
    files.write_bytes(path, file.getbuffer())
