"""Structure codes: copy regions about, join photographs side by side, go on beyond the border.

A structure is a picture of h x w cells, each `config.stride` pixels wide, and the generator decodes any grid. So
these edits are those of pictures, on cells. Cells that an edit leaves alone stay as they were, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.codes import Codes


class Box(NamedTuple):
    """A rectangle of cells; rows and columns count from the top left corner."""

    top: int
    left: int
    height: int
    width: int


def paste(target: Tensor, source: Tensor, box: Box, place: Box, *, flip: bool = False, radius: int = 0) -> Tensor:
    """Copy a region of one structure into another, or clone it within the same one.

    Args:
        target: structure [B, K, h, w].
        source: structure [B or 1, K, any, any]; `target` itself clones.
        box: the region of `source`.
        place: where it goes in `target`; of another size it is scaled bilinearly. What lies beyond the border
            is cut off.
        flip: mirror it left to right.
        radius: cells inside the place's edge over which the copy fades in.

    Returns:
        [B, K, h, w], a new tensor.

    Raises:
        ValueError: structures that do not fit each other, a box beyond `source`, a place that is empty or wholly
            beyond `target`, or a negative radius.
    """
    check_structure(target)
    check_structure(source)
    if source.shape[0] not in (1, len(target)) or source.shape[1] != target.shape[1]:
        raise ValueError(f"expected a source like the target {list(target.shape)}, got {list(source.shape)}")
    check_box(box, source)
    if radius < 0:
        raise ValueError(f"expected a radius of at least 0 cells, got {radius}")
    rows, columns = visible(place, target)
    patch = source[:, :, box.top : box.top + box.height, box.left : box.left + box.width].to(target.dtype)
    if place[2:] != box[2:]:
        patch = F.interpolate(patch, size=tuple(place[2:]), mode="bilinear", align_corners=False)
    if flip:
        patch = patch.flip(3)
    weight = fade_in(place.height, radius, target)[:, None] * fade_in(place.width, radius, target)
    result = target.clone()
    beneath = result.narrow(2, max(place.top, 0), rows.stop - rows.start)
    beneath = beneath.narrow(3, max(place.left, 0), columns.stop - columns.start)
    beneath.copy_(torch.lerp(beneath, patch[..., rows, columns], weight[rows, columns]))
    return result


def visible(place: Box, structure: Tensor) -> tuple[slice, slice]:
    """The rows and the columns of a place, counted from its own corner, that lie within a structure.

    Raises:
        ValueError: there are none.
    """
    height, width = structure.shape[2:]
    rows = slice(max(-place.top, 0), min(place.height, height - place.top))
    columns = slice(max(-place.left, 0), min(place.width, width - place.left))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise ValueError(f"expected a place within {height} rows and {width} columns, got {tuple(place)}")
    return rows, columns


def move(structure: Tensor, box: Box, place: Box, *, flip: bool = False, radius: int = 0) -> Tensor:
    """Move a region elsewhere; the hole it leaves is filled by `fill`.

    Args, returns and errors are those of `paste` with one structure; also ValueError where `fill` cannot.
    """
    check_box(box, structure)
    return paste(fill(structure, box), structure, box, place, flip=flip, radius=radius)


def fill(structure: Tensor, box: Box) -> Tensor:
    """Cover a region by its surroundings: mirrored in from the left and from the right, and cross-faded.

    A region at a side of the picture takes from the other side alone, one as wide as the picture from above and
    below.

    Args:
        structure: [B, K, h, w].
        box: the region.

    Returns:
        [B, K, h, w], a new tensor.

    Raises:
        ValueError: another shape, a box beyond it, or one that covers all of it.
    """
    check_structure(structure)
    check_box(box, structure)
    if box.width < structure.shape[3]:
        return fill_columns(structure, box)
    if box.height == structure.shape[2]:
        raise ValueError(f"expected a box that leaves some of {list(structure.shape[2:])} cells, got {tuple(box)}")
    turned = Box(box.left, box.top, box.width, box.height)
    return fill_columns(structure.transpose(2, 3), turned).transpose(2, 3)


def fill_columns(structure: Tensor, box: Box) -> Tensor:
    """As `fill`, from the left and the right; the box is narrower than the structure."""
    rows = structure[:, :, box.top : box.top + box.height]
    before, after = rows[..., : box.left], rows[..., box.left + box.width :]
    if not before.shape[3]:
        mirrored = mirror(after, 3, box.width, 0)[..., : box.width]
    elif not after.shape[3]:
        mirrored = mirror(before, 3, 0, box.width)[..., -box.width :]
    else:
        from_left = mirror(before, 3, 0, box.width)[..., -box.width :]
        from_right = mirror(after, 3, box.width, 0)[..., : box.width]
        mirrored = torch.lerp(from_left, from_right, cross_fade(box.width, structure))
    result = structure.clone()
    result[:, :, box.top : box.top + box.height, box.left : box.left + box.width] = mirrored
    return result


def join(photographs: Sequence[Codes], *, seam: int = 0) -> Codes:
    """Lay photographs side by side; decoded, it is one wide picture, a panorama.

    Structures and textures, the latter as maps on the structures' grids, overlap by `seam` columns and cross-fade
    linearly there.

    Args:
        photographs: one or more, each with structure [B, K, h, w of its own] and texture [B, T] or a map.
        seam: columns, at most the narrowest photograph's.

    Returns:
        Codes with structure [B, K, h, W] and texture map [B, T, h, W], where W is the sum of the widths less the
        seams.

    Raises:
        ValueError: none, different heights, or a seam that is negative or wider than a photograph.
    """
    if not photographs:
        raise ValueError("expected at least one photograph to join, got none")
    for codes in photographs:
        check_structure(codes.structure)
    shapes = [(*codes.structure.shape[:3], codes.texture.shape[1]) for codes in photographs]
    if len(set(shapes)) > 1:
        raise ValueError(f"expected structures of one batch, height and model, got [B, K, h] and T {shapes}")
    narrowest = min(codes.structure.shape[3] for codes in photographs)
    if not 0 <= seam <= narrowest:
        raise ValueError(f"expected a seam of 0 to {narrowest} columns, got {seam}")
    structure = join_columns([codes.structure for codes in photographs], seam)
    return Codes(structure, join_columns([map_of(codes) for codes in photographs], seam))


def join_columns(pieces: Sequence[Tensor], seam: int) -> Tensor:
    """Pieces [B, C, h, any] side by side, overlapping and cross-faded over `seam` columns."""
    joined = pieces[0]
    for piece in pieces[1:]:
        edge = joined.shape[3] - seam
        faded = torch.lerp(joined[..., edge:], piece[..., :seam], cross_fade(seam, piece))
        joined = torch.cat([joined[..., :edge], faded, piece[..., seam:]], 3)
    return joined


def outpaint(codes: Codes, *, rows: int, columns: int) -> Codes:
    """Go on beyond the border by mirroring the codes at it; texture maps likewise, on the structure's grid.

    Args:
        codes: structure [B, K, h, w], texture [B, T] or a map.
        rows, columns: cells to add at the top and the bottom, at the left and the right; any number.

    Returns:
        Codes with structure [B, K, h + 2 rows, w + 2 columns] and the texture, of that grid if a map.

    Raises:
        ValueError: another shape, or a negative number of cells.
    """
    check_structure(codes.structure)
    if rows < 0 or columns < 0:
        raise ValueError(f"expected at least 0 rows and columns to add, got {rows} and {columns}")
    structure = mirror(mirror(codes.structure, 2, rows, rows), 3, columns, columns)
    if codes.texture.dim() == 2:
        return Codes(structure, codes.texture)
    return Codes(structure, mirror(mirror(map_of(codes), 2, rows, rows), 3, columns, columns))


def map_of(codes: Codes) -> Tensor:
    """The texture of codes as a map [B, T, h, w] on their structure's grid."""
    grid = codes.structure.shape[2:]
    if codes.texture.dim() == 2:
        return codes.texture[:, :, None, None].expand(-1, -1, *grid)
    if codes.texture.shape[2:] == grid:
        return codes.texture
    return F.interpolate(codes.texture, size=tuple(grid), mode="bilinear", align_corners=False)


