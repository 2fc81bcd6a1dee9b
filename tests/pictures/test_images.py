"""Pictures of every kind, good and bad, against values worked out here without Pillow's own conversions."""

import io
import os
import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from nasty import NASTY, UNREADABLE
from PIL import Image, ImageCms, features

from swapae.errors import PictureError, UserError
from swapae.files import atomic_path, cache_folder, new_folder
from swapae.pictures.decoding import unread
from swapae.pictures.grids import swap_grid
from swapae.pictures.images import fit, load_image, to_pil
from swapae.pictures.listing import list_images
from swapae.pictures.saving import check_output_file, save_image

HAS_AVIF = features.check("avif")
FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "JPEG2000", "PPM", *(["AVIF"] if HAS_AVIF else [])]


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG by hand; `rows` are the packed samples, each row begun by its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = b"".join([chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")])
    return b"\x89PNG\r\n\x1a\n" + body


def icc(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 by hand."""
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    tags = {b"wtpt": white, **tags}
    table, body, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, kind, space, connection)
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def photo(width: int = 48, height: int = 40) -> Image.Image:
    """A smooth coloured picture that lossy formats keep well."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    return Image.fromarray((np.stack([x, y, 1 - x * y], axis=2) * 255).astype(np.uint8))


def pixel(source: object, at: tuple[int, int] = (0, 0), **options: object) -> tuple[int, ...]:
    return load_image(source, **options).getpixel(at)


def display_p3() -> bytes:
    with Image.open(NASTY / "sharp_p3.png") as image:
        return image.info["icc_profile"]


def lab_to_srgb(lightness: float, a: float, b: float) -> np.ndarray:
    """CIE Lab at D50 to 8-bit sRGB, by the textbook."""
    fy = (lightness + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1, 0.8249]
    from_d50 = np.array(
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.0334540],
            [0.0719453, -0.2289914, 1.4052427],
        ]
    )
    return encode_srgb(from_d50 @ xyz)


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


# Real offenders


@pytest.mark.parametrize("path", sorted(NASTY.glob("*.*")), ids=lambda path: path.name)
def test_real_offenders_load_or_are_refused_in_one_line(path: Path) -> None:
    if path.name in UNREADABLE:
        with pytest.raises(PictureError) as caught:
            load_image(path)
        assert path.name in str(caught.value) and "\n" not in str(caught.value)
    else:
        image = load_image(path)
        assert image.mode == "RGB" and not image.info
        assert np.asarray(image).std(axis=(0, 1)).max() > 5 or image.width < 20


def test_real_offenders_show_what_they_should() -> None:
    hopper = np.asarray(load_image(NASTY / "pillow_hopper.jpg"), float)
    for same in ("pillow_hopper_orientation_5.webp", "pillow_hopper.bmp"):
        assert np.abs(np.asarray(load_image(NASTY / same), float) - hopper).mean() < 8, same
    assert load_image(NASTY / "sharp_Landscape_6.jpg").size == (600, 450)
    assert load_image(NASTY / "pillow_orientation_rectangle.jpg").size == (1, 2)
    assert pixel(NASTY / "pillow_multipage.tiff") == (0, 128, 0)  # page 1 of green, red, blue
    assert pixel(NASTY / "sharp_rotating-squares.gif") == (255, 255, 255)
    assert pixel(NASTY / "sharp_tbgn2c16.png") == (255, 255, 255)
    assert pixel(NASTY / "sharp_tbgn2c16.png", background=(1, 2, 3)) == (1, 2, 3)
    flag = load_image(NASTY / "sharp_Flag_of_the_Netherlands-16bit.png")
    assert [flag.getpixel((450, y)) for y in (10, 300)] == [(174, 28, 40), (255, 255, 255)]


# Orientation


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", *(["AVIF"] if HAS_AVIF else [])])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_in_every_format(format: str, orientation: int) -> None:
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :24], stored[16:, 24:] = (255, 0, 0), (0, 255, 0)  # no two turns of it are alike
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = np.asarray(load_image(encoded(Image.fromarray(stored), format, exif=exif.tobytes())), float)
    expected = UPRIGHT[orientation](stored)
    assert result.shape == expected.shape
    assert np.abs(result - expected).mean() < 6


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\1"])
def test_broken_exif_does_not_matter(exif: bytes) -> None:
    for format in ("JPEG", "PNG", "WEBP"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert load_image(encoded(photo(), format, exif=exif)).size == (48, 40)


def test_orientation_of_sixteen_bit_grey() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(np.array([[0, 65535]], np.uint16)), "PNG", exif=exif.tobytes())
    assert np.asarray(load_image(data))[:, :, 0].tolist() == [[0], [255]]


