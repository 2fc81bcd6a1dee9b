"""How long a model takes for one picture."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from swapae.evaluation.measuring import Measuring

WARM_UP, TIMED = 3, 15


def runtimes(measuring: Measuring, path: Path) -> dict[str, float]:
    """Median milliseconds of one picture after a warm-up: encode, which is embedding; decode; a whole swap."""
    model, image = measuring.model, measuring.load(path).to(measuring.dtype)
    codes = model.encode(image)
    return {
        "encode_ms": median_milliseconds(lambda: model.encode(image), measuring.device),
        "decode_ms": median_milliseconds(lambda: model.decode(codes, noise=measuring.noise), measuring.device),
        "swap_ms": median_milliseconds(lambda: model.swap(image, image, noise=measuring.noise), measuring.device),
    }


def median_milliseconds(call: Callable[[], Any], device: torch.device) -> float:
    """Of a call, until the device has finished it."""
    times = []
    for run in range(WARM_UP + TIMED):
        start = time.perf_counter()
        call()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        if run >= WARM_UP:
            times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def machine(device: torch.device) -> str:
    """What it ran on, for people."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{device.type}, {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
