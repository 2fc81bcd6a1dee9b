"""The networks for inference alone, in another engine: on a CPU often faster than as they are trained.

The functions are those of `encoder.py` and `generator.py`; read these first. Here all that is constant is done
beforehand, and an engine (`engine.py`) runs the rest.

- Layers become nodes of the engine's graphs (`layers.py`).
- All textures' modulations are one matrix product.
- Blocks with large maps are computed tile by tile, which bounds memory.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapae.encoder import Encoder, EncoderStages
from swapae.generator import Generator, GeneratorBlock, GeneratorStages, Textures
from swapae.inference.choice import Form, asked_for, fastest
from swapae.inference.engine import Graph, Network
from swapae.inference.layers import HALF, AnyGraph, add_conv, add_down_block, add_modulated_conv
from swapae.inference.openvino import OpenVinoGraph, OpenVinoNetwork, has_bfloat16, is_installed
from swapae.inference.tiling import tiles
from swapae.layers import ACTIVATION_GAIN, ConvLayer, DownBlock, ToRGB, unit_length
from swapae.model import Autoencoder, SwapAE

ENGINES = ("torch", "ncnn", "openvino")  # of a model in float32 on a CPU
# Steps (a pixel of the smaller of a block's input and output) beyond its own that a tile's result depends on.
REACH = 2
# Of a block's largest map, what is computed at a time: with twice as much decoding takes half as much memory again, and
# is a few per cent faster.
TILE_VALUES = 768 * 1024


@dataclass(frozen=True)
class Engine:
    """What runs graphs.

    Attributes:
        graph: begins one; its argument says whether it may be computed in bfloat16.
        joins: several layers or blocks in one network, which needs little memory beyond its largest maps. If not, each
            is one of its own, and computed in tiles.
    """

    graph: Callable[[bool], AnyGraph]
    joins: bool


def ncnn_graph(half: bool) -> Graph:
    """A graph of ncnn, all in float32: in bfloat16 it was slower."""
    return Graph()


NCNN = Engine(ncnn_graph, joins=False)
OPENVINO = Engine(OpenVinoGraph, joins=True)


def optimize_for_inference(model: SwapAE, *, engine: str = "auto", compile: bool = False) -> Autoencoder:
    """A model with the same `encode`, `decode`, `swap` and `swap_images`, as fast as it gets here.

    In float32 on a CPU it is `model` itself or another object, which runs in the engine ncnn: whichever is faster. The
    first time on a machine they are timed for two seconds, see `choice.py`. Outputs are those of `model` to about 3e-6
    of their range. Where the package openvino is installed and the CPU has bfloat16, that engine is a third one: it
    decodes in part with bfloat16, and its pictures differ by less than half a level of 255. Any other model is returned
    itself: put it where it is to compute first.

    Args:
        model: in evaluation mode.
        engine: "torch", "ncnn", "openvino", or "auto" for what the variable SWAPAE_ENGINE says, else for the faster.
        compile: have torch compile the networks of `model`, and freeze them, where no other engine runs them: its
            compiler takes about a minute when they are first used, and again for other sizes; on a CPU it needs a C++
            compiler.

    Raises:
        UserError: no such engine, or it is not installed.
    """
    engine = asked_for(engine, ENGINES)
    found: Autoencoder = model
    if model.device.type == "cpu" and model.dtype == torch.float32:
        forms: dict[str, Form] = {
            "torch": lambda: model,
            "ncnn": lambda: EngineAutoencoder(model, NCNN),
            "openvino": lambda: EngineAutoencoder(model, OPENVINO),
        }
        if engine != "auto":
            found = forms[engine]()
        else:
            if not is_installed() or not has_bfloat16():
                del forms["openvino"]
            found = fastest(model.config, forms)
    if compile and found is model:
        model.requires_grad_(False)
        for network in (model.encoder, model.generator):
            network.compile(options={"freezing": True})
    return found


def in_form_of(model: Autoencoder, changed: SwapAE) -> Autoencoder:
    """`changed` in the form that `model` has: for a picture or two, where to time the engines would not come back."""
    return EngineAutoencoder(changed, model.engine) if isinstance(model, EngineAutoencoder) else changed


class EngineAutoencoder(Autoencoder):
    """A model in the engine. It is no module of PyTorch: it stays as and where it was made.

    Its copies share what they compute with, which nothing changes. It cannot be pickled: keep the model it was made of.
    """

    training = False

    def __init__(self, model: SwapAE, engine: Engine) -> None:
        self.config, self.engine = model.config, engine
        self._parameter_count = model.parameter_count
        with torch.no_grad():
            self.encoder = EngineEncoder(model.encoder, engine)
            self.generator = EngineGenerator(model.generator, engine)

    def __call__(self, images: Tensor) -> Tensor:
        """Reconstruction of images [B, 3, H, W]."""
        return self.forward(images)

    def __getattr__(self, name: str) -> NoReturn:
        """Of what only the plain form has, say where it is."""
        remedy = ": use the model it was made of, and optimize that again" if hasattr(SwapAE, name) else ""
        raise AttributeError(f"a model optimized for inference has no {name!r}{remedy}")

    @property
    def parameter_count(self) -> int:
        """As of the model it was made of."""
        return self._parameter_count


class EngineEncoder(EncoderStages):
    """An `Encoder`."""

    def __init__(self, encoder: Encoder, engine: Engine) -> None:
        super().__init__()
        first, *others = parts_of(encoder.trunk)
        parts = [[encoder.from_rgb, first], *([block] for block in others)]
        if engine.joins:
            parts = [[layer for part in parts for layer in part]]
        self.trunk = nn.Sequential(*(EngineLayers(engine, *part) for part in parts))
        self.to_structure = EngineLayers(engine, *parts_of(encoder.to_structure))
        self.texture_convs = EngineLayers(engine, *parts_of(encoder.texture_convs))
        # As it is, for codes and recipes know the model by it.
        self.to_texture = copy.deepcopy(encoder.to_texture).requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        """As of `EncoderStages`."""
        return self.trunk(images)


class EngineLayers(nn.Module):
    """Layers of an encoder, one after another; in tiles if it is a block that halves the sides."""

    def __init__(self, engine: Engine, *layers: ConvLayer | DownBlock) -> None:
        super().__init__()
        graph = engine.graph(False)
        x = graph.input("x")
        for layer in layers:
            x = add_down_block(graph, x, layer) if isinstance(layer, DownBlock) else add_conv(graph, x, layer)
        self.network = graph.build(x)
        last = layers[-1]
        # Of a block that halves the sides, which is computed in tiles.
        self.channels = last.conv1.weight.shape[0] if isinstance(last, DownBlock) and not engine.joins else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, O, h, w]."""
        if self.channels is None:
            return torch.stack([self.network({"x": one}) for one in x])
        return in_tiles(self.network, {"x": (x, 2)}, 1, tile_side(self.channels, 2))


