"""Saves tensors in torch's file format, atomically."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchharness.io import files


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path` for `torch.load`; raises `UnwritableError` if the operating system refuses."""
    # In memory first: if torch writes the file itself, its error names neither the file nor a full disk.
    file = io.BytesIO()
    torch.save(content, file)
    files.write_bytes(path, file.getbuffer())
