"""Directions, under the name that people import; see `swapae.editing.directions`."""

from swapae.editing.directions import Direction, Directions

__all__ = ["Direction", "Directions"]
