"""Where training pictures come from: `open_source` takes a folder, an LMDB or a Hugging Face dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swapae.data.picture_files import FolderSource, LmdbSource, NamedBytes, Source, import_optional, is_lmdb
from swapae.errors import PictureError, UserError
from swapae.pictures.images import Picture

PREFIX = "hf:"
SAVED_DATASET_FILES = ("state.json", "dataset_dict.json")
# Encoded pictures that a streamed dataset keeps in memory to draw from; it reads them in the order they lie.
SHUFFLE_BUFFER = 1000


class RowSource(Source):
    """A column of a Hugging Face dataset with random access; row numbers are the names."""

    def __init__(self, dataset: Any, column: str | None, label: str) -> None:
        self.label = label
        self._column = find_column(dataset, column, label)
        if not len(dataset):
            raise UserError(f"the dataset {label!r} is empty: give another split")
        images = import_optional("datasets", "datasets").Image(decode=False)
        self._rows = dataset.select_columns([self._column]).cast_column(self._column, images)

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, index: int) -> str:
        """The row number."""
        return str(index)

    def read(self, index: int) -> Picture:
        """The encoded bytes, or the path of the file."""
        return encoded(self._rows[index][self._column], f"{self.label}#{index}")


class StreamSource:
    """A column of a streamed Hugging Face dataset: no random access, and often no known length."""

    def __init__(self, dataset: Any, column: str | None, label: str) -> None:
        self.label = label
        self._column = find_column(dataset, column, label)
        images = import_optional("datasets", "datasets").Image(decode=False)
        self._rows = dataset.select_columns([self._column]).cast_column(self._column, images)

    def walk(self, seed: int | None) -> Iterator[Any]:
        """The cells of one pass, for `encoded`: shuffled by `seed` as far as a buffer reaches, or as they lie."""
        rows = self._rows if seed is None else self._rows.shuffle(seed=seed, buffer_size=SHUFFLE_BUFFER)
        # `iter(rows)` would give a DataLoader's worker only a share of the rows, of its own choice.
        for batch in rows.iter(batch_size=1):
            yield batch[self._column][0]


def open_source(spec: str, column: str | None = None, stream: bool = False) -> Source | StreamSource:
    """Open pictures by what `spec` is.

    Args:
        spec: a folder of pictures, searched recursively; an LMDB (a folder with data.mdb); a folder that
            `datasets` saved, or one of Parquet files; or hf:OWNER/NAME[/CONFIG][:SPLIT], also hf:FOLDER[:SPLIT],
            for a dataset of the Hugging Face Hub or on disk. The split is train if not given.
        column: of a dataset, the one with the pictures; found by its type if not given.
        stream: read a dataset as it comes, without downloading it first.

    Raises:
        UserError: nothing there, of no known kind or without pictures; or an optional package is missing.
    """
    if spec.startswith(PREFIX):
        return open_dataset(spec.removeprefix(PREFIX), column, stream)
    folder = Path(spec)
    if folder.is_dir() and not is_lmdb(folder):
        is_dataset = any((folder / name).is_file() for name in SAVED_DATASET_FILES)
        if is_dataset or any(any(folder.glob(pattern)) for pattern in ("*.parquet", "data/*.parquet")):
            return open_dataset(spec, column, stream, is_folder=True)
    if not folder.exists() and spec.count("/") == 1:
        raise UserError(f"there is no folder {spec!r}: for a dataset of the Hugging Face Hub write hf:{spec}")
    if folder.is_dir() and (column is not None or stream):
        raise UserError(
            f"a column and streaming are for Hugging Face datasets: to read {spec!r} as one write hf:{spec}"
        )
    if is_lmdb(folder):
        return LmdbSource(spec)
    return FolderSource(spec)


def open_dataset(spec: str, column: str | None, stream: bool, is_folder: bool = False) -> Source | StreamSource:
    """Open OWNER/NAME[/CONFIG][:SPLIT] or FOLDER[:SPLIT] with `datasets`; `is_folder` leaves no doubt."""
    datasets = import_optional("datasets", "datasets")
    place, _, split = (spec, "", "") if is_folder or os.path.isdir(spec) else spec.rpartition(":")
    if not place:
        place, split = spec, ""
    folder = Path(place)
    try:
        if any((folder / name).is_file() for name in SAVED_DATASET_FILES):
            dataset = datasets.load_from_disk(place)
            if isinstance(dataset, dict):
                dataset = dataset[split or "train"]
            elif split:
                raise UserError(f"{place!r} was saved without splits: leave out :{split}")
            if stream:
                dataset = dataset.to_iterable_dataset()
        else:
            words = place.split("/")
            name, config = (
                (place, None) if folder.is_dir() or len(words) < 3 else ("/".join(words[:2]), "/".join(words[2:]))
            )
            dataset = datasets.load_dataset(name, config, split=split or "train", streaming=stream)
    except UserError:
        raise
    except Exception as error:  # anything: the network, the Hub, a builder's own complaints
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"cannot open the dataset {spec!r}: {type(error).__name__}: {reason}") from error
    return (StreamSource if stream else RowSource)(dataset, column, spec)


def find_column(dataset: Any, column: str | None, label: str) -> str:
    """The column of pictures: the one asked for, or the only one that can be one.

    Raises:
        UserError: there is no such column, or more than one.
    """
    features = dataset.features or {}
    if column is not None:
        if features and column not in features:
            raise UserError(f"the dataset {label!r} has no column {column!r}; it has {', '.join(features)}")
        return column
    typed = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    # Parquet that other programs wrote has no column types of `datasets`: bare bytes, or bytes with a path.
    bare = [
        name
        for name, feature in features.items()
        if getattr(feature, "dtype", None) == "binary" or (isinstance(feature, dict) and "bytes" in feature)
    ]
    found = typed or bare
    if len(found) != 1:
        which = f"more than one column of pictures, {', '.join(found)}" if found else "no column that holds pictures"
        known = f" among {', '.join(features)}" if features and not found else ""
        raise UserError(f"the dataset {label!r} has {which}{known}: name it with --image-column")
    return found[0]


def encoded(cell: Any, name: str) -> Picture:
    """A cell of an undecoded image column as what `load_image` takes; `name` is for its messages.

    Raises:
        PictureError: the cell is empty, or its file cannot be read.
    """
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (None, None)
    if content is not None:
        return NamedBytes(content, f"{name} ({path})" if path else name)
    if not path:
        raise PictureError(f"{name!r} is empty: there is no picture in this row")
    if os.path.exists(path):
        return path
    try:
        # A member of an archive or a file on a server, as streaming names it.
        with import_optional("fsspec", "datasets").open(path, "rb") as file:
            return NamedBytes(file.read(), path)
    except Exception as error:  # of any file system
        raise PictureError(f"cannot read {path!r}: {' '.join(str(error).split())[:200]}") from error
