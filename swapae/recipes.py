"""Recipes: every edit that made a picture, as JSON that replays to the same picture.

A recipe names the model (by its configuration and the start of its weights), the photographs (by the digest of
their files, never by path) and the edits in order. Recipes come from anyone: everything in one is checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swapae.codes import probe_of
from swapae.directions import Directions
from swapae.edits import Canvas, Desk, Edit, Input, begin, edit_from_plain
from swapae.errors import UserError, first_line
from swapae.images import Picture, atomic_path, fit, load_image
from swapae.model import DEFAULT_NOISE_SEED, SwapAE
from swapae.recipe_values import MAX_PHOTOGRAPHS, members, shown, whole

VERSION = 2
MAX_BYTES = 2 * 1024**2
MAX_EDITS = 64
DIGEST = re.compile(r"[0-9a-f]{64}")


class Photograph(NamedTuple):
    """An input by a name for people and the SHA-256 of its file."""

    name: str
    sha256: str


class ModelId(NamedTuple):
    """A model by the fingerprint of its configuration and the digest of its probe."""

    config: str
    probe: str

    @classmethod
    def of(cls, model: SwapAE) -> ModelId:
        """A model's."""
        probe = probe_of(model.encoder.to_texture.weight)
        return cls(model.config.fingerprint, hashlib.sha256(probe.numpy().tobytes()).hexdigest()[:16])


@dataclass(frozen=True)
class Recipe:
    """The edits that make a picture.

    Attributes:
        model: which they were made with.
        inputs: the photographs; the first is the one edited.
        edits: in order.
        noise: seed of the fine detail.
    """

    model: ModelId
    inputs: tuple[Photograph, ...]
    edits: tuple[Edit, ...]
    noise: int = DEFAULT_NOISE_SEED

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "version": VERSION,
            "model": self.model._asdict(),
            "inputs": [photograph._asdict() for photograph in self.inputs],
            "noise": self.noise,
            "edits": [edit.to_plain() for edit in self.edits],
        }

    def to_json(self) -> str:
        """Text of a file, ending in a line break."""
        return json.dumps(self.to_plain(), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_plain(cls, values: Any) -> Recipe:
        """From parsed JSON.

        Raises:
            UserError: one sentence about the first thing that is wrong.
        """
        version = values.get("version") if isinstance(values, Mapping) else None
        if version != VERSION or isinstance(version, bool):
            raise UserError(f"the recipe must be an object of version {VERSION}, got {shown(version)}")
        given = members("the recipe", values, {"version", "model", "inputs", "noise", "edits"})
        model = members("the recipe's model", given["model"], set(ModelId._fields))
        if not all(isinstance(value, str) and len(value) <= 64 for value in model.values()):
            raise UserError("the recipe's model must be given by two short texts")
        inputs, edits = given["inputs"], given["edits"]
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_PHOTOGRAPHS:
            raise UserError(f"the recipe must have 1 to {MAX_PHOTOGRAPHS} inputs")
        if not isinstance(edits, list) or len(edits) > MAX_EDITS:
            raise UserError(f"the recipe must have a list of at most {MAX_EDITS} edits")
        return cls(
            ModelId(**model),
            tuple(photograph_from_plain(one, f"input {number}") for number, one in enumerate(inputs)),
            tuple(edit_from_plain(one, f"edit {number}") for number, one in enumerate(edits)),
            whole(0, 2**32 - 1)("the recipe's noise", given["noise"]),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Recipe:
        """From the text of a file.

        Raises:
            UserError: no JSON, or as of `from_plain`.
        """
        if len(text) > MAX_BYTES:
            raise UserError(f"the recipe has over {MAX_BYTES // 1024**2} MB, which no recipe has")
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"the recipe is no JSON ({first_line(error)[:80]})") from None
        return cls.from_plain(values)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a file.

        Raises:
            UserError: it cannot be read, or as of `from_json`.
        """
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UserError(f"cannot read {os.fspath(path)!r}: {error.strerror}") from None
        return cls.from_json(text)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, replacing an older one only once complete.

        Raises:
            UserError: it cannot be written.
        """
        with atomic_path(path) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")

    def replay(
        self, model: SwapAE, inputs: Sequence[bytes | str | os.PathLike[str]], *, directions: Directions | None = None
    ) -> Tensor:
        """The picture.

        Args:
            model: the one the recipe was made with, in evaluation mode.
            inputs: the photographs' files or their bytes, in any order; more than needed do no harm.
            directions: the model's, for recipes with edits along them.

        Returns:
            [1, 3, H, W] in [-1, 1], the same bits on the same machine.

        Raises:
            UserError: another model, a photograph that is missing, or an edit that does not fit.
        """
        self.check_model(model)
        files = {hashlib.sha256(data).hexdigest(): data for data in map(read_bytes, inputs)}
        for photograph in self.inputs:
            if photograph.sha256 not in files:
                raise UserError(
                    f"the photograph {shown(photograph.name)} (SHA-256 {photograph.sha256[:12]}...) is not among "
                    "the inputs: give the very file that the recipe was made with"
                )
        with torch.inference_mode():
            loaded = [read_input(model, files[photograph.sha256]) for photograph in self.inputs]
            return self.render(Desk(model, loaded, directions))

    def check_model(self, model: SwapAE) -> None:
        """Raise UserError unless the recipe was made with this model."""
        if self.model != ModelId.of(model):
            raise UserError("the recipe was made with another model (or another precision): give that one")

    def render(self, desk: Desk) -> Tensor:
        """The picture [1, 3, H, W] of photographs that are encoded already, in the order of `inputs`.

        Raises:
            UserError: an edit that does not fit.
        """
        return self.canvas(desk).decode(desk.model, self.noise)

    def canvas(self, desk: Desk) -> Canvas:
        """The codes after all edits.

        Raises:
            UserError: as of `render`.
        """
        canvas = begin(desk.input(0))
        for edit in self.edits:
            canvas = edit.apply(canvas, desk)
        return canvas

    def metadata(self) -> dict[str, str]:
        """What a written picture says of itself."""
        return {
            "Software": "swapae",
            "Comment": "Generated by swapae from photographs; not a photograph itself.",
            "swapae model": f"{self.model.config} {self.model.probe}",
            "swapae recipe": json.dumps(self.to_plain(), allow_nan=False),
        }


def photograph_from_plain(values: Any, where: str) -> Photograph:
    """An input from parsed JSON.

    Raises:
        UserError: unknown keys, a long name or no digest.
    """
    given = members(where, values, set(Photograph._fields))
    name, digest = given["name"], given["sha256"]
    if not isinstance(name, str) or len(name) > 100 or set(name) & {"/", "\\"} or not name.isprintable():
        raise UserError(f"{where}: the name must be a short one without a path, got {shown(name)}")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise UserError(f"{where}: sha256 must be 64 hexadecimal digits, got {shown(digest)}")
    return Photograph(name, digest)


def read_input(model: SwapAE, data: Picture) -> Input:
    """Decode and encode a photograph as recipes want it: its short side the model's.

    Raises:
        PictureError: no picture that can be read.
    """
    config, weight = model.config, model.encoder.to_texture.weight
    fitted = fit(load_image(data), config.image_size, config.stride, config.minimum_side)
    image = fitted.tensor.to(weight.device, weight.dtype)
    with torch.inference_mode():
        return Input(model.encode(image), image, fitted.size)


def read_bytes(source: bytes | str | os.PathLike[str]) -> bytes:
    """A file's bytes.

    Raises:
        UserError: it cannot be read.
    """
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {os.fspath(source)!r}: {error.strerror}") from None
