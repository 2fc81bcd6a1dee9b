"""Results of an evaluation: means, distances of sets, and their table, as JSON and as Markdown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from swapae.backbones import BACKBONES
from swapae.errors import UserError
from swapae.evaluation.measuring import LOCAL, Measured
from swapae.evaluation.metrics import frechet_distance, kernel_distance, local_frechet
from swapae.evaluation.networks import Networks
from swapae.files import atomic_path

RESULTS_VERSION = 1
LEAST = 10  # photographs; a covariance of fewer says nothing


@dataclass(frozen=True)
class Results:
    """What was measured.

    Attributes:
        about: the model, the photographs, the pairs, the networks and the machine, for people.
        figures: means, distances of sets and runtimes by name.
        errors: standard errors of those that are means.
        names: what each figure is called.
        reconstructions: figures of each, by the photograph's name.
        hybrids: figures of each, by the names of structure and texture.
        notes: sentences that belong to the table.
    """

    about: Mapping[str, Any]
    figures: Mapping[str, float]
    errors: Mapping[str, float]
    names: Mapping[str, str]
    reconstructions: Mapping[str, Mapping[str, float]]
    hybrids: Mapping[tuple[str, str], Mapping[str, float]]
    notes: Sequence[str] = field(default_factory=list)

    def table(self) -> dict[str, float]:
        """Figures under the names for people, rounded to four decimals."""
        return {text: round(self.figures[name], 4) for name, text in self.names.items()}

    def rows(self) -> list[tuple[str, str]]:
        """Figures with their standard errors, for people."""
        rows = []
        for name, text in self.names.items():
            value = f"{self.figures[name]:.4f}"
            rows.append((text, f"{value} ± {self.errors[name]:.4f}" if name in self.errors else value))
        return rows

    def markdown(self) -> str:
        """The table, after what it is of."""
        lines = ["| | |", "|---|---|", *(f"| {name} | {cell(value)} |" for name, value in self.about.items())]
        lines += ["", "| | mean ± standard error |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.rows()]
        return "\n".join([*lines, "", *self.notes]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "version": RESULTS_VERSION,
            "about": dict(self.about),
            "notes": list(self.notes),
            "figures": {
                name: {
                    "name": text,
                    "value": self.figures[name],
                    **({"standard_error": self.errors[name]} if name in self.errors else {}),
                }
                for name, text in self.names.items()
            },
            "reconstructions": [{"photograph": name, **values} for name, values in self.reconstructions.items()],
            "hybrids": [
                {"structure": structure, "texture": texture, **values}
                for (structure, texture), values in self.hybrids.items()
            ],
        }

    def save(self, folder: Path) -> None:
        """Write results.json and results.md; UserError if that fails."""
        with atomic_path(folder / "results.json") as temporary:
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=True)
            temporary.write_text(text + "\n", encoding="utf-8")
        with atomic_path(folder / "results.md") as temporary:
            temporary.write_text(self.markdown(), encoding="utf-8")


def cell(value: object) -> str:
    """A value in a cell of Markdown: nothing in a file's name ends the cell or is an element."""
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def figure_names(networks: Networks, reference: bool) -> dict[str, str]:
    """What each figure is called, in the order of the table; distances of sets by their network."""
    sets, main = networks.sets, BACKBONES[networks.main].name
    names = {f"lpips_{net}": f"reconstruction LPIPS ({BACKBONES[net].name})" for net in networks.lpips}
    names |= {
        "psnr": "reconstruction PSNR, dB",
        "ssim": "reconstruction SSIM",
        "structure_to_structure_image": f"hybrid's structure distance ({main}) to the structure image",
        "structure_to_texture_image": f"hybrid's structure distance ({main}) to the texture image",
        "structure_between_images": f"structure distance ({main}) of the two images",
        "nearer_structure": "hybrids nearer in structure to the structure image, %",
        "texture_to_texture_image": f"hybrid's texture distance ({main}) to the texture image",
        "texture_to_structure_image": f"hybrid's texture distance ({main}) to the structure image",
        "texture_between_images": f"texture distance ({main}) of the two images",
        "nearer_texture": "hybrids nearer in texture to the texture image, %",
        "nearer_colour": "hybrids nearer in colour (means and deviations) to the texture image, %",
        "sifid_to_texture_image": f"hybrid's {sets.single} to the texture image",
        "sifid_to_structure_image": f"hybrid's {sets.single} to the structure image",
        "sifid_between_images": f"{sets.single} of the two images",
        "nearer_sifid": f"hybrids nearer by {sets.single} to the texture image, %",
        "frechet_reconstructions": f"{sets.frechet} of reconstructions to their photographs",
        "kernel_reconstructions": f"{sets.kernel}, times 1000, of reconstructions to their photographs",
        "frechet_hybrids": f"{sets.frechet} of hybrids to their structure images",
        "kernel_hybrids": f"{sets.kernel}, times 1000, of hybrids to their structure images",
    }
    by = ("patches of luminance", "their grain", f"{main}'s first layer", f"{main}'s second layer")
    for kind in ("reconstructions", "hybrids"):
        for name, of in zip(LOCAL, by, strict=True):
            names[f"local_{name}_{kind}"] = f"local Frechet distance of {kind} by {of}, photographs' own being 1"
    if reference:
        for kind in ("photographs", "reconstructions", "hybrids"):
            names[f"reference_frechet_{kind}"] = f"{sets.frechet} of {kind} to the reference"
        for kind in ("photographs", "reconstructions", "hybrids"):
            names[f"reference_kernel_{kind}"] = f"{sets.kernel}, times 1000, of {kind} to the reference"
    times = {"encode_ms": "embedding (encode), median ms", "decode_ms": "decode, median ms"}
    return names | times | {"swap_ms": "a swap, both photographs encoded, median ms"}


