"""What was measured so far, on disk, so that an evaluation goes on where it was stopped, and processes meet."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch

from swapae.errors import UserError
from swapae.evaluation.measuring import LOCAL, Item, Measured
from swapae.tensor_files import read_safetensors, write_safetensors


class Store:
    """A folder of small files, one an item, by the contents of its photographs' files.

    Args:
        folder: made if missing.
        digest: of everything else that the figures depend on; another's results are not seen.

    Raises:
        UserError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder / digest[:16]
        for kind in ("photograph", "reconstruction", "hybrid"):
            make_folder(self.folder / kind)

    def path(self, item: Item) -> Path:
        """Where an item's figures are."""
        name = hashlib.sha256(" ".join(item.digests).encode()).hexdigest()
        return self.folder / item.kind / f"{name}.safetensors"

    def read(self, item: Item) -> Measured | None:
        """What was measured, None if nothing was or the file is damaged."""
        path = self.path(item)
        if not path.exists():
            return None
        try:
            tensors, metadata = read_safetensors(path, remedy="")
            names, values = json.loads(metadata["names"]), tensors["figures"].tolist()
            local = {name: tensors[f"local.{name}"] for name in LOCAL}
            return Measured(dict(zip(names, values, strict=True)), tensors["features"], local)
        except (UserError, KeyError, ValueError, TypeError):
            return None

    def write(self, item: Item, measured: Measured) -> None:
        """Keep what was measured; UserError if it cannot be written."""
        # In float64: the same numbers come back.
        figures = torch.tensor(list(measured.figures.values()), dtype=torch.float64)
        local = {f"local.{name}": moments for name, moments in measured.local.items()}
        tensors = {"figures": figures, "features": measured.features, **local}
        write_safetensors(self.path(item), tensors, {"names": json.dumps(list(measured.figures))})


def make_folder(folder: Path) -> None:
    """Make a folder with those above it; UserError if that is refused or it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {str(folder)!r}: {error.strerror}; give another output") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write into {str(folder)!r}: give another output")
