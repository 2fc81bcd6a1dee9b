"""Discriminators that look through a frozen ImageNet network (Sauer et al. 2021, "Projected GANs Converge Faster").

Trained from nothing on a few thousand photographs, the paper's discriminators (`discriminators`) take more updates
than a CPU makes in a day before they tell photographs from pictures. A network that knows ImageNet tells them within
some hundred. They ask the same two questions: does an image look real, and do patches come from one image (Eq. 4)?

The frozen network is no submodule of theirs, and so no part of a checkpoint. All their own layers have spectral norm
(Miyato et al. 2018), which bounds them without R1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapae.backbones import FrozenBackbone
from swapae.precision import upcast

LEAK = 0.2
GROUPS = 8
# SqueezeNet's layers that are looked at, at 1/2, 1/4, 1/8 and 1/16 of the side, and their channels.
TAPS, TAP_CHANNELS = (1, 4, 7, 12), (64, 128, 256, 512)
MIXED_CHANNELS = (48, 64, 96, 128)
HEAD_CHANNELS = 96
PIXEL_CHANNELS = 48
PATCH_TAPS = 3  # of TAPS: what lies beyond sees more than a patch
PATCH_FEATURES = 256
PATCH_HIDDEN = 512
# Patches' sides, as shares of the crop's: the crop is half of the photograph, of which the paper takes 1/8 to 1/4.
PATCH_SIDES = (3 / 16, 3 / 8)
SMALLEST_SEEN = 31  # pixels of a side below which SqueezeNet's last layer that is looked at has no place


class SpectralNorm(nn.Module):
    """What convolutions and linear layers with spectral norm share: an estimate of the largest singular value.

    The estimate improves by `power_iteration`, once an update, and not by being used: the numbers of a step then do not
    depend on into how many parts or processes its batch is split.
    """

    left: Tensor
    weight: Tensor

    def start(self) -> None:
        """Draw the first estimate, once the weight is there."""
        self.register_buffer("left", F.normalize(torch.randn(len(self.weight)), dim=0))
        for _ in range(15):
            self.power_iteration()

    @torch.no_grad()
    def power_iteration(self) -> None:
        """Bring the left singular vector nearer to that of the largest singular value."""
        matrix = self.weight.flatten(1)
        self.left.copy_(F.normalize((matrix * self.right(matrix)).sum(1), dim=0))

    def right(self, matrix: Tensor) -> Tensor:
        """The right singular vector [in] that belongs to the left one, in float32 whatever autocast says."""
        return F.normalize((self.left[:, None] * matrix).sum(0), dim=0)

    def normalised(self) -> Tensor:
        """The weight over its largest singular value."""
        matrix = self.weight.flatten(1)
        right = self.right(matrix.detach())
        return self.weight / (self.left[:, None] * matrix * right).sum()


class SpectralConv(SpectralNorm, nn.Conv2d):
    """A convolution with spectral norm."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.start()

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, h, w] -> [B, out, ...]."""
        return F.conv2d(x, self.normalised(), self.bias, self.stride, self.padding)


class SpectralLinear(SpectralNorm, nn.Linear):
    """A linear layer with spectral norm."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.start()

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        return F.linear(x, self.normalised(), self.bias)


def power_iteration(network: nn.Module) -> None:
    """Improve all spectral norms in a network, after each of its updates."""
    for module in network.modules():
        if isinstance(module, SpectralNorm):
            module.power_iteration()


def unit_features(layers: Sequence[Tensor]) -> list[Tensor]:
    """Layers [B, C, h, w] brought to length sqrt(C) at each place, so that every layer has a mean square of 1."""
    scaled = []
    for layer in layers:
        last = layer.permute(0, 2, 3, 1)  # channels last, as they lie in memory: a fifth of the time
        scale = torch.rsqrt(upcast(last).square().mean(-1, keepdim=True) + 1e-6)
        scaled.append((last * scale.to(layer.dtype)).permute(0, 3, 1, 2))
    return scaled


def fixed_mixing(in_channels: int, out_channels: int, kernel_size: int) -> nn.Conv2d:
    """A random convolution that stays as it is and keeps the variance ("channel mixing", "scale mixing")."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
    return conv.requires_grad_(False)


def normed(channels: int) -> list[nn.Module]:
    """What follows a head's convolutions."""
    return [nn.GroupNorm(GROUPS, channels), nn.LeakyReLU(LEAK)]


def head(in_channels: int, halvings: int) -> nn.Sequential:
    """From mixed features to a map of logits at 1/16 of the image's side."""
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [SpectralConv(in_channels, HEAD_CHANNELS, 4, 2), *normed(HEAD_CHANNELS)]
        in_channels = HEAD_CHANNELS
    layers += [SpectralConv(in_channels, HEAD_CHANNELS, 3), *normed(HEAD_CHANNELS)]
    return nn.Sequential(*layers, SpectralConv(HEAD_CHANNELS, 1, 3))


