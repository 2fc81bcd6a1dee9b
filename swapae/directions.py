"""Directions in the space of codes: what to add to a picture's codes to make it warmer, or more like a tulip.

Means and principal axes of the codes of many photographs, and named directions: the mean texture of photographs that
have an attribute less that of photographs that do not (section 4.3 and appendix of arXiv:2007.00653). A named
direction is scaled so that a gain of 1 is a clear edit, by measuring decoded pictures (`making_directions`). The
principal axes are directions as well, of the names texture1, texture2, ... and structure1, ..., largest first; a gain
of 1 is one standard deviation of photographs' codes.

A directions file is a safetensors file; its metadata hold the format, the configuration's fingerprint and the words
for both ends of every direction. It belongs to one model, and lies beside its weights.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from swapae import hub
from swapae.codes import Codes, check_probe, probe_of
from swapae.errors import UserError
from swapae.model import SwapAE

FORMAT = "swapae directions 1"
FILE = "directions.safetensors"
NAME = re.compile(r"[a-z0-9][a-z0-9_ -]{0,39}")
AXIS = re.compile(r"(texture|structure)([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Direction:
    """A named direction of texture.

    Attributes:
        vector: [T], what a gain of 1 adds.
        less, more: the words for a negative and a positive gain.
    """

    vector: Tensor
    less: str
    more: str


@dataclass(frozen=True)
class Directions:
    """Where the codes of photographs lie, and named directions among them.

    Attributes:
        mean_texture: [T], unit length.
        texture_axes: [n, T], principal axes of texture codes, each as long as their deviation along it.
        mean_structure: [K], over all places.
        structure_axes: [K, K], principal axes of structure codes, every place a sample, likewise scaled.
        named: by name.
    """

    mean_texture: Tensor
    texture_axes: Tensor
    mean_structure: Tensor
    structure_axes: Tensor
    named: Mapping[str, Direction]

    def __getitem__(self, name: str) -> Direction:
        """A named direction.

        Raises:
            UserError: there is none of that name.
        """
        if name not in self.named:
            raise UserError(f"there is no direction {name!r:.60}; there are {', '.join(self.named) or 'none'}")
        return self.named[name]

    def axis(self, name: str) -> tuple[str, Tensor] | None:
        """The part of the codes that a principal axis such as texture1 or structure2 is of, and the axis; or None."""
        found = AXIS.fullmatch(name)
        if found is None or name in self.named:
            return None
        axes = self.texture_axes if found[1] == "texture" else self.structure_axes
        if int(found[2]) > len(axes):
            raise UserError(f"there is no axis {name!r}; those of {found[1]} go up to {found[1]}{len(axes)}")
        return found[1], axes[int(found[2]) - 1]

    def vectors(self, names: Iterable[str], *, orthogonal: bool = False) -> dict[str, tuple[str, Tensor]]:
        """Of named directions and axes, the part of the codes they move, and what a gain of 1 adds to it.

        Args:
            names: in an order that counts if `orthogonal`.
            orthogonal: take from each what lies along those before it (Gram-Schmidt), so that what one does another
                does not do again. Lengths are left as they become: of one that says nothing new, nothing is left.

        Raises:
            UserError: an unknown name.
        """
        found: dict[str, tuple[str, Tensor]] = {}
        units: dict[str, list[Tensor]] = {"texture": [], "structure": []}
        for name in names:
            part, vector = self.axis(name) or ("texture", self[name].vector)
            if orthogonal:
                rest = vector.double()
                for unit in units[part]:
                    rest = rest - (rest @ unit) * unit
                # What rounding alone leaves of a vector is no direction.
                rest = rest if rest.norm() > 1e-6 * vector.norm() else torch.zeros_like(rest)
                units[part] += [rest / rest.norm()] if rest.any() else []
                vector = rest.float()
            found[name] = part, vector
        return found

    def apply(self, codes: Codes, gains: Mapping[str, float], *, orthogonal: bool = False) -> Codes:
        """Codes moved along named directions and axes, all at once.

        Args:
            codes: structure [B, K, h, w]; texture [B, T] or a map [B, T, h, w].
            gains: 0 leaves the picture as it is, 1 is a clear edit, and negative ones go the other way.
            orthogonal: as in `vectors`, in the order of `gains`.

        Raises:
            UserError: an unknown name, or a gain that is not finite.
        """
        moved = codes._asdict()
        for name, (part, vector) in self.vectors(gains, orthogonal=orthogonal).items():
            if not math.isfinite(gains[name]):
                raise UserError(f"the gain of {name!r:.60} must be a number, got {gains[name]}")
            code = moved[part]
            moved[part] = code + gains[name] * vector.to(code).view(1, -1, *[1] * (code.dim() - 2))
        return Codes(**moved)

    def save(self, path: str | os.PathLike[str], model: SwapAE) -> None:
        """Write a file for `model`, in half precision, replacing an older one only once complete.

        Raises:
            UserError: it cannot be written.
        """
        tensors = {name: getattr(self, name) for name in PARTS}
        tensors |= {f"named.{name}": direction.vector for name, direction in self.named.items()}
        words = {name: [direction.less, direction.more] for name, direction in self.named.items()}
        metadata = {"format": FORMAT, "config": model.config.fingerprint, "words": json.dumps(words)}
        stored = {name: value.half() for name, value in tensors.items()}
        hub.write_tensors(path, stored | {"probe": probe_of(model.encoder.to_texture.weight)}, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: SwapAE) -> Directions:
        """Read what `save` wrote, in float32 on the model's device.

        Raises:
            UserError: no directions file, a damaged one, or of another model.
        """
        where = repr(os.fspath(path))
        tensors, metadata = hub.read_tensors(path, remedy="give a file that `swapae direction make` wrote")
        if metadata.get("format") != FORMAT:
            raise UserError(f"{where} holds no directions; give a file that `swapae direction make` wrote")
        weight = model.encoder.to_texture.weight
        if metadata.get("config") != model.config.fingerprint or not check_probe(tensors.pop("probe", None), weight):
            raise UserError(f"{where} holds directions of another model; give that one, or make them anew")
        vectors = {name.removeprefix("named."): value for name, value in tensors.items() if name.startswith("named.")}
        words = read_words(metadata.get("words", ""), vectors)
        channels = {"texture": model.config.texture_channels, "structure": model.config.structure_channels}
        shapes = [(name, tensors.get(name), channels[name.split("_")[PARTS[name]]]) for name in PARTS]
        shapes += [(name, value, channels["texture"]) for name, value in vectors.items()]
        for name, value, length in shapes:
            if value is None or value.shape[-1:] != (length,) or not torch.isfinite(value).all():
                raise UserError(f"{where} is damaged ({name!r:.60}); make it anew")
        if words is None:
            raise UserError(f"{where} is damaged (its names); make it anew")
        named = {name: Direction(vectors[name].float().to(weight.device), *words[name]) for name in words}
        return cls(*(tensors[name].float().to(weight.device) for name in PARTS), named)

    @classmethod
    def from_pretrained(
        cls, model: SwapAE, name: str | os.PathLike[str] = hub.EMBEDDED, *, revision: str | None = None
    ) -> Directions:
        """The directions that lie beside a model's weights, in a folder or on the Hugging Face Hub.

        Args:
            model: the model that was loaded from there.
            name: a folder, or "owner/name" on the Hub; the embedded model's if not given.
            revision: branch, tag or commit of the Hub repository.

        Raises:
            UserError: there are none, or as of `load`.
        """
        config_file, _ = hub.model_files(name, revision=revision, also=(FILE,))
        path = config_file.parent / FILE
        if not path.is_file():
            raise UserError(f"{os.fspath(name)!r} has no {FILE}; make one with `swapae direction make`")
        return cls.load(path, model)

    def push_to_hub(
        self,
        repo_id: str,
        model: SwapAE,
        *,
        commit_message: str = "Upload directions",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
    ) -> str:
        """Upload beside a model's weights, where `from_pretrained` finds them; returns the commit's address.

        Args:
            repo_id: "owner/name" on the Hub; made if missing, but only of use with the model in it.
            model: that they are of.
            commit_message, private, token, branch: as of `SwapAE.push_to_hub`.

        Raises:
            UserError: not allowed, or not reachable.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder, FILE)
            self.save(path, model)
            return hub.upload_files(
                lambda _: {FILE: path}, repo_id, commit_message, private=private, token=token, branch=branch
            )


# The fields that are tensors, and which word of each says whose channels it has.
PARTS = {"mean_texture": 1, "texture_axes": 0, "mean_structure": 1, "structure_axes": 0}


def read_words(text: str, vectors: Mapping[str, Tensor]) -> dict[str, tuple[str, str]] | None:
    """The words of all directions from JSON; None if they are not of these `vectors`, or not short."""
    try:
        words = json.loads(text)
        pairs = {name: (str(less)[:60], str(more)[:60]) for name, (less, more) in words.items()}
    except (ValueError, TypeError, AttributeError):
        return None
    return pairs if pairs.keys() == vectors.keys() and all(map(NAME.fullmatch, pairs)) else None
