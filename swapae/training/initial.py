"""Where a training starts other than from random weights (`--init`), and what of it stays as it is (`--freeze`)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from swapae.config import DiscriminatorConfig, DiscriminatorKind, Preset, SwapAEConfig
from swapae.convert import DISCRIMINATORS_CONFIG_FILE, DISCRIMINATORS_FILE, load_discriminators
from swapae.errors import UserError
from swapae.hub import folders, remote
from swapae.model import SwapAE
from swapae.training.checkpoints import STATE_FILE, list_checkpoints, load_checkpoint, load_newest
from swapae.training.run_folder import read_sizes

logger = logging.getLogger(__name__)
# What says nothing of the discriminators' layers but of how many of them there are.
ANY_SIZE = ("crop_size", "patch_size", "patch_scale")


@dataclass(frozen=True)
class Initial:
    """Weights to start from, and the sizes they are of.

    Attributes:
        model, ema: state dicts of encoder and generator; the same where there is only one.
        discriminators: state dict of `DiscriminatorStep`'s two discriminators; None where there are none.
        kind: what they look at.
    """

    config: SwapAEConfig
    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    discriminator_config: DiscriminatorConfig | None
    discriminators: Mapping[str, Tensor] | None
    kind: DiscriminatorKind = "pixels"


def read_initial(where: str) -> Initial:
    """Weights of a run folder, one of its checkpoints, a model folder, or a model of the Hugging Face Hub.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = Path(where)
    checkpoint = None
    if (path / STATE_FILE).is_file():
        checkpoint = load_checkpoint(path)
    elif list_checkpoints(path / "checkpoints"):
        checkpoint = load_newest(path / "checkpoints")
    if checkpoint is not None:
        config, sizes, kind = read_sizes(checkpoint.counters)
        weights = checkpoint.weights
        discriminators = {name: value for name, value in weights["discriminators"].items() if "discriminator" in name}
        return Initial(
            config,
            weights["model"],
            weights["ema"],
            sizes,
            discriminators,
            kind,
        )
    config_file, weights_file = remote.model_files(where, also=(DISCRIMINATORS_CONFIG_FILE, DISCRIMINATORS_FILE))
    config = folders.read_config(config_file, SwapAEConfig)
    model = folders.load_network(lambda: SwapAE(config), weights_file).state_dict()
    if not (config_file.parent / DISCRIMINATORS_CONFIG_FILE).is_file():
        return Initial(config, model, model, None, None)
    image, patch, discriminator_config = load_discriminators(config_file.parent)
    discriminators = {f"image_discriminator.{name}": value for name, value in image.state_dict().items()}
    discriminators |= {f"patch_discriminator.{name}": value for name, value in patch.state_dict().items()}
    return Initial(config, model, model, discriminator_config, discriminators)


def start_from(where: str, preset: Preset, model: nn.Module, ema: nn.Module, discriminators: nn.Module) -> None:
    """Load what `read_initial` finds.

    Discriminators of smaller crops grow: their layers are taken from where the sides are the same, and new ones come
    before them. Those that are missing or differ otherwise start from random weights.

    Raises:
        UserError: as of `read_initial`, or the model is of other sizes than the preset.
    """
    initial = read_initial(where)
    if differs := differing(initial.config, preset.model, ignore=("image_size", "noise_in_reconstructions")):
        raise UserError(f"--init {where} is of another --preset: its {differs}")
    model.load_state_dict(initial.model)
    ema.load_state_dict(initial.ema)
    if initial.discriminators is None or initial.discriminator_config is None:
        logger.warning("%s has no discriminators: theirs are random weights", where)
    elif initial.kind != preset.kind:
        logger.warning(
            "the discriminators of %s are of --discriminators %s, not %s: random weights",
            where,
            initial.kind,
            preset.kind,
        )
    elif preset.kind == "features":  # the same layers for crops of any size
        discriminators.load_state_dict(grown(initial.discriminators, discriminators.state_dict()), strict=False)
    elif differs := differing(initial.discriminator_config, preset.discriminators, ignore=ANY_SIZE):
        logger.warning("the discriminators of %s are of another --preset (their %s): random weights", where, differs)
    else:
        # All but the augmentation's strength.
        discriminators.load_state_dict(grown(initial.discriminators, discriminators.state_dict()), strict=False)
        if differs := differing(initial.discriminator_config, preset.discriminators, ignore=("patch_scale",)):
            logger.warning(
                "the discriminators of %s are of other crops (%s): their first layers are new", where, differs
            )


def grown(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of `theirs` that fit discriminators for crops of another size, under the names they have in `ours`.

    Blocks are counted from the last, where the sides are the same. The layer that reads the image is taken only if
    there are as many blocks: after others it would have to write what it never did.
    """
    fitting = {}
    for network in ("image_discriminator", "patch_discriminator"):
        more = count_blocks(ours, network) - count_blocks(theirs, network)
        for name, value in theirs.items():
            part, _, rest = name.removeprefix(f"{network}.").partition(".")
            if not name.startswith(network) or (more and part == "from_rgb"):
                continue
            if part == "blocks":
                index, _, rest = rest.partition(".")
                name = f"{network}.blocks.{int(index) + more}.{rest}"
            if name in ours and ours[name].shape == value.shape:
                fitting[name] = value
    return fitting


def count_blocks(weights: Mapping[str, Tensor], network: str) -> int:
    """Residual blocks of one of the discriminators."""
    return len({name.split(".")[2] for name in weights if name.startswith(f"{network}.blocks.")})


def differing(
    theirs: SwapAEConfig | DiscriminatorConfig, ours: SwapAEConfig | DiscriminatorConfig, ignore: Iterable[str] = ()
) -> str:
    """The fields in which two configurations differ, with their values; "" if they do not."""
    names = [field.name for field in dataclasses.fields(ours) if field.name not in ignore]
    pairs = [(name, getattr(theirs, name), getattr(ours, name)) for name in names]
    return ", ".join(f"{name} is {their}, not {our}" for name, their, our in pairs if their != our)


def freeze(paths: Iterable[str], model: nn.Module, discriminators: nn.Module) -> None:
    """Keep parts of the networks as they are.

    Args:
        paths: of modules, such as encoder, generator.blocks.2 or image_discriminator.

    Raises:
        UserError: there is no such part, or nothing would be left to train on one side.
    """
    for path in paths:
        found = False
        for network in (model, discriminators):
            try:
                network.get_submodule(path).requires_grad_(False)
                found = bool(path)
            except AttributeError:
                continue
        if not found:
            names = [name for network in (model, discriminators) for name, _ in network.named_children()]
            raise UserError(
                f"--freeze {path!r}: no such part; give {', '.join(names)}, or one within as in encoder.trunk"
            )
    for network, name in ((model, "encoder and generator"), (discriminators, "the discriminators")):
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise UserError(f"--freeze {' '.join(paths)} leaves nothing of {name} to train")
