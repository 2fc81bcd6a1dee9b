"""Photographs to train on, as they come: files, and .zip archives, of which nothing is believed."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from swapae.apps.page.parts import MAX_FILE_SIZE
from swapae.errors import PictureError, UserError, first_line
from swapae.pictures.images import header
from swapae.pictures.listing import IMAGE_SUFFIXES

MOST_PHOTOGRAPHS = 5000
MOST_BYTES = 2 * 1024**3  # of all photographs together, as files
MOST_ENTRIES = 20_000  # of an archive, with what is no photograph
DEEPEST = 8  # folders within folders of an archive
# More than the list of so many entries takes. `zipfile` reads that list at once, however long the archive says it is.
MOST_READ = 4 * 1024**2
ARCHIVES = frozenset({".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst"})
# What an archive may hold by its mode; 0 where the program that wrote it knows none.
PLAIN = (0, stat.S_IFREG, stat.S_IFDIR)


class Given(NamedTuple):
    """A file as it arrived: its name on the visitor's machine, and the pieces that it was sent in."""

    name: str
    pieces: list[Path]


def take(files: Sequence[Given], folder: Path) -> list[tuple[str, str]]:
    """Write all photographs of files and archives into a folder, which may hold some already.

    Args:
        files: .zip archives by their suffix, photographs otherwise.
        folder: made if missing.

    Returns:
        The names of what was left out, each with the reason.

    Raises:
        UserError: too much, an archive that cannot be trusted or read, or no room; nothing of `files` is kept then.
    """
    left_out: list[tuple[str, str]] = []
    added: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = list(folder.iterdir())
        size = sum(path.stat().st_size for path in there)
        for name, data in pictures(files, left_out):
            if reason := why_not(name, data):
                left_out.append((name, reason))
                continue
            size += len(data)
            check_room(len(there) + len(added) + 1, size)
            added.append(new_path(folder, name))
            added[-1].write_bytes(data)
    except BaseException as error:
        for path in added:
            path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        reason = error.strerror or first_line(error)
        raise UserError(f"the photographs cannot be kept here ({reason}): give fewer, or make room") from None
    return left_out


def check_room(count: int, size: int) -> None:
    """Raise UserError for too many photographs, or too many bytes of them."""
    if count > MOST_PHOTOGRAPHS:
        raise UserError(f"these are more than {MOST_PHOTOGRAPHS} photographs: give fewer")
    if size > MOST_BYTES:
        raise UserError(f"these photographs have over {in_gb(MOST_BYTES)}: give fewer, or smaller ones")


