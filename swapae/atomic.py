"""Files and folders that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swapae.errors import UserError, first_line


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a new name beside `path`, with its suffix; a file written there becomes `path` if all goes well.

    On any failure the new file is removed, and `path` stays as it was.

    Raises:
        UserError: The file system refuses, an `OSError` while writing.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))  # through a link, so that the link survives
    # Created by the writer and not by `tempfile`, whose files nobody else may read.
    temporary = target.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise UserError(f"cannot write {str(path)!r}: {reason}; give another path") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path, *, parents: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `folder`; it becomes `folder` if all goes well, and is removed if not.

    Args:
        folder: to make; if it is there, it must be empty.
        parents: make the folders above it too, rather than refuse where they are not there.

    Raises:
        UserError: `folder` holds something already, or cannot be made.
    """
    refused = f"cannot write {str(folder)!r}"
    target = Path(os.path.abspath(folder))
    try:
        if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
            raise UserError(f"{refused}: there is something of that name already; give a new folder")
        if not parents and not target.parent.is_dir():
            raise UserError(f"{refused}: there is no folder {str(target.parent)!r}; create it first")
        temporary = target.with_name(f".{secrets.token_hex(8)}")
        temporary.mkdir(parents=parents)
        try:
            yield temporary
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise UserError(f"{refused}: {error.strerror or first_line(error)}; give another folder") from error
