"""Model folders: config.json, model.safetensors and README.md (the card), read and written safely.

What is read may come from anyone: all of it is checked, and nothing in it is run.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from swapae.config import Config, SwapAEConfig, config_from_dict
from swapae.errors import ModelError, UserError, first_line
from swapae.files import atomic_path
from swapae.hub.card import CARD_MARK
from swapae.tensor_files import dump_safetensors, read_safetensors

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
# Weights in several files, as other tools save large models: an index that says which tensor is in which.
INDEX_FILE, SHARDS = "model.safetensors.index.json", "model-*.safetensors"
PICKLE_FILE = "pytorch_model.bin"
CARD_FILE = "README.md"
# The models that come with the package, each in a folder of its name.
WEIGHTS = Path(__file__).parents[1] / "weights"
EMBEDDED = WEIGHTS / "flowers"  # where no model is named
# Keys that other tools add to a config.json, beside those that begin with an underscore.
FOREIGN_KEYS = {"architectures", "model_type", "torch_dtype", "dtype", "transformers_version"}

Network = TypeVar("Network", bound=nn.Module)


def embedded(name: str) -> Path:
    """The folder of a model that comes with the package.

    Raises:
        ModelError: there is none of that name.
    """
    if name not in embedded_names():
        raise ModelError(f"no model {name!r} comes with swapae: there is {' and '.join(embedded_names())}")
    return WEIGHTS / name


def embedded_names() -> list[str]:
    """Of the models that come with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob(f"*/{CONFIG_FILE}"))


def read_config(path: Path, kind: type[Config]) -> Config:
    """Parse a configuration, refusing unknown and missing keys, but for what other tools are known to add.

    Raises:
        ModelError: naming the key or the damage.
    """
    name = repr(str(path))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            values = {key: value for key, value in values.items() if key[:1] != "_" and key not in FOREIGN_KEYS}
        return config_from_dict(kind, values, name)
    except UserError:
        raise
    except (OSError, ValueError, RecursionError, OverflowError) as error:
        raise ModelError(
            f"{name} is not readable as JSON ({first_line(error)}); download or convert it again"
        ) from None


def load_network(make: Callable[[], Network], path: Path, *, strict: bool = True) -> Network:
    """Make a network and copy every tensor of a safetensors file, or of those of an index, into it.

    Args:
        strict: none may be missing, and none left over. Otherwise what is missing keeps its initial values.

    Raises:
        ModelError: naming the tensors that do not fit, or the damage.
    """
    return fill(make, read_weights(path), path, strict=strict)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors, or of all files that model.safetensors.index.json names.

    Raises:
        ModelError: a file is missing or damaged, or the index names files elsewhere.
    """
    remedy = "download or convert it again"
    if path.name != INDEX_FILE:
        return read_safetensors(path, remedy=remedy)[0]
    try:
        shards = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
        if any(Path(shard).name != shard for shard in shards):
            raise ValueError("it names files of other folders")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{str(path)!r} is no index of safetensors files ({first_line(error)}); {remedy}") from None
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        tensors |= read_safetensors(path.parent / shard, remedy=remedy)[0]
    return tensors


def fill(make: Callable[[], Network], loaded: Mapping[str, Tensor], path: Path, *, strict: bool = True) -> Network:
    """Make a network and copy tensors that were read from `path` into it; as `load_network`."""
    try:
        network = make()
    except (OverflowError, RuntimeError, TypeError, MemoryError):  # sizes that do not fit in memory, or a number
        raise ModelError(f"the configuration beside {str(path)!r} asks for sizes that no network has") from None
    expected = network.state_dict()
    problems = [f"missing {name}" for name in expected if name not in loaded and strict]
    problems += [f"unexpected {name!r}" for name in loaded if name not in expected and strict]
    for name, value in loaded.items():
        if name not in expected:
            continue
        if value.shape != expected[name].shape:
            problems.append(f"{name} is {list(value.shape)} instead of {list(expected[name].shape)}")
        elif not value.is_floating_point():
            problems.append(f"{name} holds {value.dtype} instead of floating-point numbers")
        elif not torch.isfinite(value.float()).all():
            problems.append(f"{name} holds values that are not finite")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ModelError(
            f"{str(path)!r} is damaged or not of its configuration: {'; '.join(problems[:3])}{more}; "
            "download or convert it again"
        )
    network.load_state_dict(loaded, strict=strict)
    return network


def save_folder(folder: Path, config: SwapAEConfig, weights: Mapping[str, Tensor], card: str) -> None:
    """Write a model folder; whoever reads it meanwhile, or after a failure, finds whole files.

    Raises:
        ModelError: weights that are not finite, which could not be loaded again.
        UserError: the folder cannot be written.
    """
    if broken := [name for name, value in weights.items() if not torch.isfinite(value).all()]:
        raise ModelError(f"cannot save a model whose {broken[0]} is not finite; go back to an earlier one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        readme = folder / CARD_FILE
        keep_card = readme.exists() and CARD_MARK not in readme.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot write the folder {str(folder)!r} ({error.strerror}); give another") from None
    with ExitStack() as files:  # all are written before the first is put in place
        if not keep_card:
            files.enter_context(atomic_path(readme)).write_text(card, encoding="utf-8")
        dump_safetensors(files.enter_context(atomic_path(folder / WEIGHTS_FILE)), weights)
        text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
        files.enter_context(atomic_path(folder / CONFIG_FILE)).write_text(text, encoding="utf-8")
