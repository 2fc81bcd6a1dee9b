"""The networks with all that is constant done beforehand: for inference alone, and faster.

The functions are those of `encoder.py` and `generator.py`; read these first.

- Equalisation, demodulation, the activations' gain and the residual blocks' sqrt(1/2) are in the weights.
- Biases go into the convolution before them, or into the blur: no pass over the map of their own.
- All textures' modulations are one matrix product.
- For one image with one texture it is the weights that are scaled, where they are fewer than the map's values.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapae.encoder import Encoder
from swapae.generator import Generator, GeneratorBlock
from swapae.layers import ACTIVATION_GAIN, LEAK, Blur, ConvLayer, DownBlock, EqualLinear, ModulatedConv, unit_length
from swapae.model import SwapAE
from swapae.precision import widen

HALF = math.sqrt(0.5)


def optimize_for_inference(model: SwapAE) -> SwapAE:
    """A model with the same `encode`, `decode` and `swap`, faster, without gradients and not to be saved.

    Outputs are those of `model` to about 3e-6 of their range in float32. Its weights are copies, in the type and on the
    device of `model`'s.
    """
    return InferenceModel(model)


class InferenceModel(SwapAE):
    """What `optimize_for_inference` makes of a model."""

    def __init__(self, model: SwapAE) -> None:
        nn.Module.__init__(self)
        self.config = model.config
        self.encoder = FoldedEncoder(model.encoder)
        self.generator = FoldedGenerator(model.generator)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Raise TypeError: the weights are no longer those of the published form."""
        raise TypeError("a model optimized for inference cannot be saved: save the one it was made of")

    push_to_hub = save_pretrained


class FoldedConv(nn.Module):
    """A `ConvLayer` times `factor`."""

    def __init__(self, layer: ConvLayer, factor: float = 1.0) -> None:
        super().__init__()
        self.weight = frozen(layer.weight * (layer.gain * factor))
        scale = (ACTIVATION_GAIN if layer.activate else 1.0) * factor
        self.bias = None if layer.bias is None else frozen(layer.bias * scale)
        self.blur = copy.deepcopy(layer.blur)
        self.activate, self.stride, self.padding, self.pad_mode = (
            layer.activate,
            layer.stride,
            layer.padding,
            layer.pad_mode,
        )

    def forward(self, x: Tensor) -> Tensor:
        """As `ConvLayer.forward`."""
        if self.blur is not None:
            x = self.blur(x)
        padding = self.padding
        if padding and self.pad_mode == "reflect":
            x, padding = F.pad(x, [padding] * 4, "reflect"), 0
        y = F.conv2d(x, self.weight, self.bias, stride=self.stride, padding=padding)
        return F.leaky_relu_(y, LEAK) if self.activate else y


class FoldedDownBlock(nn.Module):
    """A `DownBlock`."""

    def __init__(self, block: DownBlock) -> None:
        super().__init__()
        self.conv1, self.conv2 = FoldedConv(block.conv1), FoldedConv(block.conv2, HALF)
        self.skip = FoldedConv(block.skip, HALF)

    def forward(self, x: Tensor) -> Tensor:
        """As `DownBlock.forward`."""
        return self.conv2(self.conv1(x)).add_(self.skip(x))


class FoldedEncoder(nn.Module):
    """An `Encoder`."""

    forward = Encoder.forward

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.from_rgb = FoldedConv(encoder.from_rgb)
        self.trunk = nn.Sequential(*[FoldedDownBlock(block) for block in encoder.trunk])
        self.to_structure = nn.Sequential(*[FoldedConv(layer) for layer in encoder.to_structure])
        self.texture_convs = nn.Sequential(*[FoldedConv(layer) for layer in encoder.texture_convs])
        # As it is, for codes and recipes know the model by it.
        self.to_texture = copy.deepcopy(encoder.to_texture)


class FoldedModulatedConv(nn.Module):
    """A `ModulatedConv` times `factor`, whose style comes from outside."""

    def __init__(self, layer: ModulatedConv, factor: float = 1.0) -> None:
        super().__init__()
        length = widen(layer.weight).square().sum((1, 2, 3), keepdim=True)
        weight = layer.weight * (ACTIVATION_GAIN * factor * torch.rsqrt(length + 1e-8)).to(layer.weight.dtype)
        self.weight = frozen(weight if layer.blur is None else weight.transpose(0, 1))
        self.bias = frozen(ACTIVATION_GAIN * factor * layer.bias)
        self.noise_weight = frozen(ACTIVATION_GAIN * factor * layer.noise_weight)
        self.blur = copy.deepcopy(layer.blur)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """As `ModulatedConv.forward`, with a style [B, C, 1, 1] or a map of it; x may be overwritten."""
        x, weight = modulated(x, self.weight, normalised(x, style), 1 if self.blur is None else 0)
        if self.blur is None:
            y = F.conv2d(x, weight, self.bias, padding=1)
        else:
            y = blurred(F.conv_transpose2d(x, weight, stride=2), self.blur, self.bias)
        if noise is not None:
            y.add_(self.noise_weight * noise)
        return F.leaky_relu_(y, LEAK)


