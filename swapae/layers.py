"""StyleGAN2's building blocks in plain PyTorch: equalised layers, FIR resampling, modulated convolution.

Parameters are stored with unit variance and scaled when used ("equalised learning rate", Karras et al.
2018). Activations are changed in place, some only where no gradient is recorded: at 256 pixels fresh
allocations cost as much time as the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapae.precision import upcast

LEAK = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)


def unit_length(codes: Tensor) -> Tensor:
    """Scale [B, C, ...] to length 1 over its channels."""
    wide = upcast(codes)
    return (wide * torch.rsqrt(wide.square().sum(1, keepdim=True) + 1e-8)).to(codes.dtype)


def add(x: Tensor, y: Tensor) -> Tensor:
    """x + y, written over x where no gradient needs it."""
    return x + y if torch.is_grad_enabled() else x.add_(y)


def leaky_relu(x: Tensor, bias: Tensor) -> Tensor:
    """leaky_relu(x + sqrt(2) * bias) of slope 0.2, for [B, C] or [B, C, H, W]; overwrites x.

    With x = sqrt(2) * y it is StyleGAN2's sqrt(2) * leaky_relu(y + bias): layers put the gain into their scale,
    where it costs nothing. Its backward reads the result alone, so that training keeps one map a layer, not two.
    """
    bias = (ACTIVATION_GAIN * bias).to(x.dtype).view(1, -1, *[1] * (x.dim() - 2))
    return F.leaky_relu_(x.add_(bias), LEAK)


def residual(x: Tensor, skip: Tensor) -> Tensor:
    """Sum of two branches of equal variance, brought back to that variance; overwrites skip."""
    return skip.add_(x).mul_(math.sqrt(0.5))


class EqualLinear(nn.Module):
    """Linear layer with equalised learning rate, optionally followed by the leaky ReLU.

    A map [B, C, h, w] is treated location by location.
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: float = 0.0, activate: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels))
        self.bias = nn.Parameter(torch.full((out_channels,), bias))
        self.gain = (ACTIVATION_GAIN if activate else 1.0) / math.sqrt(in_channels)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """[B, in] -> [B, out], or [B, in, h, w] -> [B, out, h, w]."""
        weight = self.weight * self.gain
        bias = None if self.activate else self.bias
        y = F.conv2d(x, weight[:, :, None, None], bias) if x.dim() == 4 else F.linear(x, weight, bias)
        return leaky_relu(y, self.bias) if self.activate else y


class Blur(nn.Module):
    """FIR filter: the outer product of `taps`, of sum `gain`, as a depthwise convolution.

    Args:
        taps: one-dimensional filter.
        pad: pixels added on the left and top, and on the right and bottom.
        stride: keeps every stride-th pixel; filtering only what is kept costs stride^2 less.
        pad_mode: "constant" (zeros) or "reflect".
    """

    kernel: Tensor

    def __init__(
        self,
        taps: Sequence[int],
        pad: tuple[int, int],
        *,
        stride: int = 1,
        gain: float = 1.0,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__()
        line = torch.tensor(taps, dtype=torch.float32)
        kernel = torch.outer(line, line)
        # Fixed by the architecture, hence no part of the checkpoint.
        self.register_buffer("kernel", kernel * (gain / kernel.sum()), persistent=False)
        self.pad, self.stride, self.pad_mode = pad, stride, pad_mode

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, (H + sum(pad) - len(taps)) // stride + 1, likewise W]."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        if self.pad_mode == "constant" and self.pad[0] == self.pad[1]:
            padding = self.pad[0]
        else:
            x, padding = F.pad(x, self.pad * 2, self.pad_mode), 0
        if x.dtype == torch.bfloat16 and x.device.type == "cpu" and torch.is_grad_enabled():
            # There the gradient of a strided depthwise convolution takes five times as long as of all its pixels.
            every = F.conv2d(x, kernel, padding=padding, groups=channels)
            return every[..., :: self.stride, :: self.stride].contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, kernel, stride=self.stride, padding=padding, groups=channels)


class ConvLayer(nn.Module):
    """Equalised convolution that keeps the side, or halves it after a blur; optional leaky ReLU.

    Args:
        in_channels, out_channels, kernel_size: of the convolution.
        blur: taps of the filter before a stride-2 convolution; none: the side is kept.
        pad_mode: "constant" (zeros) or "reflect".
        padded: False leaves the border out instead.
        bias: whether there is one; the leaky ReLU implies it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        blur: Sequence[int] = (),
        stride: int = 1,
        pad_mode: str = "constant",
        padded: bool = True,
        activate: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.gain = (ACTIVATION_GAIN if activate else 1.0) / math.sqrt(in_channels * kernel_size**2)
        self.activate, self.stride, self.pad_mode = activate, stride, pad_mode
        self.padding = kernel_size // 2 if padded else 0
        self.blur: Blur | None = None
        if blur:
            total = len(blur) - 2 + kernel_size - 1
            pad = ((total + 1) // 2, total // 2)
            # A 1x1 convolution sees only every second blurred pixel: blur those alone.
            blur_stride, self.stride = (2, 1) if kernel_size == 1 else (1, 2)
            self.blur = Blur(blur, pad, stride=blur_stride, pad_mode=pad_mode)
            self.padding = 0

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H, W], or half the sides."""
        if self.blur is not None:
            x = self.blur(x)
        padding = self.padding
        if padding and self.pad_mode == "reflect":
            x, padding = F.pad(x, [padding] * 4, "reflect"), 0
        bias = None if self.activate or self.bias is None else self.bias
        weight: Tensor = self.weight
        # The gain goes to the smaller factor: late layers have more weights than pixels. An exported graph, which is
        # of no one size, cannot choose.
        if torch.compiler.is_compiling() or weight.numel() < x.numel():
            weight = weight * self.gain
        else:
            x = x * self.gain
        y = F.conv2d(x, weight, bias, stride=self.stride, padding=padding)
        if self.activate:
            assert self.bias is not None, "the leaky ReLU implies a bias"
            y = leaky_relu(y, self.bias)
        return y


