"""Pictures in, and to and from tensors; only this folder and the apps know PIL.

Whatever comes in (a file, bytes, a PIL image, an array, a tensor) leaves `load_image` as an upright picture
in 8-bit sRGB, or raises a `PictureError` of one line. No setting of Pillow changes; any thread may call it.
"""

import os
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from PIL import Image

from swapae.errors import PictureError
from swapae.pictures.colour import narrow, quantise, to_srgb
from swapae.pictures.decoding import Header, check_size, decode, read_header
from swapae.pictures.transparency import fill_hidden, resize

Picture: TypeAlias = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray | torch.Tensor

MAX_PIXELS = 64_000_000
# Of a picture that is enlarged: by its shape, one of few pixels may become one of very many.
MAX_ENLARGED = 4096 * 4096


class Fitted(NamedTuple):
    """A picture ready for the encoder.

    Attributes:
        tensor: [1, 3, H, W] in [-1, 1].
        size: (width, height) it had before it was padded.
        opacity: [1, 1, H, W], from 0 where it is transparent to 1; None where all of it is opaque.
    """

    tensor: torch.Tensor
    size: tuple[int, int]
    opacity: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> "Fitted":
        """With the tensor there."""
        return self._replace(tensor=self.tensor.to(device))

    @property
    def with_opacity(self) -> torch.Tensor:
        """[1, 3, H, W]; with the opacity as a fourth channel in [-1, 1] where the picture has one."""
        if self.opacity is None:
            return self.tensor
        return torch.cat([self.tensor, 2 * self.opacity.to(self.tensor) - 1], 1)


def load_image(
    source: Picture,
    *,
    background: tuple[int, int, int] | None = (255, 255, 255),
    max_pixels: int = MAX_PIXELS,
    draft_to: int | None = None,
) -> Image.Image:
    """Read a picture of any kind as an upright 8-bit RGB image in sRGB.

    Rotates by EXIF, converts by the embedded ICC profile (one that cannot be used is taken for sRGB), scales
    16 bits to 8, takes the first frame of an animation, and lays transparency over `background`.

    Args:
        source: A path; an encoded picture as bytes or a binary file object, read from its start; a PIL image;
            an array [H, W] or [H, W, 1, 3 or 4] of uint8, uint16, bool or floats in [0, 1]; or a tensor
            [3, H, W] or [1, 3, H, W] of floats in [-1, 1] or of uint8.
        background: The RGB colour, 0 to 255, behind transparent pixels. None keeps transparency: a picture that has
            some comes as RGBA, with colours for hidden pixels as of `transparency.fill_hidden`.
        max_pixels: Larger pictures are refused by their header, before they are decoded.
        draft_to: Decode a JPEG faster and smaller, its sides no shorter than this where they were not before.

    Returns:
        A new RGB image without metadata, or RGBA as said above.

    Raises:
        PictureError: The source is missing, no picture, damaged, empty, out of range or over `max_pixels`; or nothing
            of it is visible, without a background.
    """
    name = name_of(source)
    try:
        if isinstance(source, torch.Tensor):
            image = _from_tensor(source, name)
        elif isinstance(source, np.ndarray):
            image = _from_array(source, name)
        else:
            image = decode(source, name, max_pixels, draft_to)
        check_size(image.size, name, max_pixels)
        image = to_srgb(image, background, name)
        return fill_hidden(image, name) if image.mode == "RGBA" else image
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise PictureError(f"{name} is too large, {_reason(error)}: make it smaller first") from error
    except Exception as error:  # Pillow's decoders raise nearly everything when fed damaged data
        raise PictureError(
            f"{name} is damaged, cut short or of an unknown variety ({_reason(error)}): save it anew as PNG or JPEG"
        ) from error


