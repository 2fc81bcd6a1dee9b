"""Finding photographs by their codes: those of the most similar material, of the most similar layout, or of both.

An index holds a vector of unit length per photograph and per question: the texture code; the structure code averaged
over wide overlapping windows, so that a small shift changes little; and both side by side. Axes along which the first
photographs differ most would decide alone, so they are scaled down (`Scaling`). Similar is what has a large inner
product. Up to `EXACT` photographs all are compared; beyond, faiss looks into the nearest of many cells
(inverted lists) only, and vectors are kept in half precision.

An index file is a safetensors file: faiss's own bytes for each question; names, configuration and numbers in the
metadata; the scaling; and the probe by which codes know their model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.codes import Codes, check_probe, probe_of
from swapae.data.picture_files import import_optional
from swapae.errors import UserError, first_line
from swapae.layers import unit_length
from swapae.model import Autoencoder
from swapae.tensor_files import read_safetensors, write_safetensors

Question = Literal["texture", "structure", "both"]
QUESTIONS: tuple[Question, ...] = ("texture", "structure", "both")
FORMAT = "swapae index 1"
WINDOWS = 4  # along a side of the structure code
EXACT = 20_000
# Cells for each square root of the number of photographs, and the share of them that a search looks into; measured by
# `benchmarks/search.py`.
CELLS, LOOKED_INTO = 3.5, 0.4
TRAINED_ON = 40  # vectors for each cell, from which cells are made
# Of the variance's logarithm, the share that is taken from every axis; of the largest, the least that counts; and the
# vectors that it takes to know them. On flowers, 0.75 finds the own kind most often (`benchmarks/search.py`).
WHITENING, LEAST_VARIANCE, SCALED_ON = 0.75, 1e-3, 200
AXES = 64  # the strongest that are kept: more find nothing better, and take memory


class Found(NamedTuple):
    """A photograph, and how similar it is: 1 is the same, 0 unrelated."""

    name: str
    similarity: float


@dataclass(frozen=True)
class Scaling:
    """A centre, and a matrix that takes some of the variance from the strong axes.

    Attributes:
        centre: [length].
        matrix: [length, kept].
    """

    centre: Tensor
    matrix: Tensor

    @classmethod
    def of(cls, vectors: Tensor) -> Scaling:
        """Of vectors [n, length]; of fewer than `SCALED_ON`, one that changes nothing."""
        length = vectors.shape[1]
        if len(vectors) < SCALED_ON:
            return cls(torch.zeros(length), torch.eye(length))
        centre = vectors.mean(0)
        variances, axes = torch.linalg.eigh((vectors - centre).T.cov())
        weights = (variances.clamp_min(0) + LEAST_VARIANCE * variances[-1]) ** (-WHITENING / 2)
        return cls(centre, (axes * weights)[:, -AXES:].contiguous())  # as it is when read from a file

    def __call__(self, vectors: Tensor) -> Tensor:
        """Vectors of unit length."""
        return unit_length((vectors - self.centre) @ self.matrix)


def parts_of(codes: Codes) -> dict[str, Tensor]:
    """What is compared, before scaling.

    Args:
        codes: structure [B, K, h, w]; texture [B, T].

    Returns:
        texture [B, T] and structure [B, K * WINDOWS * WINDOWS], float32.
    """
    windows = F.interpolate(codes.structure.float().cpu(), (WINDOWS, WINDOWS), mode="bilinear", antialias=True)
    return {"texture": unit_length(codes.texture.float().cpu()), "structure": unit_length(windows.flatten(1))}


class PhotographIndex:
    """Names of photographs with what they are found by.

    Args:
        model: whose codes it is of.
    """

    def __init__(self, model: Autoencoder) -> None:
        self.faiss: Any = import_optional("faiss", "search")
        self.config, self.probe = model.config.fingerprint, probe_of(model.weight)
        self.names: dict[int, str] = {}
        self.indexes: dict[str, Any] = {}
        self.scalings: dict[str, Scaling] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self.names)

    def vectors(self, codes: Codes) -> dict[str, np.ndarray]:
        """What is compared of a batch of codes, by question: float32 [B, length] of unit length."""
        parts = parts_of(codes)
        self.scalings = self.scalings or {name: Scaling.of(part) for name, part in parts.items()}
        scaled = {name: self.scalings[name](part) for name, part in parts.items()}
        scaled["both"] = torch.cat([scaled["texture"], scaled["structure"]], 1) / 2**0.5
        return {question: value.numpy() for question, value in scaled.items()}

    def add(self, names: Sequence[str], codes: Codes) -> None:
        """Add photographs; one of a name that is there takes its place. The first ones decide the scaling."""
        if len(names) != len(codes.texture):
            raise ValueError(f"{len(names)} names for {len(codes.texture)} codes")
        self.remove(set(names) & set(self.names.values()))
        numbers = np.arange(self._next, self._next + len(names), dtype=np.int64)
        self._next += len(names)
        for question, vectors in self.vectors(codes).items():
            if question not in self.indexes:
                self.indexes[question] = self.faiss.IndexIDMap2(self.faiss.IndexFlatIP(vectors.shape[1]))
            self.indexes[question].add_with_ids(vectors, numbers)
        self.names.update(zip(numbers.tolist(), names, strict=True))
        if len(self) > EXACT and isinstance(self.indexes["texture"], self.faiss.IndexIDMap2):
            self.indexes = {question: self._in_cells(index) for question, index in self.indexes.items()}

    def remove(self, names: Iterable[str]) -> int:
        """Take photographs out; how many there were."""
        gone = set(names)
        numbers = [number for number, name in self.names.items() if name in gone]
        if numbers:
            for index in self.indexes.values():
                index.remove_ids(np.array(numbers, dtype=np.int64))
            for number in numbers:
                del self.names[number]
        return len(numbers)

    def search(self, codes: Codes, by: Question, count: int) -> list[Found]:
        """The most similar photographs, best first.

        Args:
            codes: of one image.
            by: what is to be similar.
            count: how many, or all there are.
        """
        if not self.names:
            return []
        index = self.indexes[by]
        similarities, numbers = index.search(self.vectors(codes)[by], min(count, len(self)))
        pairs = zip(numbers[0].tolist(), similarities[0].tolist(), strict=True)
        return [Found(self.names[number], similarity) for number, similarity in pairs if number in self.names]

    def _in_cells(self, flat: Any) -> Any:
        """An exact index as one that looks into the nearest cells only."""
        numbers = self.faiss.vector_to_array(flat.id_map)
        vectors = self.faiss.downcast_index(flat.index).reconstruct_n(0, flat.ntotal)
        width = vectors.shape[1]
        cells = int(CELLS * len(numbers) ** 0.5)
        half = self.faiss.ScalarQuantizer.QT_fp16
        index = self.faiss.IndexIVFScalarQuantizer(
            self.faiss.IndexFlatIP(width), width, cells, half, self.faiss.METRIC_INNER_PRODUCT
        )
        index.cp.min_points_per_centroid = 1  # no warning on stderr
        index.train(vectors[:: max(1, len(vectors) // (TRAINED_ON * cells))])
        index.add_with_ids(vectors, numbers)
        index.nprobe = max(1, round(LOOKED_INTO * cells))
        return index

    # ------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, replacing an older one only once complete.

        Raises:
            UserError: it cannot be written.
        """
        tensors = {name: torch.from_numpy(self.faiss.serialize_index(index)) for name, index in self.indexes.items()}
        names = json.dumps([list(self.names), list(self.names.values())])
        metadata = {"format": FORMAT, "config": self.config, "next": str(self._next)}
        for name, scaling in self.scalings.items():
            tensors |= {f"{name}.centre": scaling.centre, f"{name}.matrix": scaling.matrix}
        letters = torch.frombuffer(bytearray(names.encode()), dtype=torch.uint8)  # of a million: too long for metadata
        write_safetensors(path, {**tensors, "names": letters, "probe": self.probe}, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: Autoencoder) -> PhotographIndex:
        """Read what `save` wrote, for the same model.

        Raises:
            UserError: no index, a damaged one, or one of another model's codes.
        """
        where = repr(os.fspath(path))
        remedy = "make it anew with `swapae index`"
        tensors, metadata = read_safetensors(path, remedy=remedy)
        if metadata.get("format") != FORMAT:
            raise UserError(f"{where} is no index of photographs; give a file that `swapae index` wrote")
        if metadata.get("config") != model.config.fingerprint or not check_probe(tensors.get("probe"), model.weight):
            raise UserError(f"{where} is an index of another model's codes; give that --model, or {remedy}")
        index = cls(model)
        try:
            numbers, names = json.loads(tensors["names"].numpy().tobytes())
            index.names = dict(zip(map(int, numbers), map(str, names), strict=True))
            index._next = int(metadata["next"])
            for name in ("texture", "structure") if index.names else ():
                index.scalings[name] = Scaling(tensors[f"{name}.centre"], tensors[f"{name}.matrix"])
            for question in QUESTIONS if index.names else ():
                index.indexes[question] = index.faiss.deserialize_index(tensors[question].numpy())
                if index.indexes[question].ntotal != len(index.names):
                    raise ValueError(f"{question} and names differ")
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"{where} is damaged ({first_line(error)}); {remedy}") from None
        return index
