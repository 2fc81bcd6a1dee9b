"""A published checkpoint file as `SwapAE` and its discriminators, in memory or as a model folder."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from swapae.config import DiscriminatorConfig, SwapAEConfig
from swapae.convert.configuration import infer_config, infer_discriminator_config
from swapae.convert.names import (
    encoder_names,
    generator_names,
    image_discriminator_names,
    patch_discriminator_names,
)
from swapae.convert.weights import StateDict, fill_network, split
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator
from swapae.errors import UserError, first_line
from swapae.files import check_new_folder, new_folder
from swapae.hub.folders import CONFIG_FILE, fill, load_network, read_config
from swapae.model import SwapAE
from swapae.tensor_files import write_safetensors

DISCRIMINATORS_FILE = "discriminators.safetensors"
DISCRIMINATORS_CONFIG_FILE = "discriminators.json"
LICENCE = {
    "license": "other",
    "license_name": "adobe-research-non-commercial",
    "license_link": "https://github.com/taesungp/swapping-autoencoder-pytorch/blob/main/LICENSE",
}
CARD_ABOUT = (
    f"Converted from a checkpoint that the paper's authors published. **Such weights are Adobe Research's, "
    f"for non-commercial research only** ([licence]({LICENCE['license_link']})); converting them does not "
    f"change that. The Apache licence of the package `swapae` does not cover them."
)


@dataclass(frozen=True)
class Converted:
    """A published model; a discriminator is None where the checkpoint has none."""

    model: SwapAE
    image_discriminator: ImageDiscriminator | None
    patch_discriminator: PatchDiscriminator | None
    discriminator_config: DiscriminatorConfig | None


def convert_official(state_dict: StateDict) -> Converted:
    """Turn the published flat state dict into our networks, with their weights.

    Args:
        state_dict: name -> tensor, as `torch.load(path, weights_only=True)` returns it.

    Raises:
        UserError: a key is unknown, missing, of an unexpected shape, or its values are not finite; or a
            stored FIR filter is not the one that these networks use.
    """
    parts = split(state_dict)
    config, discriminator_config = infer_config(parts), infer_discriminator_config(parts)
    model = SwapAE(config)
    fill_network(model.encoder, "E", encoder_names(config), parts["E"])
    fill_network(model.generator, "G", generator_names(config), parts["G"])
    image_discriminator = patch_discriminator = None
    if discriminator_config and parts["D"]:
        image_discriminator = ImageDiscriminator(discriminator_config)
        fill_network(image_discriminator, "D", image_discriminator_names(discriminator_config), parts["D"])
    if discriminator_config and parts["Dpatch"]:
        patch_discriminator = PatchDiscriminator(discriminator_config)
        fill_network(patch_discriminator, "Dpatch", patch_discriminator_names(discriminator_config), parts["Dpatch"])
    return Converted(model, image_discriminator, patch_discriminator, discriminator_config)


def convert_checkpoint(
    path: str | os.PathLike[str], output: str | os.PathLike[str], *, discriminators: bool = False
) -> Path:
    """Write a model folder from a published checkpoint, or from a pickle of our own tensors; all of it, or nothing.

    Args:
        path: latest_checkpoint.pth of the release; or pytorch_model.bin of a model folder, beside its config.json.
        output: folder to make; if it is there, it must be empty.
        discriminators: write them too, which fine-tuning needs (`load_discriminators`).

    Returns:
        The folder.

    Raises:
        UserError: no published checkpoint, or one without the discriminators asked for; or the folder is
            there already or cannot be written.
    """
    output = Path(output)
    check_new_folder(output, parents=True)
    state_dict = read_checkpoint(path)
    ours = isinstance(state_dict, Mapping) and any(str(key).startswith("encoder.") for key in state_dict)
    converted = convert_pickle(Path(path), state_dict) if ours else convert_official(state_dict)
    with new_folder(output, parents=True) as folder:
        card = {"title": output.name} if ours else {"title": output.name, "about": CARD_ABOUT, **LICENCE}
        converted.model.save_pretrained(folder, model_card_kwargs=card)
        if discriminators:
            save_discriminators(converted, folder)
    return output


def convert_pickle(path: Path, state_dict: StateDict) -> Converted:
    """The model of a state dict with our own names, which other tools save as pytorch_model.bin."""
    config_file = path.parent / CONFIG_FILE
    if not config_file.is_file():
        raise UserError(f"{str(path)!r} holds a swapae model's tensors, but {CONFIG_FILE} is not beside it")
    config = read_config(config_file, SwapAEConfig)
    return Converted(fill(lambda: SwapAE(config), state_dict, path), None, None, None)


def load_discriminators(
    folder: str | os.PathLike[str],
) -> tuple[ImageDiscriminator, PatchDiscriminator, DiscriminatorConfig]:
    """Both discriminators from a folder that `convert_checkpoint` wrote with `discriminators=True`.

    Raises:
        UserError: the folder has none, or they are damaged.
    """
    path = Path(folder, DISCRIMINATORS_CONFIG_FILE)
    if not path.is_file():
        raise UserError(f"{str(folder)!r} has no discriminators; convert the checkpoint with --discriminators")
    config = read_config(path, DiscriminatorConfig)
    both = load_network(
        lambda: nn.ModuleList([ImageDiscriminator(config), PatchDiscriminator(config)]),
        Path(folder, DISCRIMINATORS_FILE),
    )
    return both[0], both[1], config  # type: ignore[return-value]


def save_discriminators(converted: Converted, folder: Path) -> None:
    """Write what `load_discriminators` reads."""
    image, patch, config = (
        converted.image_discriminator,
        converted.patch_discriminator,
        converted.discriminator_config,
    )
    if image is None or patch is None or config is None:
        lacking = " and ".join(name for name, part in (("D.*", image), ("Dpatch.*", patch)) if part is None)
        raise UserError(f"the checkpoint has no {lacking}; convert it without --discriminators")
    write_safetensors(folder / DISCRIMINATORS_FILE, nn.ModuleList([image, patch]).state_dict())
    text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
    (folder / DISCRIMINATORS_CONFIG_FILE).write_text(text, encoding="utf-8")


def read_checkpoint(path: str | os.PathLike[str]) -> StateDict:
    """Load the tensors of a .pth file, refusing a pickle that would run code.

    Raises:
        UserError: not a file, damaged, or with more than tensors in it.
    """
    if not os.path.isfile(path):
        raise UserError(f"{str(path)!r} is not a file; give the checkpoint, latest_checkpoint.pth")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Torch's message says how to load the file all the same, which nobody should follow.
        if "GLOBAL" in str(error):
            reason = "holds more than tensors and might run code, so it was not loaded; get it from the authors"
        else:
            reason = "is no PyTorch checkpoint; download it again"
    except Exception as error:  # damaged files raise nearly everything
        reason = f"is damaged or no PyTorch checkpoint ({first_line(error)[:100]}); download it again"
    raise UserError(f"{str(path)!r} {reason}")
