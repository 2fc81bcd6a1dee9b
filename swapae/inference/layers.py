"""The networks' layers (`swapae/layers.py`) as nodes of an engine's graph, with all that is constant done beforehand.

- Equalisation, demodulation, the activations' gain and the residual blocks' sqrt(1/2) are in the weights.
- Biases go into the convolution before them, or into the blur: no pass over the map of their own.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from swapae.inference.engine import Graph
from swapae.inference.openvino import OpenVinoGraph
from swapae.layers import ACTIVATION_GAIN, LEAK, Blur, ConvLayer, DownBlock, ModulatedConv

AnyGraph = Graph | OpenVinoGraph

HALF = math.sqrt(0.5)


def add_conv(graph: AnyGraph, x: Any, layer: ConvLayer, factor: float = 1.0) -> Any:
    """A `ConvLayer` times `factor`."""
    padding = layer.padding
    if layer.blur is not None:
        x = add_blur(graph, x, layer.blur, layer.weight.shape[1])
    elif padding and layer.pad_mode == "reflect":
        x, padding = graph.pad(x, padding, padding, reflect=True), 0
    scale = (ACTIVATION_GAIN if layer.activate else 1.0) * factor
    bias = None if layer.bias is None else layer.bias * scale
    weight = layer.weight * (layer.gain * factor)
    leak = LEAK if layer.activate else None
    return graph.conv(x, weight, bias, stride=layer.stride, padding=padding, leak=leak)


def add_down_block(graph: AnyGraph, x: Any, block: DownBlock) -> Any:
    """A `DownBlock`."""
    y = add_conv(graph, add_conv(graph, x, block.conv1), block.conv2, HALF)
    return graph.add(y, add_conv(graph, x, block.skip, HALF))


def add_modulated_conv(graph: AnyGraph, x: Any, layer: ModulatedConv, number: str, factor: float = 1.0) -> Any:
    """A `ModulatedConv` times `factor`, whose style and noise, ready to be added, are inputs with this number."""
    weight = layer.weight * (ACTIVATION_GAIN * factor)
    weight = weight * torch.rsqrt(layer.weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
    bias = layer.bias * (ACTIVATION_GAIN * factor)
    x = graph.multiply(x, graph.input(f"style{number}"))
    if layer.blur is None:
        y = graph.conv(x, weight, bias, padding=1)
    else:
        y = graph.conv_transpose(x, weight.transpose(0, 1), stride=2)
        y = add_blur(graph, y, layer.blur, len(bias), bias)
    return graph.leaky_relu(graph.add(y, graph.input(f"noise{number}")), LEAK)


def add_blur(graph: AnyGraph, x: Any, blur: Blur, channels: int, bias: Tensor | None = None) -> Any:
    """A `Blur`, and a bias."""
    (before, after), padding = blur.pad, 0
    if blur.pad_mode == "constant" and before == after:
        padding = before
    else:
        x = graph.pad(x, before, after, reflect=blur.pad_mode == "reflect")
    kernel = blur.kernel.expand(channels, 1, -1, -1)
    return graph.conv(x, kernel, bias, stride=blur.stride, padding=padding, groups=channels)
