"""`swapae direction make`, `add`, `list` and `apply`."""

import shutil

import numpy as np
import pytest
from command_line import files
from PIL import Image


def test_directions_are_made_listed_and_applied(run, photographs):
    assert run("direction", "make", "many", "-o", "mine.safetensors", "--classes", "name")[0] == 0
    status, out, _ = run("direction", "list", "--directions", "mine.safetensors")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert status == 0 and {"bright", "warm", "vivid", "contrast", "sharp", "rose", "tulip"} == {n for n, _ in lines}
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


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["list"], "has no directions.safetensors; make one"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm"], "--gains takes NAME=NUMBER"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm=nan"], "--gains takes NAME=NUMBER"),
        (["list", "--directions", "a.png"], "'a.png' is missing, damaged or not safetensors"),
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
