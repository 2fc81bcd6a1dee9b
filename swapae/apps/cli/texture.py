"""`swapae swap`, `mix` and `translate`: a photograph in other textures."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from swapae.apps.cli.checks import check_alpha, check_between, check_strength
from swapae.apps.cli.finish import PLAIN, Finishing
from swapae.apps.cli.many import Job, Work, check_folder, is_many, pictures, result_path
from swapae.apps.cli.session import (
    DEFAULT_OPTIONS,
    Common,
    Fidelity,
    OutputPath,
    PhotographPath,
    Session,
    StructurePath,
    TexturePath,
    sample,
)
from swapae.codes import Codes
from swapae.editing import interpolate, interpolate_spherical, mix_textures, translate
from swapae.editing.operations import Edit, Layers, Mix, SwapTexture, Translate
from swapae.editing.recipes import Recipe
from swapae.errors import UserError
from swapae.evaluation.pairs import Pairs, file_digest
from swapae.pictures.images import Fitted
from swapae.pictures.saving import check_output_file

GroupStrength = Annotated[float | None, tyro.conf.arg(metavar="FLOAT")]
MOST_PER_DOMAIN = 4000
TEXTURES_KEPT = 10_000  # of a batch, not to be encoded again


@dataclass(frozen=True)
class Strengths:
    """How much of the other's texture, in each group of layers."""

    alpha: float
    spherical: bool
    groups: dict[str, float | None]

    def check(self) -> None:
        """Raise UserError for values that cannot be."""
        check_alpha(self.alpha)
        given = [value for value in self.groups.values() if value is not None]
        check_strength("coarse, --middle and --fine", *given)

    def generate(self, session: Session, own: Codes, other: Tensor) -> Tensor:
        """The hybrid [1, 3, H, W] of codes and another texture [1, T]."""
        between = interpolate_spherical if self.spherical else interpolate
        if all(strength is None for strength in self.groups.values()):
            # One texture for all layers, as in the paper, which the generator then modulates at once.
            return session.generate(own._replace(texture=between(own.texture, other, self.alpha)))
        textures = {
            group: between(own.texture, other, self.alpha if strength is None else strength)
            for group, strength in self.groups.items()
        }
        return session.generate(own, [textures[group] for group in session.model.generator.block_groups])

    @property
    def edit(self) -> Edit | None:
        """For a recipe; None if none can say it."""
        if all(strength is None for strength in self.groups.values()):
            return SwapTexture(1, self.alpha, "spherical" if self.spherical else "linear")
        strengths = {group: self.alpha if value is None else value for group, value in self.groups.items()}
        return None if self.spherical else Layers(1, **strengths)


