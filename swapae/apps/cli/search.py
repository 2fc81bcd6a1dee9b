"""`swapae index` and `swapae search`: photographs found by material, by layout, or by both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image
from tqdm import tqdm

from swapae.apps.cli.checks import check_between
from swapae.apps.cli.many import SETTINGS_FILE
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, PhotographPath, Session
from swapae.errors import PictureError, UserError, first_line
from swapae.files import atomic_path
from swapae.pictures.grids import contact_sheet
from swapae.pictures.images import load_image
from swapae.pictures.saving import PICTURE_SUFFIXES, check_output_file, save_image
from swapae.search import PhotographIndex, Question

CELL = 224  # pixels of a photograph on a sheet
IndexFile = Annotated[Path, tyro.conf.arg(name="index", metavar="FILE")]


def index_photographs(
    codes: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="CODES_DIR")] = None,
    *,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")],
    remove: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = (),
    common: Common = DEFAULT_OPTIONS,
) -> None:
    """Index of photographs for `swapae search`, from the codes that `swapae embed` wrote.

    An index that is there already is added to; a photograph of the same name is replaced.

    Args:
        codes: folder that `swapae embed` wrote with the same model.
        output: the index.
        remove: names of photographs to take out of it, as `swapae search` prints them.
    """
    if codes is None and not remove:
        raise UserError("nothing to do: swapae index CODES_DIR -o FILE, or swapae index -o FILE --remove NAME")
    check_output_file(output, (output.suffix.lower(),))
    files = [] if codes is None else code_files(codes)
    model = Session(common).model
    index = PhotographIndex.load(output, model) if output.exists() else PhotographIndex(model)
    if missing := set(remove) - set(index.names.values()):
        raise UserError(f"{str(output)!r} has no {sorted(missing)[0]!r}; it has {len(index)} photographs")
    gone = index.remove(remove)
    before = len(index)
    for file in tqdm(files, desc="index", unit="file"):
        index.add(read_names(file.with_suffix(".json")), model.load_codes(file)[0])
    index.save(output)
    removed = f", {gone} removed" if gone else ""
    print(f"{output}: {len(index)} photographs, {len(index) - before} new{removed}")


def search(
    image: PhotographPath,
    index: IndexFile,
    by: Question = "texture",
    count: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 20,
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = None,
    photographs: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    common: Common = DEFAULT_OPTIONS,
) -> None:
    """Photographs of an index that are most like another one: by their material, their layout, or both.

    Prints a line for each: how similar, 1 being the same, and its name.

    Args:
        image: photograph; it need not be in the index.
        index: file that `swapae index` wrote.
        by: texture for the material, structure for the layout.
        count: how many.
        output: .json for the list, or a picture for a sheet of the photographs found.
        photographs: folder that the names are in, for a sheet.
    """
    check_between("count", count, 1, 10_000)
    if output is not None:
        check_output_file(output, (*PICTURE_SUFFIXES, ".json"))
        if output.suffix != ".json" and photographs is None:
            raise UserError("a sheet shows the photographs: give the folder that was embedded, --photographs DIR")
    session = Session(common)
    opened = PhotographIndex.load(index, session.model)
    found = opened.search(session.encode(image)[0], by, count)
    for one in found:
        print(f"{one.similarity:.3f}  {one.name}")
    if output is None:
        return
    if output.suffix == ".json":
        with atomic_path(output) as path:
            path.write_text(json.dumps([one._asdict() for one in found], indent=1) + "\n")
        return
    assert photographs is not None
    pictures = [(load_image(image), "searched")]
    for one in found:
        try:
            pictures.append((load_image(photographs / one.name), f"{one.similarity:.2f}"))
        except PictureError:
            pictures.append((Image.new("RGB", (CELL, CELL), "white"), "missing"))
    save_image(contact_sheet(pictures, CELL), output)


def read_names(file: Path) -> list[str]:
    """The names that `swapae embed` wrote beside a file of codes."""
    try:
        return [str(name) for name in json.loads(file.read_text())["names"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{str(file)!r} is damaged ({first_line(error)}): remove it and run `swapae embed` again"
        ) from None


def code_files(folder: Path) -> list[Path]:
    """The files of codes in a folder of `swapae embed`.

    Raises:
        UserError: it is none, or is not complete.
    """
    files = sorted(folder.glob("[0-9]*.safetensors"))
    if not files or not (folder / SETTINGS_FILE).is_file():
        raise UserError(f"{str(folder)!r} holds no codes: make them with `swapae embed PHOTOS -o {folder}`")
    if alone := [file for file in files if not file.with_suffix(".json").is_file()]:
        raise UserError(f"{alone[0].name} has no file of names beside it: run `swapae embed` again, it goes on")
    return files