def test_orientation_out_of_range_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert load_image(encoded(photo(), "JPEG", exif=exif.tobytes())).size == (48, 40)


# Colour


def test_display_p3_matches_matrices() -> None:
    profile = display_p3()
    values = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    values[0, 0] = (234, 51, 35)  # about the red of sRGB
    image = Image.fromarray(values)
    result = np.asarray(load_image(encoded(image, "PNG", icc_profile=profile)), float)
    encoded_values = values / 255
    linear = np.where(encoded_values <= 0.04045, encoded_values / 12.92, ((encoded_values + 0.055) / 1.055) ** 2.4)
    p3_to_srgb = np.array([[1.2249401, -0.2249404, 0], [-0.0420569, 1.0420571, 0], [-0.0196376, -0.0786361, 1.0982735]])
    expected = encode_srgb(linear @ p3_to_srgb.T)
    assert np.abs(result - expected).max() <= 3
    assert np.abs(result[0, 0] - (255, 0, 0)).max() <= 6
    assert np.abs(expected - values).max() > 20  # so the profile does change this picture


def test_alpha_is_laid_over_the_background_after_conversion() -> None:
    profile = display_p3()
    grey = Image.new("RGBA", (1, 1), (100, 100, 100, 128))  # grey is the same in both spaces
    result = pixel(encoded(grey, "PNG", icc_profile=profile), background=(250, 0, 0))
    assert np.abs(np.array(result) - (175, 50, 50)).max() <= 1


def test_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    values = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(load_image(encoded(Image.fromarray(values), "PNG", icc_profile=profile)), values)


def test_cmyk_without_profile() -> None:
    image = Image.new("CMYK", (4, 1))
    image.putdata([(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0), (0, 255, 255, 0)])
    result = load_image(encoded(image, "TIFF"))
    colours = [result.getpixel((x, 0)) for x in range(4)]
    assert colours == [(255, 255, 255), (0, 0, 0), (0, 255, 255), (255, 0, 0)]
    assert pixel(encoded(Image.new("CMYK", (8, 8)), "JPEG", quality=95)) == (255, 255, 255)


def test_cmyk_by_its_profile() -> None:
    inks = {bits: (96 - 6 * bits, 3 * (bits % 4) - 4, 5 - bits) for bits in range(16)}
    inks[0] = (100, 0, 0)
    inks[8] = (60, -30, -40)  # the first channel, cyan, varies slowest
    inks[15] = (0, 0, 0)  # the black point
    grid = b"".join(bytes((round(lightness * 2.55), a + 128, b + 128)) for _, (lightness, a, b) in sorted(inks.items()))
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + grid + ramp * 3
    profile = icc(b"CMYK", b"Lab ", b"prtr", {b"A2B0": table, b"A2B1": table})
    image = Image.new("CMYK", (2, 1))
    image.putpixel((1, 0), (255, 0, 0, 0))
    for format in ("TIFF", "PIL"):
        image.info["icc_profile"] = profile
        result = load_image(encoded(image, format, icc_profile=profile) if format != "PIL" else image)
        assert min(result.getpixel((0, 0))) >= 254
        assert np.abs(np.array(result.getpixel((1, 0))) - lab_to_srgb(60, -30, -40)).max() <= 3