class DownBlock(nn.Module):
    """Residual block that halves the side: two 3x3 convolutions beside a blurred 1x1 one (StyleGAN2, Fig. 7c).

    Args:
        blur: taps of the filter before each stride-2 convolution; none: the side is kept.
        pad_mode: of the 3x3 convolutions. The skip's blur always pads with zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, blur: Sequence[int], pad_mode: str = "constant") -> None:
        super().__init__()
        self.conv1 = ConvLayer(in_channels, in_channels, 3, pad_mode=pad_mode)
        self.conv2 = ConvLayer(in_channels, out_channels, 3, blur=blur, pad_mode=pad_mode)
        self.skip = ConvLayer(in_channels, out_channels, 1, blur=blur, activate=False, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, H, W] -> [B, out, H/2, W/2] (or H, W)."""
        return residual(self.conv2(self.conv1(x)), self.skip(x))


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    *,
    gain: float = 1.0,
    demodulate: bool = True,
    upsample: bool = False,
) -> Tensor:
    """Convolution whose input channels are scaled by a style, with one weight for the whole batch.

    StyleGAN2 scales the *weight* by each sample's style and renormalises it, which needs a grouped
    convolution with B copies of the weight. The swapping autoencoder normalises the style alone (to root
    mean square 1 over channels) and the weight alone (to length 1 per output channel), so that scaling
    the *activations* and convolving once is exactly equal.

    Args:
        x: [B, C, H, W]; overwritten where no gradient is recorded.
        weight: [O, C, k, k].
        style: [B, C, 1, 1], or a map [B, C, h, w] that is resized bilinearly to H x W.
        gain: factor on the result.
        demodulate: normalise style and weight; without it the weight is scaled by 1/sqrt(C k k).
        upsample: transposed convolution of stride 2, [B, O, 2H + 1, 2W + 1] for k = 3.
    """
    if style.shape[2:] != (1, 1) and style.shape[2:] != x.shape[2:]:
        style = F.interpolate(style, size=x.shape[2:], mode="bilinear", align_corners=False)
    if demodulate:
        style = upcast(style)
        style = style * (gain * torch.rsqrt(style.square().mean(1, keepdim=True) + 1e-8))
        length = upcast(weight).square().sum((1, 2, 3), keepdim=True)
        weight = weight * torch.rsqrt(length + 1e-8).to(weight.dtype)
    else:
        weight = weight * (gain / math.sqrt(weight[0].numel()))
    style = style.to(x.dtype)
    x = x * style if torch.is_grad_enabled() else x.mul_(style)
    if upsample:
        return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


class ModulatedConv(nn.Module):
    """Modulated 3x3 convolution, then noise, bias and leaky ReLU; `upsample` doubles the side."""

    def __init__(self, in_channels: int, out_channels: int, texture_channels: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.modulation = EqualLinear(texture_channels, in_channels, bias=1.0)
        self.noise_weight = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        # Gain 4 makes up for the zeros that a stride-2 transposed convolution puts between pixels.
        self.blur = Blur((1, 3, 3, 1), (1, 1), gain=4.0) if upsample else None

    def forward(self, x: Tensor, texture: Tensor, noise: Tensor | None) -> Tensor:
        """x [B, in, H, W], which may be overwritten; texture [B, T, 1, 1] or a map; noise for the output, or None."""
        style = self.modulation(texture)
        y = modulated_conv2d(x, self.weight, style, gain=ACTIVATION_GAIN, upsample=self.blur is not None)
        if self.blur is not None:
            y = self.blur(y)
        if noise is not None:
            y = add(y, (ACTIVATION_GAIN * self.noise_weight).to(y.dtype) * noise.to(y.dtype))
        return leaky_relu(y, self.bias)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to three channels, without demodulation."""

    def __init__(self, in_channels: int, texture_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, in_channels, 1, 1))
        self.modulation = EqualLinear(texture_channels, in_channels, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, texture: Tensor) -> Tensor:
        """[B, in, H, W], which may be overwritten -> [B, 3, H, W]."""
        y = modulated_conv2d(x, self.weight, self.modulation(texture), demodulate=False)
        return add(y, self.bias.view(1, 3, 1, 1).to(y.dtype))