class FeatureImageDiscriminator(nn.Module):
    """Heads on a frozen network's features at four scales, and one on the pixels, each with a map of logits.

    Features are mixed over channels by fixed random 1x1 convolutions, and over scales by fixed random 3x3 ones from the
    coarsest to the finest (Projected GANs, section 3.2), so that no head can settle on a few channels. The head on
    pixels sees what falls between the samples of SqueezeNet's first layer, which halves the side without a low-pass.

    Args:
        backbone: SqueezeNet, on the device of the images.
    """

    def __init__(self, backbone: FrozenBackbone) -> None:
        super().__init__()
        self._backbone = (backbone,)
        pairs = zip(TAP_CHANNELS, MIXED_CHANNELS, strict=True)
        self.channel_mixing = nn.ModuleList(fixed_mixing(*channels, 1) for channels in pairs)
        coarser = zip(MIXED_CHANNELS[1:], MIXED_CHANNELS[:-1], strict=True)
        self.scale_mixing = nn.ModuleList(fixed_mixing(*channels, 3) for channels in coarser)
        self.heads = nn.ModuleList(
            head(channels, len(TAPS) - 1 - scale) for scale, channels in enumerate(MIXED_CHANNELS)
        )
        wide = 2 * PIXEL_CHANNELS
        self.pixel_head = nn.Sequential(
            *(SpectralConv(3, PIXEL_CHANNELS, 4, 2), nn.LeakyReLU(LEAK)),
            *(SpectralConv(PIXEL_CHANNELS, wide, 4, 2), *normed(wide)),
            *(SpectralConv(wide, wide, 3), *normed(wide)),
            SpectralConv(wide, 1, 3),
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W] in [-1, 1] -> maps of logits [B, 1, any, any], one a head, positive where they look real."""
        features = unit_features(self._backbone[0](images, TAPS))
        logits = [self.pixel_head(images)]
        above: Tensor | None = None
        for scale in reversed(range(len(TAPS))):
            x = self.channel_mixing[scale](features[scale])
            if above is not None:
                coarse = F.interpolate(
                    self.scale_mixing[scale](above), size=x.shape[2:], mode="bilinear", align_corners=False
                )
                x = (x + coarse) * 0.5**0.5
            logits.append(self.heads[scale](x))
            above = x
        return logits


class FeaturePatchDiscriminator(nn.Module):
    """Judges whether patches come from the image that the reference patches come from (Eq. 4), by their features.

    Of each patch, enlarged twice, the means and deviations of convolved features and pixels, and of its colours, which
    features of unit length hardly hold.

    Args:
        backbone: SqueezeNet, on the device of the patches.
    """

    def __init__(self, backbone: FrozenBackbone) -> None:
        super().__init__()
        self._backbone = (backbone,)
        # The finest layer is halved at once: at its full size it would take most of an update's time.
        self.convs = nn.ModuleList(
            nn.Sequential(
                *(SpectralConv(channels, HEAD_CHANNELS, *(3, 1) if scale else (4, 2)), nn.LeakyReLU(LEAK)),
                *(SpectralConv(HEAD_CHANNELS, HEAD_CHANNELS, 3), nn.LeakyReLU(LEAK)),
            )
            for scale, channels in enumerate(TAP_CHANNELS[:PATCH_TAPS])
        )
        self.pixel_convs = nn.Sequential(
            *(SpectralConv(3, PIXEL_CHANNELS, 3), nn.LeakyReLU(LEAK)),
            *(SpectralConv(PIXEL_CHANNELS, HEAD_CHANNELS, 4, 2), nn.LeakyReLU(LEAK)),
        )
        statistics = 2 * (HEAD_CHANNELS * (PATCH_TAPS + 1) + 3)
        self.to_features = SpectralLinear(statistics, PATCH_FEATURES)
        self.compare = nn.Sequential(
            *(SpectralLinear(2 * PATCH_FEATURES, PATCH_HIDDEN), nn.LeakyReLU(LEAK)),
            *(SpectralLinear(PATCH_HIDDEN, PATCH_HIDDEN), nn.LeakyReLU(LEAK)),
            SpectralLinear(PATCH_HIDDEN, 1),
        )

    def features(self, patches: Tensor) -> Tensor:
        """Patches [B, N, 3, S, S] -> [B, N, C]."""
        pixels = patches.flatten(0, 1)
        enlarged = F.interpolate(pixels, scale_factor=2, mode="bilinear", align_corners=False)
        layers = unit_features(self._backbone[0](enlarged, TAPS[:PATCH_TAPS]))
        maps = [conv(layer) for conv, layer in zip(self.convs, layers, strict=True)]
        # Colours count twice: their deviation is about a half, where that of features is one.
        maps += [self.pixel_convs(pixels), 2 * pixels]
        return self.to_features(torch.cat([mean_and_deviation(x) for x in maps], 1)).unflatten(0, patches.shape[:2])

    def logits(self, reference: Tensor, features: Tensor) -> Tensor:
        """Compare features [..., C] of reference patches and of others -> logits [...]."""
        return self.compare(torch.cat([reference, features], -1))[..., 0]


def mean_and_deviation(x: Tensor) -> Tensor:
    """Of each channel over all places, [B, C, h, w] -> [B, 2 C], in float32 at least."""
    variance, mean = torch.var_mean(upcast(x), (2, 3), correction=0)
    return torch.cat([mean, (variance + 1e-5).sqrt()], 1)
