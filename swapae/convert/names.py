"""What the release calls the networks' tensors, filters included."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from swapae.config import TEXTURE_DOWNSAMPLINGS, DiscriminatorConfig, SwapAEConfig
from swapae.layers import ConvLayer, EqualLinear, ModulatedConv, ToRGB

MODULATION = (("scale", "scale"), ("shift", "bias"))


def encoder_names(config: SwapAEConfig) -> dict[str, str]:
    """Our paths of modules -> the release's; what lies below keeps its path, as in the next three."""
    names = {"from_rgb": "FromRGB", "to_texture": "ToGlobalCode.0"}
    names |= {f"to_structure.{i}": f"ToSpatialCode.{i}" for i in range(2)}
    for i in range(config.downsamplings):
        names[f"trunk.{i}"] = f"DownToSpatialCode.ResBlockDownBy{2**i}"
    for i in range(TEXTURE_DOWNSAMPLINGS):
        names[f"texture_convs.{i}"] = f"DownToGlobalCode.ConvLayerDownBy{2 ** (config.downsamplings + i)}"
    return names


def generator_names(config: SwapAEConfig) -> dict[str, str]:
    """Blocks that keep the side are numbered from 0; those that double it are named 16, 32, 64, ..."""
    names = {"to_rgb": "ToRGB"}
    names |= {f"structure_modulation.{ours}": f"SpatialCodeModulation.{theirs}" for ours, theirs in MODULATION}
    names |= {f"blocks.{i}": f"HeadResnetBlock{i}" for i in range(2)}
    names |= {f"blocks.{2 + i}": f"UpsamplingResBlock{2 ** (4 + i)}" for i in range(config.downsamplings)}
    return names


def image_discriminator_names(config: DiscriminatorConfig) -> dict[str, str]:
    """See `image_stage`."""
    names = {"from_rgb": "convs.0", "final_conv": "final_conv"}
    names |= {"hidden": "final_linear.0", "to_logit": "final_linear.1"}
    for i, level in enumerate(range(config.image_levels, 2, -1)):
        names[f"blocks.{i}"] = image_stage(level)
    return {ours: f"stylegan2_D.{theirs}" for ours, theirs in names.items()}


def patch_discriminator_names(config: DiscriminatorConfig) -> dict[str, str]:
    """See `patch_stage`; the block that keeps the side and the last convolution count on."""
    names = {"from_rgb": "convs.0", "final_conv": patch_stage(1)}
    names |= {f"compare.{i}": f"pairlinear.{i}" for i in range(4)}
    for i, level in enumerate(range(config.patch_levels, 1, -1)):
        names[f"blocks.{i}"] = patch_stage(level)
    return names


def image_stage(level: int) -> str:
    """The block that takes 2**level pixels: those of 256 and less count from 1, larger ones are named so."""
    return f"convs.{9 - level}" if level <= 8 else f"convs.{2**level}x{2**level}"


def patch_stage(level: int) -> str:
    """As `image_stage`, for the patch discriminator, whose numbers begin at 64 pixels."""
    return f"convs.{7 - level}" if level <= 6 else f"convs.{2**level}x{2**level}"


def leaves(layer: nn.Module) -> dict[str, str]:
    """Tensors of one of our layers, filters included -> their names in the release."""
    if isinstance(layer, ConvLayer):
        names = {"weight": "Conv.weight"}
        if layer.bias is not None:
            names["bias"] = "Act.bias" if layer.activate else "Conv.bias"
        return names | ({"blur.kernel": "Blur.kernel"} if layer.blur is not None else {})
    modulation = {f"modulation.{name}": f"conv.modulation.{name}" for name in ("weight", "bias")}
    if isinstance(layer, ModulatedConv):
        names = {
            "weight": "conv.weight",
            "noise_weight": "noise.weight",
            "bias": "activate.bias",
            **modulation,
        }
        return names | ({"blur.kernel": "conv.blur.kernel"} if layer.blur is not None else {})
    if isinstance(layer, ToRGB):
        return {"weight": "conv.weight", "bias": "bias", **modulation}
    return {"weight": "weight", "bias": "bias"} if isinstance(layer, EqualLinear) else {}


def release_names(network: nn.Module, modules: Mapping[str, str]) -> dict[str, str]:
    """Every tensor of `network`, filters included -> its name in the release."""
    names: dict[str, str] = {}
    for path, layer in network.named_modules():
        head = next((ours for ours in modules if path == ours or path.startswith(f"{ours}.")), None)
        if head is not None and not path.endswith(".modulation"):  # those belong to the layer above
            theirs = modules[head] + path.removeprefix(head)
            names |= {f"{path}.{leaf}": f"{theirs}.{name}" for leaf, name in leaves(layer).items()}
    return names


def is_idle(key: str, value: Tensor) -> bool:
    """Whether a stored filter changes nothing: of a skip that is never called, or of one tap and sum 1."""
    one_tap = key.startswith("E.DownToGlobalCode.") and key.endswith(".Blur.kernel")
    return key == "G.ToRGB.upsample.kernel" or (one_tap and value.tolist() == [[1.0]])
