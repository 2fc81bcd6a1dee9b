"""ZeroGPU: a Space that is lent a GPU only while a function decorated with `spaces.GPU` runs.

Such a function runs in a process that is forked from the server's when it is called, and its arguments and its result
are pickled. All that crosses here is what a model's `encode` and `decode` take and give; photographs, caches and the
model that the page asks about itself stay in the server's process, on the CPU. Elsewhere `lend` and `prepare` do
nothing, and `spaces` is not needed. That package (read at 0.51) asks for this:

- it is imported before CUDA is initialised, by the main thread;
- a function is decorated before the page is launched, or the Space fails at its start;
- what the main thread moves to "cuda" before that is stored away, and there in every process that is forked;
- whatever else is moved to "cuda" is moved in such a process; the server's has none, though torch claims it has.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.inference.fast import optimize_for_inference
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, Noise, SwapAE

# As `spaces` itself reads its variable.
ACTIVE = (
    os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    and importlib.util.find_spec("spaces") is not None
)
# Seconds that a call asks for. A picture takes a fraction of one, a new process some for CUDA and a large model; a
# visitor who has fewer left for the day is refused.
DURATION = 15
MOST_LOADED = 3


def lend(model: Autoencoder, source: str | os.PathLike[str]) -> Autoencoder:
    """The model, that henceforth encodes and decodes on the GPU that is lent, if this is a Space with ZeroGPU.

    Args:
        model: on the CPU, in evaluation mode; it stays there, and is returned.
        source: what it was loaded from, for the other process to load it as well.
    """
    if not ACTIVE:
        return model
    place = os.fspath(source)

    def encode(images: Tensor, opacity: Tensor | None = None) -> Codes:
        arguments = [images.numpy()] if opacity is None else [images.numpy(), opacity.numpy()]
        return Codes(*map(torch.from_numpy, run(place, "encode", *arguments)))

    def decode(
        codes: Codes, *, noise: Noise = DEFAULT_NOISE_SEED, block_textures: Sequence[Tensor] | None = None
    ) -> Tensor:
        several = None if block_textures is None else [texture.numpy() for texture in block_textures]
        return torch.from_numpy(run(place, "decode", [code.numpy() for code in codes], noise, several))

    model.encode, model.decode = encode, decode  # type: ignore[method-assign]
    return model


def prepare(source: str | os.PathLike[str]) -> None:
    """Have a model ready in every process that is lent a GPU; for the main thread, before the page is launched."""
    if ACTIVE:
        load(os.fspath(source))


@functools.lru_cache(MOST_LOADED)
def load(source: str) -> Autoencoder:
    """The model of a process that has a GPU; the server's has downloaded it before."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return optimize_for_inference(SwapAE.from_pretrained(source, local_files_only=True, device=device))


def run(source: str, method: str, *arguments: Any) -> Any:
    """What a model's `encode` or `decode` gives. One function for both, since each would have processes of its own.

    Tensors come and go as arrays, which are copied: torch would share memory, of which containers have little.
    """
    torch.set_num_threads(1)  # a forked process that starts threads of OpenMP waits forever
    model = load(source)
    device = model.encoder.to_texture.weight.device

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array).to(device)

    with torch.inference_mode():
        if method == "encode":
            return [code.cpu().numpy() for code in model.encode(*map(tensor, arguments))]
        codes, noise, several = arguments
        textures = None if several is None else [tensor(array) for array in several]
        return model.decode(Codes(*map(tensor, codes)), noise=noise, block_textures=textures).cpu().numpy()


if ACTIVE:
    import spaces

    run = spaces.GPU(run, duration=DURATION)
