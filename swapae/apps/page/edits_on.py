"""Which edits are on, in all tabs, and what the settings are without one of them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swapae.apps.page.painter import BRUSHES
from swapae.apps.page.settings import AXES, DEFAULTS, FURTHER, ROLES, SETTINGS, Values

KEPT = {"luminance": "Light and dark kept", "colour": "Colours kept"}
PIECE = ("right", "down", "scale", "flip", "leave")
PAINTED = {"own": "Painted: its own look", "protect": "Painted: kept as it is", "directions": "Painted: for directions"}


class EditOn(NamedTuple):
    """An edit: its name for programs, its tab, its words, and the settings that take it away."""

    name: str
    tab: str
    words: str
    without: dict[str, Any]


def edits_on(values: Values, names: Sequence[str]) -> list[EditOn]:
    """The edits that settings make, tab by tab.

    Args:
        values: of `settings.SETTINGS`, all of them.
        names: of the model's named directions.
    """
    return [
        *swap_edits(values),
        *(
            EditOn(role, "mix", f"Look of {ROLES.index(role) + 1}: {percent(values[role])}", {role: 0.0})
            for role in FURTHER
            if values[role]
        ),
        *painted_edits(values["paint"]),
        *direction_edits(values, names),
        *structure_edits(values),
    ]


def swap_edits(values: Values) -> list[EditOn]:
    """Of the tab Swap."""
    found = []
    if values["amount"]:
        found.append(EditOn("amount", "swap", f"Look of 2: {percent(values['amount'])}", {"amount": 0.0}))
        found += [
            EditOn(name, "swap", f"{SETTINGS[name].label}: {percent(values[name])}", {name: 1.0})
            for name in ("coarse", "middle", "fine")
            if values[name] != 1
        ]
    if values["fidelity"]:
        words = f"Faithful to my photograph: {percent(values['fidelity'])}"
        found.append(EditOn("fidelity", "swap", words, {"fidelity": 0.0}))
    if values["keep"] in KEPT:
        found.append(EditOn("keep", "swap", KEPT[values["keep"]], {"keep": "nothing"}))
    return found


def painted_edits(paint: Mapping[str, Any]) -> list[EditOn]:
    """Of the tab Regions."""
    return [
        EditOn(
            f"paint-{layer}",
            "regions",
            PAINTED.get(layer) or f"Painted: look of {ROLES.index(layer) + 1}",
            {"paint": {other: mask for other, mask in paint.items() if other != layer}},
        )
        for layer in BRUSHES
        if layer in paint
    ]


def direction_edits(values: Values, names: Sequence[str]) -> list[EditOn]:
    """Of the tab Directions."""
    found = []
    for setting, labels in (("gains", [name.capitalize() for name in names]), ("axes", [*map(axis_words, AXES)])):
        for number, (label, gain) in enumerate(zip(labels, values[setting], strict=False)):
            if gain:
                rest = [*values[setting]]
                rest[number] = 0
                found.append(EditOn(f"{setting}-{number}", "directions", f"{label} {gain:+g}", {setting: rest}))
    if values["translation"]:
        words = f"To the other kind {values['translation']:+g}"
        found.append(EditOn("translation", "directions", words, {"translation": 0.0}))
    return found


def structure_edits(values: Values) -> list[EditOn]:
    """Of the tab Structure."""
    found = []
    moved = sum(tuple(point[:2]) != tuple(point[2:]) for point in values["points"])
    if moved:
        found.append(EditOn("points", "structure", f"{moved} point{'s' * (moved > 1)} dragged", {"points": []}))
        if values["still"]:
            found.append(EditOn("still", "structure", "Painted: not dragged", {"still": None}))
    if values["shape"]:
        found.append(EditOn("shape", "structure", f"Shapes of 2: {percent(values['shape'])}", {"shape": 0.0}))
    if values["right"] or values["down"] or values["flip"] or values["scale"] != 100:
        words = "A piece moved" if values["leave"] else "A piece copied"
        found.append(EditOn("piece", "structure", words, {name: DEFAULTS[name] for name in PIECE}))
    for name in ("wider", "taller"):
        if values[name]:
            found.append(EditOn(name, "structure", f"{values[name]:g} % {name}", {name: 0.0}))
    for role in ROLES[1:]:
        if role in values["join"]:
            rest = [other for other in values["join"] if other != role]
            found.append(EditOn(f"join-{role}", "structure", f"Beside it: {ROLES.index(role) + 1}", {"join": rest}))
    return found


def axis_words(axis: str) -> str:
    """What a principal axis is called: "texture2" is "Texture axis 2"."""
    return f"{axis[:-1].capitalize()} axis {axis[-1]}"


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:.0f} %"


def edits_html(edits: Sequence[EditOn]) -> str:
    """The edits as a row, each with a cross; the tabs they are of get a dot by the style sheet."""
    if not edits:
        return '<p class="edits quiet">No edits: the photograph as the model sees it.</p>'
    chips = "".join(
        f'<li data-tab="{one.tab}">{html.escape(one.words)}<button type="button" data-name="{html.escape(one.name)}" '
        f'aria-label="Take away: {html.escape(one.words)}" title="Take away">&#x2715;</button></li>'
        for one in edits
    )
    return f'<ul class="edits" aria-label="Edits that are on">{chips}</ul>'


def without_photograph(values: Values, role: str) -> dict[str, Any]:
    """The settings that no longer use a further photograph: its share, what is painted with it, its place beside."""
    changed: dict[str, Any] = {
        "paint": {layer: mask for layer, mask in values["paint"].items() if layer != role},
        "join": [other for other in values["join"] or [] if other != role],
    }
    return changed | ({role: 0.0} if role in FURTHER else {})
