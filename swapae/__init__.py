"""Swapping Autoencoder: the structure of one photograph in the texture of another, in one forward pass."""

from swapae.codes import Codes
from swapae.config import PRESETS, SwapAEConfig
from swapae.errors import UserError
from swapae.model import SwapAE
from swapae.release import release

__version__ = release()

__all__ = ["PRESETS", "Codes", "SwapAE", "SwapAEConfig", "UserError"]
