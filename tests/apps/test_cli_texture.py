"""`swapae swap` beyond the plain swap, `mix` and `translate`."""

from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_line, files
from PIL import Image

from swapae import SwapAE
from swapae.editing import interpolate_spherical, textures_per_block
from swapae.inference.fast import optimize_for_inference
from swapae.pictures.images import fit, load_image, to_pil


def photograph(model, name):
    return fit(load_image(name), model.config.image_size, model.config.stride, model.config.minimum_side)


def test_strengths_per_layer_group_and_the_sphere(run, made):
    model = optimize_for_inference(SwapAE.from_pretrained("model"))  # as commands do: engines round differently
    a, b = (model.encode(photograph(model, name).tensor) for name in ("a.png", "b.jpg"))

    def expected(codes, textures=None):
        return np.asarray(to_pil(model.decode(codes, block_textures=textures), (90, 64)))

    strengths = {"coarse": 0.0, "middle": 0.5, "fine": 1.0}
    grouped = textures_per_block(a.texture, b.texture, model.generator.block_groups, strengths)
    strong = made("swap", "a.png", "b.jpg", "--alpha", 0.5, "--coarse", 0, "--fine", 1)
    assert np.array_equal(strong, expected(a, grouped))
    halfway = a._replace(texture=interpolate_spherical(a.texture, b.texture, 0.5))
    assert np.array_equal(made("swap", "a.png", "b.jpg", "--alpha", 0.5, "--spherical"), expected(halfway))


def test_luminance_or_colour_is_kept(run, made):
    def luma(picture):
        return picture @ [0.2126, 0.7152, 0.0722]

    model = SwapAE.from_pretrained("model")
    own = np.asarray(to_pil(photograph(model, "a.png").tensor, (90, 64))).astype(int)
    swapped = made("swap", "a.png", "b.jpg")
    recoloured = made("swap", "a.png", "b.jpg", "--keep", "luminance")
    relit = made("swap", "a.png", "b.jpg", "--keep", "colour")
    assert np.abs(luma(recoloured) - luma(own)).max() <= 1  # a level of rounding
    assert np.abs(luma(relit) - luma(swapped)).max() <= 1
    assert np.abs(recoloured - own).mean() > 1 and np.abs(relit - swapped).mean() > 1


def test_a_protected_region_is_the_photograph_pixel_for_pixel(run, made):
    # Half the size of the picture, and transparent where it is not white.
    mask = Image.new("LA", (45, 32), (255, 0))
    mask.paste((255, 255), (0, 0, 20, 32))
    mask.save("mask.png")
    model = SwapAE.from_pretrained("model")
    own = np.asarray(to_pil(photograph(model, "a.png").tensor, (90, 64))).astype(int)
    swapped = made("swap", "a.png", "b.jpg")
    kept = made("swap", "a.png", "b.jpg", "--protect", "mask.png", "--feather", 4)
    assert np.array_equal(kept[:, :40], own[:, :40])
    assert np.array_equal(kept[:, 48:], swapped[:, 48:])  # twice the feather further
    between = kept[:, 40:48]
    assert not np.array_equal(between, own[:, 40:48]) and not np.array_equal(between, swapped[:, 40:48])


def test_weights_of_one_and_nothing_are_a_swap(run, made):
    swapped = made("swap", "a.png", "b.jpg")
    assert np.array_equal(made("mix", "a.png", "--textures", "b.jpg", "a.png", "--weights", 1, 0), swapped)
    assert np.array_equal(made("mix", "a.png", "--textures", "b.jpg"), swapped)
    even = made("mix", "a.png", "--textures", "b.jpg", "a.png")
    assert np.array_equal(even, made("mix", "a.png", "--textures", "b.jpg", "a.png", "--weights", 3, 3))
    assert np.abs(even - swapped).mean() > 1
    away = made("mix", "a.png", "--textures", "b.jpg", "a.png", "--weights", 1.5, -0.5)
    assert np.abs(away - swapped).mean() > 1


def test_translation_goes_by_the_difference_of_two_domains(run, made, photographs):
    for kind in ("rose", "tulip"):
        Path(kind).mkdir()
        for path in Path("many").glob(f"{kind}*"):
            path.rename(Path(kind, path.name))
    stays = made("translate", "a.png", "--from", "rose", "--to", "tulip", "--gain", 0)
    assert np.array_equal(stays, made("reconstruct", "a.png"))
    moved = made("translate", "a.png", "--from", "rose", "--to", "tulip", "--gain", 3)
    back = made("translate", "a.png", "--from", "tulip", "--to", "rose", "--gain", -3)
    assert np.array_equal(moved, back) and np.abs(moved - stays).mean() > 0.5
    assert not np.array_equal(made("translate", "a.png", "--from", "rose", "--to", "tulip", "--most", 2), moved)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["swap", "a.png", "b.jpg", "--fine", "nan"], "--fine must be a number"),
        (["swap", "a.png", "b.jpg", "--alpha", "1e39"], "--alpha must be a number"),
        (["mix", "a.png", "--textures", "b.jpg", "a.png", "--weights", "1e308", "1e308"], "--weights must be a number"),
        (["swap", "a.png", "b.jpg", "--keep", "shape"], "shape"),
        (["swap", "a.png", "b.jpg", "--protect", "missing.png"], "missing.png"),
        (["swap", "a.png", "b.jpg", "--feather", "-1"], "--feather must be 0 to 1024"),
        (["mix", "a.png"], "textures"),
        (["mix", "a.png", "--textures", "b.jpg", "--weights", "1", "2"], "got 2 for 1"),
        (["mix", "a.png", "--textures", "b.jpg", "a.png", "--weights", "1", "-1"], "sum over 0"),
        (["mix", "a.png", "--textures", "b.jpg", "--weights", "inf"], "--weights must be a number"),
        (["translate", "a.png", "--from", "empty", "--to", "empty"], "empty"),
        (["translate", "a.png", "--from", "nowhere", "--to", "empty"], "nowhere"),
        (["translate", "a.png", "--from", ".", "--to", ".", "--gain", "nan"], "--gain must be a number"),
        (["translate", "a.png", "--from", ".", "--to", ".", "--most", "0"], "--most must be 1 or more"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, arguments, part):
    Path("empty").mkdir()
    before = files()
    assert_one_line(run(*arguments, "-o", "x.png"), part)
    assert files() == before
