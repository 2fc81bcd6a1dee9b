"""What the tab Motion answers: films of an edit, and a video in another texture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts
from swapae.apps.page.filming import FilmSettings, make_film
from swapae.apps.page.films import Films
from swapae.apps.page.models import Models
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.visits import visit_of
from swapae.errors import UserError


class MotionHandlers:
    """What makes films with one of `models`, in the folder of `films`."""

    def __init__(self, models: Models, films: Films) -> None:
        self.models, self.films = models, films

    def filmed(self, progress: gr.Progress = gr.Progress(), *arguments: Any) -> tuple:  # noqa: B008
        """Values of the film's picture, its video, its file and its note."""
        *rest, kind, direction, reach, frames, rate, back, suffix = arguments
        visit = visit_of(rest)

        def watched(pictures: Iterator[Image.Image], total: int) -> Iterator[Image.Image]:
            return progress.tqdm(pictures, total=total, desc="Frames", unit="frame")

        settings = FilmSettings(kind, direction, reach, frames, rate, back)
        path = self.films.new(suffix)
        try:
            make_film(self.models.studio(visit.model), visit.files(), visit.values, path, settings, watched)
        except UserError as error:
            return None, None, None, parts.problem(error)
        return (None, str(path), str(path), "") if suffix == "mp4" else (str(path), None, str(path), "")

    def restyled(self, progress: gr.Progress = gr.Progress(), *arguments: Any) -> tuple:  # noqa: B008
        """Values as of `filmed`, for a video's frames in the texture photograph's texture."""
        *rest, video = arguments
        visit = visit_of(rest)

        def watched(frames: Iterator[Any], total: int) -> Iterator[Any]:
            return progress.tqdm(frames, total=total or None, desc="Frames", unit="frame")

        try:
            if not video:
                raise UserError("Video: give a file")
            texture, path = parts.read(visit.paths.get("texture"), "Texture"), self.films.new("mp4")
            studio, amount = self.models.studio(visit.model), visit.values["amount"]
            done = restyle_video(studio, video, texture, path, amount, watched)
        except UserError as error:
            return None, None, None, parts.problem(error)
        told = "nothing in it stands still" if done.flicker is None else f"flicker {done.flicker:.2f} of 255 levels"
        return None, str(path), str(path), parts.quiet(f"{done.frames} frames; {told}")
