"""What commands share: the options on pictures, and a model loaded with them that takes pictures in and out."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import torch
import tyro
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from swapae.apps.cli.workload import HEAVY, outlook
from swapae.codes import Codes
from swapae.editing.directions import Directions
from swapae.editing.masks import fit_mask
from swapae.editing.operations import Edit
from swapae.editing.recipes import ModelId, PhotographId, Recipe
from swapae.editing.structure import mirror
from swapae.editing.validation import MAX_PHOTOGRAPHS
from swapae.errors import UserError
from swapae.evaluation.pairs import file_digest
from swapae.hub.folders import EMBEDDED
from swapae.inference import tiling
from swapae.inference.fast import in_form_of, optimize_for_inference
from swapae.model import SwapAE
from swapae.pictures.animation import OPAQUE_FILMS, save_animation
from swapae.pictures.images import MAX_PIXELS, Fitted, check_fitted, fit, load_image, to_pil
from swapae.pictures.listing import list_images
from swapae.pictures.notes import Notes, notes_of
from swapae.pictures.saving import MAX_JPEG_XMP, OPAQUE_SUFFIXES, save_image
from swapae.pictures.transparency import resize
from swapae.rounding import ceil_div
from swapae.training.refining import count_steps, refine_once

StructurePath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STRUCTURE")]
TexturePath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TEXTURE")]
PhotographPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IMAGE")]
PhotographPaths = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE_OR_DIR ...")]
Fidelity = Annotated[float, tyro.conf.arg(metavar="0..1")]
OutputPath = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")]
BAR_DELAY = 0.5  # seconds
Size = tuple[int, int]  # (width, height) in pixels


@dataclass(frozen=True)
class Options:
    """What every command on pictures takes.

    Args:
        model: a folder with config.json and model.safetensors, owner/name on the Hugging Face Hub, or the name of a
            model that comes with swapae; flowers if not given.
        size: pixels of the short side that pictures are brought to, or "full" for every pixel they have; the
            size that the model was trained at if not given.
        seed: of the noise that generates fine detail; the same seed gives the same picture.
        device: where to compute; auto takes a GPU if there is one.
        dtype: precision; the half ones are faster on GPUs, and less exact.
        engine: what computes on a CPU in float32; auto takes the fastest, which is measured once on a machine. openvino
            is an extra, and rounds in part to bfloat16.
        compile: have torch compile the networks first, which takes a minute and pays for many pictures of one size; for
            half precision or a GPU.
        max_pixels: refuse pictures with more pixels than this, before decoding them, and larger results; 64 million if
            not given, and 16.8 million for a picture that --size enlarges to over twice its pixels.
        tile: compute in tiles with sides of this many pixels, which gives the same result in less memory; auto where a
            whole picture would take more than 2 GiB, no for never.
        keep_metadata: write what the photograph's EXIF and XMP say of it, such as camera, time, author and rights;
            without its orientation, its thumbnail and its place.
        keep_gps: the same, and the place.
    """

    model: Annotated[str | None, tyro.conf.arg(metavar="REPO_OR_FOLDER")] = None
    size: Annotated[str | None, tyro.conf.arg(metavar="N|full")] = None
    seed: int = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    engine: Literal["auto", "torch", "ncnn", "openvino"] = "auto"
    compile: bool = False
    max_pixels: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    tile: Annotated[str, tyro.conf.arg(metavar="auto|N|no")] = "auto"
    keep_metadata: bool = False
    keep_gps: bool = False

    @property
    def limit(self) -> int:
        """Pixels that a picture or a result may have."""
        return MAX_PIXELS if self.max_pixels is None else self.max_pixels


Common = Annotated[Options, tyro.conf.OmitArgPrefixes]
DEFAULT_OPTIONS = Options()


class Frame(NamedTuple):
    """What a decoded picture is cropped to, and its opacity: those of a `Fitted`, without its pixels."""

    size: Size
    opacity: Tensor | None

    @classmethod
    def of(cls, fitted: Fitted) -> Frame:
        """A photograph's."""
        return cls(fitted.size, fitted.opacity)


