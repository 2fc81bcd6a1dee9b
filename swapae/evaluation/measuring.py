"""Everything that is measured of one photograph, one reconstruction or one hybrid."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from swapae.codes import Codes
from swapae.errors import PictureError
from swapae.evaluation.feature_networks import Features
from swapae.evaluation.metrics import (
    grain_patches,
    local_moments,
    luminance_patches,
    psnr,
    sifid,
    ssim,
    structure_distance,
    texture_distance,
)
from swapae.evaluation.networks import Networks
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, SwapAE
from swapae.pictures.images import MAX_PIXELS, Fitted, fit, load_image

MEASURING_VERSION = 5  # of what is measured: earlier results are of no use to a newer one
# By what places of images are compared: patches of luminance, their grain, and the main network's first layers.
LOCAL = ("pixels", "grain", "layer1", "layer2")
PIXELS_HELD = 16_000_000  # of photographs kept with their layers, of some 50 bytes a pixel


class Item(NamedTuple):
    """Something to measure: a photograph, its reconstruction, or the hybrid of two (structure, texture).

    `paths` and `digests` are of the photographs' files.
    """

    kind: Literal["photograph", "reconstruction", "hybrid"]
    paths: tuple[Path, ...]
    digests: tuple[str, ...]


class Measured(NamedTuple):
    """Figures by name; whole features [C] to compare sets by; and `metrics.local_moments` of each of `LOCAL`."""

    figures: dict[str, float]
    features: Tensor
    local: dict[str, Tensor]


class Subject(NamedTuple):
    """A photograph [1, 3, S, S], its codes, its layers of the main network, and its features."""

    image: Tensor
    codes: Codes
    layers: list[Tensor]
    features: Features


class Measuring:
    """A model and the networks that measure it.

    Args:
        model: in evaluation mode, on the networks' device.
        networks: to measure by.
        size: side in pixels of the squares that photographs are brought to; the model's if not given.
        noise: seed of the generator's noise.
        max_pixels: larger photographs are refused.
    """

    def __init__(
        self,
        model: SwapAE,
        networks: Networks,
        size: int | None = None,
        noise: int = DEFAULT_NOISE_SEED,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.model, self.networks, self.noise, self.max_pixels = model, networks, noise, max_pixels
        self.size = size or model.config.image_size
        held = max(8, PIXELS_HELD // self.size**2)
        self.subject = functools.lru_cache(held)(self._subject)
        weight = model.encoder.to_texture.weight
        self.device, self.dtype = weight.device, weight.dtype

    def measure(self, item: Item) -> Measured:
        """An item's figures.

        Raises:
            PictureError: a photograph that cannot be read.
        """
        if item.kind == "photograph":
            image = self.load(item.paths[0])
            layers = self.networks.layers(image)
            return self._measured({}, image, layers, self.networks.features(image, layers))
        return self._reconstruction(*item.paths) if item.kind == "reconstruction" else self._hybrid(*item.paths)

    def _reconstruction(self, path: Path) -> Measured:
        subject = self.subject(path)
        picture = self.reconstruct(subject.codes)
        distances = {f"lpips_{net}": lpips(subject.image, picture) for net, lpips in self.networks.lpips.items()}
        distances |= {"psnr": psnr(subject.image, picture), "ssim": ssim(subject.image, picture)}
        layers = self.networks.layers(picture)
        return self._measured(numbers(distances), picture, layers, self.networks.features(picture, layers))

    def _hybrid(self, structure_path: Path, texture_path: Path) -> Measured:
        structure, texture = self.subject(structure_path), self.subject(texture_path)
        picture = self.decode(Codes(structure.codes.structure, texture.codes.texture))
        layers = self.networks.layers(picture)
        features = self.networks.features(picture, layers)
        place, own_place, other_place = map(self.networks.structure, (layers, structure.layers, texture.layers))
        distances: dict[str, Tensor | float] = {
            "structure_to_structure_image": structure_distance(place, own_place),
            "structure_to_texture_image": structure_distance(place, other_place),
            "structure_between_images": structure_distance(own_place, other_place),
            "texture_to_texture_image": texture_distance(layers, texture.layers),
            "texture_to_structure_image": texture_distance(layers, structure.layers),
            "texture_between_images": texture_distance(structure.layers, texture.layers),
            "colour_to_texture_image": texture_distance([picture], [texture.image]),
            "colour_to_structure_image": texture_distance([picture], [structure.image]),
            "sifid_to_texture_image": sifid(features.local[0], texture.features.local[0]),
            "sifid_to_structure_image": sifid(features.local[0], structure.features.local[0]),
            "sifid_between_images": sifid(structure.features.local[0], texture.features.local[0]),
        }
        figures = numbers(distances)
        for name, own, other in (
            ("structure", "structure", "texture"),
            ("texture", "texture", "structure"),
            ("colour", "texture", "structure"),
            ("sifid", "texture", "structure"),
        ):
            figures[f"nearer_{name}"] = 100.0 * (
                figures[f"{name}_to_{own}_image"] < figures[f"{name}_to_{other}_image"]
            )
        return self._measured(figures, picture, layers, features)

    def _measured(
        self, figures: dict[str, float], picture: Tensor, layers: list[Tensor], features: Features
    ) -> Measured:
        local = dict(zip(LOCAL, (luminance_patches(picture), grain_patches(picture), *layers[:2]), strict=True))
        moments = {name: local_moments(of[0]).float().cpu() for name, of in local.items()}
        return Measured(figures, features.whole[0].cpu(), moments)

    def _subject(self, path: Path) -> Subject:
        square = self.square(path)
        image = square.tensor
        layers = self.networks.layers(image)
        codes = self.model.encode(image.to(self.dtype), square.opacity)
        return Subject(image, codes, layers, self.networks.features(image, layers))

    def load(self, path: Path) -> Tensor:
        """A photograph's centre square, [1, 3, S, S] in [-1, 1], float32."""
        return self.square(path).tensor

    def square(self, path: Path) -> Fitted:
        """As `load`, with its opacity."""
        return centre_square(path, self.model, self.size, self.max_pixels).to(self.device)

    def decode(self, codes: Codes) -> Tensor:
        """The picture of codes, [1, 3, S, S] in [-1, 1], float32."""
        return self.model.decode(codes, noise=self.noise).float().clamp(-1, 1)

    def reconstruct(self, codes: Codes) -> Tensor:
        """As `decode`, of a photograph's own codes."""
        return self.model.decode(codes, noise=self.model.reconstruction_noise(self.noise)).float().clamp(-1, 1)

    @functools.cached_property
    def model_digest(self) -> str:
        """Of the model's weights."""
        return digest_of(self.model)

    @functools.cached_property
    def digest(self) -> str:
        """Of everything but the photographs that figures depend on: model, networks and settings."""
        parts = [MEASURING_VERSION, self.model.config.fingerprint, self.model_digest, self.size, self.noise, self.dtype]
        parts += [self.model.reconstruction_noise(self.noise)]
        parts += [self.networks.main, *self.networks.lpips, *map(digest_of, self.networks.lpips.values())]
        parts += [self.networks.sets.name, digest_of(self.networks.sets.weights)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def centre_square(
    path: Path, model: Autoencoder, size: int, max_pixels: int = MAX_PIXELS, draft_to: int | None = None
) -> Fitted:
    """A photograph's centre square: the short side brought to `size`, the long one cut, [1, 3, size, size] in [-1, 1].

    All are then of one size, as distances in structure between two photographs need. What is transparent has the
    colours around it, as everywhere, and does not count in the texture if the opacity is given to `encode`.
    `max_pixels` and `draft_to` are as of `load_image`.

    Raises:
        PictureError: it cannot be read or is too large.
    """
    config = model.config
    picture = load_image(path, background=None, max_pixels=max_pixels, draft_to=draft_to)
    fitted = fit(picture, size, config.stride, config.minimum_side, max_pixels=max_pixels)
    width, height = fitted.size
    rows, columns = (slice((side - size) // 2, (side - size) // 2 + size) for side in (height, width))
    opacity = None if fitted.opacity is None else fitted.opacity[:, :, rows, columns].contiguous()
    if opacity is not None and not opacity.any():
        raise PictureError(f"of {path.name!r} nothing is visible in the centre square: give a picture that shows more")
    return Fitted(fitted.tensor[:, :, rows, columns].contiguous(), (size, size), opacity)


def numbers(figures: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Tensors of one element, and numbers, as numbers."""
    return {name: float(value) for name, value in figures.items()}


def digest_of(network: nn.Module) -> str:
    """SHA-256 of a network's weights and buffers by name."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        plain = value.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {list(plain.shape)} ".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
