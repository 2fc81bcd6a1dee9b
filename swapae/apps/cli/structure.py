"""`swapae paste`, `move`, `join` and `outpaint`: other layouts, on cells of the structure code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

from swapae.apps.cli.checks import check_between, check_feather, whole_numbers
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, Frame, OutputPath, PhotographPath, Session, Size, expand
from swapae.codes import Codes
from swapae.editing import Box, texture_map
from swapae.editing import join as join_codes
from swapae.editing import move as move_structure
from swapae.editing import outpaint as outpaint_codes
from swapae.editing import paste as paste_structure
from swapae.editing.masks import grid_of
from swapae.editing.opacity import Placement, join_opacity, move_opacity, outpaint_opacity, paste_opacity
from swapae.editing.operations import Move, Paste
from swapae.errors import UserError
from swapae.pictures.images import load_image, to_pil
from swapae.pictures.saving import check_output_file
from swapae.rounding import ceil_div

TargetPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TARGET")]
SourcePath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
BoxText = Annotated[str, tyro.conf.arg(metavar="X,Y,W,H")]
PlaceText = Annotated[str, tyro.conf.arg(name="to", metavar="X,Y[,W,H]")]


def paste(
    target: TargetPath,
    source: SourcePath,
    box: BoxText,
    place: PlaceText,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    flip: bool = False,
    texture: bool = False,
    feather: int = 0,
) -> None:
    """Picture of a photograph with a region of another in it, or of itself again.

    Boxes are in pixels of the photographs as `swapae reconstruct` writes them, and snap to cells of the structure code.

    Args:
        target: photograph to paste into; it gives the texture.
        source: photograph to copy from; the target itself clones.
        box: the region of the source: its top left corner, its width and its height.
        place: top left corner in the target, and if wanted another width and height.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        flip: mirror the region left to right.
        texture: bring along the source's texture.
        feather: pixels inside the region's edge over which it fades in.
    """
    check_output_file(output)
    check_feather(feather)
    wanted_box, wanted_place = parse_box(box), parse_place(place)
    session = Session(common)
    stride = session.model.config.stride
    own, frame = session.encode(target)
    other, other_frame = session.encode(source)
    box_cells = snap_box(wanted_box, other_frame.size, stride)
    place_cells = snap_place(wanted_place, box_cells, frame.size, session)
    radius = round(feather / stride)
    pasted = paste_structure(own.structure, other.structure, box_cells, place_cells, flip=flip, radius=radius)
    codes = Codes(pasted, own.texture)
    if texture:
        # A mask that is pasted as the structure was, so that both fade alike.
        blank, full = own.structure[:, :1] * 0, other.structure[:, :1] * 0 + 1
        mask = paste_structure(blank, full, box_cells, place_cells, radius=radius)
        grid = grid_of(pasted)
        codes = Codes(pasted, texture_map(own.texture, [other.texture], [mask], grid))
    recipe = None if texture else session.recipe([target, source], Paste(1, box_cells, place_cells, flip, radius))
    layers = (own.structure, frame.opacity), (other.structure, other_frame.opacity)
    opacity = paste_opacity(layers, session.model, Placement(box_cells, place_cells, flip, radius))
    session.save(session.decode(codes, Frame(frame.size, opacity)), output, recipe, target)


def move(
    image: PhotographPath,
    box: BoxText,
    place: PlaceText,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    flip: bool = False,
    feather: int = 0,
) -> None:
    """Picture of a photograph with a region moved elsewhere; its surroundings, mirrored, fill the hole.

    Boxes are in pixels of the photograph as `swapae reconstruct` writes it, and snap to cells of the structure code.

    Args:
        image: photograph.
        box: the region: its top left corner, its width and its height.
        place: top left corner of where it goes, and if wanted another width and height.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        flip: mirror the region left to right.
        feather: pixels inside the region's edge over which it fades in.
    """
    check_output_file(output)
    check_feather(feather)
    wanted_box, wanted_place = parse_box(box), parse_place(place)
    session = Session(common)
    stride = session.model.config.stride
    own, (size, opacity) = session.encode(image)
    box_cells = snap_box(wanted_box, size, stride)
    place_cells = snap_place(wanted_place, box_cells, size, session)
    if (box_cells.height, box_cells.width) == grid_of(own.structure):
        raise UserError(f"--box {box} is the whole picture of {size[0]}x{size[1]}: leave something to fill the hole")
    radius = round(feather / stride)
    moved = move_structure(own.structure, box_cells, place_cells, flip=flip, radius=radius)
    recipe = session.recipe([image], Move(box_cells, place_cells, flip, radius))
    opacity = move_opacity((own.structure, opacity), session.model, Placement(box_cells, place_cells, flip, radius))
    session.save(session.decode(Codes(moved, own.texture), Frame(size, opacity)), output, recipe, image)


def join(
    photographs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IMAGE_OR_DIR ...")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    texture: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None,
    seam: int = 64,
) -> None:
    """Panorama: photographs side by side with soft seams, in one forward pass.

    All are brought to one height, --size, or with --size full that of the first.

    Args:
        photographs: photographs, or folders of them, from left to right.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        texture: photograph that gives all of it its colours and materials; each its own if not given.
        seam: pixels over which neighbours fade into each other, in whole cells of the structure code.
    """
    check_output_file(output)
    paths = expand(photographs)
    if len(paths) < 2:
        raise UserError(f"a panorama takes two photographs or more, got {len(paths)}")
    check_between("seam", seam, 0, 4096)
    session = Session(common)
    stride = session.model.config.stride
    height = session.size if session.size != "full" else load_image(paths[0], max_pixels=common.limit).height
    height = max(1, round(height / stride)) * stride
    overlap, columns, codes, layers = round(seam / stride), 0, [], []
    for path in tqdm(paths, desc="encode", unit="picture"):
        photograph = session.load_whole(path, height)
        codes.append(session.codes(photograph))
        layers.append((codes[-1].structure, photograph.opacity))
        columns += codes[-1].structure.shape[3] - overlap
        session.check_result((columns + overlap) * stride, height)
    narrowest = min(code.structure.shape[3] for code in codes)
    if overlap > narrowest:
        raise UserError(f"--seam must be at most the narrowest photograph's {narrowest * stride} pixels, got {seam}")
    joined = join_codes(codes, seam=overlap)
    if texture is not None:
        joined = Codes(joined.structure, session.texture(texture))
    opacity = join_opacity(layers, session.model, overlap)
    session.save(to_pil(session.generate(joined), None, opacity), output, of=paths[0])


def outpaint(
    image: PhotographPath,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    horizontal: int = 0,
    vertical: int = 0,
) -> None:
    """Picture of a photograph that goes on beyond its border, by mirroring its codes there.

    Args:
        image: photograph.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        horizontal: pixels to add at the left and as many at the right, in whole cells of the structure code.
        vertical: pixels to add at the top and as many at the bottom.
    """
    check_output_file(output)
    for option, pixels in (("horizontal", horizontal), ("vertical", vertical)):
        check_between(option, pixels, 0, 65_536)
    session = Session(common)
    stride = session.model.config.stride
    columns, rows = (ceil_div(pixels, stride) for pixels in (horizontal, vertical))
    if columns == rows == 0:
        raise UserError("there is nothing to add: give --horizontal, --vertical or both")
    photograph = session.load_whole(image)
    width, height = photograph.size
    session.check_result(width + 2 * columns * stride, height + 2 * rows * stride)
    own = session.codes(photograph)
    wider = outpaint_codes(own, rows=rows, columns=columns)
    opacity = outpaint_opacity((own.structure, photograph.opacity), session.model, rows, columns)
    session.save(to_pil(session.generate(wider), None, opacity), output, of=image)


def parse_box(text: str) -> tuple[int, ...]:
    """The value of --box, X,Y,W,H in pixels."""
    box = whole_numbers("--box", text, "X,Y,W,H")
    if min(box[2:]) < 1:
        raise UserError(f"--box must be at least one pixel wide and high, got {text!r:.60}")
    return box


def parse_place(text: str) -> tuple[int, ...]:
    """The value of --to, X,Y or X,Y,W,H in pixels."""
    place = whole_numbers("--to", text, "X,Y", "X,Y,W,H")
    if len(place) == 4 and min(place[2:]) < 1:
        raise UserError(f"--to must be at least one pixel wide and high, got {text!r:.60}")
    return place


def snap_box(box: tuple[int, ...], size: Size, stride: int) -> Box:
    """A box in pixels of a picture of `size` on the cells nearest to its edges, one cell at least.

    Raises:
        UserError: it reaches beyond the picture.
    """
    x, y, width, height = box
    if x < 0 or y < 0 or x + width > size[0] or y + height > size[1]:
        shown = ",".join(map(str, box))
        raise UserError(f"--box {shown} reaches beyond the picture, which has {size[0]}x{size[1]} pixels")
    left, right = snap_edges(x, x + width, stride, ceil_div(size[0], stride))
    top, bottom = snap_edges(y, y + height, stride, ceil_div(size[1], stride))
    return Box(top, left, bottom - top, right - left)


def snap_edges(start: int, end: int, stride: int, cells: int) -> tuple[int, int]:
    """The cells' edges nearest to two in pixels, apart by one at least and within `cells`."""
    first, last = nearest(start, stride), nearest(end, stride)
    first = min(first, cells - 1)
    return first, min(max(last, first + 1), cells)


def snap_place(place: tuple[int, ...], box: Box, size: Size, session: Session) -> Box:
    """Where a box goes, in pixels of a picture of `size`, on cells; of the box's size unless another is given.

    Raises:
        UserError: wholly beyond the picture, or larger than results may be.
    """
    stride = session.model.config.stride
    x, y, *scaled = place
    width, height = (max(1, nearest(side, stride)) for side in scaled) if scaled else (box.width, box.height)
    session.check_result(width * stride, height * stride)
    left, top = nearest(x, stride), nearest(y, stride)
    columns, rows = (ceil_div(side, stride) for side in size)
    if not (-width < left < columns and -height < top < rows):
        raise UserError(f"--to {','.join(map(str, place))} is beyond the picture, which has {size[0]}x{size[1]} pixels")
    return Box(top, left, height, width)


def nearest(pixels: int, stride: int) -> int:
    """The cell's edge that is nearest to a number of pixels, the further one of two."""
    return (2 * pixels + stride) // (2 * stride)
