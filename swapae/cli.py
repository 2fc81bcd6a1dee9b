"""The command line: `swapae swap`, `reconstruct`, `encode`, `decode`, `grid`, `interpolate`, `replay`, `convert`,
and the groups `data` and `direction`."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import operator
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from PIL import Image
from tqdm import tqdm

from swapae.animation import check_animation_output, save_animation
from swapae.arguments import parse_arguments
from swapae.codes import Codes
from swapae.convert import convert_checkpoint
from swapae.data_check import check, check_clean_folder, describe, write_clean
from swapae.directions import Directions
from swapae.edits import Directed
from swapae.errors import UserError
from swapae.grids import swap_grid
from swapae.hub import EMBEDDED
from swapae.images import (
    MAX_PIXELS,
    Fitted,
    atomic_path,
    check_output,
    fit,
    list_images,
    load_image,
    save_image,
    to_pil,
)
from swapae.making_directions import make_directions
from swapae.model import SwapAE
from swapae.recipes import Recipe
from swapae.sources import StreamSource, open_source

Structure = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STRUCTURE")]
Texture = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TEXTURE")]
Photograph = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IMAGE")]
File = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
Folder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
Photographs = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE_OR_DIR ...")]
Output = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")]
Size = tuple[int, int]  # (width, height) in pixels


@dataclass(frozen=True)
class Options:
    """What every command on pictures takes.

    Args:
        model: a folder with config.json and model.safetensors, or owner/name on the Hugging Face Hub; the
            embedded model of flowers if not given.
        size: pixels of the short side that pictures are brought to, or "full" for every pixel they have; the
            size that the model was trained at if not given.
        seed: of the noise that generates fine detail; the same seed gives the same picture.
        device: where to compute; auto takes a GPU if there is one.
        dtype: precision; the half ones are faster on GPUs, and less exact.
        max_pixels: refuse pictures with more pixels than this, before decoding them.
    """

    model: Annotated[str | None, tyro.conf.arg(metavar="REPO_OR_FOLDER")] = None
    size: Annotated[str | None, tyro.conf.arg(metavar="N|full")] = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    max_pixels: int = MAX_PIXELS


Common = Annotated[Options, tyro.conf.OmitArgPrefixes]


class Session:
    """A loaded model and the options of one command: pictures in, pictures out."""

    def __init__(self, options: Options) -> None:
        device = choose_device(options.device)
        dtype = getattr(torch, options.dtype)
        self.model = (
            SwapAE.from_pretrained(options.model, device=device, dtype=dtype)
            if options.model
            else SwapAE.default(device=device, dtype=dtype)
        )
        self.options = options
        self.size = parse_size(options.size, self.model.config.image_size)
        self.device, self.dtype = device, dtype

    def load(self, path: Path) -> Fitted:
        """A picture as the model takes it."""
        config = self.model.config
        picture = load_image(path, max_pixels=self.options.max_pixels)
        fitted = fit(picture, self.size, config.stride, config.minimum_side, max_pixels=self.options.max_pixels)
        return Fitted(fitted.tensor.to(self.device, self.dtype), fitted.size)

    def encode(self, path: Path) -> tuple[Codes, Size]:
        """Codes of a picture, and its size without padding."""
        fitted = self.load(path)
        return self.model.encode(fitted.tensor), fitted.size

    def directions(self, path: Path | None) -> Directions:
        """Of a file, or those beside the model's weights."""
        if path is not None:
            return Directions.load(path, self.model)
        return Directions.from_pretrained(self.model, self.options.model or EMBEDDED)

    def decode(self, codes: Codes, size: Size | None) -> Image.Image:
        """The picture that codes describe, cropped to `size`."""
        codes = Codes(*(code.to(self.device, self.dtype) for code in codes))
        return to_pil(self.model.decode(codes, noise=self.options.seed), size)


