"""`swapae regions` and `select`."""

import re

import numpy as np
import pytest
from command_line import assert_one_line, files, pixels
from PIL import Image


@pytest.fixture
def halves(run):
    """Masks of other sizes than the picture's: left.png and right.png."""
    for name, box in (("left", (0, 0, 15, 40)), ("right", (15, 0, 30, 40))):
        mask = Image.new("L", (30, 40))
        mask.paste(255, box)
        mask.save(f"{name}.png")


def figures(out):
    inside, outside = re.findall(r"([\d.]+) on average, (\d+) at most", out)
    return [float(value) for value in inside + outside]


def test_a_region_changes_and_what_is_outside_is_reported(run, halves):
    run("reconstruct", "a.png", "-o", "plain.png")
    arguments = ["regions", "a.png", "--textures", "b.jpg", "--masks", "left.png", "--feather", 2]
    status, out, error = run(*arguments, "-o", "loose.png")
    assert status == 0, error
    plain, loose = pixels("plain.png"), pixels("loose.png")
    inside_mean, inside_max, outside_mean, outside_max = figures(out)
    changed = np.abs(loose - plain)
    assert inside_mean == pytest.approx(changed[:, :47].mean(), abs=0.2) and inside_max > outside_max
    assert outside_mean == pytest.approx(changed[:, 47:].mean(), abs=0.2) and outside_mean < inside_mean / 2

    status, out, _ = run(*arguments, "--exact", "-o", "exact.png")
    exact = pixels("exact.png")
    assert status == 0 and figures(out)[2:] == [0, 0]
    assert np.array_equal(exact[:, 47:], plain[:, 47:]) and np.array_equal(exact[:, :43], loose[:, :43])


def test_every_photograph_in_its_own_region(run, halves):
    whole = Image.new("L", (8, 8), 255)
    whole.save("whole.png")
    Image.new("L", (8, 8)).save("nothing.png")
    run("swap", "a.png", "b.jpg", "-o", "swapped.png")
    run("reconstruct", "a.png", "-o", "plain.png")
    for mask, same in (("whole", "swapped"), ("nothing", "plain")):
        assert run("regions", "a.png", "--textures", "b.jpg", "--masks", f"{mask}.png", "-o", "x.png")[0] == 0
        # A map is applied by other kernels than one texture: the last bit of a level may differ.
        assert np.abs(pixels("x.png") - pixels(f"{same}.png")).max() <= 1
    both = ["regions", "a.png", "--textures", "b.jpg", "a.png", "--masks", "left.png", "right.png", "--feather", 0]
    assert run(*both, "-o", "both.png")[0] == 0
    one = ["regions", "a.png", "--textures", "b.jpg", "--masks", "left.png", "--feather", 0]
    assert run(*one, "-o", "one.png")[0] == 0
    assert np.abs(pixels("both.png") - pixels("one.png")).max() <= 1  # its own texture is what it had there


def test_a_selected_region_is_that_of_its_mask(run):
    status, out, error = run("select", "a.png", "70,10", "--threshold", 0.5, "-o", "mask.png")
    assert status == 0, error
    mask = pixels("mask.png")
    assert mask.shape == (64, 90, 3) and set(np.unique(mask)) == {0, 255} and mask[10, 70, 0] == 255
    assert f"selected {100 * (mask > 0).mean():.0f} %" in out
    shared = ["regions", "a.png", "--textures", "b.jpg"]
    by_mask = run(*shared, "--masks", "mask.png", "-o", "by_mask.png")
    by_point = run(*shared, "--select", "70,10", "--threshold", 0.5, "-o", "by_point.png")
    assert by_mask[0] == by_point[0] == 0
    assert np.abs(pixels("by_mask.png") - pixels("by_point.png")).max() <= 1
    assert run("select", "a.png", "70,10", "--threshold", -1, "-o", "all.png")[1] == "selected 100 % of the picture\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["regions", "a.png", "--textures", "b.jpg"], "give one of them"),
        (["regions", "a.png", "--textures", "b.jpg", "--masks", "left.png", "--select", "1,1"], "give one of them"),
        (["regions", "a.png", "--textures", "b.jpg", "a.png", "--masks", "left.png"], "got 1 for 2"),
        (["regions", "a.png", "--textures", "b.jpg", "--masks", "missing.png"], "missing.png"),
        (["regions", "a.png", "--textures", "b.jpg", "--select", "90,10"], "90,10 is beyond the picture"),
        (["regions", "a.png", "--textures", "b.jpg", "--select", "1"], "--select takes X,Y in pixels, such as 10,20"),
        (["regions", "a.png", "--textures", "b.jpg", "--select", "1,1", "--threshold", "2"], "--threshold must be"),
        (["regions", "a.png", "--textures", "b.jpg", "--masks", "left.png", "--feather", "9999"], "--feather must be"),
        (["select", "a.png", "a,b"], "the point takes X,Y"),
        (["select", "a.png", "1,-1"], "beyond the picture"),
        (["select", "a.png", "1,1", "--threshold", "nan"], "--threshold must be"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, halves, arguments, part):
    before = files()
    assert_one_line(run(*arguments, "-o", "x.png"), part)
    assert files() == before
