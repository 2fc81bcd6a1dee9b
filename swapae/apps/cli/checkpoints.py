"""`swapae convert`: published checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from swapae.convert import convert_checkpoint

File = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
Folder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]


def convert(checkpoint: File, output: Folder, discriminators: bool = False) -> None:
    """Model folder from a published checkpoint, for --model and for the Hub.

    A model folder's pytorch_model.bin is taken too. No code in the file is run.

    Published weights are Adobe Research's, for non-commercial research only; the folder's README says so.

    Args:
        checkpoint: the published latest_checkpoint.pth, or a folder's pytorch_model.bin.
        output: new folder.
        discriminators: write them too, for fine-tuning.
    """
    convert_checkpoint(checkpoint, output, discriminators=discriminators)
