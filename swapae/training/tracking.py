"""Curves in a browser while a run goes on: TensorBoard, Weights & Biases or trackio, by Accelerate's trackers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from swapae.errors import UserError

Tracker = Literal["tensorboard", "wandb", "trackio", "none"]


def choose_tracker(name: Tracker | None) -> str | None:
    """The tracker asked for; TensorBoard where none was and it is installed.

    Raises:
        UserError: its package is not installed.
    """
    wanted = name or "tensorboard"
    if wanted == "none":
        return None
    if importlib.util.find_spec(wanted) is None:
        if name is None:
            return None
        raise UserError(f"--tracker {name} needs the Python package of that name: pip install {name}")
    return wanted


def start_tracker(accelerator: Any, name: str, folder: Path, settings: Mapping[str, Any], images_seen: int) -> None:
    """Start the accelerator's tracker for the run in `folder`, which goes on from `images_seen`."""
    options: dict[str, dict[str, Any]] = {
        # What a killed run had drawn past its last checkpoint is drawn again.
        "tensorboard": {"purge_step": images_seen + 1},
        "wandb": {"name": folder.name, "dir": str(folder), "id": folder.name, "resume": "allow"},
        "trackio": {"name": folder.name, "resume": "allow"},
    }
    # TensorBoard would make a folder of its own for settings, which config.json has.
    config = None if name == "tensorboard" else {key: str(value) for key, value in settings.items()}
    accelerator.init_trackers("tensorboard" if name == "tensorboard" else "swapae", config, options)


def track_picture(accelerator: Any, picture: Any, images_seen: int) -> None:
    """Show a sample grid, a PIL image, by those trackers that can."""
    pixels = np.asarray(picture)
    for tracker in accelerator.trackers:
        if tracker.name == "tensorboard":
            tracker.log_images({"samples": pixels[None]}, step=images_seen, dataformats="NHWC")
        elif hasattr(tracker, "log_images"):
            tracker.log_images({"samples": [pixels]}, step=images_seen)
