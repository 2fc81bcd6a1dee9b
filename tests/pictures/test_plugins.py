"""HEIC, AVIF and JPEG XL: turned once, in every depth, within the limits that hold for all formats."""

import io
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageOps

from swapae.errors import PictureError
from swapae.images import list_images, load_image
from swapae.pictures.images import header
from swapae.pictures.inspection import inspect
from swapae.pictures.plugins import jxl_size

TURN = bytes.fromhex("0112 0003 00000001 00")  # EXIF, big-endian: the orientation follows in a byte


def ramps(width=64, height=40):
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 60)], -1).astype(np.uint8))


def heic(image, orientation=1, **options):
    """A file in which the picture is turned as a phone does it: by a property of HEIF."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    opened = pillow_heif.from_pillow(image)
    opened.info["exif"] = exif.tobytes()
    stream = io.BytesIO()
    opened.save(stream, quality=-1, chroma=444, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("repeated", [False, True])
def test_a_turn_is_done_once(orientation, repeated):
    data = heic(ramps(), orientation)
    # Phones repeat it in EXIF, where it is not for us.
    assert data.count(TURN + bytes([orientation])) == 1
    if not repeated:
        data = data.replace(TURN + bytes([orientation]), TURN + b"\x01")
    turned = ramps()
    turned.getexif()[ExifTags.Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    assert header(data).size == expected.shape[1::-1]
    assert np.abs(np.asarray(load_image(data)) - expected).max() <= 2


def test_ten_bits_are_scaled_to_eight():
    levels = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    opened = pillow_heif.from_bytes("RGB;16", (64, 64), np.stack([levels] * 3, -1).tobytes())
    stream = io.BytesIO()
    opened.save(stream, quality=-1, chroma=444)
    assert pillow_heif.open_heif(stream, convert_hdr_to_8bit=False).info["bit_depth"] == 10
    assert np.abs(np.asarray(load_image(stream)).astype(int) - levels[..., None] / 257).max() <= 2
    assert inspect(stream.getvalue()).odd == ("10 bits",)


def test_opacity_and_profile_of_heic():
    image = ramps()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    loaded = load_image(heic(image), background=None)
    assert loaded.mode == "RGBA"
    assert np.abs(np.asarray(loaded)[..., 3].astype(int) - np.asarray(image)[..., 3]).max() <= 2


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_avif_and_heif_are_told_apart_by_their_brands(format):
    stream = io.BytesIO()
    ramps().save(stream, "AVIF", quality=95, subsampling="4:4:4")
    data = heic(ramps()) if format == "HEIF" else stream.getvalue()
    # As the common brand, the kind among those that follow.
    common = data[:8] + b"mif1" + data[12:]
    for one in (data, common):
        assert np.abs(np.asarray(load_image(one)).astype(int) - np.asarray(ramps())).mean() < 4


def test_a_heic_over_the_limit_is_refused_by_its_header(monkeypatch):
    data = heic(Image.new("RGB", (300, 200)))
    monkeypatch.setattr(pillow_heif.HeifImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PictureError, match="has 300x200 pixels, over the limit of 59999"):
        load_image(data, max_pixels=59_999)


@pytest.mark.slow
def test_a_heic_that_is_larger_than_it_says_is_refused():
    data = bytearray(heic(Image.new("RGB", (2000, 1500))))
    place = data.find(b"ispe")
    data[place + 8 : place + 16] = (40).to_bytes(4, "big") + (30).to_bytes(4, "big")
    with pytest.raises(PictureError):
        load_image(bytes(data), max_pixels=10_000)


def test_damaged_heic_is_one_sentence():
    data = heic(ramps())
    for cut in (13, 60, len(data) // 2, len(data) - 5):
        with pytest.raises(PictureError) as told:
            load_image(data[:cut])
        assert "\n" not in str(told.value)


def test_pillow_keeps_its_formats():
    load_image(heic(ramps()))
    assert "HEIF" not in Image.OPEN


def test_folders_list_them(tmp_path):
    names = ["a.HEIC", "b.heif", "c.hif", "d.avif", "e.jxl"]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == names


def size_header(width, height, *, small=False, ratio=0):
    """A JPEG XL codestream's first bytes, written by ISO/IEC 18181-1, D.2: bits from the lowest on."""
    bits, count = 0, 0

    def put(value, number):
        nonlocal bits, count
        bits |= value << count
        count += number

    def side(pixels):
        if small:
            put(pixels // 8 - 1, 5)
            return
        selector = next(number for number, width in enumerate((9, 13, 18, 30)) if pixels <= 1 << width)
        put(selector, 2)
        put(pixels - 1, (9, 13, 18, 30)[selector])

    put(int(small), 1)
    side(height)
    put(ratio, 3)
    if not ratio:
        side(width)
    return b"\xff\x0a" + bits.to_bytes(14, "little") + bytes(32)


@pytest.mark.parametrize(
    "data, size",
    [
        (size_header(64, 40, small=True), (64, 40)),
        (size_header(123, 4567), (123, 4567)),
        (size_header(1_000_000, 9), (1_000_000, 9)),
        (size_header(0, 900, ratio=5), (1600, 900)),
        (size_header(0, 256, small=True, ratio=1), (256, 256)),
        # Made by libjxl through pillow-jxl-plugin of a JPEG of 64x40: in boxes, the codestream in parts.
        (
            bytes.fromhex(
                "0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000136a786c7000000000ff0a098e05"
                "620200000001e36a627264c0"
            ),
            (64, 40),
        ),
    ],
)
def test_the_size_of_jpeg_xl_is_known_before_it_is_opened(data, size, monkeypatch):
    assert jxl_size(io.BytesIO(data)) == size
    monkeypatch.setitem(Image.OPEN, "JXL", (lambda *_: pytest.fail("opened"), None))
    with pytest.raises(PictureError, match=f"has {size[0]}x{size[1]} pixels, over the limit of 1000"):
        load_image(data, max_pixels=1000)


@pytest.mark.parametrize("data", [b"\xff\x0a", b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a" + bytes(40)])
def test_jpeg_xl_without_a_size_is_never_opened(data, monkeypatch):
    monkeypatch.setitem(Image.OPEN, "JXL", (lambda *_: pytest.fail("opened"), None))
    with pytest.raises(PictureError, match="damaged"):
        load_image(data)


def test_jpeg_xl_without_its_plugin_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    monkeypatch.delitem(Image.OPEN, "JXL", raising=False)
    with pytest.raises(PictureError, match=r"JPEG XL, .*pip install pillow-jxl-plugin, or convert it to PNG or JPEG"):
        load_image(size_header(64, 40))


def test_jpeg_xl_with_its_plugin():
    pytest.importorskip("pillow_jxl")
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    ramps().save(stream, "JXL", lossless=True, exif=exif.tobytes())
    assert np.array_equal(load_image(stream.getvalue()), ramps())
