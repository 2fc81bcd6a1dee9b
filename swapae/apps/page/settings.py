"""The page's controls as plain values: what each is called, what it may be, and the edits that they all make together.

A visitor's settings are one dictionary over all tabs. Those left at their defaults make no edit, so that 0 means "as
it was" and what was done on one tab still holds on the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from swapae.editing import Box, operations
from swapae.editing.directions import Directions
from swapae.editing.dragging import MAX_POINTS
from swapae.editing.operations import Edit
from swapae.editing.validation import Check, Mask, choice, mask, number, optional, several, shown, switch, whole
from swapae.errors import UserError

Values = Mapping[str, Any]
# The photographs of the page in order; the first is the one that is edited.
ROLES = ("structure", "texture", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
FURTHER = ROLES[2:]
# What can be painted: where each photograph's texture goes, what keeps its pixels, where directions work.
SOURCES = {"own": "structure"} | {role: role for role in ROLES[1:]}
LAYERS = (*SOURCES, "protect", "directions")
MAX_DIRECTIONS = 12
# The principal axes that the page has sliders for, by their names in `Directions`.
AXES = tuple(
    f"{part}{number}"
    for part, most in (("texture", 6), ("structure", 4), ("layout", 4))
    for number in range(1, most + 1)
)


class Setting(NamedTuple):
    """A control: its label, its check and the value that changes nothing (or, for Swap, the one to begin with)."""

    label: str
    check: Check
    default: Any


def painted(name: str, value: Any) -> dict[str, Mask]:
    """Masks by layer, of those that are not empty."""
    given = {} if value is None else value
    if not isinstance(given, Mapping) or not set(given) <= set(LAYERS):
        raise UserError(f"{name} must be masks by {', '.join(LAYERS)}, got {shown(value)}")
    masks = {layer: mask(f"{name} ({layer})", one) for layer, one in given.items() if one is not None}
    return {layer: one for layer, one in masks.items() if not one.empty}


def covering(name: str, value: Any) -> Mask | None:
    """A mask; none if it is empty."""
    one = optional(mask)(name, value)
    return None if one is None or one.empty else one


SHARE, PERCENT = number(0, 1), number(0, 100)
# Points that hold the edge of a picture: corners and middles of the sides; and those that are left for a visitor.
PINS = tuple((x, y) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0) if (x, y) != (0.5, 0.5))
MAX_DRAGGED = MAX_POINTS - len(PINS)
PIN_FREE = 0.08  # of the short side: within so much of where a visitor drags, no pin works against that
STILL_RADIUS = 2  # cells outside of what is not dragged, over which half of the fade goes
SETTINGS: dict[str, Setting] = {
    # Swap
    "amount": Setting("Strength", SHARE, 1.0),
    "path": Setting("Blending", choice("linear", "spherical"), "linear"),
    "coarse": Setting("Coarse shapes", SHARE, 1.0),
    "middle": Setting("Middle detail", SHARE, 1.0),
    "fine": Setting("Fine detail and colours", SHARE, 1.0),
    "fidelity": Setting("Faithful to my photograph", SHARE, 0.0),
    "keep": Setting("Preserve from original", choice("nothing", "luminance", "colour"), "nothing"),
    # Mix
    **{role: Setting(f"Photograph {number}", SHARE, 0.0) for number, role in enumerate(FURTHER, 3)},
    # Regions
    "paint": Setting("Painted regions", painted, {}),
    "feather": Setting("Softness of the edge", whole(0, 8), 1),
    # Directions
    "gains": Setting("Directions", several(number(-3, 3), MAX_DIRECTIONS, 0), []),
    "axes": Setting("Numbered axes", several(number(-3, 3), len(AXES), 0), []),
    "orthogonal": Setting("Keep directions from affecting each other", switch, False),
    "translation": Setting("From one kind to the other", number(-3, 3), 0.0),
    # Structure
    "points": Setting("Dragged points", several(several(SHARE, 4, 4), MAX_DRAGGED, 0), []),
    "edges": Setting("Hold the edges of the picture", switch, True),
    "still": Setting("What is not dragged", covering, None),
    "shape": Setting("Towards the shapes of photograph 2", SHARE, 0.0),
    "left": Setting("Left edge of the piece", PERCENT, 30.0),
    "top": Setting("Top edge of the piece", PERCENT, 30.0),
    "width": Setting("Width of the piece", PERCENT, 40.0),
    "height": Setting("Height of the piece", PERCENT, 40.0),
    "right": Setting("Shift right", number(-100, 100), 0.0),
    "down": Setting("Shift down", number(-100, 100), 0.0),
    "scale": Setting("Scale", number(25, 400), 100.0),
    "flip": Setting("Mirror it", switch, False),
    "leave": Setting("Move it, and fill where it was", switch, False),
    "wider": Setting("Wider", PERCENT, 0.0),
    "taller": Setting("Taller", PERCENT, 0.0),
    "join": Setting("Beside it", several(choice(*ROLES[1:]), len(ROLES) - 1, 0), []),
    "seam": Setting("Softness of the seam", number(0, 50), 20.0),
    "shared": Setting("One look for all", SHARE, 1.0),
}
DEFAULTS: dict[str, Any] = {name: setting.default for name, setting in SETTINGS.items()}


def checked(values: Values) -> dict[str, Any]:
    """All settings, the defaults where none are given.

    Raises:
        UserError: an unknown one, or a value that it may not have.
    """
    if unknown := sorted(values.keys() - SETTINGS.keys()):
        raise UserError(f"there is no setting {shown(unknown[0])}")
    return {name: one.check(one.label, values.get(name, one.default)) for name, one in SETTINGS.items()}


class Situation(NamedTuple):
    """What settings depend on besides themselves.

    Attributes:
        number: gives a role's place among the recipe's photographs, taking it in; or UserError if there is none.
        grid: (rows, columns) of the structure photograph.
        size: (width, height) of it, in pixels.
        directions: of the model, if it has any.
        domains: the places of photographs of the one kind and of the other.
    """

    number: Callable[[str], int]
    grid: tuple[int, int]
    size: tuple[int, int]
    directions: Directions | None
    domains: Callable[[], tuple[tuple[int, ...], tuple[int, ...]]]


def edits_of(values: Values, situation: Situation) -> list[Edit]:
    """The edits that checked settings make together, tab by tab.

    Raises:
        UserError: a photograph or directions that are not there.
    """
    tabs = (swapped, mixed, brushed, directed, dragged, restructured, resized, kept)
    return [edit for tab in tabs for edit in tab(values, situation)]


def swapped(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Swap."""
    amount = values["amount"]
    layers = {name: amount * values[name] for name in ("coarse", "middle", "fine")}
    if not any(layers.values()):
        return []
    texture = situation.number("texture")
    if len(set(layers.values())) > 1:
        return [operations.Layers(texture, **layers)]
    return [operations.SwapTexture(texture, layers["fine"], values["path"])]


