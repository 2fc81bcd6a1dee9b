"""`swapae regions` and `select`: other photographs' textures in regions of one, and masks selected by a point."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro
from PIL import Image
from torch import Tensor

from swapae.apps.cli.checks import check_between, check_feather, whole_numbers
from swapae.apps.cli.session import (
    DEFAULT_OPTIONS,
    Common,
    Fidelity,
    OutputPath,
    PhotographPath,
    Session,
    Size,
    StructurePath,
)
from swapae.codes import Codes
from swapae.editing import Change, change, composite, select_similar, texture_map
from swapae.editing import feather as soften
from swapae.editing.masks import grid_of
from swapae.errors import UserError
from swapae.pictures.images import Fitted, to_pil
from swapae.pictures.saving import check_output_file, save_image

Threshold = Annotated[float, tyro.conf.arg(metavar="COSINE")]


def regions(
    structure: StructurePath,
    textures: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE ...")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    masks: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="MASK ...")] = (),
    select: Annotated[tuple[str, ...], tyro.conf.arg(metavar="X,Y ...")] = (),
    fidelity: Fidelity = 0.0,
    threshold: Threshold = 0.9,
    feather: int = 8,
    exact: bool = False,
) -> None:
    """Picture of a photograph with the textures of others in some of its regions, all in one forward pass.

    Prints how much it changed from the photograph's reconstruction, in levels of 255, inside and outside the regions:
    a region's texture reaches a little beyond its edge.

    Args:
        structure: photograph that gives shapes and layout, and its own texture outside all regions.
        textures: photographs that give colours and materials, one per region.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        masks: grey pictures of any size, one per texture, laid over the whole photograph: white takes the texture.
        select: instead of masks a point per texture, in pixels of the result: the region is all that is like it.
        fidelity: how near to the structure photograph its own reconstruction is: 0 is the encoder's, at once; 0.3 takes
            some seconds of refining, and 1 some twenty.
        threshold: how like, from -1 for everything to 1 for the same only.
        feather: pixels to each side over which the regions' edges are softened.
        exact: outside the softened regions every pixel is the reconstruction's.
    """
    check_output_file(output)
    check_feather(feather)
    check_between("fidelity", fidelity, 0, 1)
    check_between("threshold", threshold, -1, 1)
    given = select or masks
    if bool(masks) == bool(select):
        raise UserError("regions come from --masks or from --select: give one of them")
    if len(given) != len(textures):
        option = "select" if select else "masks"
        raise UserError(f"--{option} takes one for each texture, got {len(given)} for {len(textures)}")
    points = [point_of("--select", text) for text in select]
    session = Session(common)
    photograph = session.load(structure)
    references = [session.texture(path) for path in textures]
    with session.faithful(photograph, fidelity) as own:
        hard = [session.mask(path, photograph) for path in masks]
        hard += [selection(session, own, photograph, point, threshold) for point in points]
        picture, changed = paint_regions(session, photograph, own, references, hard, feather, exact)
    session.save(to_pil(picture, photograph.size, photograph.opacity), output, of=structure)
    print(
        f"changed inside: {changed.inside_mean:.1f} on average, {changed.inside_max:.0f} at most; "
        f"outside: {changed.outside_mean:.1f} on average, {changed.outside_max:.0f} at most"
    )


def paint_regions(
    session: Session,
    photograph: Fitted,
    own: Codes,
    references: list[Tensor],
    masks: list[Tensor],
    radius: int,
    exact: bool,
) -> tuple[Tensor, Change]:
    """The picture [1, 3, H, W] with regions in other textures, and what changed of the part that is shown."""
    # Softened at the pixels: on the structure's grid the least step of an edge is a cell.
    soft = [soften(mask, radius) for mask in masks]
    union = torch.stack(soft).amax(0)
    grid = grid_of(own.structure)
    before = session.generate(own)
    after = session.generate(Codes(own.structure, texture_map(own.texture, references, soft, grid)))
    if exact:
        after = composite(before, after, union)
    width, height = photograph.size
    return after, change(*(images[..., :height, :width] for images in (before, after, union)))


def select_region(
    image: PhotographPath,
    point: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="X,Y")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    threshold: Threshold = 0.9,
    feather: int = 0,
) -> None:
    """Mask of all of a photograph that is like one point of it, for --masks and --mask.

    Args:
        image: photograph.
        point: in pixels of the photograph as `swapae reconstruct` writes it.
        output: grey picture to write, white where selected: .png, .webp, .tif or .bmp.
        threshold: how like, from -1 for everything to 1 for the same only.
        feather: pixels to each side over which the edge is softened.
    """
    check_output_file(output, (".png", ".webp", ".tif", ".tiff", ".bmp"))
    check_feather(feather)
    check_between("threshold", threshold, -1, 1)
    where = point_of("the point", point)
    session = Session(common)
    photograph = session.load(image)
    mask = selection(session, session.codes(photograph), photograph, where, threshold)
    save_image(mask_picture(mask, photograph.size, feather), output)
    width, height = photograph.size
    print(f"selected {100 * mask[..., :height, :width].mean().item():.0f} % of the picture")


def mask_picture(mask: Tensor, size: Size, radius: int) -> Image.Image:
    """A mask [1, 1, H, W] as a grey picture."""
    return to_pil((2 * soften(mask, radius) - 1).expand(-1, 3, -1, -1), size)


def point_of(what: str, text: str) -> Size:
    """The point X,Y that `text` names, the value of `what`."""
    x, y = whole_numbers(what, text, "X,Y")
    return x, y


def selection(session: Session, codes: Codes, photograph: Fitted, point: Size, threshold: float) -> Tensor:
    """The mask [1, 1, H, W] of all cells like the one at a point, whole cells.

    Raises:
        UserError: the point is beyond the picture.
    """
    (x, y), (width, height), stride = point, photograph.size, session.model.config.stride
    if not (0 <= x < width and 0 <= y < height):
        raise UserError(f"the point {x},{y} is beyond the picture, which has {width}x{height} pixels")
    cells = select_similar(codes.structure.float(), (y // stride, x // stride), threshold=threshold)
    return cells.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
