"""The networks filled with a published state dict, every key used once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from swapae.convert.names import is_idle, release_names
from swapae.errors import UserError

StateDict = Mapping[str, Tensor]

COUNTER = "num_discriminator_iters"


def split(state_dict: StateDict) -> dict[str, dict[str, Tensor]]:
    """The networks' tensors, by prefix; all are plain, finite and not empty."""
    if not isinstance(state_dict, Mapping):
        raise UserError("not a published checkpoint: expected a dictionary of tensors with keys E.* and G.*")
    parts: dict[str, dict[str, Tensor]] = {"E": {}, "G": {}, "D": {}, "Dpatch": {}}
    for key, value in state_dict.items():
        prefix, _, name = str(key).partition(".")
        if key == COUNTER:
            continue
        if prefix not in parts or not name:
            raise UserError(
                f"unexpected key {str(key)[:80]!r}: published checkpoints hold E., G., D., Dpatch. and {COUNTER}"
            )
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.layout != torch.strided:
            raise UserError(f"{key} is no plain tensor of floating-point numbers: not a published checkpoint")
        if not value.numel() or not torch.isfinite(value.float()).all():
            raise UserError(f"{key} is empty or holds values that are not finite: the checkpoint is damaged")
        parts[prefix][name] = value
    for prefix in ("E", "G"):
        if not parts[prefix]:
            raise UserError(f"no key starts with {prefix}.: not a published swapping-autoencoder checkpoint")
    return parts


def fill_network(network: nn.Module, prefix: str, modules: Mapping[str, str], values: StateDict) -> None:
    """Copy the values into `network`, every key used once.

    Raises:
        UserError: naming the first keys that are unknown, missing or misshapen, or another filter.
    """
    names = release_names(network, modules)
    parameters = network.state_dict()
    if missing := [name for name in names.values() if name not in values]:
        raise UserError(f"the checkpoint lacks {listing(prefix, missing)}")
    known = set(names.values())
    if unknown := [
        name for name, value in values.items() if name not in known and not is_idle(f"{prefix}.{name}", value)
    ]:
        raise UserError(f"the checkpoint has keys that this model has not: {listing(prefix, unknown)}")
    filters = dict(network.named_buffers())
    loaded = {}
    for ours, theirs in names.items():
        value, target = values[theirs], (parameters | filters)[ours]
        stored = list(target.shape)
        if theirs.endswith(".conv.weight"):  # a modulated convolution's
            stored = [1, *stored]
        elif theirs == "ToRGB.bias":
            stored = [1, 3, 1, 1]
        if list(value.shape) != stored:
            raise UserError(f"{prefix}.{theirs} is {list(value.shape)}, expected {stored}: no published configuration")
        value = value.float().reshape(target.shape)
        if ours in parameters:
            loaded[ours] = value
        elif not torch.allclose(value, target, atol=1e-5):
            raise UserError(f"{prefix}.{theirs} is another filter than the published networks': not supported")
    network.load_state_dict(loaded)


def listing(prefix: str, names: list[str]) -> str:
    """The first five names, and how many more."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"{prefix}.{name}" for name in names[:5]) + more
