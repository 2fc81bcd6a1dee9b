"""What becomes of a trained model: a .zip to take home, and a repository on the Hugging Face Hub."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from swapae.editing.directions import FILE
from swapae.errors import UserError
from swapae.files import atomic_path
from swapae.hub import remote
from swapae.hub.folders import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE

FILES = (CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, FILE)
TOKEN = re.compile(r"[A-Za-z0-9_\-]{8,256}")


def pack(model: Path, target: Path) -> Path:
    """Write a model's folder as a .zip, with its card and, if it has any, its directions.

    Raises:
        UserError: there is no room for it.
    """
    # Weights are as good as random: to compress them takes seconds and saves nothing.
    with atomic_path(target) as path, zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            if (model / name).is_file():
                archive.write(model / name, f"{model.name}/{name}")
    return target


def push(model: Path, repo: str, token: str, private: bool) -> str:
    """Upload a model's folder in one commit; returns the commit's address.

    Args:
        model: its folder.
        repo: "owner/name", or a name of the token's owner.
        token: of whoever wants it, and of nobody else.
        private: only where the repository is new.

    Raises:
        UserError: no such token, not allowed, or not reachable; the token is in no message.
    """
    # Without one the client would take that of whoever runs the page; one that no header can hold it would print.
    if not TOKEN.fullmatch(token):
        raise UserError("give a token of yours that may write, from huggingface.co/settings/tokens")

    def files(full_name: str) -> dict[str, bytes | Path]:
        found = remote.folder_files(str(model), full_name)
        return found | ({FILE: model / FILE} if (model / FILE).is_file() else {})

    try:
        return remote.upload(files, repo, f"Upload {model.name}", private=private, token=token, branch=None)
    except UserError as error:
        raise UserError(str(error).replace(token, "...")) from None
