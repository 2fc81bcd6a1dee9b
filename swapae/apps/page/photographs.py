"""The photographs of a folder that the operator offers: which there are, and for each model an index to find them by.

Visitors are told a key of each, never its path or name, and a key is of a photograph of this folder or of none. An
index is made in the background and kept among the user's caches; photographs that came, changed or went since are
added, replaced or taken out.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from swapae.apps.page.long_work import seconds_left
from swapae.apps.page.studio import Studio
from swapae.apps.page.uploads import MAX_ASPECT
from swapae.codes import Codes
from swapae.data.crops import DRAFT_MARGIN
from swapae.data.picture_files import import_optional
from swapae.editing.recipes import ModelId
from swapae.errors import PictureError, UserError
from swapae.evaluation.measuring import centre_square
from swapae.files import atomic_path, cache_folder
from swapae.model import Autoencoder
from swapae.pictures.images import header
from swapae.pictures.listing import picture_names
from swapae.search import PhotographIndex, Question

AT_ONCE = 256  # photographs from one writing of an index to the next; the first ones decide its scaling
LOOK_AGAIN = 30.0  # seconds after which a folder is looked through anew, if somebody searches it
GONE = "this photograph is no longer in the folder: search again"

Stamp = tuple[int, int]  # size and time of change of a file


class FoundPhotograph(NamedTuple):
    """A photograph's key and name, and how similar it is."""

    key: str
    name: str
    similarity: float


class PhotographFolder:
    """A folder, and its indexes by model; threads may share it.

    Args:
        folder: searched recursively.

    Raises:
        UserError: no folder, one without photographs, or no faiss to find them by.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        import_optional("faiss", "search")
        self.folder = Path(folder).resolve()
        self.turn = threading.Lock()  # one index at a time
        self._indexes: dict[str, FolderIndex] = {}
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()
        self.stamps()

    def stamps(self) -> dict[str, Stamp]:
        """The photographs by name, as they are now; links to elsewhere are none of them.

        Raises:
            UserError: the folder is gone, or has none.
        """
        found: dict[str, Stamp] = {}
        for name in picture_names(self.folder):
            try:
                place = Path(self.folder, name).resolve()
                status = place.stat()
            except OSError:
                continue
            if place.is_relative_to(self.folder):
                found[name] = status.st_size, status.st_mtime_ns
        with self._lock:
            self._keys = {self.key(name): name for name in found}
        return found

    def key(self, name: str) -> str:
        """By what visitors know a photograph."""
        return hashlib.sha256(f"{self.folder}\0{name}".encode(errors="surrogateescape")).hexdigest()[:24]

    def key_of(self, path: str) -> str | None:
        """The key of a photograph's path; None if it is none of this folder."""
        key = self.key(os.path.relpath(path, self.folder))
        return key if key in self._keys else None

    def path(self, key: object) -> str:
        """A photograph's path; keys come from browsers, and may be anything.

        Raises:
            UserError: there is none, or no longer.
        """
        with self._lock:
            name = self._keys.get(key) if isinstance(key, str) else None
        place = None if name is None else Path(self.folder, name).resolve()
        if name is None or place is None or not place.is_relative_to(self.folder) or not place.is_file():
            raise UserError(GONE)
        return str(Path(self.folder, name))

    def index(self, studio: Studio) -> FolderIndex:
        """What one model finds; it is being made, or brought up to date, in the background."""
        name = f"{studio.id.config}-{studio.id.probe}"
        with self._lock:
            index = self._indexes.setdefault(name, FolderIndex(self, studio.id))
        index.refresh(studio)
        return index


