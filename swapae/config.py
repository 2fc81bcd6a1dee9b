"""Sizes of the networks: `SwapAEConfig`, `DiscriminatorConfig` and the presets of the published models.

Both are frozen dataclasses of plain scalars, so they survive JSON (config.json on the Hub) unchanged.
One alphabet for shapes in the whole package: B batch, C channels, H W pixels, h w structure grid
(H/stride, W/stride), K structure channels, T texture channels, N patches, S patch side.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from swapae.errors import UserError
from swapae.rounding import ceil_div

# The texture branch shrinks the structure grid by two stride-2 3x3 convolutions without padding:
# 7 cells -> 3 -> 1. Fewer than seven leave nothing to pool.
MINIMUM_CELLS = 7
TEXTURE_DOWNSAMPLINGS = 2
SMALLEST_PATCH = 8  # the patch discriminator halves the side down to 4
# A configuration may come from anyone: no field of a sensible one is larger.
LARGEST = 100_000


@dataclass(frozen=True)
class SwapAEConfig:
    """What fixes the shapes of encoder and generator (paper, appendix B), and what else decoding needs to know.

    Args:
        image_size: short side in pixels of the photographs the model is trained at. The networks are
            fully convolutional; this is the size pictures are brought to by default.
        structure_channels: K, channels of the structure code.
        texture_channels: T, length of the texture code.
        downsamplings: octaves between the image and the structure code; `stride` is 2 to this power.
        encoder_capacity: factor on the encoder's channels.
        encoder_steepness: factor on the encoder's channels from one octave to the next.
        generator_capacity: factor on the generator's channels.
        head_blocks: residual blocks of the generator at the structure's resolution; each more lets it look two
            structure cells further.
        noise_in_reconstructions: whether the generator learnt to redraw photographs with its noise maps on, as the
            paper's did. Where training gave noise to hybrids alone, reconstructions are decoded without.
    """

    image_size: int = 256
    structure_channels: int = 8
    texture_channels: int = 2048
    downsamplings: int = 4
    encoder_capacity: float = 1.0
    encoder_steepness: float = 2.0
    generator_capacity: float = 1.0
    head_blocks: int = 2
    noise_in_reconstructions: bool = True

    def __post_init__(self) -> None:
        check_positive(self)
        if self.downsamplings > 8:
            raise UserError(f"SwapAEConfig.downsamplings must be at most 8, got {self.downsamplings}")

    @property
    def stride(self) -> int:
        """Pixels per structure cell; sides of images must be multiples of it."""
        return 2**self.downsamplings

    @property
    def minimum_side(self) -> int:
        """The smallest side in pixels that can be encoded."""
        return MINIMUM_CELLS * self.stride

    def encoder_channels(self, level: int) -> int:
        """Channels of the encoder after `level` down-samplings, never more than the texture code has."""
        channels = round(32 * self.encoder_capacity * self.encoder_steepness**level)
        return max(1, min(self.texture_channels, channels))

    def head_channels(self, block: int) -> int:
        """Output channels of the generator's head block 0, 1 or further, at the structure's resolution."""
        return max(1, round(256 * 2 ** min(block, 1) * self.generator_capacity))

    def generator_channels(self, level: int) -> int:
        """Output channels of the generator's up-sampling block `level`; each of the last two halves them."""
        halvings = max(0, level - (self.downsamplings - 3))
        return max(1, self.head_channels(1) // 2**halvings)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the configuration; codes carry it, so that no other model decodes them."""
        values = dataclasses.asdict(self)
        del values["noise_in_reconstructions"]  # codes are the same
        if self.head_blocks == 2:  # of before there was a choice
            del values["head_blocks"]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class DiscriminatorConfig:
    """What fixes the shapes of the two discriminators.

    Args:
        crop_size: side in pixels of the images the image discriminator sees.
        image_capacity: factor on its channels at 16 pixels and above.
        image_max_channels: cap on its channels (512 in the paper; small models want less).
        patch_size: S, side in pixels to which the patches are resampled.
        patch_capacity: factor on the patch discriminator's channels.
        patch_max_channels: cap on its channels.
        patch_hidden_channels: width of the linear layers that compare two patch features.
        patch_scale: factor on the sides of patches, which are shares of the crop's.
    """

    crop_size: int = 256
    image_capacity: float = 1.0
    image_max_channels: int = 512
    patch_size: int = 128
    patch_capacity: float = 4.0
    patch_max_channels: int = 384
    patch_hidden_channels: int = 2048
    patch_scale: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self)

    @property
    def image_levels(self) -> int:
        """log2 of the side, rounded up, of the power of two that `crop_size` is treated as."""
        return math.ceil(math.log2(self.crop_size))

    @property
    def image_final_side(self) -> int:
        """Side of the feature map before the image discriminator's linear layers (4 for powers of two).

        Each halving drops an odd side's last pixel.
        """
        return self.crop_size // 2 ** (self.image_levels - 2)

    def image_channels(self, level: int) -> int:
        """Channels of the image discriminator where the side is 2**level pixels (StyleGAN2's table)."""
        if level <= 3:
            return self.image_max_channels
        unscaled = 512 if level <= 5 else 2 ** (14 - level)
        return max(1, min(self.image_max_channels, int(2 * unscaled * self.image_capacity)))

    @property
    def patch_levels(self) -> int:
        """log2 of the power of two that the patch side is treated as: the halvings leave 3 to 5 pixels of it."""
        return math.floor(math.log2(self.patch_size / 3)) + 2

    @property
    def patch_final_side(self) -> int:
        """Side of the feature map before the linear layers, without its border (2 for powers of two)."""
        return self.patch_size // 2 ** (self.patch_levels - 2) - 2

    def patch_channels(self, level: int) -> int:
        """Channels of the patch discriminator where the side is 2**level pixels."""
        return max(1, min(self.patch_max_channels, int(self.patch_capacity * 2 ** (10 - level))))


