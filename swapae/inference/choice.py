"""Which engine computes a model fastest on this machine: measured once for each kind of network, then remembered.

No engine is the fastest everywhere. ncnn's Winograd convolutions win for wide networks; for narrow ones, and on
processors that torch's convolutions suit better, the plain form does. An engine that computes in part with bfloat16 is
taken only where nobody sees it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from swapae.config import SwapAEConfig
from swapae.errors import UserError
from swapae.files import atomic_path, cache_folder
from swapae.model import Autoencoder

VARIABLE = "SWAPAE_ENGINE"
FILE = "engines.json"
SECONDS = 1.5  # of measuring, beyond one call of each engine
LARGEST_SIDE = 256  # pixels; a multiple of every stride
# How far from the first engine's another's picture may be, in levels of 255: on average, and 99.9 % of the pixels.
MEAN_LEVELS, MOST_LEVELS = 0.5, 4.0
CLEARLY = 0.97  # of the first engine's time that another must stay below: equal ones should not change places

Form = Callable[[], Autoencoder]


@dataclass(frozen=True)
class Choice:
    """An engine, and the milliseconds of a swap in each engine that it was chosen by."""

    engine: str
    milliseconds: Mapping[str, float]


def asked_for(engine: str, known: tuple[str, ...]) -> str:
    """The engine that an option or, if it leaves that open, the variable SWAPAE_ENGINE asks for; "auto" if neither.

    Raises:
        UserError: there is no such engine.
    """
    for name, value in (("engine", engine), (VARIABLE, os.environ.get(VARIABLE) or "auto")):
        if value not in ("auto", *known):
            raise UserError(f"{name} must be auto, {', '.join(known[:-1])} or {known[-1]}, got {value!r}")
        if value != "auto":
            return value
    return "auto"


def fastest(config: SwapAEConfig, forms: Mapping[str, Form]) -> Autoencoder:
    """The form of a model whose engine was the fastest here; measures for about two seconds if none was remembered.

    Args:
        config: of the model.
        forms: by the engines' names, what makes each; the first is taken unless another is clearly faster.
    """
    found = remembered(config)
    if found is not None and found.engine in forms:
        return forms[found.engine]()
    made = {name: make() for name, make in forms.items()}
    choice = measure(config, made)
    remember(config, choice)
    return made[choice.engine]


def measure(config: SwapAEConfig, forms: Mapping[str, Autoencoder]) -> Choice:
    """Time a swap in each form, alternated. The least time counts: other work only adds to it.

    Forms that do not make the picture of the first one, as far as anyone sees, are left out.
    """
    side = measured_side(config)
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        made = {name: form.swap(images, images) for name, form in forms.items()}  # the first call also allocates
        exact = next(iter(made.values()))
        forms = {name: form for name, form in forms.items() if looks_like(made[name], exact)}
        times: dict[str, list[float]] = {name: [] for name in forms}
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end or not all(times.values()):
            for name, form in forms.items():
                start = time.perf_counter()
                form.swap(images, images)
                times[name].append(1e3 * (time.perf_counter() - start))
    least = {name: min(values) for name, values in times.items()}
    first = next(iter(least))
    best = min(least, key=least.__getitem__)
    return Choice(best if least[best] < CLEARLY * least[first] else first, least)


def measured_side(config: SwapAEConfig) -> int:
    """Pixels of the side of what is timed: the model's, but for large ones, which would take a minute."""
    return min(config.image_size, max(config.minimum_side, LARGEST_SIDE))


def looks_like(made: Tensor, exact: Tensor) -> bool:
    """Whether pictures [B, 3, H, W] in [-1, 1] differ so little that nobody sees it."""
    levels = 127.5 * (made.clamp(-1, 1) - exact.clamp(-1, 1)).abs()
    return bool(levels.mean() < MEAN_LEVELS and (levels.amax(1) < MOST_LEVELS).float().mean() >= 0.999)


def remembered(config: SwapAEConfig) -> Choice | None:
    """What was chosen before on this machine for networks of these sizes, with these versions and threads."""
    entry = entries().get(key_of(config))
    if not isinstance(entry, dict) or not isinstance(entry.get("engine"), str):
        return None
    times = entry.get("milliseconds")
    return Choice(entry["engine"], times if isinstance(times, dict) else {})


def remember(config: SwapAEConfig, choice: Choice) -> None:
    """Keep a choice."""
    keep({**entries(), key_of(config): dataclasses.asdict(choice)})


def forget(config: SwapAEConfig) -> None:
    """Have the next `fastest` measure again."""
    forgotten = key_of(config)
    keep({key: entry for key, entry in entries().items() if key != forgotten})


def keep(kept: Mapping[str, Any]) -> None:
    """Write the cache file; where nothing can be written, the next process measures again."""
    path = cache_file()
    with suppress(OSError, UserError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def entries() -> dict[str, Any]:
    """What the cache file holds; nothing if it is missing or damaged."""
    try:
        kept = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def cache_file() -> Path:
    """engines.json in the user's folder for caches."""
    return cache_folder() / FILE


def key_of(config: SwapAEConfig) -> str:
    """What the times depend on: processor, threads, versions, sizes of the networks."""
    sizes = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(config).items())
    versions = ", ".join(f"{name} {version_of(name)}" for name in ("torch", "ncnn", "openvino"))
    return f"{processor()}; {torch.get_num_threads()} threads; {versions}; {sizes}"


def version_of(package: str) -> str | None:
    """Of a package that may not be installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """The CPU's name, family and model, as Linux's kernel knows them; elsewhere what Python says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return f"{values.get('model name')} (family {values.get('cpu family')}, model {values.get('model')})"
