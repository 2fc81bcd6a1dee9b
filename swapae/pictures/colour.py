"""From a Pillow image of any mode and profile to 8-bit sRGB."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from swapae.errors import PictureError

# The modes to which an ICC profile can apply.
_ICC_MODES = ("L", "RGB", "CMYK", "LAB")


def to_srgb(image: Image.Image, background: tuple[int, int, int] | None, name: str) -> Image.Image:
    """Convert any image to RGB in sRGB, by its ICC profile, and lay its transparency over `background`.

    16-bit grey is scaled to 8 bits; mode "I" counts as 16 bits, and mode "F" as 0 to 1. A profile that is
    broken or made for another colour space is ignored.

    Args:
        image: Any mode; a transparent colour in its info is in the levels of its pixels. It is not changed.
        background: The RGB colour, 0 to 255, behind transparent pixels; None keeps them transparent.
        name: What to call the picture in a message.

    Returns:
        A new image without metadata; without a background, RGBA if it has an opacity.

    Raises:
        PictureError: Mode "I" beyond 16 bits, or mode "F" beyond [0, 1].
    """
    colour, alpha = _split(image, name)
    colour.info = {}  # a transparent colour would be carried, with a warning, through each conversion
    rgb = _convert(colour, image.info.get("icc_profile"))
    if alpha is not None and background is None:
        rgb.putalpha(alpha)
    elif alpha is not None and background is not None:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, background), alpha)
    rgb.info = {}
    return rgb


def narrow(pixels: np.ndarray) -> np.ndarray:
    """Scale 16 bits to 8, to the nearest level: 65535 is 255 times 257."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def quantise(pixels: np.ndarray, name: str) -> np.ndarray:
    """Scale floats in [0, 1] to 8 bits, to the nearest level; raises PictureError for any other value."""
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= 1):  # put so that NaN fails too
        raise PictureError(f"{name}: expected floats in [0, 1], got {low:g} to {high:g}: scale it to that range")
    return np.floor(pixels.astype(np.float32) * 255 + 0.5).astype(np.uint8)


def _split(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Split into a new image, in a mode of `_ICC_MODES`, and its mask "L", None where all is opaque."""
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode[:-1] + "A")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.mode == "RGBA":
        return image.convert("RGB"), image.getchannel("A")
    key = image.info.get("transparency")
    if image.mode == "F":
        return Image.fromarray(quantise(np.asarray(image), name)), None
    if image.mode.startswith("I"):
        pixels = np.asarray(image)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise PictureError(f"{name} has grey levels outside 0 to 65535: scale it to 8 or 16 bits first")
        return Image.fromarray(narrow(pixels)), _keyed(pixels, key)
    if image.mode in ("1", "L", "RGB"):
        colour = image.convert("L") if image.mode == "1" else image.copy()
        return colour, _keyed(np.asarray(colour), key)
    return image.copy() if image.mode in _ICC_MODES else image.convert("RGB"), None


def _keyed(pixels: np.ndarray, key: Any) -> Image.Image | None:
    """The mask that hides the pixels of one transparent colour, as PNG and GIF have it."""
    if isinstance(key, int) and pixels.ndim == 2:
        hidden = pixels == key
    elif isinstance(key, tuple) and pixels.ndim == 3 and len(key) == pixels.shape[2]:
        hidden = (pixels == np.array(key)).all(axis=2)
    else:
        return None
    return Image.fromarray(np.where(hidden, np.uint8(0), np.uint8(255)))


def _convert(image: Image.Image, profile: Any) -> Image.Image:
    """Convert a new image of one of `_ICC_MODES` to sRGB."""
    if image.mode == "LAB":  # of itself device-independent; Pillow alone cannot convert it
        return _by_profile(image, ImageCms.createProfile("LAB"))
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            # Grey, saved with the profile of the colour picture it was made from.
            if image.mode == "L" and source.profile.xcolor_space == "RGB ":
                image = image.convert("RGB")
            return _by_profile(image, source)
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # broken, or of another space than the mode: shown as if it had none, as browsers do
    return image if image.mode == "RGB" else image.convert("RGB")


def _by_profile(image: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # which only a conversion in place returns
    return converted