def test_grey_by_its_profile() -> None:
    linear = icc(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": b"curv" + bytes(8)})
    assert pixel(encoded(Image.new("L", (1, 1), 55), "PNG", icc_profile=linear)) == (128, 128, 128)
    assert pixel(encoded(Image.new("LA", (1, 1), (55, 255)), "PNG", icc_profile=linear)) == (128, 128, 128)


@pytest.mark.parametrize("profile", ["junk", "cut", "other space"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_unusable_profiles_are_ignored(profile: str, mode: str) -> None:
    good = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = Image.new(mode, (2, 2), 0 if mode != "RGB" else (10, 200, 30))
    image.info["icc_profile"] = {"junk": b"junk", "cut": good[:200], "other space": lab}[profile]
    assert pixel(image) == {"RGB": (10, 200, 30), "L": (0, 0, 0), "CMYK": (255, 255, 255)}[mode]


def test_lab_tiff() -> None:
    for lab in [(100, 0, 0), (50, 0, 0), (54, 40, 30), (60, -30, -40), (0, 0, 0)]:
        stored = struct.pack("Bbb", round(lab[0] * 2.55), lab[1], lab[2])  # as the TIFF standard has it
        data = encoded(Image.frombytes("LAB", (1, 1), stored), "TIFF")
        assert stored in data
        assert np.abs(np.array(pixel(data)) - lab_to_srgb(*lab)).max() <= 3, lab


@pytest.mark.parametrize("mode", ["1", "L", "P", "YCbCr", "HSV", "RGBX", "RGBA", "LA", "PA", "La", "RGBa"])
def test_every_mode_keeps_a_plain_picture(mode: str) -> None:
    grey = mode in ("1", "L", "LA", "La")
    colour = (255, 255, 255) if grey else (200, 40, 90)
    image = Image.new("RGB", (3, 2), colour)
    if mode in ("PA", "La", "RGBa"):
        image = image.convert({"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}[mode])
    before = image.quantize(2) if mode == "P" else image.convert(mode)
    assert np.abs(np.array(pixel(before)) - colour).max() <= 3
    assert load_image(before).size == (3, 2) and before.mode == mode


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    levels = np.array([[0, 128, 129, 255, 256, 32768, 65406, 65407, 65535]], np.uint16)
    expected = [0, 0, 1, 1, 1, 128, 254, 255, 255]  # levels / 257, rounded
    big = levels.astype(">u2").tobytes()
    sources = {
        "array": levels,
        "array of 1 channel": levels[:, :, None],
        "png": png(9, 1, 16, 0, b"\0" + big),
        "tiff": encoded(Image.fromarray(levels), "TIFF"),
        "pgm": b"P5 9 1 65535\n" + big,
        "I;16B": Image.frombytes("I;16B", (9, 1), big),
        "I": Image.fromarray(levels.astype(np.int32)),
    }
    for name, source in sources.items():
        assert np.asarray(load_image(source))[0, :, 1].tolist() == expected, name
    rgb = png(1, 1, 16, 2, b"\0" + struct.pack(">3H", 65535, 32768, 0))
    assert pixel(rgb) == (255, 128, 0)
    with pytest.raises(PictureError, match="outside 0 to 65535"):
        load_image(Image.fromarray(np.array([[70000]], np.int32)))


def test_float_images() -> None:
    assert pixel(Image.fromarray(np.array([[0.5]], np.float32))) == (128, 128, 128)
    for value in (1.5, -0.1, float("nan"), float("inf")):
        with pytest.raises(PictureError, match=r"floats in \[0, 1\]"):
            load_image(Image.fromarray(np.array([[value]], np.float32)))


def over(colour: tuple[int, ...], alpha: int, background: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((2 * (c * alpha + b * (255 - alpha)) + 255) // 510 for c, b in zip(colour, background, strict=True))


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (12, 200, 99)])
def test_alpha_exactly(background: tuple[int, int, int]) -> None:
    alphas = [0, 1, 77, 128, 254, 255]
    rgba = Image.new("RGBA", (6, 1))
    rgba.putdata([(200, 100, 50, alpha) for alpha in alphas])
    grey = Image.new("LA", (6, 1))
    grey.putdata([(90, alpha) for alpha in alphas])
    palette = Image.new("P", (6, 1))
    palette.putpalette([200, 100, 50] * 6)
    palette.putdata(range(6))
    sources = [
        encoded(rgba, "PNG"),
        encoded(grey, "PNG"),
        encoded(palette, "PNG", transparency=bytes(alphas)),
        rgba,
    ]
    for source, colour in zip(sources, [(200, 100, 50), (90,) * 3, (200, 100, 50), (200, 100, 50)], strict=True):
        result = load_image(source, background=background)
        assert [result.getpixel((x, 0)) for x in range(6)] == [over(colour, a, background) for a in alphas]


def test_one_transparent_colour() -> None:
    red = (255, 0, 0)
    cases = {
        # Levels that share the high byte are told apart.
        "grey 16": png(2, 1, 16, 0, b"\0" + struct.pack(">2H", 1000, 1001), chunk(b"tRNS", struct.pack(">H", 1000))),
        "grey 8": png(2, 1, 8, 0, b"\0\x05\x04", chunk(b"tRNS", b"\0\x05")),
        "grey 4": png(2, 1, 4, 0, b"\0\x50", chunk(b"tRNS", b"\0\x05")),
        "grey 2": png(2, 1, 2, 0, b"\0\x80", chunk(b"tRNS", b"\0\x02")),
        "grey 1": png(2, 1, 1, 0, b"\0\x80", chunk(b"tRNS", b"\0\x01")),
        "rgb 8": png(2, 1, 8, 2, b"\0\x05\x06\x07\x05\x06\x08", chunk(b"tRNS", struct.pack(">3H", 5, 6, 7))),
        "rgb 16": png(
            2,
            1,
            16,
            2,
            b"\0" + struct.pack(">6H", 0, 200, 300, 0, 200, 900),
            chunk(b"tRNS", struct.pack(">3H", 0, 200, 300)),
        ),
    }
    for name, data in cases.items():
        image = load_image(data, background=red)
        assert image.getpixel((0, 0)) == red, name
        assert image.getpixel((1, 0)) != red, name


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_several(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert pixel(data) == (255, 0, 0)


def test_big_tiff() -> None:
    assert load_image(encoded(photo(), "TIFF", big_tiff=True)).size == (48, 40)


# Sources


def test_arrays_and_tensors() -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for array, expected in [
        (rgb, rgb),
        (rgb[:, ::-1], rgb[:, ::-1]),
        (rgb[..., 0], np.repeat(rgb[..., :1], 3, axis=2)),
        (rgb[..., :1], np.repeat(rgb[..., :1], 3, axis=2)),
        (np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2), rgb),
        (rgb / 255, rgb),
        ((rgb / 255).astype(np.float32), rgb),
        (rgb.astype(np.uint16) * 257, rgb),
        (rgb > 100, (rgb > 100) * 255),
    ]:
        assert np.array_equal(load_image(array), expected)
    chw = torch.from_numpy(rgb).permute(2, 0, 1)
    for tensor in (chw, chw / 127.5 - 1, (chw / 127.5 - 1)[None].requires_grad_(), chw.double() / 127.5 - 1):
        assert np.array_equal(load_image(tensor), rgb)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4), complex),
        np.zeros((4, 4), object),
        np.full((4, 4), 2.0),
        np.full((4, 4), np.nan),
        torch.zeros(4, 4),
        torch.zeros(1, 4, 4),
        torch.zeros(2, 3, 4, 4),
        torch.zeros(3, 0, 4),
        torch.zeros(3, 4, 4, dtype=torch.int64),
        torch.full((3, 4, 4), 255.0),
        torch.full((3, 4, 4), torch.nan),
        Image.new("RGB", (0, 5)),
        io.StringIO("text"),
        None,
        7,
        b"",
        b"hello, world",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\xd7\xcd\xc6\x9a\x00\x00" + bytes(80),
        "no/such\nfile.png",
        "a\0b.png",
        "x" * 5000,
        "",
        Path("/dev/zero"),
        Path("/"),
    ],
    ids=lambda source: type(source).__name__,
)
def test_bad_sources_are_refused_in_one_line(source: object) -> None:
    with pytest.raises(PictureError) as caught:
        load_image(source)
    assert "\n" not in str(caught.value) and ":" in str(caught.value)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="not a regular file"):
        load_image(tmp_path / "pipe.png")


