"""What the choice of a model answers, and what the page says of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from swapae.apps.page import parts, tabs, zerogpu
from swapae.apps.page.examples import copy_of_example, example_at, paths_of, showcase
from swapae.apps.page.handlers import KEEP, Handlers, padded
from swapae.apps.page.history import History
from swapae.apps.page.settings import AXES, MAX_DIRECTIONS, ROLES
from swapae.apps.page.studio import Studio
from swapae.apps.page.visits import Visit
from swapae.errors import UserError


class ModelHandlers:
    """What the choice of a model answers, with the rest of the page's `handlers`."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers, self.models = handlers, handlers.models

    def chose(self, *arguments: Any) -> tuple:
        """Values of what depends on the model, the canvases, all slots and both kinds, after another one was chosen.

        Examples are exchanged for those of the model.
        """
        visit = self.handlers.visits.of(arguments)
        name = self.models.comes_with(visit.model)
        anew: dict[str, Any] = {"model": visit.model, "history": History(), "touched": ("Model", False)}
        nothing: dict[str, Any] = {"gains": [], "axes": [], "paint": {}, "still": None}

        def chosen(one: Visit) -> Visit:
            return one.setting(nothing)._replace(**anew, paths=exchanged(one.paths, name))

        visit = self.handlers.visits.change(visit, chosen)
        about, gains, axes = self.about(visit)
        kinds: list[Any] = [KEEP, KEEP]
        if name and all(copy_of_example(path) for paths in visit.kinds for path in paths):
            kinds = [list(paths_of(indices)) for indices in showcase(name).kinds]
        slots = (self.handlers.slot(visit, role) for role in ROLES)
        return *about, *gains, *axes, *[""] * len(AXES), *self.handlers.canvases(visit), *slots, *kinds

    def about(self, visit: Visit) -> tuple[tuple, list, list]:
        """Values of what tells of the model, of the sliders of its directions, and of its axes."""
        try:
            studio, card = self.models.studio(visit.model), self.models.card(visit.model)
        except UserError as error:
            studio, card = self.models.first, parts.sentence(error)
        gains = padded(visit.values["gains"], MAX_DIRECTIONS)
        axes = padded(visit.values["axes"], len(AXES))
        sliders = [gr.Slider(value=gain, **one) for gain, one in zip(gains, tabs.gain_sliders(studio), strict=True)]
        numbered = [gr.Slider(value=gain, **one) for gain, one in zip(axes, tabs.axis_sliders(studio), strict=True)]
        explore = gr.Accordion(visible=studio.directions is not None)
        names = studio.direction_names
        direction = gr.Dropdown(names, value=names[0] if names else "")
        pairs = parts.pairs_html(showcase(self.models.comes_with(visit.model)))
        about = (describe_model(studio), card, tabs.about_directions(studio), explore, direction, pairs)
        return about, sliders, numbered


def exchanged(paths: Mapping[str, str], name: str | None) -> dict[str, str]:
    """Photographs by role, with those of the embedded model `name`, if it is one, for the examples of others."""
    mine = dict(zip(ROLES, showcase(name).opening, strict=False)) if name else {}
    return {
        role: mine.get(role, path) if (example := example_at(path)) and example.model != name else path
        for role, path in paths.items()
    }


def describe_model(studio: Studio) -> str:
    """Size and place of a model as HTML."""
    weight = studio.model.encoder.to_texture.weight
    config = studio.model.config
    device = "a GPU that is lent for each picture (ZeroGPU)" if zerogpu.ACTIVE else weight.device.type
    device = {"cpu": "the processor", "cuda": "the GPU", "mps": "the GPU"}.get(device, device)
    text = f"{studio.model.parameter_count / 1e6:.1f} million parameters, {config.image_size} pixels, on {device}."
    return parts.quiet(text)
