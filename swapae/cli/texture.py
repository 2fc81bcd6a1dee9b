"""`swapae swap`, `mix` and `translate`: a photograph in other textures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from swapae.cli.checks import check_alpha, check_strength
from swapae.cli.finish import PLAIN, Finishing
from swapae.cli.session import DEFAULTS, Common, Output, Photograph, Session, Structure, sample
from swapae.codes import Codes
from swapae.editing import interpolate, interpolate_spherical, mix_textures, translate
from swapae.edits import Edit, Layers, Mix, Translate
from swapae.edits import Texture as TextureEdit
from swapae.errors import UserError
from swapae.images import check_output

Texture = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TEXTURE")]
Strength = Annotated[float | None, tyro.conf.arg(metavar="FLOAT")]
MOST_PER_DOMAIN = 4000


def swap(
    structure: Structure,
    texture: Texture,
    output: Output,
    common: Common = DEFAULTS,
    finish: Finishing = PLAIN,
    alpha: float = 1.0,
    spherical: bool = False,
    coarse: Strength = None,
    middle: Strength = None,
    fine: Strength = None,
) -> None:
    """Picture with the structure of one photograph in the texture of another.

    Args:
        structure: photograph that gives shapes and layout; the result has its aspect.
        texture: photograph that gives colours and materials.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        alpha: 0 keeps the structure photograph's own texture, 1 takes the other's.
        spherical: go between the textures along the sphere they lie on, rather than straight.
        coarse: alpha of the first layers, which decide on coarse shapes; --alpha if not given.
        middle: alpha of the layers between.
        fine: alpha of the last layers, which decide on fine detail and colours.
    """
    check_output(output)
    strengths = {"coarse": coarse, "middle": middle, "fine": fine}
    check_alpha(alpha)
    check_strength("coarse, --middle and --fine", *(value for value in strengths.values() if value is not None))
    finish.check()
    session = Session(common)
    photograph = session.load(structure)
    own, other = session.codes(photograph.tensor), session.texture(texture)
    between = interpolate_spherical if spherical else interpolate
    textures = {
        group: between(own.texture, other, alpha if strength is None else strength)
        for group, strength in strengths.items()
    }
    result = session.generate(own, [textures[group] for group in session.model.generator.block_groups])
    edit: Edit = TextureEdit(1, alpha, "spherical" if spherical else "linear")
    layered = any(strength is not None for strength in strengths.values())
    if layered:
        edit = Layers(1, **{group: alpha if strength is None else strength for group, strength in strengths.items()})
    sayable = finish.plain and not (layered and spherical)
    recipe = session.recipe([structure, texture], edit) if sayable else None
    session.save(finish.picture(session, photograph, result), output, recipe)


def mix(
    structure: Structure,
    textures: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE ...")],
    output: Output,
    common: Common = DEFAULTS,
    finish: Finishing = PLAIN,
    weights: Annotated[tuple[float, ...], tyro.conf.arg(metavar="NUMBER ...")] = (),
) -> None:
    """Picture of a photograph in the weighted mean of several photographs' textures.

    Args:
        structure: photograph that gives shapes and layout; the result has its aspect.
        textures: photographs that give colours and materials; the structure photograph may be one of them.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        weights: one number per texture, of which only the proportions count; a negative one moves away from its
            texture. All alike if not given.
    """
    check_output(output)
    finish.check()
    weights = weights or (1.0,) * len(textures)
    if not textures or len(weights) != len(textures):
        raise UserError(f"--weights takes a number for each texture, got {len(weights)} for {len(textures)}")
    check_strength("weights", *weights)
    if sum(weights) <= 0:
        raise UserError(f"--weights must have a sum over 0, got {sum(weights):g}")
    session = Session(common)
    photograph = session.load(structure)
    own = session.codes(photograph.tensor)
    mixed = mix_textures([session.texture(path) for path in textures], weights)
    # The first texture as it is, then the others: the same numbers in the same order.
    rest = Mix(weights[0], tuple(range(2, len(textures) + 1)), weights[1:])
    recipe = session.recipe([structure, *textures], TextureEdit(1, 1.0, "linear"), rest) if finish.plain else None
    result = session.generate(Codes(own.structure, mixed))
    session.save(finish.picture(session, photograph, result), output, recipe)


def translate_domain(
    image: Photograph,
    source: Annotated[Path, tyro.conf.arg(name="from", metavar="DIR")],
    target: Annotated[Path, tyro.conf.arg(name="to", metavar="DIR")],
    output: Output,
    common: Common = DEFAULTS,
    finish: Finishing = PLAIN,
    gain: float = 1.0,
    most: int = MOST_PER_DOMAIN,
) -> None:
    """Picture of a photograph moved from one domain to another, such as from summer to winter.

    Its texture is moved by the difference of the two domains' mean textures.

    Args:
        image: photograph.
        source: folder of photographs of the domain it is from.
        target: folder of photographs of the domain it shall look of.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        gain: how far; 0 leaves it where it is.
        most: take no more photographs of a domain than this, spread over its folder.
    """
    check_output(output)
    finish.check()
    check_strength("gain", gain)
    folders = [sample(folder, most) for folder in (source, target)]
    session = Session(common)
    photograph = session.load(image)
    own = session.codes(photograph.tensor)
    domains = [encode_textures(session, paths) for paths in folders]
    moved = Codes(own.structure, translate(own.texture, *domains, gain=gain))
    first = 1 + len(folders[0])
    numbers = tuple(range(1, first)), tuple(range(first, first + len(folders[1])))
    recipe = session.recipe([image, *folders[0], *folders[1]], Translate(*numbers, gain)) if finish.plain else None
    session.save(finish.picture(session, photograph, session.generate(moved)), output, recipe)


def encode_textures(session: Session, paths: list[Path]) -> Tensor:
    """Textures [N, T] of photographs."""
    return torch.cat([session.texture(path) for path in tqdm(paths, desc="encode", unit="picture")])
