"""The page's functions for programs: `gradio_client`, curl and JavaScript call them by name.

Every one takes photographs and plain numbers and gives back a PNG, whose metadata hold the recipe. They share the
components of the page as descriptions of their parameters; no part of the page triggers them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from PIL import Image

from swapae.apps.page import parts
from swapae.apps.page.addresses import texts_of
from swapae.apps.page.filming import MAX_FRAMES, FilmSettings, make_film
from swapae.apps.page.long_work import Stopped
from swapae.apps.page.models import Models
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.results import Results
from swapae.apps.page.settings import AXES, ROLES, SETTINGS, Values
from swapae.apps.page.tabs import OF_TAB, Controls
from swapae.editing.validation import several
from swapae.errors import UserError
from swapae.pictures.saving import save_image

# Photographs that have a parameter each; further ones come as a list.
SINGLE = 4
# What each function gives back: by its name for programs, the component that describes it.
OUTPUTS = {
    "swap": "picture",
    "mix": "picture",
    "regions": "picture",
    "similar": "json",
    "directions": "picture",
    "translate": "picture",
    "structure": "picture",
    "drag": "picture",
    "film": "film",
    "restyle": "film",
    "replay": "picture",
    "models": "json",
}


def add_endpoints(models: Models, results: Results, controls: Controls) -> None:
    """Add all of them to the page that is being built; a component describes every parameter of its name."""
    endpoints, inputs, outputs = Endpoints(models, results), parameter_components(controls), output_components()
    for name, output in OUTPUTS.items():
        function = getattr(endpoints, name)
        components = [inputs[parameter] for parameter in inspect.signature(function).parameters]
        limits = parts.FILMS if output == "film" else parts.MODEL
        gr.on([], in_sentences(function), components, outputs[output], api_name=name, **limits)


def parameter_components(controls: Controls) -> dict[str, Any]:
    """The components that describe the functions' parameters: those of the page, and hidden ones for the rest."""
    views = {
        f"{role}_image": parts.Photograph(
            None, visible=False, type="filepath", sources=["upload"], label=f"{role.capitalize()} photograph"
        )
        for role in ROLES[:SINGLE]
    }
    kinds = {
        f"{kind}_images": parts.Files(None, visible=False, file_count="multiple", label=controls.others[kind].label)
        for kind in ("from", "to")
    }
    further = "Further photographs, the fifth to the eighth"
    return {
        **controls.others,
        **controls.named,
        **views,
        "alpha": controls.named["amount"],
        **kinds,
        "frames": parts.Strength(2, MAX_FRAMES, 16, step=1, visible=False, label="Frames from one stop to the next"),
        "across": parts.Strength(0, 1, 0.5, visible=False, label="Point, from the left"),
        "along": parts.Strength(0, 1, 0.5, visible=False, label="Point, from the top"),
        "likeness": parts.Strength(-1, 1, 0.9, visible=False, label="Likeness"),
        "gain": parts.Strength(-3, 3, 1, visible=False, label="Gain"),
        "paint": gr.JSON({}, visible=False, label="Masks by layer: third, fourth, texture, own or protect"),
        "points": gr.JSON([], visible=False, label="Points, [[x, y, to x, to y], ...] from 0 to 1 across and down"),
        "still": gr.JSON(None, visible=False, label="Mask of what is not dragged"),
        "gains": gr.JSON({}, visible=False, label="Gains by the names of directions"),
        "recipe": parts.Files(None, visible=False, label="Recipe, a .json file"),
        "images": parts.Files(None, visible=False, file_count="multiple", label="Photographs"),
        "more_images": parts.Files(None, visible=False, file_count="multiple", label=further),
        "more_shares": gr.JSON(None, visible=False, label="Their shares, a list"),
    }


def output_components() -> dict[str, Any]:
    """The hidden components that describe what functions give back."""
    return {
        "picture": gr.Image(visible=False, format="png", type="filepath", label="Result", elem_id="api-result"),
        "json": gr.JSON(visible=False, label="JSON"),
        "film": gr.File(visible=False, label="Film"),
    }


class InSentences(gr.Blocks):
    """A page that says of inputs of the wrong kind in a sentence what they should be, and nothing in its log."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *arguments: Any, **options: Any) -> Any:
        """As Gradio's."""
        try:
            return await super().preprocess_data(block_fn, inputs, *arguments, **options)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception:
            names = list(inspect.signature(block_fn.fn).parameters) if block_fn.api_name in OUTPUTS else []
            files = ", ".join(name for name in names if "image" in name or name in ("video", "recipe"))
            sentence = f"/{block_fn.api_name} takes {', '.join(names)}" if names else "These are not the right inputs"
            how = f"; {files} as files, which `handle_file` of gradio_client makes" if files else ""
            raise gr.Error(f"{sentence}{how}.", print_exception=False) from None


