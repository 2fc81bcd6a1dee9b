"""The swapping autoencoder: encode, decode, swap. Start reading here.

Park, Zhu, Wang, Lu, Shechtman, Efros, Zhang, "Swapping Autoencoder for Deep Image Manipulation",
NeurIPS 2020, arXiv:2007.00653.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from huggingface_hub import ModelCard, ModelCardData, PyTorchModelHubMixin
from torch import Tensor, nn

from swapae.codes import Codes, load_codes, save_codes
from swapae.config import SwapAEConfig
from swapae.encoder import Encoder
from swapae.generator import Generator, unit_texture
from swapae.hub import card, folders, remote

Noise = Literal["zero", "random"] | int | Sequence[Tensor]
DEFAULT_NOISE_SEED = 0


class SwapAE(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="swapae",
    pipeline_tag="image-to-image",
    license="other",
    tags=["swapping-autoencoder", "gan", "image-editing"],
    paper_url="https://arxiv.org/abs/2007.00653",
):
    """An encoder that splits an image into structure and texture, and a generator that decodes any pair."""

    def __init__(self, config: SwapAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.generator = Generator(config)
        # Convolutions and depthwise filters run fastest with channels last, on CPUs and tensor cores alike.
        self.to(memory_format=torch.channels_last)

    def encode(self, images: Tensor) -> Codes:
        """Split images into structure and texture.

        Args:
            images: [B, 3, H, W] in [-1, 1]; H and W multiples of `config.stride`, at least
                `config.minimum_side`.

        Returns:
            Codes with structure [B, K, H/stride, W/stride] and texture [B, T].

        Raises:
            ValueError: another shape.
        """
        self.check_images(images)
        return Codes(*self.encoder(images.contiguous(memory_format=torch.channels_last)))

    def decode(
        self,
        codes: Codes,
        *,
        noise: Noise = DEFAULT_NOISE_SEED,
        block_textures: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Generate the images that codes describe.

        Args:
            codes: structure [B, K, h, w], and texture [B, T] or a map [B, T, any, any]. Both are brought back
                to unit length, so edits may leave the sphere.
            noise: "zero"; "random", fresh for each image from torch's global generator; a seed, the same maps
                for every image and call; or the maps themselves, [1 or B, 1, *sides] in layer order
                (`generator.noise_sides`).
            block_textures: one texture per block of the generator in place of the codes', from coarse to fine
                (`generator.block_groups`, `swapae.editing.textures_per_block`).

        Returns:
            [B, 3, h * stride, w * stride], nominally in [-1, 1] but not clamped.

        Raises:
            ValueError: codes or noise of another shape.
        """
        return self.generator(*self.prepare(codes, noise, block_textures))

    def swap(
        self,
        structure_images: Tensor,
        texture_images: Tensor,
        *,
        alpha: float = 1.0,
        noise: Noise = DEFAULT_NOISE_SEED,
    ) -> Tensor:
        """Hybrids with the structure of one batch of images and the texture of another.

        Args:
            structure_images: [B, 3, H, W] in [-1, 1].
            texture_images: [B, 3, any, any] in [-1, 1]; sides as `encode` wants them.
            alpha: 0 keeps each structure image's own texture, 1 takes the other's, between is linear
                (section 4.3).
            noise: as in `decode`.
        """
        structure, own_texture = self.encode(structure_images)
        texture = torch.lerp(own_texture, self.encode(texture_images).texture, alpha)
        return self.decode(Codes(structure, texture), noise=noise)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction of images [B, 3, H, W]."""
        return self.decode(self.encode(images))

    def save_codes(self, codes: Codes, path: str | os.PathLike[str], *, size: tuple[int, int] | None = None) -> None:
        """Write codes of this model to a file, see `codes.save_codes`."""
        save_codes(codes, path, self.config, self.encoder.to_texture.weight, size=size)

    def load_codes(self, path: str | os.PathLike[str]) -> tuple[Codes, tuple[int, int] | None]:
        """Codes and size from a file of this model, on its device and in its precision; or UserError."""
        weight = self.encoder.to_texture.weight
        codes, size = load_codes(path, self.config, weight)
        return Codes(*(code.to(weight.device, weight.dtype) for code in codes)), size

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> SwapAE:
        """Load a model from a folder or the Hugging Face Hub, in evaluation mode; everything must fit.

        Args:
            pretrained_model_name_or_path: a folder, or "owner/name" on the Hub.
            revision: branch, tag or commit of the Hub repository.
            token: for private repositories; True or None use the one that is logged in.
            local_files_only: never ask the network.
            device, dtype: of the parameters.

        Raises:
            UserError: one line that says what is missing, damaged or unreachable, and what to do.
        """
        config_file, weights = remote.model_files(
            pretrained_model_name_or_path, revision=revision, token=token, local_files_only=local_files_only
        )
        config = folders.read_config(config_file, SwapAEConfig)
        return folders.load_network(lambda: cls(config), weights).eval().to(device, dtype)

    @classmethod
    def default(cls, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> SwapAE:
        """The small model of flowers that comes with the package."""
        return cls.from_pretrained(folders.EMBEDDED, device=device, dtype=dtype)

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | os.PathLike[str], *, model_card_kwargs: Mapping[str, Any] | None = None
    ) -> None:
        """Write config.json, model.safetensors and README.md, each replaced only once all are written.

        The folder is made if missing. A README.md without the mark that ends our cards is kept.

        Raises:
            UserError: the folder cannot be written, or weights are not finite.
        """
        card = str(self.generate_model_card(**model_card_kwargs or {}))
        folders.save_folder(Path(save_directory), self.config, self.state_dict(), card)

    def push_to_hub(  # type: ignore[override]
        self,
        repo_id: str,
        *,
        commit_message: str = "Upload model",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """Save, then upload; makes repository and branch if missing, returns the commit's address.

        Raises:
            UserError: not allowed, not reachable, or the model cannot be saved; then the Hub stays untouched.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder, model_card_kwargs=model_card_kwargs)
            files = partial(remote.folder_files, folder)
            return remote.upload(files, repo_id, commit_message, private=private, token=token, branch=branch)

    def generate_model_card(
        self, *, metrics: Mapping[str, Any] | None = None, title: str = "", about: str = "", **metadata: str
    ) -> ModelCard:
        """README.md: rows of its table, what the model was trained on, license="mit" and the like."""
        data = ModelCardData(**{**self._hub_mixin_info.model_card_data.to_dict(), **metadata})
        parameters = sum(p.numel() for p in self.parameters())
        return card.model_card(data, self.config, parameters, metrics or {}, title, about)

    def check_images(self, images: Tensor) -> None:
        """Raise ValueError for images that `encode` does not take."""
        stride, minimum = self.config.stride, self.config.minimum_side
        if images.dim() != 4 or images.shape[1] != 3:
            raise ValueError(f"expected images [B, 3, H, W], got {list(images.shape)}")
        if any(side % stride or side < minimum for side in images.shape[2:]):
            raise ValueError(
                f"sides must be multiples of {stride} and at least {minimum} pixels, got {list(images.shape[2:])}; "
                "swapae.images.fit resizes and pads"
            )

    def prepare(
        self, codes: Codes, noise: Noise, block_textures: Sequence[Tensor] | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor] | None]:
        """Checked, what the generator takes: structure, a texture per block, and noise maps.

        Raises:
            ValueError: as of `decode`.
        """
        structure, texture = codes
        batch = structure.shape[0]
        if structure.dim() != 4 or structure.shape[1] != self.config.structure_channels:
            raise ValueError(
                f"expected structure [B, {self.config.structure_channels}, h, w], got {list(structure.shape)}"
            )
        blocks = len(self.generator.blocks)
        if block_textures is not None and len(block_textures) != blocks:
            raise ValueError(f"expected a texture for each of {blocks} blocks, got {len(block_textures)}")
        for one in (texture,) if block_textures is None else block_textures:
            if one.dim() not in (2, 4) or one.shape[:2] != (batch, self.config.texture_channels):
                raise ValueError(
                    f"expected texture [{batch}, {self.config.texture_channels}] or a map of it, got {list(one.shape)}"
                )
        structure = structure.contiguous(memory_format=torch.channels_last)
        if block_textures is None:
            # One tensor for all blocks, which is modulated only once where that can be seen.
            textures = [unit_texture(texture)] * blocks
        else:
            textures = [unit_texture(one) for one in block_textures]
        return structure, textures, self._noise_maps(structure, noise)

    def _noise_maps(self, structure: Tensor, noise: Noise) -> list[Tensor] | None:
        """One map [1 or B, 1, *sides] per noisy layer, or None for zero noise."""
        if isinstance(noise, str) and noise == "zero":
            return None
        sides = self.generator.noise_sides(*structure.shape[2:])
        device, dtype = structure.device, structure.dtype
        if isinstance(noise, str) and noise == "random":
            return [torch.randn(len(structure), 1, *side, device=device, dtype=dtype) for side in sides]
        if isinstance(noise, int):
            # Drawn on the CPU, so that a seed means the same picture on every device.
            generator = torch.Generator().manual_seed(noise)
            return [torch.randn(1, 1, *side, generator=generator).to(device, dtype) for side in sides]
        if isinstance(noise, str):
            raise ValueError(f'noise must be "zero", "random", a seed or a sequence of maps, got {noise!r}')
        shapes = [tuple(map.shape[-2:]) for map in noise]
        if shapes != sides:
            raise ValueError(f"expected noise maps with sides {sides}, got {shapes}")
        return [map.to(device, dtype) for map in noise]
