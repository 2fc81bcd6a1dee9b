"""Checkpoints of a training run: written whole or not at all, verified when read, the oldest removed last.

    checkpoints/step_000001234/
        model.safetensors  ema.safetensors  discriminators.safetensors   weights
        optimizers.pt                                                   Adam's moments, gradient scaler
        state.json                                                      counters, and a digest of each file

A folder is written under a temporary name, synced to the disk and renamed; so a folder of the final name is
complete, unless the disk has since damaged it, which the digests show.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from swapae.errors import UserError, first_line
from swapae.tensor_files import dump_safetensors

STATE_FILE = "state.json"
OPTIMIZERS_FILE = "optimizers.pt"
# Networks and optimisers by the names that they had before 0.2.
RENAMED = {"averaged": "ema", "critics": "discriminators"}
NAME = re.compile(r"step_(\d{9})")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What a run goes on from.

    Attributes:
        counters: whole numbers, such as the step and the images seen, and what identifies the configuration.
        weights: state dicts by the name of the network.
        optimizers: state dicts by name; only plain values and tensors.
    """

    counters: Mapping[str, Any]
    weights: Mapping[str, Mapping[str, Tensor]]
    optimizers: Mapping[str, Mapping[str, Any]]


def save_checkpoint(folder: Path, step: int, checkpoint: Checkpoint, keep: int) -> Path:
    """Write `folder`/step_..., then remove all but the newest `keep` checkpoints.

    Raises:
        UserError: the disk is full or cannot be written; earlier checkpoints are untouched.
    """
    final = folder / f"step_{step:09d}"
    temporary = folder / f".{final.name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".step_*.partial"):  # of a run that was killed while writing
            shutil.rmtree(leftover)
        temporary.mkdir()
        for name, weights in checkpoint.weights.items():
            dump_safetensors(temporary / f"{name}.safetensors", weights)
        torch.save(dict(checkpoint.optimizers), temporary / OPTIMIZERS_FILE)
        digests = {path.name: digest(path) for path in sorted(temporary.iterdir())}
        state = {"counters": dict(checkpoint.counters), "digests": digests}
        (temporary / STATE_FILE).write_text(json.dumps(state, indent=2) + "\n")
        for path in temporary.iterdir():
            sync(path)
        sync(temporary)
        if final.exists():  # the step a run went on from may be reached again
            shutil.rmtree(final)
        temporary.rename(final)
        sync(folder)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        shutil.rmtree(temporary, ignore_errors=True)
        raise UserError(
            f"cannot write the checkpoint {final}, perhaps for want of room ({first_line(error)}); the run stops here "
            "and can go on from the one before once there is some"
        ) from error
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)  # the next call tries again
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in a folder, the oldest first."""
    return sorted(path for path in folder.glob("step_*") if NAME.fullmatch(path.name)) if folder.is_dir() else []


def load_newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; a damaged one is reported and the one before it taken.

    Raises:
        UserError: there are checkpoints, but all are damaged.
    """
    found = list_checkpoints(folder)
    for path in reversed(found):
        try:
            return load_checkpoint(path)
        except UserError as error:
            log.warning("%s; trying the one before", error)
    if found:
        raise UserError(f"{folder}: every checkpoint is damaged; start anew with --resume never and another --output")
    return None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        UserError: a file is missing or not what was written.
    """
    try:
        state = json.loads((path / STATE_FILE).read_text())
        counters, digests = state["counters"], state["digests"]
        damaged = [name for name, expected in digests.items() if digest(path / name) != expected]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"the checkpoint {path} is damaged ({error})") from None
    if damaged:
        raise UserError(f"the checkpoint {path} is damaged ({', '.join(damaged)})")
    networks = [name.removesuffix(".safetensors") for name in digests if name != OPTIMIZERS_FILE]
    weights = {RENAMED.get(name, name): load_file(path / f"{name}.safetensors") for name in networks}
    optimizers = torch.load(path / OPTIMIZERS_FILE, map_location="cpu", weights_only=True)
    return Checkpoint(counters, weights, {RENAMED.get(name, name): state for name, state in optimizers.items()})


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            total.update(block)
    return total.hexdigest()


def sync(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk; Windows opens no folder, and none is waited for."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows waits for what may be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
