"""Previews: what each "Try" would make of the photograph, and what each axis does; others' edits go before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts, tabs
from swapae.apps.page.handlers import KEEP, Handlers
from swapae.apps.page.settings import AXES
from swapae.apps.page.style import TABS
from swapae.apps.page.visits import Visit
from swapae.errors import UserError

# How far to either side the pictures of an axis show it.
GLIMPSE = 2.0


class PreviewHandlers:
    """What is shown in small, with the rest of the page's `handlers`."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers

    def thumbnails(self, tab: str, visit: Visit, others: Any = KEEP) -> list[Any]:
        """Values of all tabs' presets: what those of one tab make of the photograph, in small; `others`: the rest."""
        pictures: list[Image.Image | None] = []
        if tab in tabs.TAB_PRESETS:
            try:
                studio, files = self.handlers.models.studio(visit.model), visit.files()
                grid = self.handlers.grid(visit)
                for number in range(len(tabs.TAB_PRESETS[tab])):
                    values = visit.values | tabs.preset(tab, number, grid)
                    pictures.append(studio.glimpse(files, values, visit.session))
            except UserError:
                pictures = []
        return [
            parts.presets_html(tabs.words_of(name), pictures) if name == tab else others for name in tabs.TAB_PRESETS
        ]

    def opened(self, event: gr.EventData, *arguments: Any) -> list[str]:
        """Values of all tabs' presets once a tab is opened."""
        visit, tab = self.handlers.visits.of(arguments), getattr(event, "tab", None)
        tab = tab if tab in TABS else TABS[0]
        self.handlers.visits.opens(visit, tab)
        return self.thumbnails(tab, visit)

    def refreshed(self, *arguments: Any) -> list[str]:
        """Values as of `opened`, for the tab that is open."""
        visit = self.handlers.visits.of(arguments)
        return self.thumbnails(self.handlers.visits.tab(visit) or TABS[0], visit)

    def explored(self, *arguments: Any) -> Iterator[list]:
        """Values of a note and of the strips, one by one as they come: what each axis does to the photograph."""
        visit = self.handlers.visits.of(arguments)
        try:
            studio, files = self.handlers.models.studio(visit.model), visit.files()
        except UserError as error:
            yield [parts.problem(error), *[KEEP] * len(AXES)]
            return
        there = [name for name in AXES if name in studio.direction_names]
        plain = studio.glimpse(files, visit.values | {"axes": []}, visit.session)
        glimpse: Callable[[list[float]], Any] = lambda axes: studio.glimpse(  # noqa: E731
            files, visit.values | {"axes": axes}, visit.session
        )
        for number, name in enumerate(there):
            yield [parts.progress("Making previews", number, len(there)), *[KEEP] * len(AXES)]
            less, more = (glimpse([gain * (name == axis) for axis in AXES]) for gain in (-GLIMPSE, GLIMPSE))
            strip = parts.strip_html((less, plain, more), GLIMPSE, name)
            yield [KEEP, *(strip if axis == name else KEEP for axis in AXES)]
        yield ["", *[KEEP] * len(AXES)]
