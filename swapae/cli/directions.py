"""`swapae direction make`, `add`, `list` and `apply`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

from swapae.cli.session import DEFAULTS, Common, Output, Photograph, Session, sample
from swapae.errors import UserError
from swapae.images import check_output, save_image
from swapae.making_directions import make_directions

Directory = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


def make_direction(
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")],
    output: Output,
    common: Common = DEFAULTS,
    classes: Literal["none", "name", "folder"] = "none",
    most: int = 4000,
) -> None:
    """Directions of a model from photographs of the kind it knows: brighter, warmer, more vivid, to each class.

    Beside the model's weights, a file of the name directions.safetensors is found by itself.

    Args:
        data: folder of photographs, searched recursively; 20 or more, some hundreds for good directions.
        output: .safetensors file to write.
        classes: directions to classes as well, from the first word of each file's name (tulip_12.jpg), or from the
            folder it is in.
        most: take no more photographs than this, spread over the folder.
    """
    check_output(output, (".safetensors",))
    paths = sample(data, most)
    named = {"name": lambda path: re.split(r"[_\W]", path.stem)[0].lower(), "folder": lambda path: path.parent.name}
    kinds = [named[classes](path) for path in paths] if classes != "none" else None
    session = Session(common)
    photographs = (session.load(path).tensor.to(session.dtype) for path in tqdm(paths, desc="encode", unit="picture"))
    make_directions(session.model, photographs, kinds).save(output, session.model)


def list_directions(common: Common = DEFAULTS, directions: Directory = None) -> None:
    """The names of a model's directions, and what they do.

    Args:
        directions: file that `swapae direction make` wrote; the model's own if not given.
    """
    for name, direction in Session(common).directions(directions).named.items():
        print(f"{name:12} {direction.less} ... {direction.more}")


def apply_directions(
    image: Photograph,
    output: Output,
    gains: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=GAIN ...")],
    common: Common = DEFAULTS,
    directions: Directory = None,
) -> None:
    """Picture of a photograph moved along directions, all at once.

    Args:
        image: photograph.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        gains: such as warm=1 tulips=-0.5: 0 changes nothing, 1 is a clear edit.
        directions: file that `swapae direction make` wrote; the model's own if not given.
    """
    check_output(output)
    wanted = parse_gains(gains)
    session = Session(common)
    known = session.directions(directions)
    codes, size = session.encode(image)
    save_image(session.decode(known.apply(codes, wanted), size), output)


def parse_gains(texts: tuple[str, ...]) -> dict[str, float]:
    """The value of --gains, in the order given.

    Raises:
        UserError: something else than NAME=NUMBER.
    """
    wanted = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            wanted[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not math.isfinite(wanted[name]):
            raise UserError(f"--gains takes NAME=NUMBER, such as warm=1, got {text!r:.60}")
    return wanted
