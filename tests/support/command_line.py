"""What tests of commands look at: files, pictures, and what was said on stderr."""

from pathlib import Path

import numpy as np
from PIL import Image


def files():
    """All files in the current folder but the model's."""
    return sorted(str(p) for p in Path().rglob("*") if p.is_file() and p.parts[0] != "model")


def pixels(path):
    """A picture as [H, W, 3] of int, so that differences do not wrap."""
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def assert_one_line(result, part, expected=2):
    """Of (exit status, stdout, stderr): 2, nothing, and one line that holds `part`, beside bars of progress."""
    status, out, error = result
    lines = [line for line in error.replace("\r", "\n").splitlines() if line.startswith("swapae: ")]
    assert (status, out) == (expected, ""), error
    assert len(lines) == 1 and part in lines[0] and "Traceback" not in error, error
