"""Drawings whose structure and texture are known apart, so that the correct hybrid of any two exists.

Structure is a `Layout`: where shapes lie, and how their bevelled edges catch the light. Texture is a `Texture`: the
material of the ground and that of the shapes. `draw` makes a picture of any of the one and any of the other.
"""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

OVERSAMPLING = 4  # drawn so many times larger, then averaged: smooth edges
MARGIN = 0.08  # of the side that no shape reaches: what touches the border is ground
BEVEL, LIGHT = 0.06, 0.45  # width of lit edges in sides; how much lighter and darker they are
LEAST_CONTRAST = 0.6  # of the colours of ground and shapes, as distance in RGB of [0, 1]


@dataclass(frozen=True)
class Shape:
    """A disc, a box (a square or a bar) or a triangle: centre, half its extent and turn in radians, in sides."""

    kind: str
    x: float
    y: float
    radius: float
    turn: float


@dataclass(frozen=True)
class Layout:
    """Where shapes lie, which may overlap into one."""

    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Material:
    """A colour with a pattern of another on it.

    Attributes:
        base, accent: RGB in [0, 1].
        pattern: a name of `PATTERNS`.
        wavelength: of the pattern, in sides of the picture.
        turn: of the pattern, in radians.
    """

    base: tuple[float, float, float]
    accent: tuple[float, float, float]
    pattern: str
    wavelength: float
    turn: float


@dataclass(frozen=True)
class Texture:
    """What the ground is made of, and what the shapes are."""

    ground: Material
    shapes: Material


def random_layout(seed: int) -> Layout:
    """One to three shapes inside the margin; the same for the same seed everywhere."""
    chance = random.Random(f"layout {seed}")
    shapes = []
    for _ in range(chance.choice([1, 2, 2, 3])):
        radius = chance.uniform(0.16, 0.27)
        x, y = (chance.uniform(MARGIN + radius, 1 - MARGIN - radius) for _ in range(2))
        shapes.append(Shape(chance.choice(list(OUTLINES)), x, y, radius, chance.uniform(0, 2 * math.pi)))
    return Layout(tuple(shapes))


def random_texture(seed: int) -> Texture:
    """Two materials of clearly different colours; the same for the same seed everywhere."""
    chance = random.Random(f"texture {seed}")
    ground = random_material(chance)
    while True:
        shapes = random_material(chance)
        if math.dist(ground.base, shapes.base) >= LEAST_CONTRAST:
            return Texture(ground, shapes)


def random_material(chance: random.Random) -> Material:
    """A colour and a lighter or darker one of a similar hue."""
    hue, saturation, value = chance.random(), chance.uniform(0.2, 0.9), chance.uniform(0.3, 0.95)
    other = value - 0.18 if value > 0.6 else value + 0.18
    accent = colorsys.hsv_to_rgb((hue + chance.uniform(-0.05, 0.05)) % 1, saturation, other)
    return Material(
        colorsys.hsv_to_rgb(hue, saturation, value),
        accent,
        chance.choice(list(PATTERNS)),
        chance.uniform(0.08, 0.16),
        chance.uniform(0, math.pi),
    )


def draw(layout: Layout, texture: Texture, size: int, seed: int) -> Tensor:
    """The picture of a structure and a texture.

    Args:
        layout: the structure.
        texture: the materials.
        size: side in pixels.
        seed: of the patterns' phases, which are neither structure nor texture.

    Returns:
        [1, 3, size, size] in [-1, 1].
    """
    x, y, depth = relief(layout, size)
    down, right = torch.gradient(depth, spacing=1 / (size * OVERSAMPLING))
    facing = -(down + right) / math.sqrt(2)  # the light comes from the top left
    edge = (1 - depth / BEVEL).clamp(0, 1) * (depth > 0)
    chance = random.Random(f"phase {seed}")
    ground, shapes = (paint(material, x, y, chance) for material in (texture.ground, texture.shapes))
    picture = torch.where(depth > 0, shapes, ground) * (1 - LIGHT * edge * facing)
    return F.avg_pool2d(picture.clamp(0, 1)[None], OVERSAMPLING) * 2 - 1


def coverage(layout: Layout, size: int) -> Tensor:
    """The share of each pixel that shapes cover, [1, 1, size, size] in [0, 1]."""
    return F.avg_pool2d((relief(layout, size)[2] > 0).float()[None, None], OVERSAMPLING)


def relief(layout: Layout, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """x and y in [0, 1] of an oversampled picture's pixels, and how deep inside the shapes they are, in sides."""
    side = size * OVERSAMPLING
    line = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x, y, -torch.stack([outside(shape, x, y) for shape in layout.shapes]).amin(0)


def paint(material: Material, x: Tensor, y: Tensor, chance: random.Random) -> Tensor:
    """A material everywhere, RGB [3, h, w] in [0, 1]; x and y [h, w] in [0, 1]."""
    cos, sin = math.cos(material.turn), math.sin(material.turn)
    u, v = (
        (a + chance.random() * material.wavelength) / material.wavelength
        for a in (cos * x + sin * y, cos * y - sin * x)
    )
    strength = PATTERNS[material.pattern](u, v)
    base, accent = (torch.tensor(colour).view(3, 1, 1) for colour in (material.base, material.accent))
    return base + (accent - base) * strength


def stripes(u: Tensor, v: Tensor) -> Tensor:
    """Soft stripes of wavelength 1 along v, in [0, 1]."""
    return 0.5 + 0.5 * torch.sin(2 * math.pi * u)


def dots(u: Tensor, v: Tensor) -> Tensor:
    """Dots in a square grid of distance 1, in [0, 1]."""
    return (2.5 * torch.sin(math.pi * u).square() * torch.sin(math.pi * v).square() - 0.75).clamp(0, 1)


def checks(u: Tensor, v: Tensor) -> Tensor:
    """A chessboard of period 1, 0 or 1."""
    return ((2 * u).floor() + (2 * v).floor()) % 2


def plain(u: Tensor, v: Tensor) -> Tensor:
    """Nothing, 0."""
    return torch.zeros_like(u)


PATTERNS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "stripes": stripes, "dots": dots, "checks": checks, "plain": plain,
}  # fmt: skip


def disc(u: Tensor, v: Tensor) -> Tensor:
    """How far outside a disc of radius 1."""
    return torch.hypot(u, v) - 1


def square(u: Tensor, v: Tensor) -> Tensor:
    """How far outside a square with a diagonal of 2."""
    return torch.maximum(u.abs(), v.abs()) - math.sqrt(0.5)


def bar(u: Tensor, v: Tensor) -> Tensor:
    """How far outside a bar about 2 long."""
    return torch.maximum(u.abs() - 0.93, v.abs() - 0.37)


def triangle(u: Tensor, v: Tensor) -> Tensor:
    """How far outside an equilateral triangle with corners at distance 1."""
    corners = (2 * math.pi * corner / 3 for corner in range(3))
    return torch.stack([u * math.cos(angle) + v * math.sin(angle) for angle in corners]).amax(0) - 0.5


OUTLINES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "disc": disc, "square": square, "bar": bar, "triangle": triangle,
}  # fmt: skip


def outside(shape: Shape, x: Tensor, y: Tensor) -> Tensor:
    """How far places [h, w] are outside a shape, in sides of the picture; negative inside."""
    cos, sin = math.cos(shape.turn), math.sin(shape.turn)
    u, v = (x - shape.x) / shape.radius, (y - shape.y) / shape.radius
    return OUTLINES[shape.kind](cos * u + sin * v, cos * v - sin * u) * shape.radius