def check_positive(config: SwapAEConfig | DiscriminatorConfig) -> None:
    """Raise UserError unless every field is of the type of its default, and a number positive and below `LARGEST`."""
    for field in dataclasses.fields(config):
        if isinstance(field.default, bool):
            if not isinstance(getattr(config, field.name), bool):
                raise UserError(f"{type(config).__name__}.{field.name} must be true or false")
            continue
        value, kind = getattr(config, field.name), int if isinstance(field.default, int) else float
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < LARGEST:
            raise UserError(
                f"{type(config).__name__}.{field.name} must be a positive number below {LARGEST}, got {value!r:.40}"
            )
        if kind is int and not isinstance(value, int):
            raise UserError(f"{type(config).__name__}.{field.name} must be a whole number, got {value!r}")
        # 1 and 1.0 are the same configuration and must give the same fingerprint.
        object.__setattr__(config, field.name, kind(value))


# Fields that configurations written before may lack.
ADDED = {"head_blocks", "noise_in_reconstructions", "patch_scale"}
Config = TypeVar("Config", SwapAEConfig, DiscriminatorConfig)


def config_from_dict(kind: type[Config], values: Mapping[str, Any], source: str) -> Config:
    """Build a configuration from parsed JSON, refusing what it does not know.

    Raises:
        UserError: `values` has a key that is no field, lacks one, or holds something else than a number.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{source}: expected a JSON object with the fields of {kind.__name__}")
    names = {field.name for field in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - names):
        raise UserError(f"{source}: unknown key {', '.join(unknown)}; {kind.__name__} knows {', '.join(sorted(names))}")
    if missing := sorted(names - set(values) - ADDED):
        raise UserError(f"{source}: missing key {', '.join(missing)}; is this the configuration of a swapae model?")
    try:
        return kind(**values)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


@dataclass(frozen=True)
class DataHandling:
    """How a photograph becomes an item to train on: resized, cropped at random, mirrored or not.

    Args:
        size: pixels that `resize` brings the photograph to, by Lanczos, up or down.
        crop_size: side in pixels of the random square crop; at most `size`.
        resize: "short" brings the short side to `size` and keeps the aspect; "exact" brings both there, for
            photographs that are square already or nearly so.
        flip: mirror half of the crops left to right.
        zoom: take half of the crops from a random larger square, reduced to the crop's size, so that whole subjects
            are seen too.
    """

    size: int
    crop_size: int
    resize: Literal["short", "exact"] = "short"
    flip: bool = True
    zoom: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.crop_size <= self.size < LARGEST:
            raise UserError(f"crops of {self.crop_size} pixels do not fit in images of {self.size}")


# What discriminators look at: pixels, as the paper's, or the features of a pretrained network.
DiscriminatorKind = Literal["pixels", "features"]


@dataclass(frozen=True)
class Preset:
    """A model, its discriminators, the weights of their gradient penalties, and how photographs are resized.

    The penalty sums over pixels, so what holds a discriminator of 256-pixel images back stifles one of 64-pixel
    crops: the small presets scale the weights with the number of pixels (Karras et al. 2020, ADA, appendix).
    """

    model: SwapAEConfig = SwapAEConfig()
    discriminators: DiscriminatorConfig = DiscriminatorConfig()
    r1_weight: float = 10.0
    patch_r1_weight: float = 1.0
    resize: Literal["short", "exact"] = "short"
    kind: DiscriminatorKind = "pixels"

    @property
    def data(self) -> DataHandling:
        """Photographs at the model's size, crops at the discriminator's."""
        return DataHandling(self.model.image_size, self.discriminators.crop_size, self.resize)

    def at(self, resolution: int) -> Preset:
        """The preset for photographs of another size in pixels.

        Crops and patches scale with it, and below the preset's own size the gradient penalties with its square.

        Raises:
            UserError: the size is no multiple of the stride, or too small.
        """
        factor, stride = resolution / self.model.image_size, self.model.stride
        crop_size = round(self.discriminators.crop_size * factor / stride) * stride
        patch_size = round(self.discriminators.patch_size * factor)
        if resolution % stride or crop_size < self.model.minimum_side or patch_size < SMALLEST_PATCH:
            smallest = self.model.minimum_side * self.model.image_size
            step = ceil_div(smallest, self.discriminators.crop_size * stride) * stride
            least = max(step, self.model.image_size * SMALLEST_PATCH // self.discriminators.patch_size)
            raise UserError(
                f"--resolution {resolution} does not suit this preset: give a multiple of {stride}, at least {least}"
            )
        return dataclasses.replace(
            self,
            model=dataclasses.replace(self.model, image_size=resolution),
            discriminators=dataclasses.replace(self.discriminators, crop_size=crop_size, patch_size=patch_size),
            r1_weight=self.r1_weight * min(1.0, factor**2),
            patch_r1_weight=self.patch_r1_weight * min(1.0, factor**2),
        )

    def cropped(self, crop_size: int) -> Preset:
        """The preset for crops of another side in pixels, up to whole photographs; patches keep theirs.

        Raises:
            UserError: the side is no multiple of the stride, larger than photographs or too small for the patches.
        """
        own, stride, largest = self.discriminators.crop_size, self.model.stride, self.model.image_size
        smallest = ceil_div(max(own // 2, self.model.minimum_side), stride) * stride
        if crop_size % stride or not smallest <= crop_size <= largest:
            raise UserError(
                f"--crop {crop_size} does not suit this preset: give a multiple of {stride} from {smallest} to "
                f"{largest}"
            )
        factor = crop_size / own
        return dataclasses.replace(
            self,
            discriminators=dataclasses.replace(self.discriminators, crop_size=crop_size, patch_scale=1 / factor),
            r1_weight=self.r1_weight * min(1.0, factor**2),
        )


# Discriminators for crops of 64 pixels.
OF_64_PIXELS = DiscriminatorConfig(
    crop_size=64,
    image_capacity=0.0625,
    image_max_channels=96,
    patch_size=16,
    patch_capacity=0.5,
    patch_max_channels=96,
    patch_hidden_channels=512,
)
PRESETS: dict[str, Preset] = {
    "church256": Preset(),
    "bedroom256": Preset(),
    "afhq256": Preset(resize="exact"),
    "mountain512": Preset(SwapAEConfig(image_size=512), DiscriminatorConfig(crop_size=512), patch_r1_weight=10.0),
    "ffhq512": Preset(SwapAEConfig(image_size=512), DiscriminatorConfig(crop_size=512), resize="exact"),
    "ffhq1024": Preset(
        SwapAEConfig(
            image_size=1024,
            texture_channels=1536,
            downsamplings=5,
            encoder_capacity=0.4,
            generator_capacity=0.8,
        ),
        DiscriminatorConfig(crop_size=768, patch_size=256),
    ),
    # For drawings whose correct hybrids are known (docs/evaluation.md): a CPU core trains it in half an hour.
    "drawings64": Preset(
        SwapAEConfig(
            image_size=64,
            structure_channels=2,
            texture_channels=128,
            downsamplings=3,
            encoder_capacity=0.5,
            generator_capacity=0.25,
        ),
        dataclasses.replace(OF_64_PIXELS, patch_hidden_channels=256),
        r1_weight=0.6,
        patch_r1_weight=0.05,
        resize="exact",
    ),
    # The small family: one CPU trains them in hours, and encoder and generator fit in 10 MB as float16.
    "small128": Preset(
        SwapAEConfig(
            image_size=128,
            structure_channels=4,
            texture_channels=256,
            downsamplings=3,
            encoder_capacity=0.5,
            generator_capacity=0.25,
        ),
        OF_64_PIXELS,
        r1_weight=0.6,
        patch_r1_weight=0.05,
        kind="features",
    ),
    "small256": Preset(
        SwapAEConfig(
            structure_channels=8,
            texture_channels=256,
            downsamplings=3,
            encoder_capacity=0.5,
            generator_capacity=0.375,
            head_blocks=4,
        ),
        DiscriminatorConfig(
            crop_size=128,
            image_capacity=0.125,
            image_max_channels=128,
            patch_size=32,
            patch_capacity=1.0,
            patch_max_channels=128,
            patch_hidden_channels=512,
        ),
        r1_weight=2.5,
        patch_r1_weight=0.1,
        kind="features",
    ),
}