def mirror(code: Tensor, dim: int, before: int, after: int) -> Tensor:
    """Continue a code at both ends of a dimension by mirroring it there, again and again where it is short."""
    length = code.shape[dim]
    index = torch.arange(-before, length + after, device=code.device) % (2 * length)
    return code.index_select(dim, torch.minimum(index, 2 * length - 1 - index))


def fade_in(side: int, radius: int, like: Tensor) -> Tensor:
    """[side] rising linearly from both ends to 1, which it reaches `radius` cells in."""
    distance = torch.arange(1, side + 1, device=like.device)
    nearest = torch.minimum(distance, distance.flip(0))
    return (nearest / (radius + 1)).clamp_max(1).to(like.dtype)


def cross_fade(side: int, like: Tensor) -> Tensor:
    """[side] rising linearly between 0 and 1, without either."""
    return (torch.arange(1, side + 1, device=like.device) / (side + 1)).to(like.dtype)


def check_structure(structure: Tensor) -> None:
    """Raise ValueError unless it is [B, K, h, w] with some cells."""
    if structure.dim() != 4 or not structure.numel():
        raise ValueError(f"expected a structure [B, K, h, w], got {list(structure.shape)}")


def check_box(box: Box, structure: Tensor) -> None:
    """Raise ValueError unless the box holds cells, and of the structure alone."""
    height, width = structure.shape[2:]
    down, right = box.top + box.height, box.left + box.width
    if not (0 <= box.top < down <= height and 0 <= box.left < right <= width):
        raise ValueError(f"expected a box within {height} rows and {width} columns, got {tuple(box)}")
