"""Swapping Autoencoder: the structure of one photograph in the texture of another, in one forward pass."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from swapae.errors import UserError
from swapae.release import release

if TYPE_CHECKING:
    from swapae.codes import Codes
    from swapae.config import PRESETS, SwapAEConfig
    from swapae.model import SwapAE

__version__ = release()

__all__ = ["PRESETS", "Codes", "SwapAE", "SwapAEConfig", "UserError"]

# Where the rest of `__all__` is. Importing torch takes over a second, which `swapae --help` should not wait for.
_HOMES = {"Codes": "codes", "PRESETS": "config", "SwapAE": "model", "SwapAEConfig": "config"}


def __getattr__(name: str) -> Any:
    """A name of `__all__`, or a module such as `swapae.metrics`, imported when it is first used (PEP 562)."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"swapae.{_HOMES[name]}"), name)
    try:
        return importlib.import_module(f"swapae.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"swapae.{name}":
            raise
        raise AttributeError(f"module 'swapae' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
