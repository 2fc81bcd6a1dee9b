"""`swapae info`: versions, processor, devices, and which engine a model runs in here."""

from __future__ import annotations

import platform
from typing import Annotated

import torch
import tyro

from swapae.hub import folders
from swapae.inference import choice
from swapae.inference.fast import ENGINES, optimize_for_inference
from swapae.inference.openvino import is_installed
from swapae.model import SwapAE
from swapae.release import release


def info(
    model: Annotated[str | None, tyro.conf.arg(metavar="REPO_OR_FOLDER")] = None,
    measure: bool = False,
) -> None:
    """Versions, processor, devices, and the engine that a model runs in here: what to tell when something is slow.

    Args:
        model: a folder with config.json and model.safetensors, owner/name on the Hugging Face Hub, or the name of a
            model that comes with swapae; flowers if not given.
        measure: time the engines anew, rather than say what was measured before.
    """
    loaded = SwapAE.from_pretrained(model or folders.EMBEDDED)
    if measure:
        choice.forget(loaded.config)
    optimize_for_inference(loaded)
    print(f"swapae {release()}, Python {platform.python_version()}, {platform.platform()}")
    packages = ["torch", "ncnn", *(["openvino"] if is_installed() else []), "numpy", "pillow", "gradio"]
    print(", ".join(f"{name} {choice.version_of(name) or 'not installed'}" for name in packages))
    print(f"processor: {choice.processor()}, {torch.get_num_threads()} threads")
    print(f"GPU: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none that torch finds'}")
    print(f"models that come with swapae: {', '.join(folders.embedded_names())}")
    print(f"engine: {described(loaded)}")


def described(model: SwapAE) -> str:
    """Which engine a model runs in on the CPU, and why."""
    asked = choice.asked_for("auto", ENGINES)
    if asked != "auto":
        return f"{asked}, as {choice.VARIABLE} says"
    found = choice.remembered(model.config)
    if found is None:
        return f"measured by every process anew, for {str(choice.cache_file())!r} cannot be written"
    times = ", ".join(f"{name} {value:.0f} ms" for name, value in found.milliseconds.items())
    return f"{found.engine} (a swap at {choice.measured_side(model.config)} pixels takes {times})"