def pictures(files: Sequence[Given], left_out: list[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of whatever may be a photograph, a byte over the limit at most; the rest is `left_out`."""
    for name, pieces in files:
        stream = Pieces(pieces)
        if PurePosixPath(name).suffix.lower() == ".zip":
            yield from entries(name, stream, left_out)
        else:
            yield name, read_some(stream)


def entries(archive: str, stream: Pieces, left_out: list[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """As `pictures`, those of an archive.

    Raises:
        UserError: it cannot be trusted, or read.
    """
    try:
        with zipfile.ZipFile(stream) as opened:
            check_entries(archive, opened.infolist())
            for entry in opened.infolist():
                path = PurePosixPath(entry.filename.replace("\\", "/"))
                # Of systems and editors: no photograph of anybody's.
                if entry.is_dir() or "__MACOSX" in path.parts or any(part.startswith(".") for part in path.parts):
                    continue
                if reason := other_kind(path.suffix):
                    left_out.append((path.name, reason))
                    continue
                with opened.open(entry) as file:
                    data = read_some(file)
                yield path.name, data
    except Exception as error:  # each way of packing has errors of its own for damaged data; bzip2's is an OSError
        if isinstance(error, UserError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        raise UserError(f"{archive!r} is damaged, or no .zip archive that can be read: pack it again") from None


def check_entries(archive: str, listed: Sequence[zipfile.ZipInfo]) -> None:
    """Raise UserError for an archive that asks for too much, or for places outside of it."""
    if len(listed) > MOST_ENTRIES:
        raise UserError(f"{archive!r} holds {len(listed)} files, over {MOST_ENTRIES}: pack fewer")
    total = sum(entry.file_size for entry in listed)
    if total > MOST_BYTES:
        raise UserError(f"{archive!r} would unpack to {in_gb(total)}, over {in_gb(MOST_BYTES)}: pack fewer photographs")
    for entry in listed:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        shown = repr(entry.filename[:80])
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", entry.filename):
            raise UserError(f"{archive!r} holds {shown}, a place outside of it: pack the photographs' folder itself")
        if stat.S_IFMT(entry.external_attr >> 16) not in PLAIN:
            raise UserError(f"{archive!r} holds {shown}, a link or a device: pack the photographs themselves")
        if len(path.parts) > DEEPEST + 1:
            raise UserError(f"{archive!r} holds folders more than {DEEPEST} deep: pack the photographs' folder itself")
        if entry.flag_bits & 1:
            raise UserError(f"{archive!r} needs a password: pack it without one")


def read_some(file: Any) -> bytes:
    """Up to a byte over the limit, however many the file says it has, in steps."""
    blocks, read = [], 0
    while read <= MAX_FILE_SIZE and (block := file.read(min(2**20, MAX_FILE_SIZE + 1 - read))):
        blocks.append(block)
        read += len(block)
    return b"".join(blocks)


def why_not(name: str, data: bytes) -> str:
    """Why a file is no photograph that can be used, as far as its header tells; nothing if it is one."""
    if reason := other_kind(PurePosixPath(name).suffix):
        return reason
    if len(data) > MAX_FILE_SIZE:
        return f"over {MAX_FILE_SIZE // 2**20} MB: make it smaller first"
    try:
        header(data)
    except PictureError as error:
        return str(error)
    return ""


def other_kind(suffix: str) -> str:
    """What a file is by its suffix, if it is no picture."""
    if suffix.lower() in ARCHIVES:
        return "an archive that is not opened here: give its photographs, or one .zip of them"
    return "" if suffix.lower() in IMAGE_SUFFIXES else "no picture by its name"


def new_path(folder: Path, name: str) -> Path:
    """A path for a file of this name that is not there yet; of the name only what every file system takes."""
    given = PurePosixPath(name.replace("\\", "/"))
    stem = re.sub(r"[^\w -]", "_", given.stem)[:60].strip() or "photograph"
    path, number = folder / f"{stem}{given.suffix.lower()}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}_{number}{given.suffix.lower()}"
    return path


def in_gb(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1024**3:,.3g} GB"


class Pieces(io.RawIOBase):
    """The pieces of a file as one that can be read, but not `MOST_READ` bytes at once."""

    def __init__(self, pieces: Sequence[Path]) -> None:
        self.pieces = pieces
        self.sizes = [path.stat().st_size for path in pieces]
        self.at = 0

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of every file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: sum(self.sizes)}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self.at = start + offset
        return self.at

    def tell(self) -> int:
        """As of every file."""
        return self.at

    def read(self, size: int | None = -1) -> bytes:
        """As of every file.

        Raises:
            UserError: more at once than any archive has reason to ask for.
        """
        left = max(0, sum(self.sizes) - self.at)
        size = left if size is None or size < 0 else min(size, left)
        if size > MOST_READ:
            raise UserError(f"an archive here lists over {MOST_ENTRIES} files: pack fewer")
        found, start = [], 0
        for path, length in zip(self.pieces, self.sizes, strict=True):
            end = start + length
            if start <= self.at < end and size > 0:
                with path.open("rb") as file:
                    file.seek(self.at - start)
                    found.append(file.read(min(size, end - self.at)))
                self.at += len(found[-1])
                size -= len(found[-1])
            start = end
        return b"".join(found)
