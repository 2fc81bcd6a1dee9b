"""Visitors who come, come back after a reload, or find the page started anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from swapae.apps.page.examples import examples
from swapae.apps.page.handlers import KEEP, Handlers
from swapae.apps.page.model_handlers import ModelHandlers
from swapae.apps.page.settings import ROLES, SETTINGS, checked
from swapae.apps.page.slots import uploaded
from swapae.apps.page.visits import Visit
from swapae.errors import UserError


class ArrivalHandlers:
    """What visitors find who come, with the rest of the page's `handlers`."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers, self.visits = handlers, handlers.visits

    def restored(self, event: gr.EventData) -> tuple:
        """Values of everything, for a visit that came back."""
        return self.everything(self.visits.named(getattr(event, "name", "")))

    def resumed(self, event: gr.EventData) -> tuple:
        """Values of everything, for a visit whose settings and photographs the browser had kept."""
        visit = self.visits.named(getattr(event, "name", ""))
        visit = self.kept_by_browser(getattr(event, "visit", None), visit)
        visit = visit._replace(lost=False, touched=("Went on", False))
        self.visits.keep(visit)
        return self.everything(visit)

    def everything(self, visit: Visit) -> tuple:
        """Values of the model's choice, what tells of it, all controls, all slots, the canvases and both kinds."""
        handlers = self.handlers
        about, gains, axes = ModelHandlers(handlers).about(visit)
        named = handlers.settings(visit)[: -len(gains) - len(axes)]
        slots = (handlers.slot(visit, role) for role in ROLES)
        rest = *slots, *handlers.canvases(visit), *self.kinds(visit)
        return visit.model or handlers.models.opening, *about, *named, *gains, *axes, *rest

    @staticmethod
    def kinds(visit: Visit) -> tuple:
        """Values of the photographs of both kinds, as far as their files are still here; where none were, none."""
        if visit.kinds == ([], []):
            return KEEP, KEEP
        return tuple([path for path in paths if Path(path).is_file()] or None for paths in visit.kinds)

    def kept_by_browser(self, text: Any, visit: Visit) -> Visit:
        """A visit with what the browser had kept of another (JSON), as far as that is sound."""
        try:
            kept = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            return visit
        if not isinstance(kept, Mapping):
            return visit
        values, photographs, model = (kept.get(name) for name in ("values", "photographs", "model"))
        if isinstance(values, Mapping):
            given = {name: value for name, value in values.items() if name in SETTINGS}
            try:
                checked(given)
                visit = visit.setting(given)
            except UserError:
                pass
        if isinstance(photographs, Mapping):
            found = {role: self.path_of(one) for role, one in photographs.items() if role in ROLES}
            visit = visit._replace(paths={role: path for role, path in found.items() if path})
        return visit._replace(model=model if model in self.handlers.models.names else visit.model)

    def path_of(self, photograph: Any) -> str | None:
        """The path of an example, of a photograph found here or of an upload, as the browser tells; None if of none."""
        try:
            if isinstance(photograph, Mapping) and "found" in photograph and self.handlers.photographs:
                return self.handlers.photographs.path(photograph["found"])
            if isinstance(photograph, Mapping):
                return str(examples()[int(photograph["example"])].path)
            return uploaded(photograph)
        except (UserError, IndexError, KeyError, TypeError, ValueError):
            return None
