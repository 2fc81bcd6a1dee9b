"""`swapae direction make`, `add`, `list` and `apply`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_line, files, pixels
from PIL import Image


def test_directions_are_made_listed_and_applied(run, photographs):
    assert run("direction", "make", "many", "-o", "mine.safetensors", "--classes", "name")[0] == 0
    status, out, _ = run("direction", "list", "--directions", "mine.safetensors")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    names = {"bright", "warm", "vivid", "contrast", "sharp", "rose", "tulip", "texture1", "structure1", "layout1"}
    assert status == 0 and {name for name, _ in lines} == names
    assert "layout1 to layout8: principal axes of whole structure codes, largest first" in out
    assert dict(lines)["rose"] == "less like rose ... more like rose"

    for name, gains in (("same", ["warm=0"]), ("moved", ["warm=1", "rose=-0.5"])):
        done = run(
            "direction", "apply", "a.png", "-o", f"{name}.png", "--directions", "mine.safetensors", "--gains", *gains
        )
        assert done[0] == 0, done[2]
    assert run("reconstruct", "a.png", "-o", "plain.png")[0] == 0
    pictures = {name: np.asarray(Image.open(f"{name}.png")).astype(int) for name in ("plain", "same", "moved")}
    assert np.array_equal(pictures["plain"], pictures["same"])
    assert np.abs(pictures["plain"] - pictures["moved"]).mean() > 1

    # Beside the model's weights they are found by themselves.
    shutil.move("mine.safetensors", "model/directions.safetensors")
    assert run("direction", "list")[1] == out


@pytest.fixture
def two_kinds(photographs):
    for kind in ("rose", "tulip"):
        Path(kind).mkdir()
        for path in Path("many").glob(f"{kind}*"):
            path.rename(Path(kind, path.name))
    return ["--having", "tulip", "--lacking", "rose", "-o", "mine.safetensors"]


def test_directions_between_two_folders_are_added_to_a_file(run, made, two_kinds):
    assert run("direction", "add", "tulip", *two_kinds)[0] == 0
    assert run("direction", "add", "bright", *two_kinds, "--less", "night", "--more", "day")[0] == 0
    status, out, _ = run("direction", "list", "--directions", "mine.safetensors")
    assert status == 0 and out.splitlines()[:2] == [
        "tulip        less tulip ... more tulip",
        "bright       night ... day",
    ]
    apply = ["direction", "apply", "a.png", "--directions", "mine.safetensors", "--gains"]
    plain, moved = made("reconstruct", "a.png"), made(*apply, "tulip=1")
    assert np.abs(moved - plain).mean() > 0.5
    # Both have one difference of means, so the second says nothing new.
    assert not np.array_equal(made(*apply, "tulip=1", "bright=1"), moved)
    assert np.array_equal(made(*apply, "tulip=1", "bright=1", "--orthogonal"), moved)
    assert np.abs(made(*apply, "texture1=2", "structure2=-1") - plain).mean() > 0.5


def test_a_direction_inside_a_mask(run, made, two_kinds):
    assert run("direction", "add", "tulip", *two_kinds)[0] == 0
    apply = ["direction", "apply", "a.png", "--directions", "mine.safetensors", "--gains", "tulip=2", "structure1=1"]
    plain, everywhere = made("reconstruct", "a.png"), made(*apply)
    for level, expected in ((0, plain), (255, everywhere)):
        Image.new("L", (10, 10), level).save("mask.png")
        assert np.abs(made(*apply, "--mask", "mask.png") - expected).max() <= 1  # a map is applied by other kernels
    half = Image.new("L", (90, 64))
    half.paste(255, (0, 0, 40, 64))
    half.save("mask.png")
    changed = np.abs(made(*apply, "--mask", "mask.png", "--feather", 0) - plain)
    assert changed[:, :40].mean() > 2 * changed[:, 56:].mean()


def test_a_layout_axis_all_over_and_inside_a_mask(run, made, photographs):
    assert run("direction", "make", "many", "-o", "mine.safetensors")[0] == 0
    shared = ["a.png", "--directions", "mine.safetensors"]
    apply = ["direction", "apply", *shared, "--gains", "layout1=3"]
    plain, everywhere = made("reconstruct", "a.png"), made(*apply)  # a grid of 8 x 11 cells, the axis has 8 x 8
    assert np.abs(everywhere - plain).mean() > 0.5
    half = Image.new("L", (90, 64))
    half.paste(255, (0, 0, 40, 64))
    half.save("mask.png")
    changed = np.abs(made(*apply, "--mask", "mask.png", "--feather", 0) - plain)
    assert changed[:, :40].mean() > 2 * changed[:, 56:].mean()
    assert run("sweep", *shared, "--direction", "layout1", "--from", 0, "--to", 3, "--frames", 2, "-o", "film")[0] == 0
    assert np.array_equal(pixels("film/0000.png"), plain) and np.array_equal(pixels("film/0001.png"), everywhere)
    assert_one_line(
        run("direction", "apply", *shared, "-o", "x.png", "--gains", "layout9=1"), "those of layout go up to layout8"
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["list"], "has no directions.safetensors; make one"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm"], "--gains takes NAME=NUMBER"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm=nan"], "--gains takes NAME=NUMBER"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm=1e39"], "--gains takes NAME=NUMBER"),
        (["list", "--directions", "a.png"], "'a.png' is missing, damaged or not safetensors"),
        (
            ["apply", "a.png", "-o", "out.png", "--gains", "warm=1", "--mask", "none.png"],
            "has no directions.safetensors",
        ),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm=1", "--feather", "-1"], "--feather must be"),
        (["add", "new", "--having", "many", "--lacking", "none", "-o", "out.safetensors"], "none"),
        (["add", "new", "--having", "many", "--lacking", "many", "-o", "out.safetensors"], "have the same textures"),
        (["add", "texture1", "--having", "many", "--lacking", "many", "-o", "out.safetensors"], "cannot have the name"),
        (["add", "new", "--having", ".", "--lacking", "many", "-o", "out.png"], ".safetensors"),
        (["make", "none", "-o", "out.safetensors"], "none"),
        (["make", "many", "-o", "out.png"], ".safetensors"),
        (["make", "many", "-o", "out.safetensors", "--classes", "folder"], "found 1 class"),
        (["make", "many", "-o", "out.safetensors", "--most", "0"], "--most must be 1 or more"),
    ],
)
def test_bad_directions_are_one_line_and_nothing_is_written(run, photographs, arguments, part):
    before = files()
    status, _, err = run("direction", *arguments)
    lines = [line for line in err.splitlines() if line.startswith("swapae: ")]
    assert status == 2 and len(lines) == 1 and part in lines[0]
    assert files() == before
