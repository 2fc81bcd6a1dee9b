"""`swapae replay` and `swapae recipe`: the picture that a recipe describes, and the recipe in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from swapae.apps.cli.directions import Directory
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, OutputPath, Session
from swapae.editing.operations import Directed
from swapae.editing.recipes import Recipe
from swapae.editing.words import in_words
from swapae.evaluation.pairs import file_digest
from swapae.pictures.images import to_pil
from swapae.pictures.saving import check_output_file

RecipeFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECIPE")]
Inputs = Annotated[tuple[Path, ...], tyro.conf.arg(metavar="IMAGE ...")]


def replay(
    recipe: RecipeFile,
    inputs: Inputs,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    directions: Directory = None,
) -> None:
    """Picture that a recipe describes, to the same bytes; the size and the seed are the recipe's own.

    Args:
        recipe: .json file from the page, or a picture that swapae wrote, which carries its recipe.
        inputs: its photographs, in any order; they are known by their contents.
        output: picture to write: .png, .jpg, .webp, .tif or .bmp.
        directions: file that `swapae direction make` wrote; the model's own if not given.
    """
    check_output_file(output)
    read = Recipe.load(recipe)
    session = Session(common)
    needed = directions is not None or any(isinstance(edit, Directed) for edit in read.edits)
    known = session.directions(directions) if needed else None
    picture = read.replay(session.model, inputs, directions=known)
    shown = next(path for path in inputs if file_digest(path) == read.inputs[0].sha256)
    session.save(to_pil(picture), output, read, shown)


def show_recipe(recipe: RecipeFile) -> None:
    """How a picture was made, in words: its photographs and its edits.

    Args:
        recipe: picture that swapae wrote, or a recipe's .json file.
    """
    read = Recipe.load(recipe)
    for photograph in read.inputs:
        print(f"{photograph.name}  (SHA-256 {photograph.sha256[:16]})")
    for number, sentence in enumerate(in_words(read), 1):
        print(f"{number}. {sentence}")
    print(f"model {read.model.config}, seed {read.noise}")
