"""Safetensors files of named tensors: read with a remedy to name, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from swapae.errors import ModelError, first_line
from swapae.files import atomic_path


def read_safetensors(path: str | os.PathLike[str], *, remedy: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors, on the CPU, and metadata of a safetensors file.

    Raises:
        ModelError: missing, damaged or of another format, and `remedy`.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{str(path)!r} is missing, damaged or not safetensors ({first_line(error)}); {remedy}"
        ) from None


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file, replacing an older one only once complete.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        dump_safetensors(temporary, tensors, metadata)


def dump_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a new safetensors file with the permissions that any new file gets; raises OSError."""
    # safetensors stores plain memory: no channels_last.
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.touch()
    mode = path.stat().st_mode  # safetensors' own is 0600
    try:
        save_file(plain, path, {"format": "pt", **(metadata or {})})
    except SafetensorError as error:
        raise OSError(first_line(error)) from None
    path.chmod(mode)
