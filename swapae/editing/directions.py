"""Directions in the space of codes: what to add to a picture's codes to make it warmer, or more like a tulip.

Means and principal axes of the codes of many photographs, and named directions: the mean texture of photographs that
have an attribute less that of photographs that do not (section 4.3 and appendix of arXiv:2007.00653). A named
direction is scaled so that a gain of 1 is a clear edit, by measuring decoded pictures (`making_directions`). The
principal axes are directions as well, of the names texture1, texture2, ..., structure1, ... and layout1, ..., largest
first; a gain of 1 is one standard deviation of photographs' codes. Those of structure take every place of a structure
code for a sample, and do the same everywhere; those of layout take the whole code of a photograph for one, and do at
each place what goes with it at the others: for photographs of aligned subjects.

A directions file is a safetensors file; its metadata hold the format, the configuration's fingerprint and the words
for both ends of every direction. It belongs to one model, and lies beside its weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.codes import Codes, check_probe, probe_of
from swapae.errors import UserError
from swapae.hub import folders, remote
from swapae.model import Autoencoder
from swapae.precision import float64
from swapae.tensor_files import read_safetensors, write_safetensors

DIRECTIONS_FORMAT = "swapae directions 1"
FILE = "directions.safetensors"
DIRECTION_NAME = re.compile(r"[a-z0-9][a-z0-9_ -]{0,39}")
AXIS = re.compile(r"(texture|structure|layout)([1-9][0-9]{0,3})")


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
        layout_axes: [n, K, h, w], principal axes of whole structure codes on the grid of the size the model was
            trained at, each as long as their deviation along it; [0, K, 1, 1] of files that have none.
    """

    mean_texture: Tensor
    texture_axes: Tensor
    mean_structure: Tensor
    structure_axes: Tensor
    named: Mapping[str, Direction]
    layout_axes: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 1, 1))

    def __getitem__(self, name: str) -> Direction:
        """A named direction.

        Raises:
            UserError: there is none of that name.
        """
        if name not in self.named:
            raise UserError(f"there is no direction {name!r:.60}; there are {', '.join(self.named) or 'none'}")
        return self.named[name]

    def axis_names(self) -> list[str]:
        """The names of all principal axes: texture1, ..., structure1, ..., layout1, ...

        But not a name that a named direction has, as in files from before there were axes of that kind.
        """
        names = [f"{kind}{number}" for kind, axes in self._axes().items() for number in range(1, len(axes) + 1)]
        return [name for name in names if name not in self.named]

    def axis(self, name: str) -> tuple[str, Tensor] | None:
        """The part of the codes that a principal axis such as texture1 or layout2 is of, and the axis; or None."""
        found = AXIS.fullmatch(name)
        if found is None or name in self.named:
            return None
        axes = self._axes()[found[1]]
        if int(found[2]) > len(axes):
            last = f"go up to {found[1]}{len(axes)}" if len(axes) else "are not in these directions: make them anew"
            raise UserError(f"there is no axis {name!r}; those of {found[1]} {last}")
        return "texture" if found[1] == "texture" else "structure", axes[int(found[2]) - 1]

    def _axes(self) -> dict[str, Tensor]:
        return {"texture": self.texture_axes, "structure": self.structure_axes, "layout": self.layout_axes}

    def vectors(self, names: Iterable[str], *, orthogonal: bool = False) -> dict[str, tuple[str, Tensor]]:
        """Of named directions and axes, the part of the codes they move, and what a gain of 1 adds to it.

        That is a vector over the channels for every place alike, [T] or [K], or of a layout axis [K, h, w].

        Args:
            names: in an order that counts if `orthogonal`.
            orthogonal: take from each what lies along those before it (Gram-Schmidt), so that what one does another
                does not do again. Lengths are left as they become: of one that says nothing new, nothing is left.
                Structure and layout axes are orthogonalised against each other too, a structure axis as the layout
                that is the same at every place; what is left of it after a layout axis is a layout, [K, h, w].

        Raises:
            UserError: an unknown name.
        """
        found: dict[str, tuple[str, Tensor]] = {}
        units: dict[str, list[Tensor]] = {"texture": [], "structure": []}
        for name in names:
            part, vector = self.axis(name) or ("texture", self[name].vector)
            if orthogonal:
                rest = whole = over_places(float64(vector))
                for unit in units[part]:
                    rest = rest - inner(rest, unit) * unit
                length = inner(rest, rest).sqrt()
                # What rounding alone leaves of a vector is no direction.
                new = length > 1e-6 * inner(whole, whole).sqrt()
                units[part] += [rest / length] if new else []
                rest = rest.float().to(vector.device) if new else torch.zeros_like(vector)
                vector = rest.view(vector.shape) if rest.numel() == vector.numel() else rest
            found[name] = part, vector
        return found

    def apply(self, codes: Codes, gains: Mapping[str, float], *, orthogonal: bool = False) -> Codes:
        """Codes moved along named directions and axes, all at once.

        Args:
            codes: structure [B, K, h, w]; texture [B, T] or a map [B, T, h, w].
            gains: 0 leaves the picture as it is, 1 is a clear edit, and negative ones go the other way. Layout axes
                are resized bilinearly to the grid of `structure`.
            orthogonal: as in `vectors`, in the order of `gains`; of layouts it holds on the grid they are on.

        Raises:
            UserError: an unknown name, or a gain that is not finite.
        """
        moved = codes._asdict()
        steps: dict[str, list[Tensor]] = {"texture": [], "structure": []}
        for name, (part, vector) in self.vectors(gains, orthogonal=orthogonal).items():
            if not math.isfinite(gains[name]):
                raise UserError(f"the gain of {name!r:.60} must be a number, got {gains[name]}")
            steps[part].append(gains[name] * on_grid(vector, moved[part]))
        for part, several in steps.items():
            if several:
                # Summed before they are rounded to the codes' precision, as recipes do it.
                moved[part] = moved[part] + reduce(torch.add, several).to(moved[part])
        return Codes(**moved)

    def save(self, path: str | os.PathLike[str], model: Autoencoder) -> None:
        """Write a file for `model`, in half precision, replacing an older one only once complete.

        Raises:
            UserError: it cannot be written.
        """
        tensors = {name: getattr(self, name) for name in PARTS}
        tensors |= {"layout_axes": self.layout_axes} if len(self.layout_axes) else {}
        tensors |= {f"named.{name}": direction.vector for name, direction in self.named.items()}
        words = {name: [direction.less, direction.more] for name, direction in self.named.items()}
        metadata = {"format": DIRECTIONS_FORMAT, "config": model.config.fingerprint, "words": json.dumps(words)}
        stored = {name: value.half() for name, value in tensors.items()}
        write_safetensors(path, stored | {"probe": probe_of(model.encoder.to_texture.weight)}, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: Autoencoder) -> Directions:
        """Read what `save` wrote, now or before there were layout axes, in float32 on the model's device.

        Raises:
            UserError: no directions file, a damaged one, or of another model.
        """
        where = repr(os.fspath(path))
        tensors, metadata = read_safetensors(path, remedy="give a file that `swapae direction make` wrote")
        if metadata.get("format") != DIRECTIONS_FORMAT:
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
        side = model.config.image_size // model.config.stride
        layouts = tensors.get("layout_axes", torch.zeros(0, channels["structure"], 1, 1))
        grid = (channels["structure"], side, side)
        if layouts.dim() != 4 or (len(layouts) and layouts.shape[1:] != grid) or not torch.isfinite(layouts).all():
            raise UserError(f"{where} is damaged ('layout_axes'); make it anew")
        if words is None:
            raise UserError(f"{where} is damaged (its names); make it anew")
        named = {name: Direction(vectors[name].float().to(weight.device), *words[name]) for name in words}
        parts = {name: tensors[name].float().to(weight.device) for name in PARTS}
        return cls(**parts, named=named, layout_axes=layouts.float().to(weight.device))

    @classmethod
    def from_pretrained(
        cls, model: Autoencoder, name: str | os.PathLike[str] = folders.EMBEDDED, *, revision: str | None = None
    ) -> Directions:
        """The directions that lie beside a model's weights, in a folder or on the Hugging Face Hub.

        Args:
            model: the model that was loaded from there.
            name: a folder, or "owner/name" on the Hub; the embedded model's if not given.
            revision: branch, tag or commit of the Hub repository.

        Raises:
            UserError: there are none, or as of `load`.
        """
        config_file, _ = remote.model_files(name, revision=revision, also=(FILE,))
        path = config_file.parent / FILE
        if not path.is_file():
            raise UserError(f"{os.fspath(name)!r} has no {FILE}; make one with `swapae direction make`")
        return cls.load(path, model)

    def push_to_hub(
        self,
        repo_id: str,
        model: Autoencoder,
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
            return remote.upload(
                lambda _: {FILE: path}, repo_id, commit_message, private=private, token=token, branch=branch
            )


# The fields that are vectors over channels, and which word of each says whose channels it has.
PARTS = {"mean_texture": 1, "texture_axes": 0, "mean_structure": 1, "structure_axes": 0}


def read_words(text: str, vectors: Mapping[str, Tensor]) -> dict[str, tuple[str, str]] | None:
    """The words of all directions from JSON; None if they are not of these `vectors`, or not short."""
    try:
        words = json.loads(text)
        pairs = {name: (str(less)[:60], str(more)[:60]) for name, (less, more) in words.items()}
    except (ValueError, TypeError, AttributeError):
        return None
    return pairs if pairs.keys() == vectors.keys() and all(map(DIRECTION_NAME.fullmatch, pairs)) else None


def over_places(vector: Tensor) -> Tensor:
    """A vector over channels [C] as one over channels and places [C, 1, 1]; [C, h, w] as it is."""
    return vector if vector.dim() == 3 else vector[:, None, None]


def inner(first: Tensor, second: Tensor) -> Tensor:
    """The mean over all places of the inner product over channels, of [C, h or 1, w or 1] both."""
    return (first * second).sum(0).mean()


def on_grid(vector: Tensor, code: Tensor) -> Tensor:
    """What `vectors` gives, [C] or [C, h, w], in a shape that can be added to `code`, [B, C] or [B, C, H, W]."""
    if vector.dim() == 1:
        return vector.view(1, -1, *[1] * (code.dim() - 2))
    return F.interpolate(vector[None], size=code.shape[2:], mode="bilinear", align_corners=False)


def directions_digest(directions: Directions, gains: Mapping[str, float], *, orthogonal: bool) -> str:
    """Hexadecimal digest of what a gain of 1 adds along each of some directions.

    Raises:
        UserError: an unknown name.
    """
    digest = hashlib.sha256()
    for name, (_, vector) in directions.vectors(gains, orthogonal=orthogonal).items():
        # Rounded, so that adding up in another order keeps it.
        rounded = (vector.detach().cpu().double() * 2**12).round().to(torch.int64)
        digest.update(name.encode() + rounded.numpy().tobytes())
    return digest.hexdigest()[:16]
