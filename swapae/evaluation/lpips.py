"""LPIPS v0.1, the learned perceptual distance of Zhang et al. 2018 (arXiv:1801.03924), in plain torch.

Equal to the `lpips` package to the bit, without importing it: that package needs torchvision, whose wheels
do not import beside every build of torch. Only its linear heads (11 kB, BSD-2-Clause) are read, as a file.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from swapae.backbones import BACKBONES, FrozenBackbone, read_tensors
from swapae.errors import UserError

SMALLEST_SIDE = 32  # below it AlexNet's last pooling has nothing left to pool


class LPIPS(nn.Module):
    """Perceptual distance between images: 0 for equal ones, about 0.1 to 0.8 for visibly different ones.

    A frozen module that passes gradients on to its inputs: it serves as a metric and as a training loss.

    Args:
        net: the backbone. "alex" is the usual metric, "vgg" the usual training loss, "squeeze" the small one.
        weights: the backbone's weights, as of `backbones.read_weights`: SqueezeNet's come with the package.

    Raises:
        UserError: an unknown `net`, no `lpips` package to read the heads from, or weights absent or damaged.

    """

    def __init__(self, net: str = "alex", weights: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        if net not in BACKBONES:
            raise UserError(f"LPIPS has no backbone {net!r}; choose one of {', '.join(BACKBONES)}")
        self.taps = BACKBONES[net].taps
        self.backbone = FrozenBackbone(net, weights)
        self.heads = nn.ParameterList(read_heads(net, len(self.taps)))
        self.float().eval().requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distance of each pair of images, in float32 whatever autocast says.

        Args:
            a: images [B, 3, H, W] in [-1, 1], each side at least 32.
            b: as many images of the same size.

        Returns:
            Distances [B].

        Raises:
            UserError: a shape other than these.

        """
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or min(a.shape[2:]) < SMALLEST_SIDE:
            raise UserError(
                f"LPIPS compares two batches [B, 3, H, W] of one shape, sides of at least {SMALLEST_SIDE}, "
                f"got {list(a.shape)} and {list(b.shape)}"
            )
        # Squared differences of unit vectors vanish in half precision; the published numbers are float32's.
        with torch.autocast(a.device.type, enabled=False):
            distance = torch.zeros(len(a), device=a.device)
            for head, fa, fb in zip(self.heads, self.features(a), self.features(b), strict=True):
                distance = distance + F.conv2d((fa - fb) ** 2, head).mean((1, 2, 3))
            return distance

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the compared layers' outputs for images [B, 3, H, W], of unit length over their channels."""
        # Where all channels are 0 the root sends NaN back, and the ReLU just before drops it.
        return [x / ((x**2).sum(1, keepdim=True).sqrt() + 1e-10) for x in self.backbone(images, self.taps)]


def read_heads(net: str, count: int) -> list[Tensor]:
    """Read the `count` linear heads [1, C, 1, 1] of `net` out of the installed `lpips` package's files."""
    spec = importlib.util.find_spec("lpips")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("LPIPS needs the `lpips` package for its linear heads: pip install lpips")
    path = Path(spec.submodule_search_locations[0], "weights", "v0.1", f"{net}.pth")
    tensors = read_tensors(path)
    try:
        return [tensors[f"lin{i}.model.1.weight"] for i in range(count)]
    except KeyError as error:
        raise UserError(f"{path} lacks LPIPS's linear head {error}; reinstall the `lpips` package") from error