def test_paths_bytes_and_files_agree(tmp_path: Path) -> None:
    data = encoded(photo(), "PNG")
    path = tmp_path / "no suffix é"
    path.write_bytes(data)
    stream = io.BytesIO(data)
    stream.seek(0, io.SEEK_END)
    with path.open("rb") as file, Image.open(path) as lazy:
        for source in (path, str(path), data, stream, file, lazy, photo()):
            assert np.array_equal(load_image(source), photo())


def test_the_given_image_is_left_alone() -> None:
    image = Image.new("RGBA", (2, 1), (9, 9, 9, 0))
    image.info["icc_profile"] = b"junk"
    load_image(image).putpixel((0, 0), (1, 1, 1))
    assert image.getpixel((0, 0)) == (9, 9, 9, 0) and image.info == {"icc_profile": b"junk"}
    plain = photo()
    load_image(plain).putpixel((0, 0), (1, 1, 1))
    assert plain.tobytes() == photo().tobytes()


def test_stale_metadata_of_a_converted_image_is_ignored() -> None:
    image = Image.new("L", (1, 1), 7)
    image.info["transparency"] = b"\0\1\2"  # a palette's, left behind by a conversion
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixel(image) == (7, 7, 7)


def test_grey_with_the_profile_of_a_colour_picture() -> None:
    expected = np.array(pixel(encoded(Image.new("RGB", (1, 1), (90, 90, 90)), "PNG", icc_profile=linear_rgb())))
    result = np.array(pixel(encoded(Image.new("L", (1, 1), 90), "JPEG", quality=100, icc_profile=linear_rgb())))
    assert abs(result - expected).max() <= 1 and abs(expected - 90).min() > 20


