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
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import ModelCard, ModelCardData, PyTorchModelHubMixin
from torch import Tensor, nn

from swapae.codes import Codes, load_codes, save_codes
from swapae.config import SwapAEConfig
from swapae.encoder import Encoder, EncoderStages
from swapae.errors import UserError
from swapae.generator import Generator, GeneratorStages, Textures, unit_texture
from swapae.hub import card, folders, remote
from swapae.inputs import Noise, check_codes, check_images, common_batch, noise_maps

if TYPE_CHECKING:
    from swapae.pictures.images import Image, Picture

DEFAULT_NOISE_SEED = 0


class Autoencoder:
    """An encoder that splits an image into structure and texture, and a generator that decodes any pair.

    It is what the two forms of a model share: `SwapAE`, which is trained, saved and moved, and the faster one that
    `swapae.inference.optimize_for_inference` makes of it.
    """

    config: SwapAEConfig
    encoder: EncoderStages
    generator: GeneratorStages
    training: bool

    def encode(self, images: Tensor, opacity: Tensor | None = None) -> Codes:
        """Split images into structure and texture.

        Args:
            images: [B, 3, H, W] in [-1, 1]; H and W multiples of `config.stride`, at least
                `config.minimum_side`.
            opacity: [1 or B, 1, H, W] in [0, 1] (`swapae.images.Fitted`): what is transparent does not count in the
                texture.

        Returns:
            Codes with structure [B, K, H/stride, W/stride] and texture [B, T].

        Raises:
            TypeError: no tensor, or another precision than the model's.
            ValueError: another device, shape or range.
        """
        self.check_images(images)
        contiguous = images.contiguous(memory_format=torch.channels_last)
        if opacity is None:
            return Codes(*self.encoder(contiguous))
        return Codes(*self.encoder(contiguous, opacity.to(images.device)))

    def reconstruction_noise(self, noise: Noise = DEFAULT_NOISE_SEED) -> Noise:
        """The noise to decode a photograph's own codes with, where hybrids have `noise`: this, or none at all.

        Stochastic detail is no part of the photograph. A generator that never redrew photographs with noise
        (`config.noise_in_reconstructions`) would put grain of its own on them.
        """
        return noise if self.config.noise_in_reconstructions else "zero"

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
                to unit length, so edits may leave the sphere. A single structure is decoded in every texture, and
                the other way round.
            noise: "zero"; "random", fresh for each image from torch's global generator; a seed, the same maps
                for every image and call; or the maps themselves, [1 or B, 1, *sides] in layer order
                (`generator.noise_sides`).
            block_textures: one texture per block of the generator in place of the codes', from coarse to fine
                (`generator.block_groups`, `swapae.editing.textures_per_block`). Without them the codes' one is
                modulated for all blocks at once.

        Returns:
            [B, 3, h * stride, w * stride], nominally in [-1, 1] but not clamped.

        Raises:
            TypeError: no codes, or another precision than the model's.
            ValueError: codes or noise of another shape, or on another device.
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
            texture_images: [B, 3, any, any] in [-1, 1]; sides as `encode` wants them. Of either there may be one
                for all of the other.
            alpha: 0 keeps each structure image's own texture, 1 takes the other's, between is linear
                (section 4.3).
            noise: as in `decode`.

        Raises:
            TypeError, ValueError: as of `encode` and `decode`.
        """
        for images in (structure_images, texture_images):
            self.check_images(images)
        common_batch(len(structure_images), len(texture_images))
        structure, own_texture = self.encode(structure_images)
        texture = torch.lerp(own_texture, self.encode(texture_images).texture, alpha)
        return self.decode(Codes(structure, texture), noise=noise)

    def swap_images(
        self,
        structure: Picture,
        texture: Picture,
        *,
        alpha: float = 1.0,
        noise: Noise = DEFAULT_NOISE_SEED,
        size: int | None = None,
    ) -> Image.Image:
        """The hybrid of two pictures, as `swapae swap` makes it: RGBA where the structure is transparent in part.

        Args:
            structure: gives shapes and layout: a path, a PIL image, an array, or whatever else
                `swapae.images.load_image` takes. The result has its aspect.
            texture: gives colours and materials, likewise.
            alpha, noise: as in `swap`.
            size: pixels of the short side that both are brought to; the size the model was trained at if not given.

        Raises:
            UserError: a picture that cannot be read, or a size that is too small or too large.
        """
        from swapae.pictures.images import fit, load_image, to_pil  # here, so that the model itself knows no PIL

        config, short = self.config, self.config.image_size if size is None else size
        own, other = (
            fit(load_image(picture, background=None), short, config.stride, config.minimum_side)
            for picture in (structure, texture)
        )
        with torch.no_grad():
            codes, others = (
                self.encode(fitted.tensor.to(self.device, self.dtype), fitted.opacity) for fitted in (own, other)
            )
            mixed = codes._replace(texture=torch.lerp(codes.texture, others.texture, alpha))
            return to_pil(self.decode(mixed, noise=noise), own.size, own.opacity)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruction of images [B, 3, H, W]."""
        return self.decode(self.encode(images), noise=self.reconstruction_noise())

    def save_codes(self, codes: Codes, path: str | os.PathLike[str], *, size: tuple[int, int] | None = None) -> None:
        """Write codes of this model to a file, see `codes.save_codes`."""
        save_codes(codes, path, self.config, self.weight, size=size)

    def load_codes(self, path: str | os.PathLike[str]) -> tuple[Codes, tuple[int, int] | None]:
        """Codes and size from a file of this model, on its device and in its precision; or UserError."""
        codes, size = load_codes(path, self.config, self.weight)
        return Codes(*(code.to(self.device, self.dtype) for code in codes)), size

    @property
    def weight(self) -> Tensor:
        """The one by which files of codes, recipes and directions know the model."""
        return self.encoder.to_texture.weight

    @property
    def device(self) -> torch.device:
        """Where images and codes must be."""
        return self.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision that images and codes must have."""
        return self.weight.dtype

    @property
    def parameter_count(self) -> int:
        """How many numbers were learnt."""
        raise NotImplementedError

    def check_images(self, images: Tensor) -> None:
        """Raise TypeError or ValueError for images that `encode` does not take."""
        # Training makes sure of its images itself, and should not have to wait for a GPU.
        check_images(images, self.config, self.weight, check_values=not self.training)

    def prepare(
        self, codes: Codes, noise: Noise, block_textures: Sequence[Tensor] | None
    ) -> tuple[Tensor, Textures, list[Tensor] | None]:
        """Checked, what the generator takes: structure, textures and noise maps.

        Raises:
            TypeError, ValueError: as of `decode`.
        """
        blocks = len(self.generator.blocks)
        structure, textures = check_codes(codes, block_textures, self.config, blocks, self.weight)
        structure = structure.contiguous(memory_format=torch.channels_last)
        units = unit_texture(textures) if isinstance(textures, Tensor) else [unit_texture(one) for one in textures]
        return structure, units, noise_maps(noise, structure, self.generator.noise_sides(*structure.shape[2:]))


class SwapAE(
    Autoencoder,
    nn.Module,
    PyTorchModelHubMixin,
    library_name="swapae",
    pipeline_tag="image-to-image",
    license="other",
    tags=["swapping-autoencoder", "gan", "image-editing"],
    paper_url="https://arxiv.org/abs/2007.00653",
):
    """The autoencoder as it is trained, saved and published: a module of PyTorch, and a model on the Hub."""

    encoder: Encoder
    generator: Generator

    def __init__(self, config: SwapAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.generator = Generator(config)
        # Convolutions and depthwise filters run fastest with channels last, on CPUs and tensor cores alike.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def parameter_count(self) -> int:
        """How many numbers were learnt."""
        return sum(parameter.numel() for parameter in self.parameters())

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | str = torch.float32,
        subfolder: str = "",
        strict: bool = True,
        map_location: str | torch.device | None = None,
        torch_dtype: torch.dtype | str | None = None,
    ) -> SwapAE:
        """Load a model from a folder or the Hugging Face Hub, in evaluation mode; everything must fit.

        Args:
            pretrained_model_name_or_path: a folder, "owner/name" on the Hub, or the name of a model that comes with
                the package, if no folder here has it.
            revision: branch, tag or commit of the Hub repository.
            token: for private repositories; True or None use the one that is logged in.
            local_files_only: never ask the network.
            device, dtype: of the parameters; a dtype may be named, as in "float16".
            subfolder: of the folder or repository, in which the model is.
            strict: False leaves initial values where tensors are missing, and passes over others.
            map_location, torch_dtype: other names of device and dtype, as `PyTorchModelHubMixin` and transformers
                have them.

        Raises:
            UserError: one line that says what is missing, damaged or unreachable, and what to do.
        """
        kind = dtype_of(dtype if torch_dtype is None else torch_dtype)
        config_file, weights = remote.model_files(
            pretrained_model_name_or_path,
            revision=revision,
            token=token,
            local_files_only=local_files_only,
            subfolder=subfolder,
        )
        config = folders.read_config(config_file, SwapAEConfig)
        model = folders.load_network(lambda: cls(config), weights, strict=strict)
        return model.eval().to(device if map_location is None else map_location, kind)

    @classmethod
    def default(cls, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> SwapAE:
        """The small model of flowers that comes with the package: `embedded("flowers")`."""
        return cls.from_pretrained(folders.EMBEDDED, device=device, dtype=dtype)

    @classmethod
    def embedded(cls, name: str, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32) -> SwapAE:
        """A model that comes with the package, by its name.

        Raises:
            UserError: there is none of that name; the message has those there are.
        """
        return cls.from_pretrained(folders.embedded(name), device=device, dtype=dtype)

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
        return card.model_card(data, self.config, self.parameter_count, metrics or {}, title, about)


def dtype_of(dtype: torch.dtype | str) -> torch.dtype:
    """A floating-point type, also by name; UserError for another."""
    found = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UserError(f"{dtype!r} is no floating-point type: give torch.float32, torch.float16 or torch.bfloat16")
    return found