def swap(
    structure: StructurePath,
    texture: TexturePath,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    finish: Finishing = PLAIN,
    fidelity: Fidelity = 0.0,
    alpha: float = 1.0,
    spherical: bool = False,
    coarse: GroupStrength = None,
    middle: GroupStrength = None,
    fine: GroupStrength = None,
    pairs: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    every: bool = False,
) -> None:
    """Picture with the structure of one photograph in the texture of another, or many of them.

    STRUCTURE and TEXTURE may be folders or patterns such as 'photos/*.jpg'; OUT is then a folder, in which a stopped
    run goes on. `accelerate launch -m swapae swap ...` shares the work among several GPUs.

    Args:
        structure: photograph that gives shapes and layout; the result has its aspect.
        texture: photograph that gives colours and materials.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp; or a folder for many.
        fidelity: how near to the structure photograph its own reconstruction is: 0 is the encoder's, at once; 0.3 takes
            some seconds of refining, and 1 some twenty.
        alpha: 0 keeps the structure photograph's own texture, 1 takes the other's.
        spherical: go between the textures along the sphere they lie on, rather than straight.
        coarse: alpha of the first layers, which decide on coarse shapes; --alpha if not given.
        middle: alpha of the layers between.
        fine: alpha of the last layers, which decide on fine detail and colours.
        pairs: list of `swapae pairs make` with the pairs to swap; STRUCTURE and TEXTURE are the folder it is of.
        every: of two folders, every structure in every texture; else the first in the first, and so on.
    """
    strengths = Strengths(alpha, spherical, {"coarse": coarse, "middle": middle, "fine": fine})
    strengths.check()
    check_between("fidelity", fidelity, 0, 1)
    finish.check()
    if pairs is not None or is_many(structure) or is_many(texture):
        jobs = swap_jobs(structure, texture, output, pairs, every)
        check_folder(output)
        work = Work(jobs, output, common)
    else:
        check_output_file(output)
        work = Work([Job((structure, texture), output)], None, common)
    session = work.session
    textures: dict[Path, Tensor] = {}

    def read(job: Job) -> tuple[Fitted, Fitted | None]:
        own, other = job.inputs
        return session.load(own), None if other in textures else session.load(other)

    def compute(job: Job, photographs: tuple[Fitted, Fitted | None]) -> Image.Image:
        (photograph, other), (_, path) = photographs, job.inputs
        if path not in textures:
            if len(textures) >= TEXTURES_KEPT:
                del textures[next(iter(textures))]
            textures[path] = session.codes(other or session.load(path)).texture
        with session.faithful(photograph, fidelity) as own:
            return finish.picture(session, photograph, strengths.generate(session, own, textures[path]))

    def recipe(job: Job) -> Recipe | None:
        edit = strengths.edit if finish.plain and not fidelity else None
        return session.recipe(job.inputs, edit) if edit else None

    files = {"structure": structure, "texture": texture, "pairs": pairs and file_digest(pairs)}
    settings = {**files, "alpha": alpha, "spherical": spherical, **strengths.groups, **asdict(finish)}
    settings |= {"fidelity": fidelity} if fidelity else {}  # folders of before there was one go on
    work.run("swap", settings, read, compute, recipe)


def swap_jobs(structure: Path, texture: Path, output: Path, pairs: Path | None, every: bool) -> list[Job]:
    """Which structure goes into which texture, and where to.

    Raises:
        UserError: two folders of which it is not clear, or a list of pairs that is not of the folder.
    """
    if pairs is not None:
        if structure != texture or not structure.is_dir() or every:
            raise UserError("--pairs takes the folder that the list was made of twice, as STRUCTURE and TEXTURE")
        chosen = Pairs.load(pairs)
        chosen.check_files(structure, repr(str(pairs)))
        digits = len(str(len(chosen.pairs) - 1))
        return [
            Job((structure / own, structure / other), result_path(output, f"{number:0{digits}}"))
            for number, (own, other) in enumerate(chosen.pairs)
        ]
    structures = pictures(structure) if is_many(structure) else {structure.stem: structure}
    textures = pictures(texture) if is_many(texture) else {texture.stem: texture}
    if len(textures) == 1:
        (other,) = textures.values()
        return [Job((own, other), result_path(output, name)) for name, own in structures.items()]
    chosen_pairs: Iterable[tuple[tuple[str, Path], tuple[str, Path]]]
    if every or len(structures) == 1:
        chosen_pairs = itertools.product(structures.items(), textures.items())
    elif len(structures) == len(textures):
        chosen_pairs = zip(structures.items(), textures.items(), strict=True)
    else:
        raise UserError(
            f"{len(structures)} structures and {len(textures)} textures: give --every for all of them with each other, "
            "or --pairs"
        )
    return [
        Job((own, other), result_path(output, f"{name}_in_{other_name.replace(os.sep, '_')}"))
        for (name, own), (other_name, other) in chosen_pairs
    ]


