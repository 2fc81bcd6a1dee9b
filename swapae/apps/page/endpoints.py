"""The page's functions for programs: `gradio_client`, curl and JavaScript call them by name.

Every one takes photographs and plain numbers and gives back a PNG, whose metadata hold the recipe. They share the
components of the page as descriptions of their parameters; no part of the page triggers them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts
from swapae.apps.page.films import Films
from swapae.apps.page.models import Models
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.settings import AXES, ROLES, SETTINGS
from swapae.apps.page.tabs import OF_TAB, Controls
from swapae.editing.validation import several
from swapae.errors import UserError

# Photographs that have a parameter each; further ones come as a list.
SINGLE = 4


def add_endpoints(models: Models, films: Films, slots: dict[str, tuple], controls: Controls) -> None:
    """Add all of them to the page that is being built."""

    def files_of(paths: Sequence[str | None], more: list[str] | None = None) -> dict[str, bytes]:
        given = [*paths, *(more or [])]
        if len(given) > len(ROLES):
            raise UserError(f"at most {len(ROLES)} photographs at once, got {len(given)}")
        roles = zip(ROLES, given, strict=False)
        return {role: parts.read(path, role.capitalize()) for role, path in roles if path}

    def edit(model: str, paths: Sequence[str | None], more: list[str] | None = None, **values: Any) -> Image.Image:
        with sentences():
            return models.studio(model).edit(files_of(paths, more), values, parts.session()).image

    def swap(
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
        return edit(model, photographs, amount=alpha, keep=keep, coarse=coarse, middle=middle, fine=fine, path=path)

    def mix(
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
        with sentences():
            shares = several(SETTINGS["third"].check, len(ROLES) - SINGLE, 0)(
                "The further photographs' shares", more_shares or []
            )
        further = dict(zip(ROLES[SINGLE:], shares, strict=False))
        return edit(model, photographs, more_images, amount=alpha, third=third, fourth=fourth, **further)

    def regions(
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
        return edit(model, photographs, more_images, amount=alpha, paint=paint, feather=feather)

    def similar(
        structure_image: str | None, across: float, along: float, likeness: float = 0.9, model: str = ""
    ) -> Any:
        """The mask of all that is like one point of a photograph: its place from 0 to 1, across and along."""
        with sentences():
            data = parts.read(structure_image, "Structure")
            return models.studio(model).similar(data, across, along, likeness, parts.session()).to_dict()

    def directions(
        structure_image: str | None, texture_image: str | None, alpha: float, gains: Any, model: str = ""
    ) -> Any:
        """A photograph moved along directions and axes, {name: gain}; /models lists the names."""
        with sentences():
            studio = models.studio(model)
            known = studio.direction_names
            if not isinstance(gains, dict) or (unknown := sorted(map(str, gains.keys() - set(known)))):
                wrong = f"no direction {unknown[0][:40]!r}" if isinstance(gains, dict) else "no gains by name"
                raise UserError(f"there is {wrong}; this model has {', '.join(known) or 'none'}")
            named = [name for name in known if name not in AXES]
            ordered = {"gains": [gains.get(name, 0) for name in named], "axes": [gains.get(name, 0) for name in AXES]}
        return edit(model, (structure_image, texture_image), amount=alpha, **ordered)

    def translate(
        structure_image: str | None,
        from_images: list[str] | None,
        to_images: list[str] | None,
        gain: float = 1,
        model: str = "",
    ) -> Any:
        """A photograph moved from the look of some photographs to that of others."""
        with sentences():
            files = files_of((structure_image,))
            for name, paths in (("from", from_images), ("to", to_images)):
                files |= {f"{name} {number}": parts.read(path) for number, path in enumerate((paths or [])[:8], 1)}
            return models.studio(model).edit(files, {"amount": 0, "translation": gain}, parts.session()).image

    def structure(
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
        values = {name: given[name] for name in OF_TAB["structure"]} | {"join": join or []}
        photographs = structure_image, texture_image, third_image, fourth_image
        return edit(model, photographs, more_images, amount=alpha, **values)

    def film(
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
        paths = structure_image, texture_image, third_image, fourth_image
        with sentences():
            wishes: dict[str, Any] = {"kind": kind, "direction": direction, "reach": reach}
            wishes |= {"frames": frames, "rate": rate, "back": back}
            studio, path = models.studio(model), films.new(format)
            return str(studio.film(files_of(paths, more_images), {"amount": alpha}, path, **wishes))

    def restyle(video: str | None, texture_image: str | None, alpha: float = 1, model: str = "") -> Any:
        """A video's frames in the texture of a photograph, at their own rate and without sound."""
        with sentences():
            if not video:
                raise UserError("Video: give a file")
            texture, path = parts.read(texture_image, "Texture"), films.new("mp4")
            restyle_video(models.studio(model), video, texture, path, alpha)
            return str(path)

    def replay(recipe: Any, images: list[str] | None, model: str = "") -> Any:
        """The picture of a recipe, from its photographs in any order."""
        with sentences():
            text = parts.read(recipe, "Recipe")
            return models.studio(model).replay(text, [parts.read(path) for path in images or []]).image

    def models_here() -> Any:
        """The models that may be chosen, and the directions of the one that the page opens with."""
        return {"models": models.names, "directions": models.first.direction_names}

    picture = gr.Image(visible=False, format="png", label="Result", elem_id="api-result")
    plain = gr.JSON(visible=False, label="JSON")
    paint = gr.JSON({}, visible=False, label="Masks by layer: third, fourth, texture, own or protect")
    gains = gr.JSON({}, visible=False, label="Gains by the names of directions")
    recipe_file = parts.Files(None, visible=False, label="Recipe, a .json file")
    images = parts.Files(None, visible=False, file_count="multiple", label="Photographs")
    moving = gr.File(visible=False, label="Film")
    point = [
        parts.Strength(0, 1, 0.5, visible=False, label=label)
        for label in ("Point, from the left", "Point, from the top")
    ]
    likeness = parts.Strength(-1, 1, 0.9, visible=False, label="Likeness")
    gain = parts.Strength(-3, 3, 1, visible=False, label="Gain")

    more = parts.Files(None, visible=False, file_count="multiple", label="Further photographs, the fifth to the eighth")
    shares = gr.JSON(None, visible=False, label="Their shares, a list")

    named, others = controls.named, controls.others
    views = [view for view, _, _ in slots.values()][:SINGLE]
    two, model = views[:2], others["model"]
    by_layer = [named[name] for name in ("keep", "coarse", "middle", "fine", "path")]
    endpoint(swap, [*two, named["amount"], *by_layer, model], picture)
    endpoint(mix, [*views, named["amount"], named["third"], named["fourth"], model, more, shares], picture)
    endpoint(regions, [*views, named["amount"], paint, named["feather"], model, more], picture)
    endpoint(similar, [views[0], *point, likeness, model], plain)
    endpoint(directions, [*two, named["amount"], gains, model], picture)
    endpoint(translate, [views[0], others["from"], others["to"], gain, model], picture)
    endpoint(structure, [*views, named["amount"], *(named[name] for name in OF_TAB["structure"]), model, more], picture)
    wishes = [others[name] for name in ("kind", "frames", "rate", "back", "format")]
    endpoint(film, [*views, named["amount"], *wishes, model, others["direction"], others["reach"], more], moving)
    endpoint(restyle, [others["video"], views[1], named["amount"], model], moving)
    endpoint(replay, [recipe_file, images, model], picture)
    endpoint(models_here, [], plain, name="models")


def endpoint(function: Callable, inputs: list[Any], output: Any, *, name: str = "") -> None:
    """Let programs call a function; no part of the page triggers it."""
    gr.on([], function, inputs, output, api_name=name or function.__name__, concurrency_id="model", concurrency_limit=1)


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Turns what a visitor can do something about into Gradio's error, as a sentence."""
    try:
        yield
    except UserError as error:
        raise gr.Error(parts.sentence(error), print_exception=False) from None
