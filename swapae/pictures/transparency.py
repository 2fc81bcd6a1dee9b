"""Transparency: colours for what cannot be seen, pictures laid over white, and a picture with its opacity."""

from __future__ import annotations

import numpy as np
from PIL import Image

from swapae.errors import PictureError

# From this opacity on, of 255, a pixel's own colour counts in full: below, few levels are left of what a program wrote
# that stores colours multiplied by their opacity.
CLEAR = 32


def fill_hidden(image: Image.Image, name: str) -> Image.Image:
    """Give the pixels of an RGBA image that cannot be seen the colours of those around them that can.

    What a file has under full transparency is arbitrary, black as a rule. A network, or a filter that resizes, would
    see it all the same, and let it bleed into what is seen. The colours are found by push and pull (Gortler et al.,
    The Lumigraph, 1996, section 3.4): means of the visible at half the size, and again, then back, each pixel that has
    none taking its colour from the coarser level.

    Args:
        image: RGBA, its colours not multiplied by their opacity. It is not changed.
        name: what to call the picture in a message.

    Returns:
        RGBA with the same opacity; colours of an opacity over `CLEAR` are the same too. RGB if all of it is opaque.

    Raises:
        PictureError: nothing of it is visible.
    """
    pixels = np.asarray(image)
    opacity = pixels[..., 3]
    if opacity.min() == 255:
        return image.convert("RGB")
    if opacity.max() == 0:
        raise PictureError(f"{name} is wholly transparent: give a picture of which something is visible")
    result = pixels.copy()
    if opacity.min() < CLEAR:
        own = np.minimum(opacity.astype(np.float32) / CLEAR, 1)
        coarse = spread(*halved(pixels[..., :3], opacity.astype(np.float32) / 255))
        for channel in range(3):  # one at a time, since each takes as much memory as the picture
            around = doubled(coarse[..., channel], opacity.shape)
            mixed = around + own * (pixels[..., channel] - around)
            result[..., channel] = np.where(own == 1, pixels[..., channel], np.rint(mixed).astype(np.uint8))
    return Image.fromarray(result)


def spread(colours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Colours [H, W, 3] where weights [H, W] are 0 taken from those around, where they are under 1 in part."""
    if weights.min() >= 1 or weights.size == 1:
        return colours
    coarse = spread(*halved(colours, weights))
    around = np.stack([doubled(coarse[..., channel], weights.shape) for channel in range(3)], -1)
    return around + weights[..., None] * (colours - around)


def halved(colours: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means over 2x2 pixels, and the sum of their weights, at most 1: [H, W, 3] and [H, W] -> half of it."""
    height, width = ((side + 1) // 2 for side in weights.shape)
    total, sums = np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32)
    for row in (0, 1):
        for column in (0, 1):
            part = weights[row::2, column::2]
            rows, columns = part.shape
            total[:rows, :columns] += part
            sums[:rows, :columns] += part[..., None] * colours[row::2, column::2]
    return sums / np.maximum(total, 1e-6)[..., None], np.minimum(total, 1)


def doubled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values [h, w] at twice the sides, bilinearly, cut to `shape`."""
    for axis, side in enumerate(shape):
        values = np.moveaxis(values, axis, 0)
        before, after = np.concatenate([values[:1], values[:-1]]), np.concatenate([values[1:], values[-1:]])
        twice = np.stack([0.75 * values + 0.25 * before, 0.75 * values + 0.25 * after], 1)
        values = np.moveaxis(twice.reshape(-1, values.shape[1])[:side], 0, axis)
    return values


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an RGB image, or an RGBA one whose hidden colours are filled, to (width, height) by Lanczos."""
    if size == image.size:
        return image
    if image.mode == "RGB":
        return image.resize(size, Image.Resampling.LANCZOS)
    # Colours and opacity apart: Pillow would multiply them, in 8 bits, and the hidden colours would be black again.
    colours, opacity = (
        part.resize(size, Image.Resampling.LANCZOS) for part in (image.convert("RGB"), image.getchannel("A"))
    )
    colours.putalpha(opacity)
    return colours


def over_white(image: Image.Image) -> Image.Image:
    """An RGB image as it is, an RGBA one laid over white."""
    if image.mode != "RGBA":
        return image
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size, (255, 255, 255)), image.getchannel("A"))