class EngineBlocks(nn.Module):
    """`GeneratorBlock`s, one after another, with the styles of their convolutions from outside; the last also RGB."""

    def __init__(self, engine: Engine, blocks: Sequence[GeneratorBlock], to_rgb: ToRGB | None = None) -> None:
        super().__init__()
        # Nearly all time is spent where maps are enlarged, and an error made there is hardly seen. One made in the
        # blocks before these would grow in all of the others.
        graph = engine.graph(all(block.upsample for block in blocks))
        x = graph.input("x")
        for i, block in enumerate(blocks):
            y = add_modulated_conv(graph, x, block.conv1, f"{i}_1")
            y = add_modulated_conv(graph, y, block.conv2, f"{i}_2", HALF)
            skip = x if block.skip is None else add_conv(graph, x, block.skip)
            if block.upsample:
                skip = graph.upsample(skip)
            x = graph.weighted_sum(y, skip, HALF)
        if to_rgb is not None:
            x = graph.multiply(x, graph.input("style_rgb"))
            x = graph.conv(x, to_rgb.weight / math.sqrt(to_rgb.weight[0].numel()), to_rgb.bias)
        self.network = graph.build(x)
        self.upsamples = [block.upsample for block in blocks]
        self.upsample = self.upsamples[0]
        self.channels = len(blocks[-1].conv2.bias)
        self.tiled = not engine.joins
        gains = ACTIVATION_GAIN, ACTIVATION_GAIN * HALF
        self.noise_weights = [
            [float(conv.noise_weight) * gain for conv, gain in zip((block.conv1, block.conv2), gains, strict=True)]
            for block in blocks
        ]

    def forward(self, x: Tensor, styles: Sequence[Sequence[Tensor]], noises: Sequence[Tensor] | None) -> Tensor:
        """x [B, C, h, w] -> [B, O, H, W].

        Args:
            styles: of each block, those of its convolutions, of which the last may have a third, for RGB: [B, C, 1, 1]
                or of any size.
            noises: two for each block, or None.
        """
        inputs, scale, sides = {"x": (x, 1)}, 1, x.shape[2:]
        none = x.new_zeros(1, 1, 1, 1)
        for i, upsample in enumerate(self.upsamples):
            first, second, *rgb = styles[i]
            inputs[f"style{i}_1"] = normalised(first, sides), scale
            if upsample:
                scale, sides = 2 * scale, torch.Size(2 * side for side in sides)
            inputs[f"style{i}_2"] = normalised(second, sides), scale
            for number, weight in enumerate(self.noise_weights[i], 1):
                inputs[f"noise{i}_{number}"] = none if noises is None else weight * noises[2 * i + number - 1], scale
            if rgb:
                inputs["style_rgb"] = resized(rgb[0], sides), scale
        side = tile_side(self.channels, scale) if self.tiled else max(x.shape[2:])
        return in_tiles(self.network, inputs, scale, side)


