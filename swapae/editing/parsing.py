"""Edits from the JSON of a recipe: which there are, and what each of their fields may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from swapae.editing.dragging import MAX_POINTS, check_points
from swapae.editing.operations import EDITS, Edit
from swapae.editing.validation import (
    MAX_CELLS,
    MAX_PHOTOGRAPHS,
    Check,
    amount,
    box,
    choice,
    gains,
    index,
    indices,
    mask,
    members,
    number,
    optional,
    point,
    radius,
    several,
    shown,
    switch,
    whole,
)
from swapae.errors import UserError

# What a field may be, whichever edit it is of; one word means one thing.
PARAMETERS: dict[str, Check] = {
    "amount": amount,
    "box": box,
    "coarse": amount,
    "columns": whole(0, MAX_CELLS),
    "digest": lambda name, value: value if isinstance(value, str) and len(value) <= 64 else "",
    "fine": amount,
    "flip": switch,
    "gain": amount,
    "gains": gains,
    "handles": several(point, MAX_POINTS),
    "mask": optional(mask),
    "masks": several(mask, MAX_PHOTOGRAPHS),
    "middle": amount,
    "orthogonal": switch,
    "own": number(0, 10),
    "path": choice("linear", "spherical"),
    "photograph": optional(index),
    "photographs": indices,
    "place": box,
    "radius": radius,
    "rows": whole(0, MAX_CELLS),
    "seam": whole(0, MAX_CELLS),
    "shared": number(0, 1),
    "source": indices,
    "target": indices,
    "targets": several(point, MAX_POINTS),
    "weights": several(number(0, 10), MAX_PHOTOGRAPHS),
    "what": choice("luminance", "colour"),
}
# An edit without these has nothing to do; elsewhere the fields of their kind may be empty.
NEEDED = {("protect", "mask"), ("texture", "photograph"), ("layers", "photograph"), ("shape", "photograph")}


def edit_from_dict(values: Any, where: str) -> Edit:
    """An edit from parsed JSON.

    Args:
        values: an object with "edit", the edit's name, and all of its fields.
        where: begins the message of errors.

    Raises:
        UserError: an unknown edit, unknown or missing fields, or values out of range.
    """
    name = values.get("edit") if isinstance(values, Mapping) else None
    if not isinstance(name, str) or name not in EDITS:
        raise UserError(f'{where} must be an object whose "edit" is one of {", ".join(EDITS)}, got {shown(name)}')
    kind = EDITS[name]
    fields = [field.name for field in dataclasses.fields(kind)]
    given = members(f"{where} ({name})", values, {"edit", *fields})
    checked = {field: PARAMETERS[field](f"{where} ({name}): {field}", given[field]) for field in fields}
    for field, value in checked.items():
        if value is None and (name, field) in NEEDED:
            raise UserError(f"{where} ({name}): {field} must be given")
    if len(checked.get("weights", checked.get("masks", ()))) != len(checked.get("photographs", ())) and name != "join":
        raise UserError(f"{where} ({name}) must have as many photographs as weights or masks")
    if name == "drag":
        try:
            check_points(checked["handles"], checked["targets"])
        except UserError as error:
            raise UserError(f"{where} ({name}): {error}") from None
    return kind(**checked)
