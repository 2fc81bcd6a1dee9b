"""`swapae drag`: points of a photograph moved elsewhere, and the shapes around them with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import tyro

from swapae.apps.cli.checks import check_feather
from swapae.apps.cli.regions import point_of
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, Frame, OutputPath, PhotographPath, Session, Size
from swapae.codes import Codes
from swapae.editing import drag as drag_code
from swapae.editing.dragging import check_points, check_within
from swapae.editing.masks import fit_mask, grid_of
from swapae.editing.opacity import drag_opacity
from swapae.editing.operations import Drag
from swapae.editing.validation import Mask
from swapae.errors import UserError
from swapae.pictures.images import Fitted
from swapae.pictures.saving import check_output_file

PointTexts = tuple[str, ...]


def drag(
    image: PhotographPath,
    handles: Annotated[PointTexts, tyro.conf.arg(name="from", metavar="X,Y ...")],
    targets: Annotated[PointTexts, tyro.conf.arg(name="to", metavar="X,Y ...")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    mask: Annotated[Path | None, tyro.conf.arg(metavar="MASK")] = None,
    feather: int = 16,
) -> None:
    """Picture of a photograph with points of it dragged elsewhere, and the shapes around them with them.

    A point that is in --from and, at the same place, in --to holds what is around it; without such points and without
    --mask the whole picture goes along.

    Args:
        image: photograph.
        handles: points in pixels of the photograph as `swapae reconstruct` writes it, at most 32.
        targets: where each of them goes, in the same order.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        mask: grey picture of any size, laid over the whole photograph: what is white stays where it is.
        feather: pixels outside the mask over which half of the fade to what moves goes.
    """
    check_output_file(output)
    check_feather(feather)
    starts = tuple(point_of("--from", text) for text in handles)
    ends = tuple(point_of("--to", text) for text in targets)
    check_points(starts, ends)
    session = Session(common)
    photograph = session.load(image)
    check_within([*starts, *ends], photograph.size)
    goals = [end for start, end in zip(starts, ends, strict=True) if start != end]
    kept = None if mask is None else load_mask(session, mask, photograph, goals)
    # On cells and in levels, as a recipe has it, so that the recipe gives the same picture.
    painted = None if kept is None else kept.to_tensor()
    stride = session.model.config.stride
    radius = round(feather / stride)
    own = session.codes(photograph)
    dragged = drag_code(own.structure, starts, ends, stride=stride, mask=painted, radius=radius)
    layer = own.structure, photograph.opacity
    opacity = drag_opacity(layer, session.model, (starts, ends), painted, radius)
    recipe = session.recipe([image], Drag(starts, ends, kept, radius))
    picture = session.decode(Codes(dragged, own.texture), Frame(photograph.size, opacity))
    session.save(picture, output, recipe, image)


def load_mask(session: Session, path: Path, photograph: Fitted, goals: list[Size]) -> Mask:
    """A grey picture as a mask on the photograph's cells; `goals` are where points move to.

    Raises:
        UserError: it protects nothing, everything, or a place where a point is to go.
    """
    mask = session.mask(path, photograph)
    if not mask.any():
        raise UserError(f"--mask {path} is black and protects nothing: paint what is to stay white")
    if mask.min() == 1:
        raise UserError(f"--mask {path} is white and protects everything: leave black what may move")
    for x, y in goals:
        if mask[0, 0, y, x] == 1:
            raise UserError(f"no point can go to {x},{y}, which --mask {path} protects: leave it black there")
    height, width = grid_of(photograph.tensor)
    stride = session.model.config.stride
    return Mask.from_tensor(fit_mask(mask, 1, (height // stride, width // stride), torch.device("cpu")))
