"""`swapae paste`, `move`, `join` and `outpaint`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import assert_one_line, files
from PIL import Image

from swapae import Codes, SwapAE
from swapae.apps.cli.structure import snap_box, snap_edges
from swapae.editing import Box, move, outpaint, paste
from swapae.inference.fast import optimize_for_inference
from swapae.pictures.images import fit, load_image, to_pil


def codes_of(name, size=64):
    model = optimize_for_inference(SwapAE.from_pretrained("model"))
    with torch.no_grad():
        return model, model.encode(fit(load_image(name), size, model.config.stride, model.config.minimum_side).tensor)


def decoded(model, codes, size=None):
    with torch.no_grad():
        return np.asarray(to_pil(model.decode(codes), size)).astype(int)


def test_paste_snaps_to_cells_and_is_that_of_the_editing_functions(run, made):
    model, a = codes_of("a.png")
    _, b = codes_of("b.jpg")
    pasted = paste(a.structure, b.structure, Box(1, 2, 3, 4), Box(2, 5, 3, 4), flip=True, radius=1)
    expected = decoded(model, Codes(pasted, a.texture), (90, 64))
    shown = made("paste", "a.png", "b.jpg", "--box", "15,9,32,23", "--to", "41,17", "--flip", "--feather", 8)
    assert np.array_equal(shown, expected)
    scaled = paste(a.structure, b.structure, Box(1, 2, 3, 4), Box(0, 0, 6, 2))
    shown = made("paste", "a.png", "b.jpg", "--box", "16,8,32,24", "--to", "0,0,16,48")
    assert np.array_equal(shown, decoded(model, Codes(scaled, a.texture), (90, 64)))
    assert np.abs(made("paste", "a.png", "b.jpg", "--box", "0,0,64,64", "--to=-8,-8", "--texture") - shown).mean() > 1


def test_what_is_pasted_in_its_own_place_changes_nothing(run, made):
    plain = made("reconstruct", "a.png")
    assert np.array_equal(made("paste", "a.png", "a.png", "--box", "8,8,24,24", "--to", "8,8"), plain)
    with_texture = made("paste", "a.png", "a.png", "--box", "8,8,24,24", "--to", "8,8", "--texture")
    assert np.abs(with_texture - plain).max() <= 1  # a map is applied by other kernels


def test_move_fills_the_hole(run, made):
    model, a = codes_of("a.png")
    moved = move(a.structure, Box(0, 0, 4, 4), Box(4, 7, 4, 4))
    expected = decoded(model, Codes(moved, a.texture), (90, 64))
    assert np.array_equal(made("move", "a.png", "--box", "0,0,32,32", "--to", "56,32"), expected)


def test_a_panorama_of_photographs_of_many_shapes(run, made):
    Image.open("a.png").rotate(90, expand=True).save("tall.png")
    # Widths at one height go to the nearest multiple of 8: 90 to 88 at 64; 112, 57 to 56 and 80 at 80.
    assert made("join", "a.png", "b.jpg", "--seam", 16).shape == (64, 88 + 64 - 16, 3)
    assert made("join", "a.png", "tall.png", "b.jpg", "--seam", 0, "--size", 80).shape == (80, 112 + 56 + 80, 3)
    assert made("join", "a.png", "b.jpg", "--size", "full").shape == (64, 88 + 64 - 64, 3)
    own, other = (made("join", "a.png", "b.jpg", "--texture", name) for name in ("a.png", "b.jpg"))
    assert np.abs(own - other).mean() > 1
    Path("many").mkdir()
    for name in ("1.png", "2.png"):
        Image.open("b.jpg").save(f"many/{name}")
    assert made("join", "many", "--seam", 8).shape == (64, 120, 3)


def test_outpainting_keeps_what_there_was_in_the_middle(run, made):
    model, b = codes_of("b.jpg")
    wider = made("outpaint", "b.jpg", "--horizontal", 30, "--vertical", 8)
    assert wider.shape == (64 + 2 * 8, 64 + 2 * 32, 3)
    assert np.array_equal(wider, decoded(model, outpaint(b, rows=1, columns=4)))


def test_edges_snap_to_the_nearest_cells_and_at_least_one():
    assert snap_edges(3, 5, 8, 8) == (0, 1)
    assert snap_edges(4, 11, 8, 8) == (1, 2)
    assert snap_edges(62, 64, 8, 8) == (7, 8)
    assert snap_box((0, 0, 90, 64), (90, 64), 8) == Box(0, 0, 8, 11)  # 90 is nearer to 88 than to 96


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            ["paste", "a.png", "b.jpg", "--box", "0,0,65,8", "--to", "0,0"],
            "reaches beyond the picture, which has 64x64",
        ),
        (["paste", "a.png", "b.jpg", "--box", "0,0,0,8", "--to", "0,0"], "at least one pixel"),
        (["paste", "a.png", "b.jpg", "--box", "0,0,8", "--to", "0,0"], "--box takes X,Y,W,H in pixels, such as 10"),
        (["paste", "a.png", "b.jpg", "--box", "0,0,8,8", "--to", "96,0"], "--to 96,0 is beyond the picture"),
        (["paste", "a.png", "b.jpg", "--box", "0,0,8,8", "--to=-8,0"], "beyond the picture"),
        (["paste", "a.png", "b.jpg", "--box", "0,0,8,8", "--to", "0,0,900000,900000"], "over the limit of 64000000"),
        (["paste", "a.png", "b.jpg", "--box", "0,0,8,8", "--to", "9"], "--to takes X,Y or X,Y,W,H"),
        (["move", "b.jpg", "--box", "0,0,64,64", "--to", "8,8"], "is the whole picture"),
        (["move", "b.jpg", "--box", "0,0,8,8", "--to", "8,8", "--feather", "-1"], "--feather"),
        (["join", "a.png"], "two photographs or more"),
        (["join", "a.png", "b.jpg", "--seam", "-1"], "--seam must be 0 to"),
        (["join", "a.png", "b.jpg", "--seam", "80"], "narrowest photograph's 64 pixels"),
        (["join", "a.png", "b.jpg", "--seam", "0", "--max-pixels", "9000"], "152x64 pixels, over the limit of 9000"),
        (["join", "a.png", "b.jpg", "--size", "16"], "the model needs at least 56"),
        (["outpaint", "a.png"], "nothing to add"),
        (["outpaint", "a.png", "--horizontal", "-8"], "--horizontal must be"),
        (["outpaint", "a.png", "--horizontal", "60000", "--vertical", "60000"], "over the limit of 64000000"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, arguments, part):
    before = files()
    assert_one_line(run(*arguments, "-o", "x.png"), part)
    assert files() == before