class FolderIndex:
    """The index of a folder for one model, which it does not hold on to: of many, few are in memory at once."""

    def __init__(self, folder: PhotographFolder, model: ModelId) -> None:
        self.folder = folder
        text = f"{folder.folder}\0{model.config}\0{model.probe}"
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]
        self.file = cache_folder() / "photographs" / f"{digest}.index"
        self.index: PhotographIndex | None = None
        self.known: dict[str, Stamp] = {}
        self.broken: set[str] = set()
        self.done, self.total, self.problem = 0, 0, ""
        self._began = self._looked = -LOOK_AGAIN
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether it is being made, or brought up to date."""
        return self._thread is not None and self._thread.is_alive()

    def refresh(self, studio: Studio) -> None:
        """Begin to bring it up to date by its model's studio, unless that is under way or was done a moment ago."""
        with self._lock:
            if self.busy or time.monotonic() - self._looked < LOOK_AGAIN:
                return
            self._thread = threading.Thread(target=self._update, args=(studio,), daemon=True)
            self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until what is under way is done."""
        if self._thread is not None:
            self._thread.join(seconds)

    def words(self) -> str:
        """What there is, or how far it is, in a sentence."""
        there = 0 if self.index is None else len(self.index)
        photographs = f"{there:,} photograph{'s' * (there != 1)}"
        count = len(self.broken)
        broken = f"; {count:,} file{'s' * (count > 1)} cannot be read and {'are' if count > 1 else 'is'} left out"
        broken = broken if count else ""
        if not self.busy:
            return self.problem or f"{photographs} to find{broken}."
        if not self.total:
            return "Looking through the folder ..."
        passed, done = time.monotonic() - self._began, self.done
        left = f", {seconds_left(passed / done * (self.total - done))} left" if done else ""
        how_far = f"Getting to know the photographs: {done:,} of {self.total:,}{left}."
        return f"{how_far} {photographs} to find so far{broken}."

    def search(self, codes: Codes, by: Question, count: int) -> list[FoundPhotograph]:
        """The most similar photographs that are known by now, best first."""
        with self._lock:
            found = [] if self.index is None else self.index.search(codes, by, count)
        return [FoundPhotograph(self.folder.key(one.name), one.name, one.similarity) for one in found]

    # ------------------------------------------------------------ in the background

    def _update(self, studio: Studio) -> None:
        try:
            with self.folder.turn:
                self.problem, self.done, self.total = "", 0, 0
                self._bring_up_to_date(studio, self.folder.stamps())
        except UserError as error:
            self.problem = "The folder of photographs cannot be searched just now."
            print(f"app.py: {error}", file=sys.stderr)
        finally:
            self._looked = time.monotonic()

    def _bring_up_to_date(self, studio: Studio, stamps: dict[str, Stamp]) -> None:
        if self.index is None:
            self._load(studio.model)
        assert self.index is not None
        gone = self.known.keys() - stamps.keys()
        with self._lock:
            removed = self.index.remove(set(self.index.names.values()) - stamps.keys())
            self.known = {name: stamp for name, stamp in self.known.items() if name in stamps}
            self.broken &= stamps.keys()
        there = set(self.index.names.values()) | self.broken
        new = [name for name, stamp in stamps.items() if self.known.get(name) != stamp or name not in there]
        self.total, self._began = len(new), time.monotonic()
        if gone or removed:
            self._save()
        for start in range(0, len(new), AT_ONCE):
            names = new[start : start + AT_ONCE]
            self._add(studio, names)
            self.known |= {name: stamps[name] for name in names}
            self._save()

    def _add(self, studio: Studio, names: Sequence[str]) -> None:
        """Encode photographs, one at a time between visitors' edits, and add them together."""
        assert self.index is not None
        codes: dict[str, Codes] = {}
        for name in names:
            try:
                with studio.turns.one_of_many(), torch.inference_mode():
                    codes[name] = self._encode(studio.model, Path(self.folder.folder, name))
            except PictureError:
                self.broken.add(name)
            else:
                self.broken.discard(name)
            self.done += 1
        with self._lock:
            self.index.remove(set(names) - codes.keys())
            if codes:
                self.index.add([*codes], Codes(*map(torch.cat, zip(*codes.values(), strict=True))))

    @staticmethod
    def _encode(model: Autoencoder, path: Path) -> Codes:
        width, height = header(path).size
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise PictureError("it could not be used: its shape is too extreme")
        size = model.config.image_size
        square = centre_square(path, model, size, draft_to=DRAFT_MARGIN * size)
        image = square.tensor.to(model.weight.device, model.weight.dtype)
        made = model.encode(image, square.opacity)
        return Codes(*(part.cpu() for part in made))

    def _load(self, model: Autoencoder) -> None:
        """What an earlier start kept, as far as it is sound; else an index of nothing."""
        stamps = self.file.with_suffix(".json")
        try:
            index = PhotographIndex.load(self.file, model)
            kept = json.loads(stamps.read_text(encoding="utf-8"))
            known = {str(name): (int(size), int(changed)) for name, (size, changed) in kept["known"].items()}
            broken = {str(name) for name in kept["broken"]}
        except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError):
            index, known, broken = PhotographIndex(model), {}, set()
        self.index, self.known, self.broken = index, known, broken

    def _save(self) -> None:
        """Keep it for the next start; the index goes first, since what is known beside it is encoded anew."""
        assert self.index is not None
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.index.save(self.file)
            with atomic_path(self.file.with_suffix(".json")) as path:
                kept = {"known": self.known, "broken": sorted(self.broken)}
                path.write_text(json.dumps(kept), encoding="utf-8")
        except (UserError, OSError) as error:
            print(f"app.py: the index of photographs is not kept for the next start: {error}", file=sys.stderr)