class Session:
    """A loaded model and the options of one command: pictures in, pictures out.

    Args:
        options: of the command.
        plain: leave the model as it is trained and published, to measure it.
    """

    def __init__(self, options: Options, plain: bool = False) -> None:
        device = choose_device(options.device)
        dtype = getattr(torch, options.dtype)
        model = SwapAE.from_pretrained(options.model or EMBEDDED, device=device, dtype=dtype)
        self.model = model if plain else optimize_for_inference(model, engine=options.engine, compile=options.compile)
        self._trained, self.options = model, options
        self.size: int | Literal["full"] = parse_size(options.size, self.model.config.image_size)
        check_tile(options.tile)
        self.device, self.dtype = device, dtype
        self._announced = 0  # pixels

    # ------------------------------------------------------------ in

    def load(self, path: Path) -> Fitted:
        """A picture as the model takes it, in float32."""
        return self.fit(load_image(path, background=None, max_pixels=self.options.limit))

    def fit(self, picture: Image.Image) -> Fitted:
        """A picture brought to the size asked for and padded to whole cells, in float32."""
        config = self.model.config
        most = self.options.max_pixels
        return fit(picture, self.size, config.stride, config.minimum_side, max_pixels=most).to(self.device)

    def load_whole(self, path: Path, height: int | None = None) -> Fitted:
        """A picture resized to whole cells rather than padded, so that it can go on beyond its right and its bottom.

        Args:
            path: of the picture.
            height: in pixels, a multiple of the stride; if not given the size asked for decides.
        """
        config, most = self.model.config, self.options.limit
        picture = load_image(path, background=None, max_pixels=most)
        scale = height / picture.height if height else 1.0
        if height is None and self.size != "full":
            scale = self.size / min(picture.size)
        width, height = (max(1, round(scale * side / config.stride)) * config.stride for side in picture.size)
        check_fitted(picture.size, (width, height), width * height, self.options.max_pixels)
        picture = resize(picture, (width, height))
        return fit(picture, "full", config.stride, config.minimum_side, max_pixels=most).to(self.device)

    def encode(self, path: Path) -> tuple[Codes, Frame]:
        """Codes of a picture, and what it is cropped to."""
        fitted = self.load(path)
        return self.codes(fitted), Frame.of(fitted)

    def texture(self, path: Path) -> Tensor:
        """Texture [1, T] of a picture."""
        return self.encode(path)[0].texture

    def codes(self, fitted: Fitted) -> Codes:
        """Codes of a picture as `load` gives it."""
        images, opacity = fitted.tensor.to(self.dtype), fitted.opacity
        tile = self.tile(*images.shape[2:])
        if tile is None:
            return self.model.encode(images, opacity)
        return tiling.encode(self.model, images, tile, partial(tqdm, desc="encode", unit="tile"), opacity)

    @contextmanager
    def faithful(self, fitted: Fitted, fidelity: float) -> Iterator[Codes]:
        """Codes of a photograph, brought nearer to it by the fidelity dial; meanwhile the model is the one refined.

        Raises:
            UserError: half precision, or a picture too large to be refined whole.
        """
        if not fidelity:
            yield self.codes(fitted)
            return
        if self.dtype != torch.float32:
            raise UserError("--fidelity takes steps of descent, which need --dtype float32")
        if self.tile(*fitted.tensor.shape[2:]) is not None:
            raise UserError("--fidelity refines pictures whole, and this one needs tiles: use a smaller --size")
        codes, seed = self.codes(fitted), self.options.seed
        # Not shown for what was kept, which takes no steps.
        with tqdm(total=sum(count_steps(fidelity)), desc="refine", unit="step", delay=BAR_DELAY) as bar:
            refined = refine_once(self._trained, fitted.tensor, codes, fidelity, noise=seed, step_done=bar.update)
        before = self.model
        if refined.changes:
            self.model = in_form_of(before, refined.model(self._trained))
        try:
            yield refined.codes
        finally:
            self.model = before

    def tile(self, height: int, width: int) -> int | None:
        """Side of the tiles for a picture, None for whole; says what a large one takes, and again if one is larger."""
        tile = None if self.options.tile in ("auto", "no") else int(self.options.tile)
        if self.options.tile == "auto":
            tile = tiling.suggested_tile(self.model, height, width)
        if height * width > max(HEAVY, self._announced):
            self._announced = height * width
            print(outlook(self.model, height, width, tile), file=sys.stderr)
        return tile

    def mask(self, path: Path, fitted: Fitted) -> Tensor:
        """A grey picture of any size as a mask [1, 1, H, W] on a fitted picture: black and transparent 0, white 1."""
        grey = load_image(path, background=(0, 0, 0), max_pixels=self.options.limit).convert("L")
        values = torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).float() / 255
        width, height = fitted.size
        mask = fit_mask(values.view(1, 1, grey.height, grey.width), 1, (height, width), torch.device(self.device))
        padded_height, padded_width = fitted.tensor.shape[2:]
        return mirror(mirror(mask, 2, 0, padded_height - height), 3, 0, padded_width - width)

    def directions(self, path: Path | None) -> Directions:
        """Of a file, or those beside the model's weights."""
        if path is not None:
            return Directions.load(path, self.model)
        return Directions.from_pretrained(self.model, self.options.model or EMBEDDED)

    # ------------------------------------------------------------ out

    def generate(self, codes: Codes, textures: Sequence[Tensor] | None = None, *, reconstructs: bool = False) -> Tensor:
        """The images that codes describe, [1, 3, H, W] in [-1, 1] and float32.

        Args:
            textures: one per block instead of the codes'.
            reconstructs: they are a photograph's own.
        """
        codes = Codes(*(code.to(self.device, self.dtype) for code in codes))
        stride, seed = self.model.config.stride, self.options.seed
        noise = self.model.reconstruction_noise(seed) if reconstructs else seed
        tile = self.tile(*(stride * side for side in codes.structure.shape[2:]))
        if tile is None:
            return self.model.decode(codes, noise=noise, block_textures=textures).float().clamp(-1, 1)
        track = partial(tqdm, desc="decode", unit="tile")
        images = tiling.decode(self.model, codes, tile, track, noise=noise, block_textures=textures)
        return images.float().clamp_(-1, 1)

    def decode(self, codes: Codes, frame: Frame, *, reconstructs: bool = False) -> Image.Image:
        """The picture that codes describe, in a photograph's frame; `reconstructs`: they are a photograph's own."""
        return to_pil(self.generate(codes, reconstructs=reconstructs), *frame)

    def save(self, picture: Image.Image, output: Path, recipe: Recipe | None = None, of: Path | None = None) -> None:
        """Write a generated picture, which says that it is one, and how it was made if that is known.

        Of the photograph that it shows, `of`, it has the resolution, and EXIF and XMP if those are to be kept.
        """
        own, notes = self.options, Notes()
        if of is not None:
            exif = own.keep_metadata or own.keep_gps
            notes = notes_of(of, exif=exif, gps=own.keep_gps, max_pixels=own.limit)
        texts = (recipe or ModelId.of(self.model)).metadata()
        save_image(picture, output, texts, dpi=notes.dpi, exif=notes.exif, xmp=notes.xmp)
        left_out, jpeg = notes.left_out, output.suffix.lower() in (".jpg", ".jpeg")
        if jpeg and notes.xmp and len(notes.xmp) > MAX_JPEG_XMP:
            left_out = "a JPEG has no room for so much"
        if left_out:
            print(f"{output} is without the photograph's XMP: {left_out}")
        if picture.mode == "RGBA" and output.suffix.lower() in OPAQUE_SUFFIXES:
            print(f"{output} is laid over white: its format has no transparency; .png, .webp and .tif keep it")

    def save_film(self, frames: Iterator[Image.Image], output: Path, frames_per_second: int) -> None:
        """Write a film of generated pictures, which says that it is one."""
        first, metadata = next(frames), ModelId.of(self.model).metadata()
        save_animation(itertools.chain([first], frames), output, frames_per_second=frames_per_second, metadata=metadata)
        if first.mode == "RGBA" and output.suffix.lower() in OPAQUE_FILMS:
            print(f"{output} is laid over white: its format has no transparency; .webp and a folder of PNGs keep it")

    def recipe(self, inputs: Sequence[Path], *edits: Edit) -> Recipe | None:
        """The recipe of edits of photographs, the first of them the one edited, where it makes the same picture.

        None where recipes cannot say it: another size than the model's, and more or larger photographs, longer names or
        larger numbers than they take.
        """
        larger = len(inputs) > MAX_PHOTOGRAPHS or self.options.limit > MAX_PIXELS
        if larger or self.size != self.model.config.image_size:
            return None
        try:
            photographs = tuple(PhotographId(path.name, file_digest(path)) for path in inputs)
            recipe = Recipe(ModelId.of(self.model), photographs, edits, self.options.seed)
            return Recipe.from_dict(recipe.to_dict())
        except UserError:
            return None

    def check_result(self, width: int, height: int) -> None:
        """Raise UserError for a result of more pixels than --max-pixels."""
        if width * height > self.options.limit:
            raise UserError(
                f"the result would have {width}x{height} pixels, over the limit of {self.options.limit}: "
                "use a smaller --size, or make less of it"
            )


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


def check_tile(text: str) -> None:
    """Raise UserError for a value of --tile that is none."""
    if text not in ("auto", "no") and not (text.isdecimal() and int(text) > 0):
        raise UserError(f"--tile must be auto, no, or a number of pixels, got {text!r}")


def parse_size(text: str | None, default: int) -> int | Literal["full"]:
    """The value of --size: pixels of the short side, or "full".

    Raises:
        UserError: anything else.
    """
    if text is None:
        return default
    if text == "full":
        return "full"
    if not text.isdecimal():
        raise UserError(f"--size must be a number of pixels or full, got {text!r}")
    return int(text)


def sample(folder: Path, most: int) -> list[Path]:
    """The pictures of a folder, or `most` of them spread over it.

    Raises:
        UserError: there are none, or fewer than one is asked for.
    """
    if most < 1:
        raise UserError(f"--most must be 1 or more, got {most}")
    paths = list_images(folder)
    return paths[:: ceil_div(len(paths), most)]


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths`, and the pictures in the folders among them."""
    return [file for path in paths for file in (list_images(path) if path.is_dir() else [path])]
