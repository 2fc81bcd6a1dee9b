"""A recipe in words, for people."""

from __future__ import annotations

from swapae.editing import operations
from swapae.editing.dragging import shown
from swapae.editing.operations import Edit
from swapae.editing.recipes import Recipe


def in_words(recipe: Recipe) -> list[str]:
    """A sentence for each edit, in order."""
    names = [photograph.name for photograph in recipe.inputs]
    return [sentence_of(edit, names) for edit in recipe.edits]


def sentence_of(edit: Edit, names: list[str]) -> str:
    """What an edit does, in a sentence."""
    match edit:
        case operations.SwapTexture(photograph, amount, path):
            way = ", along the sphere" if path == "spherical" else ""
            return f"{percent(amount)} of the texture of {names[photograph]}{way}."
        case operations.Mix(own, photographs, weights):
            shares = [f"{weight:g} of {names[number]}" for number, weight in zip(photographs, weights, strict=True)]
            return f"Textures mixed: {own:g} of the one so far, {', '.join(shares)}."
        case operations.Layers(photograph, coarse, middle, fine):
            parts = f"{percent(coarse)} coarse, {percent(middle)} middle, {percent(fine)} fine"
            return f"The texture of {names[photograph]} by layers: {parts}."
        case operations.Regions(photographs, _, radius):
            where = ", ".join(names[number] for number in photographs)
            return f"Painted: the texture of {where}, the edge {radius} cells soft."
        case operations.Directed(gains, apart, mask, _, _):
            moves = [f"{name} {gain:+g}" for name, gain in gains.items()]
            how = f"{', kept apart' if apart else ''}{', where painted' if mask else ''}"
            return f"Directions: {', '.join(moves)}{how}."
        case operations.Translate(source, target, gain):
            return f"Moved by {gain:+g} from the look of {len(source)} photographs to that of {len(target)}."
        case operations.BlendStructure(photograph, amount):
            return f"{percent(amount)} of the shapes of {names[photograph]}."
        case operations.Paste(_, box, place, flip, _) | operations.Move(box, place, flip, _):
            verb = "moved" if isinstance(edit, operations.Move) else "copied"
            shift = f"{place.left - box.left:+d} columns and {place.top - box.top:+d} rows"
            return f"A piece {verb} by {shift}{', mirrored' if flip else ''}."
        case operations.Drag(handles, targets, mask, _):
            pairs = [*zip(handles, targets, strict=True)]
            moved = [f"{shown(start)} to {shown(end)}" for start, end in pairs if start != end]
            pins = [shown(start) for start, end in pairs if start == end]
            pinned = ", ".join(pins) if len(pins) < 5 else f"{len(pins)} points"
            held = f"; {pinned} held" if pins else ""
            return f"Dragged: {', '.join(moved) or 'nothing'}{held}{'; nothing where painted' if mask else ''}."
        case operations.Outpaint(rows, columns):
            return f"More picture beyond the border: {rows} rows above and below, {columns} columns to each side."
        case operations.Join(photographs, seam, _):
            return f"Beside it {', '.join(names[number] for number in photographs)}, the seam {seam} columns soft."
        case operations.Keep(what):
            return (
                "Keeps the photograph's light and dark." if what == "luminance" else "Keeps the photograph's colours."
            )
        case operations.Protect():
            return "Keeps the photograph itself where painted."
    raise NotImplementedError(edit.name)


def percent(amount: float) -> str:
    """A share for people."""
    return f"{100 * amount:.0f} %"