def mixed(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Mix: what they leave to 1 stays with the texture so far."""
    weights = {role: values[role] for role in FURTHER if values[role]}
    if not weights:
        return []
    own = max(0.0, 1 - sum(weights.values()))
    return [operations.Mix(own, tuple(situation.number(role) for role in weights), tuple(weights.values()))]


def brushed(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Regions, but for what keeps pixels."""
    masks = {SOURCES[layer]: one for layer, one in values["paint"].items() if layer in SOURCES}
    if not masks:
        return []
    numbers = tuple(situation.number(role) for role in masks)
    return [operations.Regions(numbers, tuple(masks.values()), values["feather"])]


def directed(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Directions."""
    edits: list[Edit] = []
    if any(values["gains"]) or any(values["axes"]):
        if situation.directions is None:
            raise UserError("this model has no directions")
        names = list(situation.directions.named)
        if any(values["gains"][len(names) :]):
            raise UserError(f"this model has {len(names)} directions: {', '.join(names)}")
        pairs = [*zip(names, values["gains"], strict=False), *zip(AXES, values["axes"], strict=False)]
        gains = {name: gain for name, gain in pairs if gain}
        apart, where = values["orthogonal"], values["paint"].get("directions")
        digest = operations.directions_digest(situation.directions, gains, orthogonal=apart)
        edits.append(operations.Directed(gains, apart, where, values["feather"], digest))
    if values["translation"]:
        edits.append(operations.Translate(*situation.domains(), values["translation"]))
    return edits


def dragged(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Structure, points of the photograph dragged elsewhere."""
    pairs = [(pixel(point[:2], situation.size), pixel(point[2:], situation.size)) for point in values["points"]]
    if all(handle == target for handle, target in pairs):
        return []
    if values["edges"]:
        ends, free = [end for pair in pairs for end in pair], PIN_FREE * min(situation.size)
        pins = [pixel(pin, situation.size) for pin in PINS]
        pairs += [(pin, pin) for pin in pins if all(math.dist(pin, end) > free for end in ends)]
    handles, targets = zip(*pairs, strict=True)
    return [operations.Drag(handles, targets, values["still"], STILL_RADIUS)]


def pixel(place: Sequence[float], size: tuple[int, int]) -> tuple[float, float]:
    """The pixel (x, y) of a place that is given in shares of width and height, in the type that recipes read."""
    x, y = (min(int(share * side), side - 1) for share, side in zip(place, size, strict=True))
    return float(x), float(y)


def restructured(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Structure, what keeps the size: blending shapes, and a piece copied or moved."""
    edits: list[Edit] = []
    if values["shape"]:
        edits.append(operations.BlendStructure(situation.number("texture"), values["shape"]))
    if not (values["right"] or values["down"] or values["flip"] or values["scale"] != 100):
        return edits
    box = piece(values, situation.grid)
    rows, columns = situation.grid
    height, width = (max(1, round(side * values["scale"] / 100)) for side in box[2:])
    # Scaled about its middle.
    top = box.top + (box.height - height) // 2 + round(rows * values["down"] / 100)
    left = box.left + (box.width - width) // 2 + round(columns * values["right"] / 100)
    place = Box(top, left, height, width)
    if top + height <= 0 or left + width <= 0 or top >= rows or left >= columns:
        raise UserError("the piece would lie wholly beyond the picture: shift it less")
    if values["leave"]:
        return [*edits, operations.Move(box, place, values["flip"], 1)]
    return [*edits, operations.Paste(None, box, place, values["flip"], 1)]


def piece(values: Values, grid: tuple[int, int]) -> Box:
    """The cells of the piece that is copied."""
    spans = []
    for cells, edge, length in zip(grid, ("top", "left"), ("height", "width"), strict=True):
        start = min(round(cells * values[edge] / 100), cells - 1)
        spans.append((start, min(max(1, round(cells * values[length] / 100)), cells - start)))
    (top, height), (left, width) = spans
    return Box(top, left, height, width)


def resized(values: Values, situation: Situation) -> list[Edit]:
    """Of the tab Structure, what changes the size."""
    edits: list[Edit] = []
    rows, columns = situation.grid
    more = operations.Outpaint(round(rows * values["taller"] / 200), round(columns * values["wider"] / 200))
    if more.rows or more.columns:
        edits.append(more)
    if values["join"]:
        if more.rows:
            raise UserError("photographs can be joined only while the picture is not taller")
        roles = [role for role in ROLES if role in values["join"]]
        seam = round(columns * values["seam"] / 100)
        edits.append(operations.Join(tuple(situation.number(role) for role in roles), seam, values["shared"]))
    return edits


def kept(values: Values, situation: Situation) -> list[Edit]:
    """What is kept of the photograph's pixels, of the tabs Swap and Regions."""
    edits: list[Edit] = []
    if values["keep"] != "nothing":
        edits.append(operations.Keep(values["keep"]))
    if "protect" in values["paint"]:
        edits.append(operations.Protect(values["paint"]["protect"], 2 * values["feather"]))
    return edits