def header(source: Picture, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the size, the mode and the profile of an encoded picture without decoding it.

    Raises:
        PictureError: As of `load_image`, as far as the header shows it.
    """
    name = name_of(source)
    try:
        return read_header(source, name, max_pixels)
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything when fed damaged data
        raise PictureError(f"{name} is damaged, its header cannot be read ({_reason(error)})") from error


def fit(
    image: Image.Image,
    size: int | Literal["full"],
    stride: int,
    minimum: int,
    *,
    max_pixels: int | None = None,
) -> Fitted:
    """Resize and pad an image, RGB or RGBA as of `load_image`, for an encoder that shrinks it by `stride`.

    With a number, the short side becomes `size` (Lanczos, the aspect kept); with "full" every pixel is kept.
    Both sides are then padded at the right and the bottom by mirroring, up to multiples of `stride`. The result may
    have `max_pixels`; if not given MAX_PIXELS, or MAX_ENLARGED if it is over twice the pixels of the image.

    Returns:
        float32 [1, 3, H, W] in [-1, 1], the (width, height) before padding, for `to_pil` to crop back to, and the
        opacity of an RGBA image.

    Raises:
        PictureError: The short side would be under `minimum`, or the result over `max_pixels`.
    """
    width, height = image.size
    if size == "full":
        if min(width, height) < minimum:
            raise PictureError(
                f"the picture is {width}x{height} and the model needs at least {minimum} pixels a side: "
                f"use --size {minimum} or more to enlarge it"
            )
        fitted = image.size
    else:
        if size < minimum:
            raise PictureError(f"size {size} is too small: the model needs --size {minimum} or more")
        fitted = scaled_size(image.size, size)
    right, below = (-side % stride for side in fitted)
    check_fitted(image.size, fitted, (fitted[0] + right) * (fitted[1] + below), max_pixels)
    image = resize(image, fitted)
    # "symmetric" and not "reflect": it holds where the padding is longer than the side, down to one pixel.
    pixels = np.pad(np.asarray(image), ((0, below), (0, right), (0, 0)), mode="symmetric")
    # By numpy, on one thread: after torch has computed in a second thread of Python, OpenMP's threads sleep rather than
    # spin wherever they wait, which costs the networks a tenth of their speed.
    values = pixels[..., :3].transpose(2, 0, 1)[None].astype(np.float32, order="C")
    values /= 127.5
    values -= 1
    opacity = None
    if image.mode == "RGBA":
        opacity = torch.from_numpy(pixels[None, None, ..., 3].astype(np.float32) / 255)
    return Fitted(torch.from_numpy(values), fitted, opacity)


def check_fitted(size: tuple[int, int], fitted: tuple[int, int], pixels: int, max_pixels: int | None) -> None:
    """Raise PictureError for a picture of `size` that would become too large; the limit is as of `fit`."""
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    enlarged = fitted[0] * fitted[1] > 2 * size[0] * size[1]  # not by rounding to whole cells
    if max_pixels is None and enlarged:
        limit = MAX_ENLARGED
    if pixels > limit:
        lifted = f", or allow it by --max-pixels {pixels}" if limit == MAX_ENLARGED and pixels <= MAX_PIXELS else ""
        raise PictureError(
            f"the picture of {size[0]}x{size[1]} would become {fitted[0]}x{fitted[1]}, over the limit of {limit} "
            f"pixels{' for what is enlarged' if lifted else ''}: crop it to a less extreme shape, use a smaller "
            f"--size{lifted}"
        )


def scaled_size(size: tuple[int, int], short: int) -> tuple[int, int]:
    """The (width, height) that has `size`'s aspect, to the nearest pixel, and a short side of `short` pixels."""
    width, height = size
    now, long = min(size), max(size)
    scaled = (2 * long * short + now) // (2 * now)
    return (short, scaled) if width <= height else (scaled, short)


def resize_short(image: Image.Image, short: int) -> Image.Image:
    """Resize an RGB image by Lanczos, its short side to `short` pixels, its aspect kept.

    Raises:
        PictureError: The result would be over `MAX_PIXELS`.
    """
    size = scaled_size(image.size, short)
    check_size(size, "the resized picture", MAX_PIXELS)
    return image.resize(size, Image.Resampling.LANCZOS)


def levels(image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """Resize an RGB image to `size`, (width, height), by Lanczos: uint8 [3, H, W].

    Raises:
        PictureError: The result would be over `MAX_PIXELS`.
    """
    check_size(size, "the resized picture", MAX_PIXELS)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def to_pil(
    images: torch.Tensor, size: tuple[int, int] | None = None, opacity: torch.Tensor | None = None
) -> Image.Image:
    """Turn one picture [3, H, W] or [1, 3, H, W] of floats in [-1, 1] into an 8-bit RGB image.

    Values beyond the range are clamped, the rest rounded to the nearest level. The result is cropped at the
    right and the bottom to `size`, (width, height), which undoes the padding of `fit`. With an opacity
    [1, 1, H, W] in [0, 1], as `fit` gives it, it is RGBA; so it is with a fourth channel, which is opacity in [-1, 1].

    Raises:
        ValueError: The shape is another, `size` is larger than the picture, or a value is NaN.
    """
    picture = images.detach()
    if picture.ndim == 4 and picture.shape[0] == 1:
        picture = picture[0]
    if picture.ndim != 3 or picture.shape[0] not in (3, 4) or not picture.is_floating_point():
        raise ValueError(f"expected floats [3 or 4, H, W] or one of them, got {images.dtype} {list(images.shape)}")
    if opacity is not None:
        picture = torch.cat([picture.float(), 2 * opacity[0].to(picture.device) - 1])
    height, width = picture.shape[1:]
    if size is not None:
        if size[0] > width or size[1] > height:
            raise ValueError(f"cannot crop a picture of {width}x{height} to {size[0]}x{size[1]}")
        width, height = size
    picture = picture[:, :height, :width].to("cpu", torch.float32)
    if picture.isnan().any():
        raise ValueError("the picture holds NaN: run the model in float32 rather than a lower precision")
    levels = picture.clamp(-1, 1).add(1).mul(127.5).add(0.5).to(torch.uint8)  # the cast rounds down
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def name_of(source: Picture) -> str:
    """What to call the source in a message; quoted, so that no line break gets in."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if not isinstance(source, np.ndarray | torch.Tensor):
        for name in (getattr(source, "filename", None), getattr(source, "name", None)):
            if isinstance(name, str) and name:
                return repr(name)
    return "the picture"


def _reason(error: Exception) -> str:
    """An exception as a part of one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise PictureError(f"{name}: expected an array [H, W] or [H, W, 1, 3 or 4], got {list(array.shape)}")
    if array.size == 0:
        raise PictureError(f"{name} is an empty array, {list(array.shape)}: give a picture with some pixels")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.bool_:
        array = array * np.uint8(255)
    elif array.dtype == np.uint16:
        array = narrow(array)
    elif array.dtype.kind == "f":
        array = quantise(array, name)
    elif array.dtype != np.uint8:
        raise PictureError(f"{name}: expected uint8, uint16, bool or floats in [0, 1], got {array.dtype}: convert it")
    return Image.fromarray(np.ascontiguousarray(array))


def _from_tensor(tensor: torch.Tensor, name: str) -> Image.Image:
    picture = tensor[0] if tensor.ndim == 4 and tensor.shape[0] == 1 else tensor
    if picture.ndim != 3 or picture.shape[0] != 3 or picture.numel() == 0:
        raise PictureError(f"{name}: expected a tensor [3, H, W] or [1, 3, H, W], got {list(tensor.shape)}")
    if picture.dtype == torch.uint8:
        return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
    if not picture.is_floating_point():
        raise PictureError(f"{name}: expected a tensor of floats in [-1, 1] or uint8, got {tensor.dtype}: convert it")
    low, high = (value.item() for value in picture.detach().aminmax())
    if not (low >= -1 and high <= 1):  # put so that NaN fails too
        raise PictureError(f"{name}: expected a tensor in [-1, 1], got {low:g} to {high:g}: scale or clamp it")
    return to_pil(picture)
