"""`swapae drag`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import assert_one_line, files
from PIL import Image

from swapae import Codes, SwapAE
from swapae.editing import drag
from swapae.inference.fast import optimize_for_inference
from swapae.pictures.images import fit, load_image, to_pil

MOVED = ["--from", "30,20", "80,60", "--to", "46,28", "80,60"]


def paint(name, box, size=(90, 64)):
    """A mask that is white in a box (left, top, right, bottom)."""
    mask = Image.new("L", size)
    mask.paste(255, box)
    mask.save(name)


def test_it_is_the_editing_function_at_sizes_that_are_no_multiple_of_the_stride(run, made):
    model = optimize_for_inference(SwapAE.from_pretrained("model"))
    for size in (64, 75):
        fitted = fit(load_image("a.png"), size, model.config.stride, model.config.minimum_side)
        with torch.no_grad():
            codes = model.encode(fitted.tensor)
            dragged = drag(codes.structure, [(30, 20), (80, 60)], [(46, 28), (80, 60)], stride=8)
            expected = np.asarray(to_pil(model.decode(Codes(dragged, codes.texture)), fitted.size)).astype(int)
        assert expected.shape[0] == size and expected.shape[1] % 8
        assert np.array_equal(made("drag", "a.png", *MOVED, "--size", size), expected)


def test_points_that_stay_change_nothing(run, made):
    pins = ["10,10", "80,50"]
    assert np.array_equal(made("drag", "a.png", "--from", *pins, "--to", *pins), made("reconstruct", "a.png"))


def test_what_the_mask_protects_stays(run, made):
    paint("mask.png", (0, 0, 90, 40))
    plain, free = made("reconstruct", "a.png"), made("drag", "a.png", "--from", "70,58", "--to", "50,58")
    kept = made("drag", "a.png", "--from", "70,58", "--to", "50,58", "--mask", "mask.png", "--feather", 0)
    assert np.abs(kept - plain)[:32].mean() < np.abs(free - plain)[:32].mean() / 4
    assert np.abs(kept - plain)[48:].mean() > 1


@pytest.mark.parametrize("more", [[], ["--mask", "mask.png", "--feather", "8"]])
def test_it_carries_its_recipe(run, more):
    paint("mask.png", (3, 5, 30, 64))
    assert run("drag", "a.png", *MOVED, *more, "-o", "dragged.png")[0] == 0
    assert run("replay", "dragged.png", "--inputs", "a.png", "-o", "again.png")[0] == 0
    assert Path("again.png").read_bytes() == Path("dragged.png").read_bytes()
    _, out, _ = run("recipe", "dragged.png", model=False)
    painted = "; nothing where painted" if more else ""
    assert f"1. Dragged: 30,20 to 46,28; 80,60 held{painted}." in out


def test_transparency_goes_along_and_replays(run):
    picture = Image.open("b.jpg").convert("RGBA")
    picture.putalpha(Image.fromarray(np.where(np.indices((64, 64))[1] < 32, 255, 0).astype(np.uint8)))
    picture.save("cut.png")
    assert run("drag", "cut.png", "--from", "20,30", "--to", "36,30", "-o", "dragged.png")[0] == 0
    opacity = np.asarray(Image.open("dragged.png"))[..., 3]
    assert opacity[:, 1:47].min() == 255 and opacity[:, 49:].max() == 0
    assert run("replay", "dragged.png", "--inputs", "cut.png", "-o", "again.png")[0] == 0
    assert Path("again.png").read_bytes() == Path("dragged.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--from", "1,1", "2,2", "--to", "3,3"], "2 points and 1 places"),
        (["--from", "--to"], "nothing to drag"),
        (["--from", "90,1", "--to", "3,3"], "the point 90,1 is beyond the picture, which has 90x64 pixels"),
        (["--from", "1,1", "--to", "3,64"], "the point 3,64 is beyond the picture"),
        (["--from=-1,1", "--to", "3,3"], "the point -1,1 is beyond the picture"),
        (["--from", "1", "--to", "3,3"], "--from takes X,Y in pixels, such as 10,20"),
        (["--from", "1,1", "1,1", "--to", "3,3", "4,4"], "the point 1,1 cannot go to 3,3 and to 4,4"),
        (["--from", "1,1", "2,2", "--to", "3,3", "3,3"], "1,1 and 2,2 cannot both go to 3,3"),
        (["--from", *(f"{n},1" for n in range(33)), "--to", *(f"{n},1" for n in range(33))], "at most 32 points"),
        (["--from", "1,1", "--to", "3,3", "--mask", "black.png"], "protects nothing"),
        (["--from", "1,1", "--to", "3,3", "--mask", "white.png"], "protects everything"),
        (["--from", "1,1", "--to", "3,3", "--mask", "half.png"], "no point can go to 3,3, which --mask half.png"),
        (["--from", "1,1", "--to", "3,3", "--mask", "none.png"], "none.png"),
        (["--from", "1,1", "--to", "3,3", "--feather", "-1"], "--feather must be"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, arguments, part):
    paint("black.png", (0, 0, 0, 0))
    paint("white.png", (0, 0, 90, 64))
    paint("half.png", (0, 0, 45, 64))
    before = files()
    assert_one_line(run("drag", "a.png", *arguments, "-o", "x.png"), part)
    assert files() == before
