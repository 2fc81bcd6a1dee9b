"""Hidden colours are those of what is seen, pictures with transparency fit and come back, and formats keep it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from swapae.errors import PictureError
from swapae.images import fit, load_image, save_image, to_pil
from swapae.pictures.animation import save_animation
from swapae.pictures.transparency import over_white


def disc(hidden=(255, 0, 255), side=96, colour=None):
    """A soft disc of one colour, or of stripes, with another colour under what is transparent."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    opacity = np.clip(side / 3 - np.hypot(x, y) + 0.5, 0, 1)
    pixels = np.empty((side, side, 4), np.uint8)
    stripes = np.where((np.mgrid[:side, :side][1] // 4 % 2)[..., None], (200, 120, 40), (40, 120, 200))
    pixels[..., :3] = np.where(opacity[..., None] > 0, stripes if colour is None else colour, hidden)
    pixels[..., 3] = np.rint(255 * opacity)
    return Image.fromarray(pixels)


def file_of(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def test_what_is_hidden_gets_the_colour_around_it():
    filled = load_image(file_of(disc(colour=(200, 120, 40))), background=None)
    assert filled.mode == "RGBA"
    assert np.abs(np.asarray(filled)[..., :3].astype(int) - (200, 120, 40)).max() <= 1


def test_what_is_seen_stays_as_it_is_and_what_is_hidden_is_never_seen():
    loaded = [np.asarray(load_image(file_of(disc(hidden)), background=None)) for hidden in ((0, 0, 0), (255, 0, 255))]
    assert np.array_equal(*loaded)
    given = np.asarray(disc())
    seen = given[..., 3] >= 32
    assert np.array_equal(loaded[0][seen], given[seen]) and np.array_equal(loaded[0][..., 3], given[..., 3])
    # Between the two colours of the stripes everywhere, not pushed beyond.
    assert loaded[0][..., 0].min() >= 40 and loaded[0][..., 0].max() <= 200


@pytest.mark.parametrize("side", [1, 2, 3, 37])
def test_one_pixel_that_is_seen_fills_all(side):
    pixels = np.zeros((side, side + 2, 4), np.uint8)
    pixels[side // 2, 0] = 10, 20, 30, 255
    filled = np.asarray(load_image(Image.fromarray(pixels), background=None))
    assert np.array_equal(filled[..., :3], np.broadcast_to(np.uint8((10, 20, 30)), filled[..., :3].shape))


def test_the_kinds_of_transparency():
    palette = disc().quantize(16)
    key = Image.new("RGB", (8, 8), (9, 9, 9))
    key.putpixel((0, 0), (1, 2, 3))
    kinds = {
        "grey": (disc().convert("LA"), "PNG", {}),
        "palette": (palette, "PNG", {}),
        "one colour": (key, "PNG", {"transparency": (1, 2, 3)}),
        "webp": (disc(), "WEBP", {"lossless": True}),
        "tiff": (disc(), "TIFF", {}),
        "gif": (palette, "GIF", {"transparency": 0}),
    }
    for kind, (image, format, options) in kinds.items():
        assert load_image(file_of(image, format, **options), background=None).mode == "RGBA", kind


def test_an_opaque_opacity_is_none_and_a_picture_of_nothing_is_refused():
    assert load_image(Image.new("RGBA", (4, 4), (1, 2, 3, 255)), background=None).mode == "RGB"
    assert load_image(Image.new("RGB", (4, 4)), background=None).mode == "RGB"
    with pytest.raises(PictureError, match="wholly transparent"):
        load_image(Image.new("RGBA", (4, 4), (1, 2, 3, 0)), background=None)


def test_fitting_resizes_colours_and_opacity_apart():
    fitted = fit(load_image(disc(colour=(200, 120, 40)), background=None), 61, 16, 32)
    assert fitted.size == (61, 61) and fitted.tensor.shape == (1, 3, 64, 64) and fitted.opacity.shape == (1, 1, 64, 64)
    # No fringe: the colour is the disc's to the last pixel.
    assert ((fitted.tensor[0] + 1) * 127.5 - torch.tensor([200, 120, 40]).view(3, 1, 1)).abs().max() <= 1
    back = to_pil(fitted.tensor, fitted.size, fitted.opacity)
    assert back.mode == "RGBA" and back.size == (61, 61)
    expected = np.asarray(disc().getchannel("A").resize((61, 61), Image.Resampling.LANCZOS))
    assert np.array_equal(np.asarray(back)[..., 3], expected)
    assert np.array_equal(np.asarray(to_pil(torch.cat([fitted.tensor, 2 * fitted.opacity - 1], 1), (61, 61))), back)


def test_every_level_of_opacity_survives():
    levels = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    picture = Image.new("RGB", (16, 16), (10, 20, 30))
    picture.putalpha(levels)
    fitted = fit(load_image(picture, background=None), "full", 8, 8)
    assert np.array_equal(to_pil(*fitted).getchannel("A"), levels)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".jpg", ".bmp"])
def test_formats_keep_it_or_show_it_over_white(tmp_path, suffix):
    image = disc((0, 0, 0))
    back = Image.open(save_image(image, tmp_path / f"x{suffix}"))
    if suffix in (".jpg", ".bmp"):
        expected = np.asarray(over_white(image)).astype(int)
        assert back.mode == "RGB" and np.abs(np.asarray(back) - expected).mean() < (2 if suffix == ".jpg" else 0.01)
        assert expected[0, 0].tolist() == [255, 255, 255]
    else:
        assert np.array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize("name", ["film.webp", "film.gif", "film.mp4", "frames"])
def test_films_keep_it_or_show_it_over_white(tmp_path, name):
    path = save_animation([disc()] * 2, tmp_path / name, frames_per_second=5)
    if name.endswith("mp4"):
        import av

        with av.open(str(path)) as container:
            corner = next(container.decode(video=0)).to_ndarray(format="rgb24")[0, 0]
        assert corner.min() > 250
    else:
        corner = Image.open(path / "0001.png" if name == "frames" else path).convert("RGBA").getpixel((0, 0))
        assert corner == (255, 255, 255, 255) if name.endswith("gif") else corner[3] == 0