class FoldedBlock(nn.Module):
    """A `GeneratorBlock`, with a style for each of its two convolutions."""

    def __init__(self, block: GeneratorBlock) -> None:
        super().__init__()
        self.conv1, self.conv2 = FoldedModulatedConv(block.conv1), FoldedModulatedConv(block.conv2, HALF)
        # What it is taken times comes after the up-sampling, for nothing.
        self.skip = None if block.skip is None else FoldedConv(block.skip)
        self.upsample = block.upsample

    def forward(self, x: Tensor, styles: Sequence[Tensor], noises: Sequence[Tensor | None]) -> Tensor:
        """As `GeneratorBlock.forward`."""
        skip = x.clone() if self.skip is None and not self.upsample else x
        skip = skip if self.skip is None else self.skip(skip)
        if self.upsample:
            skip = F.interpolate(skip, scale_factor=2, mode="bilinear", align_corners=False)
        return self.conv2(self.conv1(x, styles[0], noises[0]), styles[1], noises[1]).add_(skip, alpha=HALF)


class FoldedGenerator(nn.Module):
    """A `Generator`."""

    noise_sides, block_groups, forward = Generator.noise_sides, Generator.block_groups, Generator.forward

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.head_blocks = sum(not block.upsample for block in generator.blocks)
        self.blocks = nn.ModuleList(FoldedBlock(block) for block in generator.blocks)
        rgb = generator.to_rgb
        self.rgb_weight, self.rgb_bias = frozen(rgb.weight / math.sqrt(rgb.weight[0].numel())), frozen(rgb.bias)
        first = generator.structure_modulation
        modulations = [first.scale, first.shift]
        for block in generator.blocks:
            modulations += [block.conv1.modulation, block.conv2.modulation]
        modulations.append(rgb.modulation)
        self.modulation, self.modulation_bias = all_of(modulations)
        self.widths = [len(one.bias) for one in modulations]

    def styles(self, textures: Sequence[Tensor]) -> list[Tensor]:
        """Of all modulations in their order: two of the structure, two of each block, one of RGB."""
        made: dict[int, list[Tensor]] = {}
        for texture in textures:
            if id(texture) not in made:
                product = (
                    F.linear(texture[:, :, 0, 0], self.modulation, self.modulation_bias)[:, :, None, None]
                    if texture.shape[2:] == (1, 1)
                    else F.conv2d(texture, self.modulation[:, :, None, None], self.modulation_bias)
                )
                made[id(texture)] = list(product.split(self.widths, 1))
        owners = [textures[0], textures[0], *(texture for texture in textures for _ in range(2)), textures[-1]]
        return [made[id(owner)][number] for number, owner in enumerate(owners)]

    def head(self, structure: Tensor, textures: Sequence[Tensor], noises: Sequence[Tensor] | None) -> Tensor:
        """As `Generator.head`."""
        styles = self.styles(textures)
        scale, shift = (resized(style, structure) for style in styles[:2])
        return self._run(range(self.head_blocks), unit_length(structure) * scale + shift, styles, noises)

    def tail(self, x: Tensor, textures: Sequence[Tensor], noises: Sequence[Tensor] | None) -> Tensor:
        """As `Generator.tail`."""
        styles = self.styles(textures)
        x = self._run(range(self.head_blocks, len(self.blocks)), x, styles, noises)
        x, weight = modulated(x, self.rgb_weight, resized(styles[-1], x), 1)
        return F.conv2d(x, weight, self.rgb_bias)

    def _run(self, blocks: range, x: Tensor, styles: Sequence[Tensor], noises: Sequence[Tensor] | None) -> Tensor:
        for i in blocks:
            pair = slice(2 * i, 2 * i + 2)
            x = self.blocks[i](x, styles[2:][pair], (None, None) if noises is None else noises[pair])
        return x


def frozen(value: Tensor) -> nn.Parameter:
    """A constant as a parameter, which moves with its module; channels last if it is a weight of a convolution."""
    value = value.detach().clone()
    return nn.Parameter(
        value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value, requires_grad=False
    )


def all_of(layers: Sequence[EqualLinear]) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights and biases of linear layers of one input as those of one."""
    return (
        frozen(torch.cat([layer.weight * layer.gain for layer in layers])),
        frozen(torch.cat([layer.bias for layer in layers])),
    )


def resized(style: Tensor, x: Tensor) -> Tensor:
    """A map of styles at the size of x; one of a single place as it is."""
    if style.shape[2:] in ((1, 1), x.shape[2:]):
        return style
    return F.interpolate(style, size=x.shape[2:], mode="bilinear", align_corners=False)


def normalised(x: Tensor, style: Tensor) -> Tensor:
    """A style at the size of x, of root mean square 1 over its channels."""
    style = widen(resized(style, x))
    return (style * torch.rsqrt(style.square().mean(1, keepdim=True) + 1e-8)).to(x.dtype)


def modulated(x: Tensor, weight: Tensor, style: Tensor, inputs: int) -> tuple[Tensor, Tensor]:
    """Scale the input channels, in x (overwritten) or in the weight, where they are its dimension `inputs`."""
    if style.shape == (1, style.shape[1], 1, 1) and weight.numel() < x.numel():
        return x, weight * (style if inputs == 1 else style.transpose(0, 1))
    return x.mul_(style), weight


def blurred(x: Tensor, blur: Blur, bias: Tensor) -> Tensor:
    """`blur` of x, which pads alike on all sides, and a bias."""
    channels = x.shape[1]
    kernel = blur.kernel.to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(x, kernel, bias, stride=blur.stride, padding=blur.pad[0], groups=channels)
