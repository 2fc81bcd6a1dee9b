"""Photographs that were dropped and are not trained on yet, in folders under names that nobody guesses."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from swapae.apps.page.training.intake import Given, take
from swapae.errors import UserError

KEPT = 7200.0  # seconds after the last of them came, as of all uploads
GONE = "the photographs are no longer kept here: drop them again"


class Dropped:
    """Folders of dropped photographs, in `folder`, by their names, which browsers are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: object, files: Sequence[Given]) -> tuple[str, int, list[tuple[str, str]]]:
        """Take photographs in.

        Args:
            name: of the folder with those that came before; anything else begins a new one.
            files: photographs and archives.

        Returns:
            The folder's name, how many photographs it holds, and what of `files` was left out, with the reasons.

        Raises:
            UserError: as of `take`.
        """
        self.forget_old()
        try:
            path = self.find(name)
        except UserError:
            path = self.folder / secrets.token_hex(16)
        left_out = take(files, path)
        path.touch()
        return path.name, count(path), left_out

    def find(self, name: object) -> Path:
        """The folder of a name.

        Raises:
            UserError: there is none any more.
        """
        if isinstance(name, str) and re.fullmatch(r"[0-9a-f]{32}", name) and (self.folder / name).is_dir():
            return self.folder / name
        raise UserError(GONE)

    def forget(self, name: object) -> None:
        """Delete a folder."""
        with suppress(UserError):
            shutil.rmtree(self.find(name), ignore_errors=True)

    def forget_old(self) -> None:
        """Delete what nobody trained on in time."""
        with suppress(OSError):
            for path in list(self.folder.iterdir()):
                if time.time() - path.stat().st_mtime > KEPT:
                    shutil.rmtree(path, ignore_errors=True)


def count(folder: Path) -> int:
    """How many photographs a folder of `take` holds."""
    return sum(1 for _ in folder.iterdir())
