"""Edits of codes, and of the pictures they decode to, as pure functions on tensors.

Nothing here holds a model: where a decode is needed it is an argument, and everything works for any batch, grid,
device and floating-point type. Start with `interpolate`, `mix_textures` and `texture_map`.
"""

from swapae.editing.dragging import drag
from swapae.editing.interpolation import interpolate, interpolate_spherical
from swapae.editing.masks import feather, feather_outward
from swapae.editing.motion import ease, eased_amounts, flicker, journey, restyle
from swapae.editing.pictures import Change, change, combine_luminance_and_colour, composite, protect
from swapae.editing.regions import select_similar, similarity, texture_map
from swapae.editing.structure import Box, fill, join, move, outpaint, paste
from swapae.editing.texture import mix_textures, textures_per_block, translate

__all__ = [
    "Box",
    "Change",
    "change",
    "combine_luminance_and_colour",
    "composite",
    "drag",
    "ease",
    "eased_amounts",
    "feather",
    "feather_outward",
    "fill",
    "flicker",
    "interpolate",
    "interpolate_spherical",
    "join",
    "journey",
    "mix_textures",
    "move",
    "outpaint",
    "paste",
    "protect",
    "restyle",
    "select_similar",
    "similarity",
    "texture_map",
    "textures_per_block",
    "translate",
]