def linear_rgb() -> bytes:
    """The primaries of sRGB with a gamma of 1."""
    columns = {b"r": (28578, 14581, 912), b"g": (25241, 46981, 6362), b"b": (9376, 3975, 46799)}
    tags = {name + b"XYZ": b"XYZ " + bytes(4) + struct.pack(">iii", *xyz) for name, xyz in columns.items()}
    return icc(b"RGB ", b"XYZ ", b"mntr", tags | {name + b"TRC": b"curv" + bytes(8) for name in columns})


# Damage


@pytest.mark.parametrize("format", FORMATS)
def test_cut_files(format: str) -> None:
    data = encoded(photo(), format)
    refused = 0
    for keep in [*range(0, 64, 3), *range(64, len(data) * 3 // 4, max(1, len(data) // 40))]:
        try:
            load_image(data[:keep])
        except PictureError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            pytest.fail(f"{format} cut to {keep} of {len(data)} bytes was taken for whole")
    assert refused > 10


def fuzzed() -> list[tuple[str, bytes]]:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [(format, encoded(photo(), format)) for format in FORMATS]
    files += [
        ("JPEG with EXIF", encoded(photo(), "JPEG", exif=exif.tobytes())),
        ("PNG with EXIF", encoded(photo(), "PNG", exif=exif.tobytes())),
        ("LZW TIFF", encoded(photo(), "TIFF", compression="tiff_lzw")),
        ("JPEG in TIFF", encoded(photo(), "TIFF", compression="jpeg")),
        ("progressive", encoded(photo(), "JPEG", progressive=True)),
        ("animated GIF", encoded(photo(), "GIF", save_all=True, append_images=[photo().rotate(90)])),
        ("APNG", encoded(photo(), "PNG", save_all=True, append_images=[photo().rotate(90)])),
        ("p3", (NASTY / "sharp_p3.png").read_bytes()),
        ("i_trns", (NASTY / "pillow_i_trns.png").read_bytes()),
        ("webp orientation", (NASTY / "pillow_hopper_orientation_5.webp").read_bytes()),
        ("palette", encoded(photo().quantize(16), "PNG", transparency=3)),
        ("lossless", encoded(photo().convert("RGBA"), "WEBP", lossless=True)),
    ]
    return files


def test_flipped_bytes_give_a_picture_or_a_picture_error() -> None:
    generator = random.Random(0)
    outcomes = {True: 0, False: 0}
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        for name, data in fuzzed():
            for attempt in range(20):
                broken = bytearray(data)
                reach = len(data) if attempt % 2 else min(len(data), 200)  # half of them hit the header
                for _ in range(1 + attempt // 3):
                    broken[generator.randrange(reach)] = generator.randrange(256)
                try:
                    image = load_image(bytes(broken), max_pixels=1_000_000)
                except PictureError as error:
                    assert "\n" not in str(error)
                    outcomes[False] += 1
                except BaseException as error:
                    pytest.fail(f"{name}, attempt {attempt}: {error!r}")
                else:
                    assert image.mode == "RGB"
                    outcomes[True] += 1
    assert not leaked, [str(warning.message) for warning in leaked]
    assert min(outcomes.values()) > 40


def test_threads_read_at_the_same_time_and_leave_the_warnings_as_they_were() -> None:
    data, filters, together = encoded(photo(), "JPEG"), list(warnings.filters), threading.Barrier(3)

    def read() -> None:
        with unread(data, "the picture", 1_000_000) as image:
            together.wait(timeout=60)  # broken, unless all are inside
            assert warnings.filters[0][0] == "ignore"
            image.load()

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(read) for _ in range(3)]:
            future.result()
    assert list(warnings.filters) == filters


def test_text_bomb_is_refused() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    data = png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"Comment\0\0" + bomb))
    with pytest.raises(PictureError):
        load_image(data)


# Bombs