def in_sentences(function: Callable) -> Callable:
    """A function that tells what a visitor can do something about as Gradio's error, in a sentence."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UserError as error:
            raise gr.Error(parts.sentence(error), print_exception=False) from None
        except Stopped:
            raise gr.Error("Nobody waits for the result any more.", print_exception=False) from None

    return call


def while_wanted(pieces: Iterator[Any], total: int) -> Iterator[Any]:
    """Pieces of long work, as long as the program that asked for it listens.

    Raises:
        Stopped: it went away.
    """
    blocks, name = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    for piece in pieces:
        event = blocks._queue.event_ids_to_events.get(name) if blocks and name else None
        if event is not None and not event.alive:
            raise Stopped
        yield piece


class Endpoints:
    """The functions; their parameters and docstrings are what programs see of them."""

    def __init__(self, models: Models, results: Results) -> None:
        self._models, self._results = models, results

    def swap(
        self,
        structure_image: str | None,
        texture_image: str | None,
        alpha: float = 1,
        keep: str = "nothing",
        coarse: float = 1,
        middle: float = 1,
        fine: float = 1,
        path: str = "linear",
        model: str = "",
    ) -> Any:
        """The structure of one photograph in the texture of another."""
        photographs = structure_image, texture_image
        layers = {"coarse": coarse, "middle": middle, "fine": fine}
        return self._edit(model, photographs, {"amount": alpha, "keep": keep, "path": path, **layers})

    def mix(
        self,
        structure_image: str | None,
        texture_image: str | None,
        third_image: str | None,
        fourth_image: str | None,
        alpha: float = 1,
        third: float = 0.5,
        fourth: float = 0,
        model: str = "",
        more_images: list[str] | None = None,
        more_shares: Any = None,
    ) -> Any:
        """The textures of several photographs at once; up to four more, and a list of their shares."""
        photographs = structure_image, texture_image, third_image, fourth_image
        check_shares = several(SETTINGS["third"].check, len(ROLES) - SINGLE, 0)
        shares = check_shares("The further photographs' shares", more_shares or [])
        further = dict(zip(ROLES[SINGLE:], shares, strict=False))
        values = {"amount": alpha, "third": third, "fourth": fourth, **further}
        return self._edit(model, photographs, values, more_images)

    def regions(
        self,
        structure_image: str | None,
        texture_image: str | None,
        third_image: str | None,
        fourth_image: str | None,
        alpha: float,
        paint: Any,
        feather: int = 1,
        model: str = "",
        more_images: list[str] | None = None,
    ) -> Any:
        """Each photograph's texture where its mask says; masks by layer, as /similar gives them."""
        photographs = structure_image, texture_image, third_image, fourth_image
        return self._edit(model, photographs, {"amount": alpha, "paint": paint, "feather": feather}, more_images)

    def similar(
        self, structure_image: str | None, across: float, along: float, likeness: float = 0.9, model: str = ""
    ) -> Any:
        """The mask of all that is like one point of a photograph: its place from 0 to 1, across and along."""
        data = parts.read(structure_image, "Structure")
        return self._models.studio(model).similar(data, across, along, likeness, parts.session()).to_dict()

    def directions(
        self, structure_image: str | None, texture_image: str | None, alpha: float, gains: Any, model: str = ""
    ) -> Any:
        """A photograph moved along directions and axes, {name: gain}; /models lists the names."""
        known = self._models.studio(model).direction_names
        unknown = sorted(map(str, gains.keys() - set(known))) if isinstance(gains, dict) else []
        if unknown or not isinstance(gains, dict):
            wrong = f"no direction {unknown[0][:40]!r}" if unknown else "no gains by name"
            raise UserError(f"there is {wrong}; this model has {', '.join(known) or 'none'}")
        named = [name for name in known if name not in AXES]
        ordered = {"gains": [gains.get(name, 0) for name in named], "axes": [gains.get(name, 0) for name in AXES]}
        return self._edit(model, (structure_image, texture_image), {"amount": alpha, **ordered})

    def translate(
        self,
        structure_image: str | None,
        from_images: list[str] | None,
        to_images: list[str] | None,
        gain: float = 1,
        model: str = "",
    ) -> Any:
        """A photograph moved from the look of some photographs to that of others."""
        files = files_of((structure_image,))
        for name, paths in (("from", from_images), ("to", to_images)):
            files |= {f"{name} {number}": parts.read(path) for number, path in enumerate((paths or [])[:8], 1)}
        values = {"amount": 0, "translation": gain}
        return self._written(self._models.studio(model).edit(files, values, parts.session()).image)

    def structure(
        self,
        structure_image: str | None,
        texture_image: str | None,
        third_image: str | None,
        fourth_image: str | None,
        alpha: float = 1,
        shape: float = 0,
        left: float = 30,
        top: float = 30,
        width: float = 40,
        height: float = 40,
        right: float = 0,
        down: float = 0,
        scale: float = 100,
        flip: bool = False,
        leave: bool = False,
        wider: float = 0,
        taller: float = 0,
        join: list[str] | None = None,
        seam: float = 20,
        shared: float = 1,
        model: str = "",
        more_images: list[str] | None = None,
    ) -> Any:
        """A piece copied or moved, shapes blended, the picture widened or joined with others."""
        given = locals()
        values = {name: given[name] for name in OF_TAB["structure"] if name in given}
        values |= {"amount": alpha, "join": join or []}
        photographs = structure_image, texture_image, third_image, fourth_image
        return self._edit(model, photographs, values, more_images)

    def drag(
        self,
        structure_image: str | None,
        texture_image: str | None,
        alpha: float,
        points: Any,
        edges: bool = True,
        still: Any = None,
        model: str = "",
    ) -> Any:
        """Points of a photograph dragged elsewhere, and the shapes around them with them; a point that is to stay goes
        to where it is, and a mask as /similar gives it says what does not move."""
        values = {"amount": alpha, "points": points, "edges": edges, "still": still}
        return self._edit(model, (structure_image, texture_image), values)

    def film(
        self,
        structure_image: str | None,
        texture_image: str | None,
        third_image: str | None,
        fourth_image: str | None,
        alpha: float = 1,
        kind: str = "edit",
        frames: int = 16,
        rate: int = 12,
        back: bool = True,
        format: str = "webp",
        model: str = "",
        direction: str = "",
        reach: float = 1,
        more_images: list[str] | None = None,
    ) -> Any:
        """A film of the texture coming about ("edit"), travelling through all photographs ("textures"), or of a
        direction both ways ("direction")."""
        files = files_of((structure_image, texture_image, third_image, fourth_image), more_images)
        settings = FilmSettings(kind, direction, reach, frames, rate, back)
        studio, path = self._models.studio(model), self._results.new(format, parts.session())
        return str(make_film(studio, files, {"amount": alpha}, path, settings, while_wanted))

    def restyle(self, video: str | None, texture_image: str | None, alpha: float = 1, model: str = "") -> Any:
        """A video's frames in the texture of a photograph, at their own times and with its sound."""
        if not video:
            raise UserError("Video: give a file")
        texture, path = parts.read(texture_image, "Texture"), self._results.new("mp4", parts.session())
        restyle_video(self._models.studio(model), video, texture, path, alpha, while_wanted)
        return str(path)

    def replay(self, recipe: Any, images: list[str] | None, model: str = "") -> Any:
        """The picture of a recipe, from its photographs in any order."""
        text = parts.read(recipe, "Recipe")
        return self._written(self._models.studio(model).replay(text, [parts.read(path) for path in images or []]).image)

    def models(self) -> Any:
        """The models that may be chosen, and the directions of the one that the page opens with."""
        return {"models": self._models.names, "directions": self._models.first.direction_names}

    def _edit(self, model: str, paths: Sequence[str | None], values: Values, more: list[str] | None = None) -> str:
        return self._written(self._models.studio(model).edit(files_of(paths, more), values, parts.session()).image)

    def _written(self, image: Image.Image) -> str:
        """The path of a result, under a name that nobody guesses."""
        return str(save_image(image, self._results.new("png", parts.session()), texts_of(image)))


def files_of(paths: Sequence[str | None], more: list[str] | None = None) -> dict[str, bytes]:
    """Photographs by role.

    Raises:
        UserError: there are too many, or one was deleted since.
    """
    given = [*paths, *(more or [])]
    if len(given) > len(ROLES):
        raise UserError(f"at most {len(ROLES)} photographs at once, got {len(given)}")
    roles = zip(ROLES, given, strict=False)
    return {role: parts.read(path, role.capitalize()) for role, path in roles if path}
