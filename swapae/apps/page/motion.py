"""What the tab Motion answers: films of an edit, and a video in another texture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from swapae.apps.page import parts
from swapae.apps.page.addresses import texts_of
from swapae.apps.page.downloads import times_of
from swapae.apps.page.enlarging import enlarge
from swapae.apps.page.filming import BUTTONS, FilmSettings, make_film, steps_of
from swapae.apps.page.long_work import Progress, Stopped, Told, seconds_left, told
from swapae.apps.page.models import Models
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.results import Results
from swapae.apps.page.visits import Visit, Visits
from swapae.errors import UserError
from swapae.pictures.saving import save_image


class MotionHandlers:
    """What makes films with one of `models`, as files of `results`."""

    def __init__(self, models: Models, visits: Visits, results: Results) -> None:
        self.models, self.visits, self.results = models, visits, results

    def filmed(self, *arguments: Any) -> Iterator[tuple]:
        """Values of a film's name, its note and the buttons, as it comes about."""
        *rest, kind, direction, reach, frames, rate, back, suffix = arguments
        visit = self.visits.of(rest)

        def work(progress: Progress) -> tuple[Path, str]:
            files, path = visit.files(), self.results.new(suffix, visit.session)
            steps = steps_of(kind, len(visit.paths), frames, back)
            settings = FilmSettings(kind, direction, reach, steps, rate, back)
            make_film(self.models.studio(visit.model), files, visit.values, path, settings, progress)
            return path, ""

        yield from self.telling(visit, work)

    def restyled(self, *arguments: Any) -> Iterator[tuple]:
        """Values as of `filmed`, for a video's frames in the texture photograph's texture."""
        *rest, video = arguments
        visit = self.visits.of(rest)

        def work(progress: Progress) -> tuple[Path, str]:
            if not video:
                raise UserError("choose a video first")
            texture = parts.read(visit.paths.get("texture"), "Look")
            studio, path = self.models.studio(visit.model), self.results.new("mp4", visit.session)
            done = restyle_video(studio, video, texture, path, visit.values["amount"], progress)
            return path, parts.quiet(f"{done.frames} frames; {steadiness(done.flicker)}.")

        yield from self.telling(visit, work)

    def telling(self, visit: Visit, work: Callable[[Progress], tuple[Path, str]]) -> Iterator[tuple]:
        """Values as of `filmed` while work is done, and when it is done, refused or stopped."""
        stop = self.results.stopping(visit.session)
        try:
            yield gr.skip(), parts.quiet("Getting ready ..."), *buttons(busy=True)
            news = told(work, stop)
            while True:
                try:
                    one = next(news)
                except StopIteration as end:
                    path, note = end.value
                    yield f"{path.parent.name}/{path.name}", note, *buttons(busy=False)
                    return
                yield gr.skip(), parts.progress(progress_words(one), one.done, one.total), *buttons(busy=True)
        except UserError as error:
            yield gr.skip(), parts.problem(error), *buttons(busy=False)
        except Stopped:
            yield gr.skip(), parts.quiet("Stopped; nothing was kept of it."), *buttons(busy=False)
        finally:
            stop.set()
            self.results.done(visit.session, stop)

    def enlarged(self, event: gr.EventData, *arguments: Any) -> Iterator[tuple]:
        """Values of a larger picture's name, its note and its file, as it comes about."""
        visit, path = self.visits.of(arguments), None
        stop = self.results.stopping(visit.session)
        try:
            times, studio = times_of(event), self.models.studio(visit.model)
            files, path = visit.files(), self.results.new("png", visit.session)
            yield "", parts.progress("Making it larger ...", 0, 0), None
            news = told(lambda progress: enlarge(studio, files, visit.values, times, progress), stop)
            while True:
                try:
                    one = next(news)
                except StopIteration as end:
                    image = end.value
                    break
                yield "", parts.progress(f"Part {one.done} of {one.total}", one.done, one.total), None
            save_image(image, path, texts_of(image))
            yield path.name, parts.quiet(f"Made at {image.width} x {image.height} pixels."), str(path)
        except UserError as error:
            yield "", parts.problem(error), None
        except Stopped:
            yield "", "", None
        finally:
            stop.set()
            self.results.done(visit.session, stop)

    def shown(self, name: str) -> tuple:
        """Values of the film's picture, its video and its file, by the name that `filmed` gave."""
        path = self.results.find(name, parts.session())
        if path is None:
            return None, None, None
        return (None, str(path), str(path)) if path.suffix == ".mp4" else (str(path), None, str(path))

    def stopped(self) -> None:
        """Stop what is being made for whoever asks."""
        self.results.stop(parts.session())


def buttons(busy: bool) -> tuple:
    """The buttons of films, of videos, and to cancel."""
    make, restyle = (gr.Button(words[busy], interactive=not busy) for words in BUTTONS.values())
    return make, restyle, gr.Button(visible=busy)


def progress_words(one: Told) -> str:
    """How far a film is: the frame, of how many, and how long it still takes."""
    words = f"Frame {one.done} of {one.total}" if one.total else f"Frame {one.done}"
    if one.left is None:
        return words
    if one.done == one.total:
        return f"{words}; writing the file"
    return f"{words}, {seconds_left(one.left)} left"


def steadiness(flicker: float | None) -> str:
    """How much a restyled video flickers where it stands still (in 8-bit levels), for people."""
    if flicker is None:
        return "nothing in it stands still"
    return "steady where it stands still" if flicker < 2 else "it flickers a little where it stands still"