def bombs() -> dict[str, bytes]:
    """Headers that claim huge pictures, by format."""
    size = (65500, 65500)
    jpeg = bytearray(encoded(photo(), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", *size)
    bmp = bytearray(encoded(photo(), "BMP"))
    bmp[18:26] = struct.pack("<ii", *size)
    vp8 = bytearray(encoded(photo(), "WEBP"))
    vp8[26:30] = struct.pack("<HH", 16383, 16383)
    vp8x = b"RIFF" + struct.pack("<I", 4 + 18 + len(vp8) - 12) + b"WEBPVP8X" + struct.pack("<II", 10, 0)
    vp8x += (65499).to_bytes(3, "little") * 2 + bytes(vp8[12:])
    tiff = encoded(photo(), "TIFF")
    for tag in (256, 257):  # width and length
        for kind, old in ((4, 48), (4, 40), (3, 48), (3, 40)):
            tiff = tiff.replace(struct.pack("<HHII", tag, kind, 1, old), struct.pack("<HHII", tag, 4, 1, 65500))
    jp2 = encoded(photo(), "JPEG2000")
    siz = struct.pack(">IIII", 48, 40, 0, 0)
    jp2 = jp2.replace(struct.pack(">II", 40, 48), struct.pack(">II", *size)).replace(
        siz, struct.pack(">IIII", *size, 0, 0)
    )
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    dispose = b"!\xf9\x04" + struct.pack("<BHBB", 2 << 2, 0, 0, 0)

    def frame(width: int, height: int) -> bytes:
        return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\0;"

    files = {
        "PNG": png(65536, 65536, 8, 0, b"\0"),
        "thin PNG": png(2**31 - 1, 1, 8, 0, b"\0"),
        "JPEG": bytes(jpeg),
        "BMP": bytes(bmp),
        "VP8": bytes(vp8),
        "VP8X": vp8x,
        "TIFF": tiff,
        "JPEG2000": jp2,
        "PPM": b"P6 65500 65500 255\n" + bytes(100),
        "PGM": b"P2 65500 65500 255\n" + b"0 " * 100,
        "GIF screen": b"GIF89a" + struct.pack("<HHBBB", 65500, 65500, 0x80, 0, 0) + bytes(6) + frame(1, 1),
        "GIF frame": screen + frame(65500, 65500),
        "GIF disposed": screen + dispose + frame(13000, 13000),
        "ICO": b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, 100, 22) + png(12000, 12000, 8, 0, b""),
    }
    if HAS_AVIF:
        ispe = b"ispe" + bytes(4)
        files["AVIF"] = encoded(photo(), "AVIF").replace(
            ispe + struct.pack(">II", 48, 40), ispe + struct.pack(">II", 16000, 16000)
        )
    return files


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_bombs_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
    program = """
import pathlib, sys
from PIL import Image
from process_memory import peak
from swapae.errors import PictureError
from swapae.pictures.images import load_image
load_image(Image.new("RGBA", (64, 64)))
try: load_image(b"warm up")
except PictureError: pass
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    before = peak()
    try:
        print(path.name, "| loaded", load_image(path).size, end=" | ")
    except PictureError as error:
        print(path.name, "|", str(error), end=" | ")
    print(peak() - before)
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, tmp_path],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "support")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    lines = [line.split(" | ") for line in run.stdout.splitlines()]
    assert len(lines) == len(bombs())
    for name, message, growth in lines:
        assert int(growth) < 16 * 1024, (name, message, growth)  # KiB
        if name == "ICO":
            assert "known format" in message
        else:
            assert "over the limit" in message or "too large" in message, (name, message)


def test_the_limit_is_the_callers_and_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (100, 100)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(data, max_pixels=10_000).size == (100, 100)
        for source in (data, Image.new("RGB", (100, 100)), np.zeros((100, 100)), torch.zeros(3, 100, 100)):
            with pytest.raises(PictureError, match="100x100 pixels, over the limit of 9999"):
                load_image(source, max_pixels=9_999)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_long_files_are_not_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "long.webp"
    path.touch()
    os.truncate(path, 2**31)  # a hole: takes no room on the disk
    with pytest.raises(PictureError, match="longer than"):
        load_image(path)

    class Endless(io.RawIOBase):
        asked = 0

        def seekable(self) -> bool:
            return False

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            self.asked += size
            return bytes(size)

    stream = Endless()
    with pytest.raises(PictureError, match="longer than"):
        load_image(stream, max_pixels=1)
    assert stream.asked < 2**27


def test_threads_leave_the_warnings_as_they_were() -> None:
    broken = encoded(photo(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\1")
    results: list[object] = []

    def work() -> None:
        for _ in range(10):
            try:
                results.append(load_image(broken).size)
            except BaseException as error:
                results.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert warnings.filters == filters
    assert results == [(48, 40)] * 80


# To the encoder and back


@pytest.mark.parametrize(
    ("given", "size", "expected"),
    [
        ((100, 50), 64, (128, 64)),
        ((50, 100), 64, (64, 128)),
        ((64, 64), 64, (64, 64)),
        ((101, 67), 32, (48, 32)),  # 48.24
        ((103, 67), 32, (49, 32)),  # 49.19
        ((3, 2), 33, (50, 33)),  # 49.5 rounds up
        ((1, 40), 32, (32, 1280)),
        ((70, 33), "full", (70, 33)),
        ((64, 96), "full", (64, 96)),
    ],
)
def test_fit_sizes(given: tuple[int, int], size: int, expected: tuple[int, int]) -> None:
    fitted = fit(Image.new("RGB", given, (255, 0, 128)), size, 16, 32)
    assert fitted.size == expected
    height, width = fitted.tensor.shape[2:]
    assert fitted.tensor.shape[:2] == (1, 3) and fitted.tensor.dtype == torch.float32
    assert fitted.tensor.is_contiguous()
    assert width % 16 == height % 16 == 0
    assert 0 <= width - expected[0] < 16 and 0 <= height - expected[1] < 16
    torch.testing.assert_close(fitted.tensor[0, :, -1, -1], torch.tensor([1.0, -1.0, 128 / 127.5 - 1]))
    assert fitted.tensor.max() == 1 and fitted.tensor.min() == -1


@pytest.mark.parametrize("given", [(37, 53), (64, 64), (33, 5), (1, 1)])
def test_full_comes_back_exactly(given: tuple[int, int]) -> None:
    values = np.random.default_rng(3).integers(0, 256, (given[1], given[0], 3), dtype=np.uint8)
    fitted = fit(Image.fromarray(values), "full", 32, 1)
    back = to_pil(fitted.tensor, fitted.size)
    assert back.mode == "RGB" and np.array_equal(back, values)


def test_padding_mirrors() -> None:
    values = np.arange(5, dtype=np.uint8)[None, :, None].repeat(4, axis=0).repeat(3, axis=2)
    levels = (fit(Image.fromarray(values), "full", 4, 1).tensor[0, 0, 0] + 1) * 127.5
    assert levels.round().tolist() == [0, 1, 2, 3, 4, 4, 3, 2]


def test_fit_refuses_what_does_not_suit() -> None:
    with pytest.raises(PictureError, match="31x200.*at least 32.*--size 32"):
        fit(Image.new("RGB", (31, 200)), "full", 16, 32)
    with pytest.raises(PictureError, match="size 31.*--size 32"):
        fit(Image.new("RGB", (100, 100)), 31, 16, 32)
    with pytest.raises(PictureError, match="1x5000 would become 256x1280000"):
        fit(Image.new("RGB", (1, 5000)), 256, 16, 32)
    with pytest.raises(PictureError, match="over the limit of 1000"):
        fit(Image.new("RGB", (64, 64)), "full", 16, 32, max_pixels=1000)


def test_to_pil_rounds_and_clamps() -> None:
    wanted = np.array([0, 0.4, 0.6, 99.4, 99.6, 127.4, 127.6, 254.4, 254.6, 255])
    values = np.concatenate([wanted / 127.5 - 1, [-5, 5, -np.inf, np.inf]])
    tensor = torch.tensor(values, dtype=torch.float32).expand(3, 1, -1)
    expected = [0, 0, 1, 99, 100, 127, 128, 254, 255, 255, 0, 255, 0, 255]
    assert np.asarray(to_pil(tensor))[0, :, 2].tolist() == expected
    assert pixel(to_pil(torch.zeros(1, 3, 1, 1))) == (128, 128, 128)
    assert to_pil(torch.zeros(1, 3, 9, 8, dtype=torch.bfloat16), (5, 6)).size == (5, 6)


@pytest.mark.parametrize("tensor", [torch.zeros(2, 3, 4, 4), torch.zeros(4, 4), torch.zeros(3, 4, 4).int()])
def test_to_pil_refuses_other_shapes(tensor: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected floats"):
        to_pil(tensor)


def test_to_pil_refuses_nan_and_growth() -> None:
    with pytest.raises(ValueError, match="NaN"):
        to_pil(torch.full((3, 4, 4), torch.nan))
    with pytest.raises(ValueError, match="cannot crop a picture of 4x5 to 5x5"):
        to_pil(torch.zeros(3, 5, 4), (5, 5))


# Files


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"])
def test_save_and_load(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    assert save_image(photo(), path) == path
    difference = np.abs(np.asarray(load_image(path), int) - np.asarray(photo(), int)).max()
    assert difference <= (6 if suffix in (".jpg", ".jpeg") else 0)
    assert os.listdir(tmp_path) == [path.name]


def test_saved_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save_image(photo(), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_save_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    save_image(photo(), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink() and load_image(tmp_path / "real" / "a.png").size == (48, 40)


def test_bad_outputs_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in [
        ("a", "must end in"),
        ("a.xyz", "must end in"),
        ("a.gif", "must end in"),
        ("none/a.png", "no folder"),
        ("folder.png", "not a file"),
        ("pipe.png", "not a file"),
        ("x" * 300 + ".png", "too long"),
    ]:
        with pytest.raises(UserError, match=reason) as caught:
            check_output_file(tmp_path / name)
        assert "\n" not in str(caught.value)
        with pytest.raises(UserError, match=reason):
            save_image(photo(), tmp_path / name)
    assert check_output_file(str(tmp_path / "a.GIF"), {".gif"}) == tmp_path / "a.GIF"
    assert sorted(os.listdir(tmp_path)) == ["folder.png", "pipe.png"]


def test_unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # the tests may run as root
    with pytest.raises(UserError, match="not writable"):
        check_output_file(tmp_path / "a.png")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    save_image(photo(), tmp_path / "a.webp")
    old = (tmp_path / "a.webp").read_bytes()
    with pytest.raises(UserError, match="try a .png"):
        save_image(Image.new("RGB", (17000, 1)), tmp_path / "a.webp")  # beyond what WebP can hold
    assert (tmp_path / "a.webp").read_bytes() == old and os.listdir(tmp_path) == ["a.webp"]


def test_atomic_path(tmp_path: Path) -> None:
    target = tmp_path / "a.gif"
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".gif"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    for error, raised in [(KeyboardInterrupt, KeyboardInterrupt), (OSError(28, "No space"), UserError)]:
        with pytest.raises(raised), atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["a.gif"]
    with pytest.raises(UserError, match="Not a directory"), atomic_path(target / "b.gif") as temporary:
        temporary.write_text("half")


def test_a_user_whom_the_system_does_not_know_has_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was given the number of a user: caches are not kept, and all else works."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache_folder() == Path("/.cache/swapae")


def test_a_new_folder_may_be_a_link_to_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    with new_folder(tmp_path / "out") as temporary:
        (temporary / "0000.png").touch()
    assert (tmp_path / "out").is_symlink() and os.listdir(tmp_path / "disk") == ["0000.png"]
    (tmp_path / "mounted").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "mounted")
    with (
        pytest.raises(UserError, match="where a disk is mounted; give a folder in it"),
        new_folder(tmp_path / "mounted"),
    ):
        raise AssertionError("refused before any work is done")


def test_list_images(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "sub/c.webp", "._a.jpeg", ".git/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    names = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert names == ["a.jpeg", "b.PNG", "sub/c.webp"]
    assert len(list_images(str(tmp_path), recursive=False)) == 2
    for folder, reason in ((tmp_path / "folder.png", "no pictures"), (tmp_path / "none", "not a folder")):
        with pytest.raises(PictureError, match=reason):
            list_images(folder)


def test_swap_grid() -> None:
    def plain(*colour: int) -> Image.Image:
        return Image.new("RGB", (30, 20), colour)

    structures, textures = [plain(1, 0, 0), plain(2, 0, 0)], [plain(0, 1, 0), plain(0, 2, 0), plain(0, 3, 0)]
    results = [[plain(i, j, 9) for j in range(3)] for i in range(2)]
    sheet = swap_grid(structures, textures, results, 32)
    colours = {colour: count for count, colour in sheet.getcolors(10**6)}
    for picture in [*structures, *textures, *results[0], *results[1]]:
        assert colours[picture.getpixel((0, 0))] == 32 * 32
    assert sheet.mode == "RGB" and sheet.getpixel((0, 0)) == (255, 255, 255)
    pixels = np.asarray(sheet)
    column = np.argwhere((pixels == (0, 3, 0)).all(axis=2)).min(axis=0)
    row = np.argwhere((pixels == (2, 0, 0)).all(axis=2)).min(axis=0)
    assert tuple(pixels[row[0], column[1]]) == (1, 2, 9)  # where its row and its column meet
    assert (pixels[: column[0]] < 200).any() and (pixels[:, : row[1]] < 200).any()  # the words
    with pytest.raises(ValueError, match="2 rows of 3"):
        swap_grid(structures, textures, results[:1], 32)