def choose_device(name: str) -> str:
    """A device that is there, for `auto` the fastest.

    Raises:
        UserError: the device asked for is not there.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available[name]:
        raise UserError(f"PyTorch finds no {name} device on this machine: use --device auto or cpu")
    return name


def parse_size(text: str | None, default: int) -> int | Literal["full"]:
    """The value of --size: pixels of the short side, or "full".

    Raises:
        UserError: anything else.
    """
    if text is None or text == "full":
        return text or default
    if not text.isdecimal():
        raise UserError(f"--size must be a number of pixels or full, got {text!r}")
    return int(text)


def check_alpha(alpha: float) -> None:
    """Raise UserError unless alpha is a finite number; beyond 0 and 1 it exaggerates."""
    if not math.isfinite(alpha):
        raise UserError(f"--alpha must be a number, 0 for the own texture to 1 for the other's, got {alpha}")


def swap(
    structure: Structure, texture: Texture, output: Output, common: Common = Options(), alpha: float = 1.0
) -> None:
    """Picture with the structure of one photograph in the texture of another.

    Args:
        structure: photograph that gives shapes and layout; the result has its aspect.
        texture: photograph that gives colours and materials.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        alpha: 0 keeps the structure photograph's own texture, 1 takes the other's.
    """
    check_output(output)
    check_alpha(alpha)
    session = Session(common)
    own, size = session.encode(structure)
    other, _ = session.encode(texture)
    mixed = Codes(own.structure, torch.lerp(own.texture, other.texture, alpha))
    save_image(session.decode(mixed, size), output)


def reconstruct(image: Photograph, output: Output, common: Common = Options()) -> None:
    """Picture encoded and decoded again: what the model keeps of it.

    Args:
        image: photograph.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
    """
    check_output(output)
    session = Session(common)
    save_image(session.decode(*session.encode(image)), output)


def encode(image: Photograph, output: Output, common: Common = Options()) -> None:
    """Structure and texture codes of a photograph, as a file to keep.

    Args:
        image: photograph.
        output: .safetensors file to write.
    """
    check_output(output, (".safetensors",))
    session = Session(common)
    codes, size = session.encode(image)
    session.model.save_codes(codes, output, size=size)


def decode(codes: File, output: Output, common: Common = Options()) -> None:
    """Picture from codes that `swapae encode` wrote with the same model.

    Args:
        codes: .safetensors file.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
    """
    check_output(output)
    session = Session(common)
    save_image(session.decode(*session.model.load_codes(codes)), output)


def grid(
    structure: Photographs,
    texture: Photographs,
    output: Output,
    common: Common = Options(),
    cell: int = 256,
) -> None:
    """Contact sheet of every structure in every texture, inputs in the margins.

    Args:
        structure: photographs, or folders of them, one row each.
        texture: photographs, or folders of them, one column each.
        output: picture to write.
        cell: side in pixels of each square of the sheet.
    """
    check_output(output)
    if not 16 <= cell <= 2048:
        raise UserError(f"--cell must be 16 to 2048 pixels, got {cell}")
    rows, columns = expand(structure), expand(texture)
    session = Session(common)
    codes = {path: session.encode(path) for path in tqdm({*rows, *columns}, desc="encode", unit="picture")}
    with tqdm(total=len(rows) * len(columns), desc="decode", unit="picture") as progress:

        def hybrid(row: Path, column: Path) -> Image.Image:
            (own, size), (other, _) = codes[row], codes[column]
            progress.update()
            return session.decode(Codes(own.structure, other.texture), size)

        results = [[hybrid(row, column) for column in columns] for row in rows]
    inputs = [[load_image(path, max_pixels=common.max_pixels) for path in paths] for paths in (rows, columns)]
    save_image(swap_grid(*inputs, results, cell), output)


def expand(paths: tuple[Path, ...]) -> list[Path]:
    """The files among `paths`, and the pictures in the folders among them."""
    return [file for path in paths for file in (list_images(path) if path.is_dir() else [path])]


def interpolate(
    structure: Structure,
    texture: Texture,
    output: Output,
    common: Common = Options(),
    frames: int = 24,
    fps: int = 12,
) -> None:
    """Film from the structure photograph's own texture to the other's.

    Args:
        structure: photograph that gives shapes and layout.
        texture: photograph whose texture is reached in the last frame.
        output: .gif, .mp4 or .webp, or a new folder for numbered PNGs.
        frames: how many, 2 or more.
        fps: frames per second.
    """
    check_animation_output(output)
    if not 2 <= frames <= 10_000:
        raise UserError(f"--frames must be 2 to 10000, got {frames}")
    if not 1 <= fps <= 60:
        raise UserError(f"--fps must be 1 to 60, got {fps}")
    session = Session(common)
    own, size = session.encode(structure)
    other, _ = session.encode(texture)

    def film() -> Iterator[Image.Image]:
        for frame in tqdm(range(frames), unit="frame"):
            texture_between = torch.lerp(own.texture, other.texture, frame / (frames - 1))
            yield session.decode(Codes(own.structure, texture_between), size)

    save_animation(film(), output, frames_per_second=fps)


def convert(checkpoint: File, output: Folder, discriminators: bool = False) -> None:
    """Model folder from a published checkpoint, for --model and for the Hub.

    Such weights are Adobe Research's, for non-commercial research only; the folder's README says so.

    Args:
        checkpoint: the published latest_checkpoint.pth.
        output: new folder.
        discriminators: write them too, for fine-tuning.
    """
    convert_checkpoint(checkpoint, output, discriminators=discriminators)


def check_data(
    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DIR")],
    min_size: int = 128,
    write: Annotated[Path | None, tyro.conf.arg(metavar="CLEAN_DIR")] = None,
    size: int = 256,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
    workers: int = os.cpu_count() or 1,
) -> None:
    """What is wrong with training pictures: unreadable, tiny, grey, repeated, in odd modes; and a clean copy.

    Args:
        data: folder of pictures, searched recursively, or folder of an LMDB; not changed.
        min_size: pictures with a short side under this many pixels are tiny.
        write: folder for a clean copy: without the unreadable, the tiny and exact repetitions, upright, in sRGB,
            as JPEG of quality 95 with full colour resolution, or PNG up to 128 pixels. Goes on where it was stopped.
        size: pixels of the short side of the copies.
        json_file: file for the whole report, of which no more than ten pictures of a kind are printed.
        workers: processes.
    """
    for name, value, low, high in (
        ("size", size, 16, 8192),
        ("min-size", min_size, 1, 8192),
        ("workers", workers, 0, 256),
    ):
        if not low <= value <= high:
            raise UserError(f"--{name} must be {low} to {high}, got {value}")
    if json_file is not None:
        check_output(json_file, (".json",))
    source = open_source(data)
    if isinstance(source, StreamSource):
        raise UserError(f"{data!r} is a stream: give a folder or an LMDB")
    if write is not None:
        check_clean_folder(source, write)
    report = check(source, min_size, workers)
    if json_file is not None:
        with atomic_path(json_file) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(report), indent=1, ensure_ascii=True) + "\n")
    print(describe(report))
    if write is not None:
        try:
            written = write_clean(source, report.kept, write, size, workers)
        except KeyboardInterrupt:
            raise UserError(
                "interrupted; the copies so far are whole, and the same command goes on from there"
            ) from None
        print(f"clean copy: {written} pictures in {str(write)!r}")


def make_direction(
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")],
    output: Output,
    common: Common = Options(),
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
    if most < 1:
        raise UserError(f"--most must be 1 or more, got {most}")
    paths = list_images(data)
    paths = paths[:: -(-len(paths) // most)]
    named = {"name": lambda path: re.split(r"[_\W]", path.stem)[0].lower(), "folder": lambda path: path.parent.name}
    kinds = [named[classes](path) for path in paths] if classes != "none" else None
    session = Session(common)
    photographs = (session.load(path).tensor for path in tqdm(paths, desc="encode", unit="picture"))
    make_directions(session.model, photographs, kinds).save(output, session.model)


Directory = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


def replay(
    recipe: File,
    inputs: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE ...")],
    output: Output,
    common: Common = Options(),
    directions: Directory = None,
) -> None:
    """Picture that a recipe describes, to the same bytes: recipes hold every edit, size and seed included.

    Args:
        recipe: .json file from the page.
        inputs: its photographs, in any order; they are known by their contents.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        directions: file that `swapae direction make` wrote; the model's own if not given.
    """
    check_output(output)
    read = Recipe.load(recipe)
    session = Session(common)
    needed = directions is not None or any(isinstance(edit, Directed) for edit in read.edits)
    known = session.directions(directions) if needed else None
    picture = read.replay(session.model, inputs, directions=known)
    save_image(to_pil(picture), output, metadata=read.metadata())


def list_directions(common: Common = Options(), directions: Directory = None) -> None:
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
    common: Common = Options(),
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
    wanted = {}
    for text in gains:
        name, equals, value = text.rpartition("=")
        try:
            wanted[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not math.isfinite(wanted[name]):
            raise UserError(f"--gains takes NAME=NUMBER, such as warm=1, got {text!r:.60}")
    session = Session(common)
    known = session.directions(directions)
    codes, size = session.encode(image)
    save_image(session.decode(known.apply(codes, wanted), size), output)


COMMANDS: dict[str, Callable[..., None]] = {
    "swap": swap,
    "reconstruct": reconstruct,
    "encode": encode,
    "decode": decode,
    "grid": grid,
    "interpolate": interpolate,
    "replay": replay,
    "convert": convert,
}
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "data": ("Training data.", {"check": check_data}),
    "direction": (
        "Directions in which textures can be edited.",
        {"make": make_direction, "list": list_directions, "apply": apply_directions},
    ),
}


def main() -> int:
    """Run a command; exit status 0, or 2 with one line on stderr."""
    try:
        command = parse_arguments(parse)
        with torch.inference_mode():
            command()
    except SystemExit:  # after --help
        return 0
    except UserError as error:
        return complain(str(error))
    except (MemoryError, torch.OutOfMemoryError):
        return complain("not enough memory for pictures of this size: use a smaller --size")
    except RuntimeError as error:
        if "memory" not in str(error):  # the CPU allocator's complaint has no class of its own
            raise
        return complain("not enough memory for pictures of this size: use a smaller --size")
    except KeyboardInterrupt:
        return complain("interrupted; nothing was written")
    return 0


def parse() -> Callable[[], None]:
    """The command to run, with its arguments bound."""

    def deferred(function: Callable[..., None]) -> Callable[..., Callable[[], None]]:
        @functools.wraps(function)
        def bind(*args: object, **kwargs: object) -> Callable[[], None]:
            return functools.partial(function, *args, **kwargs)

        return bind

    def group(about: str, commands: Mapping[str, Callable[..., None]]) -> Callable[..., Callable[[], None]]:
        def choose(command: Any) -> Callable[[], None]:
            return command

        choose.__doc__ = about
        choose.__annotations__["command"] = tyro.conf.OmitSubcommandPrefixes[
            functools.reduce(
                operator.or_,
                (
                    Annotated[Any, tyro.conf.subcommand(name, constructor=deferred(function))]
                    for name, function in commands.items()
                ),
                # A union, of which the command is one choice, needs another.
                Annotated[None, tyro.conf.Suppress],
            )
        ]
        return choose

    return tyro.extras.subcommand_cli_from_dict(
        {name: deferred(function) for name, function in COMMANDS.items()}
        | {name: group(*described) for name, described in GROUPS.items()},
        prog="swapae",
        description="The structure of one photograph in the texture of another, in one forward pass.",
    )


def complain(message: str) -> int:
    """Print one line on stderr; exit status 2."""
    print("swapae: " + " ".join(message.split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
