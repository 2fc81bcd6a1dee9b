"""Files and folders that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from swapae.errors import UserError, first_line


def home() -> Path:
    """The user's own folder; the root, where Docker puts users without a name, if the system knows of none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def cache_folder() -> Path:
    """The user's folder for what can be made again at any time; it need not exist, nor be writable."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "swapae"


@contextmanager
def refusals(path: str | os.PathLike, kind: str) -> Iterator[None]:
    """Say of an `OSError` that `path` cannot be written, as a `UserError`; `kind`, of what to give another."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise UserError(f"cannot write {os.fspath(path)!r}: {reason}; give another {kind}") from error


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
        with refusals(path, "path"):
            yield temporary
            os.replace(temporary, target)
    finally:
        with suppress(OSError):  # where a folder was meant to be there is none, or the error above would be lost
            temporary.unlink(missing_ok=True)


def check_new_folder(folder: Path, *, parents: bool = False) -> None:
    """Refuse what `new_folder` would, before any work is done for it; arguments and errors as there."""
    target = Path(os.path.realpath(folder))  # through a link, as `atomic_path`
    with refusals(folder, "folder"):
        if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
            raise UserError(f"cannot write {str(folder)!r}: there is something of that name already; give a new folder")
        if os.path.ismount(target):  # no other folder can take its place
            raise UserError(f"cannot write {str(folder)!r}: it is where a disk is mounted; give a folder in it")
        if not parents and not target.parent.is_dir():
            raise UserError(f"cannot write {str(folder)!r}: there is no folder {str(target.parent)!r}; create it first")


@contextmanager
def new_folder(folder: Path, *, parents: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `folder`; it becomes `folder` if all goes well, and is removed if not.

    Args:
        folder: to make; if it is there, it must be empty.
        parents: make the folders above it too, rather than refuse where they are not there.

    Raises:
        UserError: `folder` holds something already, or cannot be made.
    """
    check_new_folder(folder, parents=parents)
    target = Path(os.path.realpath(folder))
    temporary = target.with_name(f".{secrets.token_hex(8)}")
    try:
        with refusals(folder, "folder"):
            temporary.mkdir(parents=parents)
            yield temporary
            if os.name == "nt" and target.is_dir():
                target.rmdir()  # it is empty; nothing there takes a folder's place
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
