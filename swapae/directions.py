"""Directions, under the name that people import; see `swapae.editing.directions`."""

from swapae.editing.directions import Directions, directions_of

__all__ = ["Directions", "directions_of"]
