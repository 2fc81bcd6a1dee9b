"""`swapae reconstruct`, `encode`, `decode` and `grid`: pictures to codes and back, and a sheet of all swaps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image
from tqdm import tqdm

from swapae.apps.cli.checks import check_between
from swapae.apps.cli.many import Job, Work
from swapae.apps.cli.session import (
    DEFAULT_OPTIONS,
    Common,
    Fidelity,
    Frame,
    OutputPath,
    PhotographPath,
    PhotographPaths,
    Session,
    expand,
)
from swapae.codes import Codes
from swapae.pictures.grids import swap_grid
from swapae.pictures.images import Fitted, load_image, to_pil
from swapae.pictures.saving import check_output_file
from swapae.pictures.transparency import over_white

File = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]


def reconstruct(
    image: PhotographPath, output: OutputPath, common: Common = DEFAULT_OPTIONS, fidelity: Fidelity = 0.0
) -> None:
    """Picture encoded and decoded again: what the model keeps of it. Or all of a folder.

    Args:
        image: photograph; or a folder of them, or a pattern such as 'photos/*.jpg'.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp; or a folder for many.
        fidelity: how near to the photograph its own reconstruction is: 0 is the encoder's, at once; 0.3 takes some
            seconds of refining, and 1 some twenty.
    """
    check_between("fidelity", fidelity, 0, 1)
    work = Work.on(image, output, common)
    session = work.session

    def compute(job: Job, photograph: Fitted) -> Image.Image:
        with session.faithful(photograph, fidelity) as own:
            return session.decode(own, Frame.of(photograph), reconstructs=True)

    settings = {"image": image} | ({"fidelity": fidelity} if fidelity else {})
    work.run("reconstruct", settings, work.read, compute, lambda job: None if fidelity else session.recipe(job.inputs))


def encode(image: PhotographPath, output: OutputPath, common: Common = DEFAULT_OPTIONS) -> None:
    """Structure and texture codes of a photograph, as a file to keep.

    Args:
        image: photograph.
        output: .safetensors file to write.
    """
    check_output_file(output, (".safetensors",))
    session = Session(common)
    codes, frame = session.encode(image)
    session.model.save_codes(codes, output, size=frame.size)


def decode(codes: File, output: OutputPath, common: Common = DEFAULT_OPTIONS) -> None:
    """Picture from codes that `swapae encode` wrote with the same model.

    Args:
        codes: .safetensors file.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
    """
    check_output_file(output)
    session = Session(common)
    loaded, size = session.model.load_codes(codes)
    session.save(to_pil(session.generate(loaded), size), output)


def grid(
    structure: PhotographPaths,
    texture: PhotographPaths,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    cell: int = 256,
) -> None:
    """Contact sheet of every structure in every texture, inputs in the margins.

    Args:
        structure: photographs, or folders of them, one row each.
        texture: photographs, or folders of them, one column each.
        output: picture to write.
        cell: side in pixels of each square of the sheet.
    """
    check_output_file(output)
    check_between("cell", cell, 16, 2048)
    rows, columns = expand(structure), expand(texture)
    session = Session(common)
    codes = {path: session.encode(path) for path in tqdm({*rows, *columns}, desc="encode", unit="picture")}
    with tqdm(total=len(rows) * len(columns), desc="decode", unit="picture") as progress:

        def hybrid(row: Path, column: Path) -> Image.Image:
            (own, frame), (other, _) = codes[row], codes[column]
            progress.update()
            return over_white(session.decode(Codes(own.structure, other.texture), frame))

        results = [[hybrid(row, column) for column in columns] for row in rows]
    structures, textures = ([load_image(path, max_pixels=common.limit) for path in paths] for paths in (rows, columns))
    session.save(swap_grid(structures, textures, results, cell), output)
