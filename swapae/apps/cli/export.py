"""`swapae export`: a model as files that run without this package, or as a page that runs it in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from swapae.apps.browser.build import build_page
from swapae.apps.browser.runtime import open_runtime
from swapae.errors import UserError
from swapae.files import new_folder
from swapae.inference.export import Source, check_packages, export_model

Folder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT_DIR")]


def export(
    output: Folder,
    format: Literal["onnx", "torch", "web"] = "onnx",
    model: Annotated[str | None, tyro.conf.arg(metavar="REPO_OR_FOLDER")] = None,
    half: bool = False,
    runtime: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
) -> None:
    """Encoder and decoder as files that run without swapae, compared with the model before they are kept.

    Args:
        output: new folder.
        format: onnx for ONNX Runtime and others, torch for torch.export.load, or web for a page that swaps in the
            browser, of plain files that any web server can show.
        model: a folder with config.json and model.safetensors, owner/name on the Hugging Face Hub, or the name of a
            model that comes with swapae; flowers if not given.
        half: store weights in 16 bits, at half the size.
        runtime: of the page, the unpacked npm package onnxruntime-web; npm downloads it if not given.
    """
    if runtime is not None and format != "web":
        raise UserError(f"--runtime is of --format web, not of {format}: leave it out")
    check_packages("torch" if format == "torch" else "onnx")
    with new_folder(output) as folder:
        if format == "web":
            with open_runtime(runtime) as files:
                differences = build_page(Source.load(model), folder, files, half=half)
        else:
            differences = export_model(Source.load(model), folder, format, half=half)
    print(f"{output}: differs from the model by at most {max(differences.values()):.0e} of the range of values")
