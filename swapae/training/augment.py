"""Augmentation of what the image discriminator sees, so that few photographs last longer.

After Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data" (ADA, arXiv:2006.06676): real
and generated images go through the same random maps, so rarely that the generator need not draw what they do, and
the more often the more the discriminator knows its photographs by heart. Only maps of the plane are taken: a change
of colour would let colours through that no photograph has, and colour is what a texture code is most about.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.precision import upcast

# Uniform numbers that `augment` takes for an image: whether each of the five maps is done, and how.
NUMBERS = 5 + 6
# The mean sign of the logits of real images at which the strength stays as it is (ADA, section 3.2).
TARGET_SIGN = 0.6
# Above it the maps are so frequent that the generator numbers them too (ADA, Fig. 4).
LARGEST_STRENGTH = 0.8
# Images of the discriminators after which the strength has changed by 1 where the sign is 1 off its target.
ADAPTATION_IMAGES = 50_000


def augment(images: Tensor, numbers: Tensor, strength: Tensor) -> Tensor:
    """Turn, move, zoom, stretch and tilt images at random, each in one bilinear map, mirrored at the borders.

    Args:
        images: [B, 3, S, S].
        numbers: [B, `NUMBERS`] uniform in [0, 1).
        strength: [], the probability of each of the maps; 0 leaves images as they are, up to rounding.

    Returns:
        [B, 3, S, S], float32 of images in half precision.
    """
    numbers = numbers.to(images.device, torch.float32)
    done = (numbers[:, :5] < strength).float()
    amount = numbers[:, 5:]
    side = images.shape[-1]
    turn = (4 * amount[:, 0]).floor() * done[:, 0] * (math.pi / 2)
    move = ((2 * amount[:, 1:3] - 1) * side / 8).round() * done[:, 1:2] * (2 / side)  # whole pixels
    zoom = (0.2 * normal(amount[:, 3]) * done[:, 2]).exp2()
    stretch = (0.2 * normal(amount[:, 4]) * done[:, 3]).exp2()
    tilt = (2 * amount[:, 5] - 1) * done[:, 4] * math.pi
    cosine, sine = (turn + tilt).cos(), (turn + tilt).sin()
    across, down = zoom * stretch, zoom / stretch
    matrix = torch.stack([cosine * across, -sine * down, move[:, 0], sine * across, cosine * down, move[:, 1]], 1)
    grid = F.affine_grid(matrix.view(-1, 2, 3), list(images.shape), align_corners=False)
    # In float32 whatever the images: half precision would round places to a quarter of a pixel and more.
    images = upcast(images)
    return F.grid_sample(images, grid.to(images), mode="bilinear", padding_mode="reflection", align_corners=False)


def normal(uniform: Tensor) -> Tensor:
    """Standard normal numbers of uniform ones in [0, 1), cut off at 2.8 deviations."""
    return math.sqrt(2) * torch.erfinv((2 * uniform - 1).clamp(-0.995, 0.995))


def adapted(strength: Tensor, real_sign: Tensor, images: int) -> Tensor:
    """The strength after a step.

    ADA moves it by a fixed amount up or down; in proportion to the difference it settles at the target whatever the
    size of a batch, whose mean sign is the rougher the smaller it is.

    Args:
        strength: [] in [0, 0.8].
        real_sign: [] in [-1, 1], the mean sign of the logits of a step's real images (`real_sign` of the losses).
        images: how many there were.
    """
    return (strength + (real_sign - TARGET_SIGN) * (images / ADAPTATION_IMAGES)).clamp(0, LARGEST_STRENGTH)


# Uniform numbers that `jitter` takes for an image: brightness, saturation, contrast, and two shifts.
JITTER_NUMBERS = 5


def jitter(images: Tensor, numbers: Tensor) -> Tensor:
    """Change brightness, saturation and contrast, and shift by whole pixels (Zhao et al. 2020, DiffAugment).

    For discriminators that know photographs from the start and would soon know them by heart. Half of DiffAugment's
    range in colours: a discriminator that is used to other colours lets them pass.

    Args:
        images: [B, 3, S, S].
        numbers: [B, `JITTER_NUMBERS`] uniform in [0, 1).

    Returns:
        [B, 3, S, S], shifted by up to an eighth of the side each way, mirrored at the borders; not clamped.
    """
    colours = numbers[:, :3, None, None, None].to(images.device, images.dtype)
    brightness, saturation, contrast = colours.unbind(1)
    images = images + (brightness - 0.5) / 2
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (saturation + 0.5) + grey
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * (contrast / 2 + 0.75) + mean
    reach = images.shape[-1] // 8
    return shifted(F.pad(images, [reach] * 4, mode="reflect"), numbers[:, 3:], 2 * reach)


def shifted(images: Tensor, numbers: Tensor, most: int) -> Tensor:
    """Crops [B, C, H - most, W - most] of images, by 0 to `most` whole pixels that numbers [B, 2] in [0, 1) choose."""
    height, width = (side - most for side in images.shape[2:])
    starts = (numbers * (most + 1)).long().tolist()
    crops = [image[:, y : y + height, x : x + width] for image, (y, x) in zip(images, starts, strict=True)]
    return torch.stack(crops)
