"""Encoded pictures by number, from a folder or an LMDB: small enough to give to every worker process.

A `Source` is opened once and handed to the workers of a DataLoader. Whatever is as long as the data lies in
tensors, which worker processes share, and not in Python lists, of which each would soon hold a copy.
"""

from __future__ import annotations

import abc
import importlib
import io
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from swapae.errors import PictureError, UserError
from swapae.pictures.images import Picture
from swapae.pictures.listing import picture_names


class Source(abc.ABC):
    """A set of encoded pictures, each with a number and a name. `label` says where they come from."""

    label: str

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many pictures there are."""

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """The picture's name within the source, the same on every machine."""

    def names(self) -> Iterator[str]:
        """All names in order; faster than one by one."""
        return map(self.name, range(len(self)))

    @abc.abstractmethod
    def read(self, index: int) -> Picture:
        """What `load_image` takes; its errors name the picture.

        Raises:
            PictureError: it cannot be read at all.
        """


class PackedNames:
    """A list of byte strings in two shared tensors: their bytes end to end, and where each ends."""

    def __init__(self, names: Iterable[bytes]) -> None:
        joined, ends = bytearray(), array("q", [0])
        for name in names:
            joined += name
            ends.append(len(joined))
        self._bytes = torch.from_numpy(np.frombuffer(bytes(joined) or b"\0", np.uint8).copy())
        self._ends = torch.from_numpy(np.array(ends))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> bytes:
        start, end = self._ends[index : index + 2].tolist()
        return self._bytes[start:end].numpy().tobytes()

    def __iter__(self) -> Iterator[bytes]:
        content, start = self._bytes.numpy().data, 0
        for chunk in self._ends[1:].split(10_000):  # not one list of all ends
            for end in chunk.tolist():
                yield content[start:end].tobytes()
                start = end


class NamedBytes(io.BytesIO):
    """Encoded bytes with the name by which messages call them."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


class FolderSource(Source):
    """The picture files of a folder and of the folders in it.

    Raises:
        UserError: the folder is missing, or holds no pictures.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.label = os.fspath(folder)
        self._names = PackedNames(os.fsencode(name) for name in picture_names(folder))

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """The path below the folder."""
        return os.fsdecode(self._names[index])

    def names(self) -> Iterator[str]:
        """The paths below the folder."""
        return map(os.fsdecode, self._names)

    def read(self, index: int) -> Picture:
        """The path."""
        return os.path.join(self.label, self.name(index))


# LMDB allows a process one open environment of a path, and none that it inherited by a fork.
_environments: dict[str, Any] = {}


def _forget_environments() -> None:
    for environment in _environments.values():
        environment.close()
    _environments.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_environments)


class LmdbSource(Source):
    """An LMDB whose values are encoded pictures, as LSUN is published: keys in their stored order.

    Each process opens the environment when it first reads, without locks, so the folder may be read-only.

    Raises:
        UserError: no LMDB, or an empty one; or the package `lmdb` is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.label = os.fspath(folder)
        self._path = os.path.abspath(folder)
        with self._environment().begin() as transaction, transaction.cursor() as cursor:
            self._keys = PackedNames(cursor.iternext(keys=True, values=False))
        if not len(self._keys):
            raise UserError(f"the LMDB {self.label!r} is empty: give one whose values are encoded pictures")

    def __len__(self) -> int:
        return len(self._keys)

    def name(self, index: int) -> str:
        """The key."""
        return key_text(self._keys[index])

    def names(self) -> Iterator[str]:
        """The keys."""
        return map(key_text, self._keys)

    def read(self, index: int) -> Picture:
        """The value, a JPEG or WebP file as a rule."""
        name = f"{self.label}#{self.name(index)}"
        try:
            with self._environment().begin() as transaction:
                value = transaction.get(self._keys[index])
        except import_optional("lmdb", "lmdb").Error as error:
            raise PictureError(f"cannot read {name!r}: {' '.join(str(error).split())}") from error
        if value is None:
            raise PictureError(f"{name!r} is gone from the LMDB")
        return NamedBytes(value, name)

    def _environment(self) -> Any:
        environment = _environments.get(self._path)
        if environment is None:
            lmdb = import_optional("lmdb", "lmdb")
            try:
                # Values are read in a random order: the kernel's read-ahead would fetch mostly what is not asked for.
                environment = lmdb.open(self._path, readonly=True, lock=False, readahead=False, create=False)
            except lmdb.Error as error:
                reason = " ".join(str(error).split())
                raise UserError(f"cannot open the LMDB {self.label!r}: {reason}") from error
            _environments[self._path] = environment
        return environment


def key_text(key: bytes) -> str:
    """A key of an LMDB for people, and for `is_validation`."""
    return key.decode(errors="backslashreplace")


def is_lmdb(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is an LMDB environment."""
    return Path(folder, "data.mdb").is_file()


def import_optional(module: str, extra: str) -> ModuleType:
    """Import a package that only some need.

    Raises:
        UserError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"this needs the Python package {module!r}, which is not installed: pip install 'swapae[{extra}]'"
        ) from error