def means(measured: Sequence[Measured]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean of each figure, and its standard error."""
    averages, errors = {}, {}
    for name in measured[0].figures:
        values = [one.figures[name] for one in measured]
        averages[name] = statistics.fmean(values)
        if len(values) > 1:
            errors[name] = statistics.stdev(values) / len(values) ** 0.5
    return averages, errors


def set_distances(
    photographs: Tensor, reconstructions: Tensor, hybrids: Tensor, structures: Tensor, reference: Tensor | None
) -> dict[str, float]:
    """Distances of sets of whole features, each [N, C].

    Args:
        photographs: of all of them.
        reconstructions: of each of them.
        hybrids: of all pairs.
        structures: of the photographs that gave some hybrid its structure.
        reference: of other photographs. As Frechet distances grow with fewer pictures, those to the reference are all
            of sets of as many as there are photographs: hybrids are split, and the mean is taken.
    """
    figures = {
        "frechet_reconstructions": frechet_distance(reconstructions, photographs),
        "kernel_reconstructions": 1000 * kernel_distance(reconstructions, photographs),
        "frechet_hybrids": frechet_distance(hybrids, structures),
        "kernel_hybrids": 1000 * kernel_distance(hybrids, structures),
    }
    if reference is not None:
        sets = {"photographs": photographs, "reconstructions": reconstructions, "hybrids": hybrids}
        for kind, features in sets.items():
            groups = [group for group in features.split(len(photographs)) if len(group) == len(photographs)] or [
                features
            ]
            distances = [frechet_distance(group, reference) for group in groups]
            figures[f"reference_frechet_{kind}"] = statistics.fmean(distances)
            figures[f"reference_kernel_{kind}"] = 1000 * kernel_distance(features, reference)
    return figures


def local_distances(
    photographs: Sequence[Measured],
    reconstructions: Sequence[Measured],
    hybrids: Sequence[Measured],
    textures: Sequence[int],
) -> dict[str, float]:
    """`metrics.local_frechet` of reconstructions and hybrids; `textures` are numbers of the hybrids' photographs."""
    figures = {}
    for name in LOCAL:
        real, own, mixed = ([one.local[name] for one in kind] for kind in (photographs, reconstructions, hybrids))
        figures[f"local_{name}_reconstructions"] = local_frechet(real, own, range(len(real)))
        figures[f"local_{name}_hybrids"] = local_frechet(real, mixed, textures)
    return figures


def check_enough(count: int, label: str) -> None:
    """Raise UserError unless `count` photographs are enough to compare sets of them."""
    if count < LEAST:
        raise UserError(
            f"{label}: {count} {'photograph is' if count == 1 else 'photographs are'} too few for distances of sets, "
            f"which take at least {LEAST} (and thousands to compare with other papers): add photographs"
        )


def stack(measured: Sequence[Measured]) -> Tensor:
    """Whole features of several, [N, C]."""
    return torch.stack([one.features for one in measured])
