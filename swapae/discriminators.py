"""The two discriminators: of whole images, and of patch co-occurrence (section 3.2 of arXiv:2007.00653)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapae.config import DiscriminatorConfig
from swapae.layers import ConvLayer, DownBlock, EqualLinear
from swapae.precision import upcast

FIR = (1, 3, 3, 1)
PATCH_SIDES = (1 / 8, 1 / 4)  # of patches, as shares of the image's (section 3.2)


class ImageDiscriminator(nn.Module):
    """StyleGAN2's residual discriminator, without minibatch statistics."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        levels = range(config.image_levels, 2, -1)
        channels = config.image_channels
        self.from_rgb = ConvLayer(3, channels(config.image_levels), 1)
        self.blocks = nn.Sequential(*[DownBlock(channels(i), channels(i - 1), FIR) for i in levels])
        self.final_conv = ConvLayer(channels(2), channels(2), 3)
        flat = channels(2) * config.image_final_side**2
        self.hidden = EqualLinear(flat, channels(2), activate=True)
        self.to_logit = EqualLinear(channels(2), 1)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, crop_size, crop_size] in [-1, 1] -> logits [B], positive where they look real."""
        features = self.final_conv(self.blocks(self.from_rgb(images)))
        # reshape, not view: the features may be channels_last.
        return self.to_logit(self.hidden(features.reshape(len(features), -1)))[:, 0]


class PatchDiscriminator(nn.Module):
    """Judges whether patches come from the image that the reference patches come from (Eq. 4)."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        channels, last = config.patch_channels, config.patch_channels(2)
        self.from_rgb = ConvLayer(3, channels(config.patch_levels), 3)
        self.blocks = nn.Sequential(
            *[DownBlock(channels(i), channels(i - 1), FIR) for i in range(config.patch_levels, 2, -1)],
            DownBlock(last, 2 * last, blur=()),
        )
        self.final_conv = ConvLayer(2 * last, last, 3, padded=False)
        wide = config.patch_hidden_channels
        flat = last * config.patch_final_side**2
        self.compare = nn.Sequential(
            EqualLinear(2 * flat, wide, activate=True),
            EqualLinear(wide, wide, activate=True),
            EqualLinear(wide, wide // 2, activate=True),
            EqualLinear(wide // 2, 1),
        )

    def features(self, patches: Tensor) -> Tensor:
        """Patches [B, N, 3, S, S] -> [B, N, C]."""
        features = self.final_conv(self.blocks(self.from_rgb(patches.flatten(0, 1))))
        return features.reshape(*patches.shape[:2], -1)

    def logits(self, reference: Tensor, features: Tensor) -> Tensor:
        """Compare features [..., C] of reference patches and of others -> logits [...]."""
        return self.compare(torch.cat([reference, features], -1).flatten(0, -2)).view(features.shape[:-1])

    def forward(self, reference_patches: Tensor, patches: Tensor) -> Tensor:
        """Logits [B, N] for patches [B, N, 3, S, S] against the mean of each image's reference patches."""
        reference = self.features(reference_patches).mean(1, keepdim=True)  # [B, 1, C]
        features = self.features(patches)
        return self.logits(reference.expand_as(features), features)


def random_patches(images: Tensor, size: int, draws: Tensor, sides: tuple[float, float] = PATCH_SIDES) -> Tensor:
    """Random crops, each resampled to a square (section 3.2).

    Height and width are drawn independently, and half of the crops are flipped. All crops of an image are
    read by one grid_sample, without copies of the image.

    Args:
        images: [B, 3, H, W].
        size: S, side to which they are resampled bilinearly.
        draws: [B, N, 5] uniform in [0, 1): width, height, centre's x and y, mirrored or not.
        sides: smallest and largest of the crops' sides, as shares of the image's.

    Returns:
        [B, N, 3, S, S], float32 of images in half precision.
    """
    draws = draws.to(images.device)
    least, most = sides
    side = least + draws[..., :2] * (most - least)  # share of width and height; half of it in grid_sample's [-1, 1]
    centre = (2 * draws[..., 2:4] - 1) * (1 - side)
    flip = torch.stack([torch.where(draws[..., 4] < 0.5, -1.0, 1.0), torch.ones_like(draws[..., 4])], -1)
    line = (torch.arange(size, device=images.device) + 0.5) * 2 / size - 1
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)  # [S, S, (x, y)]
    grid = centre[:, :, None, None] + (side * flip)[:, :, None, None] * grid  # [B, N, S, S, 2]
    # In float32 whatever the images: half precision would round places to a quarter of a pixel and more.
    images = upcast(images)
    patches = F.grid_sample(
        images,
        grid.flatten(1, 2).to(images.dtype),
        mode="bilinear",
        padding_mode="reflection",
        align_corners=False,
    )  # [B, 3, N * S, S]
    return patches.unflatten(2, (draws.shape[1], size)).transpose(1, 2)
