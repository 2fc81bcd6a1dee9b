"""`swapae direction make`, `add`, `push`, `list` and `apply`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from swapae.apps.cli.checks import STRONGEST, check_between, check_feather
from swapae.apps.cli.many import Job, Work
from swapae.apps.cli.session import (
    DEFAULT_OPTIONS,
    Common,
    Fidelity,
    Frame,
    OutputPath,
    PhotographPath,
    Session,
    sample,
)
from swapae.codes import Codes
from swapae.editing import feather as soften
from swapae.editing import texture_map
from swapae.editing.directions import Directions
from swapae.editing.fitting import add_direction, make_directions
from swapae.editing.masks import fit_mask, grid_of
from swapae.editing.operations import Directed, directions_digest
from swapae.editing.recipes import Recipe
from swapae.errors import UserError
from swapae.pictures.images import Fitted
from swapae.pictures.saving import check_output_file

Directory = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


def make_direction(
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    classes: Literal["none", "name", "folder"] = "none",
    most: int = 4000,
) -> None:
    """Directions of a model from photographs of the kind it knows: brighter, warmer, more vivid, to each class.

    Beside the model's weights, a file of the name directions.safetensors is found by itself.

    Args:
        data: folder of photographs, searched recursively; 20 or more, some hundreds for good directions.
        output: .safetensors file to write.
        classes: directions to classes as well, from the first word of each file's name (tulip_12.jpg), or from the
            folder it is in.
        most: take no more photographs than this, spread over the folder.
    """
    check_output_file(output, (".safetensors",))
    paths = sample(data, most)
    named = {"name": lambda path: re.split(r"[_\W]", path.stem)[0].lower(), "folder": lambda path: path.parent.name}
    kinds = [named[classes](path) for path in paths] if classes != "none" else None
    session = Session(common)
    photographs = (
        session.load(path).with_opacity.to(session.dtype) for path in tqdm(paths, desc="encode", unit="picture")
    )
    track = partial(tqdm, desc="scale", unit="direction")
    make_directions(session.model, photographs, kinds, track).save(output, session.model)


def add_to_directions(
    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")],
    having: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    lacking: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    less: Annotated[str | None, tyro.conf.arg(metavar="WORDS")] = None,
    more: Annotated[str | None, tyro.conf.arg(metavar="WORDS")] = None,
    most: int = 4000,
) -> None:
    """Direction from photographs that lack something to photographs that have it, by their mean textures.

    Scaled so that a gain of 1 is a clear edit: one of the name of an attribute (bright, warm, vivid, contrast, sharp)
    moves it by its standard deviation over the photographs; any other moves the weighted sum of colours and attributes
    that tells both kinds apart best by as far as they are apart.

    Args:
        name: of the direction, of a-z, 0-9, space, _ and -; one of that name is replaced.
        having: folder of photographs that have it, 5 or more.
        lacking: folder of photographs that do not, 5 or more.
        output: .safetensors file to add it to; made if there is none.
        less: what a negative gain does, for `swapae direction list`.
        more: what a positive gain does.
        most: take no more photographs of a folder than this, spread over it.
    """
    check_output_file(output, (".safetensors",))
    folders = [sample(folder, most) for folder in (having, lacking)]
    session = Session(common)
    known = Directions.load(output, session.model) if output.exists() else None

    def photographs(paths: list[Path]) -> Iterator[Tensor]:
        for path in tqdm(paths, desc="encode", unit="picture"):
            yield session.load(path).with_opacity.to(session.dtype)

    kinds = [photographs(paths) for paths in folders]
    add_direction(session.model, known, name, *kinds, less=less, more=more).save(output, session.model)


def push_directions(
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")],
    repo: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME")],
    common: Common = DEFAULT_OPTIONS,
    branch: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
) -> None:
    """Directions uploaded to the Hugging Face Hub, beside their model, where everyone's --model finds them.

    Args:
        file: .safetensors file that `swapae direction make` or `add` wrote, for the model of --model.
        repo: repository of that model on the Hub; sign in with `hf auth login` first.
        branch: of the repository; made if missing.
    """
    session = Session(common)
    print(session.directions(file).push_to_hub(repo, session.model, branch=branch))


def list_directions(common: Common = DEFAULT_OPTIONS, directions: Directory = None) -> None:
    """The names of a model's directions and principal axes, and what they do.

    Args:
        directions: file that `swapae direction make` wrote; the model's own if not given.
    """
    known = Session(common).directions(directions)
    for name, direction in known.named.items():
        print(f"{name:12} {direction.less} ... {direction.more}")
    for kind, of, axes in (
        ("texture", "texture codes", known.texture_axes),
        ("structure", "structure codes, the same at every place", known.structure_axes),
        ("layout", "whole structure codes", known.layout_axes),
    ):
        if len(axes):
            print(f"{kind}1 to {kind}{len(axes)}: principal axes of {of}, largest first")


def apply_directions(
    image: PhotographPath,
    output: OutputPath,
    gains: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=GAIN ...")],
    common: Common = DEFAULT_OPTIONS,
    fidelity: Fidelity = 0.0,
    directions: Directory = None,
    orthogonal: bool = False,
    mask: Annotated[Path | None, tyro.conf.arg(metavar="MASK")] = None,
    feather: int = 8,
) -> None:
    """Picture of a photograph moved along directions, all at once. Or all of a folder.

    Args:
        image: photograph; or a folder of them, or a pattern such as 'photos/*.jpg'.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp; or a folder for many.
        gains: such as warm=1 tulips=-0.5 texture2=1: 0 changes nothing, 1 is a clear edit.
        fidelity: how near to the photograph its own reconstruction is: 0 is the encoder's, at once; 0.3 takes some
            seconds of refining, and 1 some twenty.
        directions: file that `swapae direction make` wrote; the model's own if not given.
        orthogonal: take from each direction what it has in common with those before it.
        mask: grey picture of any size, white where the picture is to be moved.
        feather: pixels to each side over which the mask's edge is softened.
    """
    check_feather(feather)
    check_between("fidelity", fidelity, 0, 1)
    wanted = parse_gains(gains)
    work = Work.on(image, output, common)
    session = work.session
    known = session.directions(directions)
    edit = Directed(wanted, orthogonal, None, 0, directions_digest(known, wanted, orthogonal=orthogonal))

    def compute(job: Job, photograph: Fitted) -> Image.Image:
        with session.faithful(photograph, fidelity) as own:
            moved = known.apply(own, wanted, orthogonal=orthogonal)
            if mask is not None:
                moved = masked(own, moved, soften(session.mask(mask, photograph), feather))
            return session.decode(moved, Frame.of(photograph))

    def recipe(job: Job) -> Recipe | None:
        return session.recipe(job.inputs, edit) if mask is None and not fidelity else None

    settings = {"image": image, "mask": mask, "feather": feather, "gains": gains, "directions": edit.digest}
    more = {"orthogonal": orthogonal} | ({"fidelity": fidelity} if fidelity else {})
    work.run("direction apply", settings | more, work.read, compute, recipe)


def masked(own: Codes, moved: Codes, mask: Tensor) -> Codes:
    """Codes that are moved where a mask says so, and elsewhere as they were, bit for bit."""
    grid = grid_of(own.structure)
    weight = fit_mask(mask, 1, grid, mask.device).to(own.structure.dtype)
    structure = torch.lerp(own.structure, moved.structure, weight)
    return Codes(structure, texture_map(own.texture, [moved.texture], [mask], grid))


def parse_gains(texts: tuple[str, ...]) -> dict[str, float]:
    """The value of --gains, in the order given.

    Raises:
        UserError: something else than NAME=NUMBER, or no number that a picture survives.
    """
    wanted = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            wanted[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not abs(wanted[name]) <= STRONGEST:
            raise UserError(f"--gains takes NAME=NUMBER, such as warm=1, got {text!r:.60}")
    return wanted