def mix(
    structure: StructurePath,
    textures: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE ...")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    finish: Finishing = PLAIN,
    fidelity: Fidelity = 0.0,
    weights: Annotated[tuple[float, ...], tyro.conf.arg(metavar="NUMBER ...")] = (),
) -> None:
    """Picture of a photograph in the weighted mean of several photographs' textures. Or all of a folder.

    Args:
        structure: photograph that gives shapes and layout; the result has its aspect. Or a folder of them, or a pattern
            such as 'photos/*.jpg'.
        textures: photographs that give colours and materials; the structure photograph may be one of them.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp; or a folder for many.
        fidelity: how near to the structure photograph its own reconstruction is: 0 is the encoder's, at once; 0.3 takes
            some seconds of refining, and 1 some twenty.
        weights: one number per texture, of which only the proportions count; a negative one moves away from its
            texture. All alike if not given.
    """
    finish.check()
    check_between("fidelity", fidelity, 0, 1)
    weights = weights or (1.0,) * len(textures)
    if not textures or len(weights) != len(textures):
        raise UserError(f"--weights takes a number for each texture, got {len(weights)} for {len(textures)}")
    check_strength("weights", *weights)
    if sum(weights) <= 0:
        raise UserError(f"--weights must have a sum over 0, got {sum(weights):g}")
    work = Work.on(structure, output, common)
    session = work.session
    mixed = mix_textures([session.texture(path) for path in textures], weights)
    # The first texture as it is, then the others: the same numbers in the same order.
    edits = SwapTexture(1, 1.0, "linear"), Mix(weights[0], tuple(range(2, len(textures) + 1)), weights[1:])

    def compute(job: Job, photograph: Fitted) -> Image.Image:
        with session.faithful(photograph, fidelity) as own:
            return finish.picture(session, photograph, session.generate(Codes(own.structure, mixed)))

    def recipe(job: Job) -> Recipe | None:
        return session.recipe([*job.inputs, *textures], *edits) if finish.plain and not fidelity else None

    settings = {"structure": structure, "textures": textures, "weights": weights, **asdict(finish)}
    settings |= {"fidelity": fidelity} if fidelity else {}
    work.run("mix", settings, work.read, compute, recipe)


def translate_domain(
    image: PhotographPath,
    source: Annotated[Path, tyro.conf.arg(name="from", metavar="DIR")],
    target: Annotated[Path, tyro.conf.arg(name="to", metavar="DIR")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    finish: Finishing = PLAIN,
    gain: float = 1.0,
    most: int = MOST_PER_DOMAIN,
) -> None:
    """Picture of a photograph moved from one domain to another, such as from summer to winter. Or all of a folder.

    Its texture is moved by the difference of the two domains' mean textures.

    Args:
        image: photograph; or a folder of them, or a pattern such as 'photos/*.jpg'.
        source: folder of photographs of the domain it is from.
        target: folder of photographs of the domain it shall look of.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp; or a folder for many.
        gain: how far; 0 leaves it where it is.
        most: take no more photographs of a domain than this, spread over its folder.
    """
    finish.check()
    check_strength("gain", gain)
    folders = [sample(folder, most) for folder in (source, target)]
    work = Work.on(image, output, common)
    session = work.session
    domains = [encode_textures(session, paths) for paths in folders]
    first = 1 + len(folders[0])
    edit = Translate(tuple(range(1, first)), tuple(range(first, first + len(folders[1]))), gain)

    def compute(job: Job, photograph: Fitted) -> Image.Image:
        own = session.codes(photograph)
        moved = Codes(own.structure, translate(own.texture, *domains, gain=gain))
        return finish.picture(session, photograph, session.generate(moved))

    def recipe(job: Job) -> Recipe | None:
        return session.recipe([*job.inputs, *folders[0], *folders[1]], edit) if finish.plain else None

    settings = {"image": image, "from": source, "to": target, "gain": gain, "most": most, **asdict(finish)}
    work.run("translate", settings, work.read, compute, recipe)


def encode_textures(session: Session, paths: list[Path]) -> Tensor:
    """Textures [N, T] of photographs."""
    return torch.cat([session.texture(path) for path in tqdm(paths, desc="encode", unit="picture")])
