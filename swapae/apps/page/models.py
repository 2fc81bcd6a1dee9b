"""The models that visitors may choose: those that the operator allowed, loaded when first wanted."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from swapae.apps.page import zerogpu
from swapae.apps.page.studio import Studio
from swapae.editing.directions import Directions
from swapae.errors import UserError
from swapae.hub import folders, remote
from swapae.inference.fast import optimize_for_inference
from swapae.model import Autoencoder, SwapAE

COMES_WITH = " (comes with swapae)"
TRAINED_HERE = " (trained here)"  # where another model has the name
EMBEDDED_NAME = folders.EMBEDDED.name + COMES_WITH
MOST_LOADED = 2


class Models:
    """Studios by the names that visitors see; threads may share it.

    Args:
        first: the studio of the model that the page opens with.
        allowed: folders, or "owner/name" on the Hub, that visitors may choose as well; with an embedded model, the
            others of them too.
        source: folder or name of the model that the page opens with; the embedded model's if not given.
        trained: gives the folders of the models that were trained on the page, by their names.
    """

    def __init__(
        self,
        first: Studio,
        allowed: Sequence[str] = (),
        source: str | None = None,
        trained: Callable[[], Mapping[str, Path]] = dict,
    ) -> None:
        self.first, self.source = first, source or folders.EMBEDDED
        given = shown_names([*([] if source is None else [source]), *allowed])
        self.opening = EMBEDDED_NAME if source is None else next(iter(given))
        own = folders.embedded_names() if self.comes_with("") else []
        embedded = {name + COMES_WITH: str(folders.embedded(name)) for name in own}
        self._allowed = embedded | given
        self._allowed.pop(self.opening, None)
        self._trained = trained
        self._loaded: OrderedDict[tuple[str, int], Studio] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @property
    def sources(self) -> dict[str, str]:
        """Folders and names of the models beside the first, by what visitors see of them."""
        given = self._allowed | {self.opening: self.source}
        places = set(map(os.path.abspath, given.values()))
        trained = {name: str(path) for name, path in self._trained().items() if os.path.abspath(path) not in places}
        return {name + TRAINED_HERE * (name in given): place for name, place in trained.items()} | self._allowed

    @property
    def names(self) -> list[str]:
        """What visitors may choose."""
        return [self.opening, *self.sources]

    def comes_with(self, name: str) -> str | None:
        """Which of the embedded models a chosen one is, if it is one."""
        name = name or self.opening
        return name.removesuffix(COMES_WITH) if name.endswith(COMES_WITH) else None

    def studio(self, name: object) -> Studio:
        """The studio of a model.

        Raises:
            UserError: it is not among those allowed, or cannot be loaded.
        """
        if name in (None, "", self.opening):
            return self.first
        source = self.sources.get(name) if isinstance(name, str) else None
        if source is None:
            raise UserError(f"this page has no such model; choose one of {', '.join(self.names)}")
        with self._lock:
            loading = self._loading[str(name)]
        # A model may have to be downloaded: only those who want it wait for that.
        with loading:
            key = str(name), version(source)
            with self._lock:
                studio = self._loaded.get(key)
            if studio is None:
                model = zerogpu.lend(load_model(source), source)
                turns, trained = self.first.turns, trained_form(model, source)
                studio = Studio(model, directions_of(model, source), turns=turns, trained=trained)
            with self._lock:
                self._loaded[key] = studio
                self._loaded.move_to_end(key)
                while len(self._loaded) > MOST_LOADED:
                    self._loaded.popitem(last=False)
            return studio

    def leave(self, visit: str) -> None:
        """Forget what only this visit had uploaded."""
        for studio in self.loaded():
            studio.uploads.leave(visit)
            studio.refined.leave(visit)

    def came_back(self, visit: str) -> None:
        """Keep again what this visit uploads, which had left."""
        for studio in self.loaded():
            studio.uploads.came_back(visit)

    def loaded(self) -> list[Studio]:
        """The studios of the models that are in memory."""
        with self._lock:
            return [self.first, *self._loaded.values()]

    def card(self, name: object) -> str:
        """The text of a model's card, or why there is none.

        Raises:
            UserError: as of `studio`.
        """
        self.studio(name)
        source = self.source if name in (None, "", self.opening) else self.sources[str(name)]
        try:
            config, _ = remote.model_files(source, also=(folders.CARD_FILE,), local_files_only=True)
            return (config.parent / folders.CARD_FILE).read_text(encoding="utf-8")[:20_000]
        except (UserError, OSError, ValueError):
            return "This model has no card here."


def load_model(source: str) -> Autoencoder:
    """A model, with its card beside it where `Models.card` looks.

    Raises:
        UserError: it cannot be found or loaded.
    """
    remote.model_files(source, also=(folders.CARD_FILE,))
    return optimize_for_inference(SwapAE.from_pretrained(source))


def trained_form(model: Autoencoder, source: str | Path = folders.EMBEDDED) -> Callable[[], SwapAE]:
    """What gives the trained form of a model that was loaded from `source`: itself, or it is loaded again."""
    if isinstance(model, SwapAE):
        return lambda: model
    return partial(SwapAE.from_pretrained, source, local_files_only=True)


def directions_of(model: Autoencoder, source: str | Path = folders.EMBEDDED) -> Directions | None:
    """The directions beside a model's weights; None if there are none, or none of this model."""
    try:
        return Directions.from_pretrained(model, source)
    except UserError:
        return None


def version(source: str) -> int:
    """A number that changes when other weights are written into a folder, as by a training that goes on."""
    weights = Path(source, folders.WEIGHTS_FILE)
    return weights.stat().st_mtime_ns if weights.is_file() else 0


def shown_names(sources: Sequence[str]) -> dict[str, str]:
    """Models' places by what visitors see of them: of a folder its name alone.

    Only where two would be called the same, the names of the folders that they are in are put before it.
    """
    places: dict[tuple[str, ...], str] = {}
    for source in sources:
        name = source + COMES_WITH if source in folders.embedded_names() else source
        place = Path(os.path.abspath(source)).parts if Path(source).is_dir() else (name,)
        places.setdefault(place, source)
    lengths = dict.fromkeys(places, 1)
    while True:
        names = {place: "/".join(place[-length:]) for place, length in lengths.items()}
        counts = Counter(names.values())
        short = [place for place, name in names.items() if counts[name] > 1 and lengths[place] < len(place)]
        if not short:
            return {names[place]: source for place, source in places.items()}
        lengths |= {place: lengths[place] + 1 for place in short}