def tile_side(channels: int, scale: int) -> int:
    """Steps of a tile's side, where the largest map has so many channels and pixels to a step's side."""
    return max(1, int((TILE_VALUES / channels) ** 0.5) // scale)


def in_tiles(
    network: Network | OpenVinoNetwork, inputs: Mapping[str, tuple[Tensor, int]], scale: int, side: int
) -> Tensor:
    """What a block makes of a batch, computed picture by picture and, for bounded memory, tile by tile.

    Args:
        network: of the block.
        inputs: by name, a batch [B or 1, C, H, W] or one of height and width 1, and the pixels of a step's side in it.
        scale: pixels of a step's side in the output.
        side: of a tile, in steps.
    """
    x, own_scale = inputs["x"]
    height, width = (length // own_scale for length in x.shape[2:])
    whole = None
    for picture, (rows, columns) in itertools.product(range(len(x)), tiles(height, width, side, REACH)):
        cut = {}
        for name, (value, of_step) in inputs.items():
            one = value[min(picture, len(value) - 1)]
            if one.shape[1:] != (1, 1):
                one = one[:, rows.seen(of_step), columns.seen(of_step)]
            cut[name] = one
        made = network(cut)
        if whole is None:
            whole = made.new_empty(len(x), len(made), scale * height, scale * width)
        whole[picture, :, rows.own(scale), columns.own(scale)] = made[:, rows.kept(scale), columns.kept(scale)]
    assert whole is not None, "a batch without pictures"
    return whole


class EngineGenerator(GeneratorStages):
    """A `Generator`."""

    def __init__(self, generator: Generator, engine: Engine) -> None:
        super().__init__()
        blocks: list[GeneratorBlock] = parts_of(generator.blocks)
        heads = sum(not block.upsample for block in blocks)

        def made(numbers: range) -> EngineBlocks:
            rgb = generator.to_rgb if numbers.stop == len(blocks) else None
            return EngineBlocks(engine, [blocks[number] for number in numbers], rgb)

        self.blocks = nn.ModuleList(made(range(i, i + 1)) for i in range(len(blocks)))
        self.to_rgb_channels = generator.to_rgb.weight.shape[1]
        joined = [range(heads), range(heads, len(blocks))] if engine.joins else []
        self.joined = {numbers: made(numbers) for numbers in joined}
        modulations = [[block.conv1.modulation, block.conv2.modulation] for block in blocks]
        modulations[0] = [generator.structure_modulation.scale, generator.structure_modulation.shift, *modulations[0]]
        modulations[-1].append(generator.to_rgb.modulation)
        layers = [layer for of_block in modulations for layer in of_block]
        self.modulation = torch.cat([layer.weight * layer.gain for layer in layers])
        self.modulation_bias = torch.cat([layer.bias for layer in layers])
        self.widths = [[len(layer.bias) for layer in of_block] for of_block in modulations]

    def styles(self, blocks: range, textures: Textures) -> list[list[Tensor]]:
        """Of each of the blocks, those of its modulations: one product for all if they share one texture."""
        if not isinstance(textures, Tensor):
            return [
                self.styles(range(number, number + 1), texture)[0]
                for number, texture in zip(blocks, textures, strict=True)
            ]
        ends = [0, *itertools.accumulate(map(sum, self.widths))]
        rows = slice(ends[blocks.start], ends[blocks.stop])
        product = F.conv2d(textures, self.modulation[rows, :, None, None], self.modulation_bias[rows])
        parts = iter(product.split([width for number in blocks for width in self.widths[number]], 1))
        return [list(itertools.islice(parts, len(self.widths[number]))) for number in blocks]

    def run(self, blocks: range, x: Tensor, textures: Textures, noises: Sequence[Tensor] | None) -> Tensor:
        """Some of the blocks, see `GeneratorStages.run`."""
        styles = self.styles(blocks, textures)
        if blocks.start == 0:
            scale, shift = (resized(styles[0].pop(0), x.shape[2:]) for _ in range(2))
            x = unit_length(x) * scale + shift
        start = blocks.start
        while start < blocks.stop:
            numbers, network = self.longest(range(start, blocks.stop))
            first, last = start - blocks.start, numbers.stop - blocks.start
            x = network(x, styles[first:last], None if noises is None else noises[2 * first : 2 * last])
            start = numbers.stop
        return x

    def longest(self, blocks: range) -> tuple[range, EngineBlocks]:
        """The network of the most of these blocks, from the first on, and their numbers."""
        for numbers, network in self.joined.items():
            if numbers.start == blocks.start and numbers.stop <= blocks.stop:
                return numbers, network
        return blocks[:1], parts_of(self.blocks)[blocks.start]

    @property
    def bytes_per_pixel(self) -> float:
        """As of `GeneratorStages`: what goes into a block and what comes out of it, where these are largest.

        Of an engine that joins blocks, three of the last block's maps, measured.
        """
        if self.joined:
            return 4 * 3.0 * self.to_rgb_channels
        sizes, side = [3.0], 1.0
        for block, after in reversed(list(itertools.pairwise(parts_of(self.blocks)))):
            side = side / 2 if after.upsample else side
            sizes.append(block.channels * side**2)
        return 4 * max(map(sum, itertools.pairwise(sizes)))


def parts_of(network: nn.Module) -> list[Any]:
    """Layers or blocks in their order; what they are torch's containers do not say."""
    return list(network.children())


def resized(style: Tensor, sides: torch.Size) -> Tensor:
    """A map of styles at this size; one of a single place as it is."""
    if style.shape[2:] in ((1, 1), sides):
        return style
    return F.interpolate(style, size=sides, mode="bilinear", align_corners=False)


def normalised(style: Tensor, sides: torch.Size) -> Tensor:
    """A style at this size, of root mean square 1 over its channels."""
    style = resized(style, sides)
    return style * torch.rsqrt(style.square().mean(1, keepdim=True) + 1e-8)
