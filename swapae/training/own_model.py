"""What `swapae train` decides for a folder of photographs: which are usable, where to start, and every setting.

The settings are those by which the embedded models were trained (`docs/flowers256/log.md`), on what the machine has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from swapae.config import PRESETS
from swapae.data.check import Report
from swapae.errors import UserError
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.measuring import centre_square
from swapae.evaluation.metrics import texture_distance
from swapae.hub.folders import embedded_names
from swapae.model import SwapAE
from swapae.threads import torch_threads
from swapae.training.config import TrainConfig, check
from swapae.training.estimates import Estimate, Precision, Throughput, estimate, images_per_second, throughput

PRESET = "small256"  # that of the embedded models
FEWEST = 20  # photographs
SMALLEST = 128  # pixels of a photograph's short side: below, half of what the model sees would be made up
COMPARED = 8  # photographs by which the nearest model is chosen
# Whole photographs, which the embedded models saw last: on parts of them they unlearn what whole ones look like.
CROP = PRESETS[PRESET].model.image_size
BATCH = 4  # on a CPU, and on each GPU
MOST_PROCESSES = 2  # on a CPU: each needs two images of a batch
SEVERAL_PROCESSES = sys.platform != "win32"  # torch's launcher of several does not work in its builds for Windows
# In half precision a step has to be this much faster before it is worth its rounding.
WORTH_HALF = 1.2
SAMPLE_SECONDS, LOG_SECONDS = 30, 10
SAVE_SECONDS = 120
# Evaluations in a run, of so many photographs that they take about a twelfth of it: one photograph takes a third of the
# time that an image of training takes.
EVALUATIONS, FEWEST_EVALUATED, MOST_EVALUATED = 10, 8, 64
IMAGES_TO_EVALUATE_ONE = 40
EMA_SHARE = 1 / 20  # of all images, after which an old weight counts half


@dataclass(frozen=True)
class Machine:
    """What a training has to run on.

    Args:
        processes: that train together.
        threads: of each.
        precision: as Accelerate names it.
        images_per_second: of all processes together, estimated.
    """

    device: str
    processes: int
    threads: int
    precision: Precision
    images_per_second: float


@torch.inference_mode(False)  # commands run without gradients, and steps are measured with them
def look_at_machine() -> Machine:
    """Measure for some two seconds what this machine is good for."""
    if torch.cuda.is_available():
        count = torch.cuda.device_count() if SEVERAL_PROCESSES else 1
        speed = Throughput(throughput("cuda", "bf16"), throughput("cuda", "no"))
        return Machine("cuda", count, 1, "bf16", images_per_second(costs(1), speed, count))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most = min(cores, MOST_PROCESSES) if SEVERAL_PROCESSES else 1
    processes = max(count for count in range(1, most + 1) if BATCH % count == 0)
    threads = cores // processes
    with torch_threads(threads):
        plain, half = throughput("cpu", "no"), throughput("cpu", "bf16")
    precision: Precision = "bf16" if half > WORTH_HALF * plain else "no"
    speed = Throughput(half if precision == "bf16" else plain, plain)
    return Machine("cpu", processes, threads, precision, images_per_second(costs(processes), speed, processes))


def costs(processes: int) -> Estimate:
    """Of a step of one of the processes that share a batch."""
    return estimate(PRESETS[PRESET].cropped(CROP), BATCH // processes, noise="hybrids")


def left_out(report: Report) -> list[tuple[str, str]]:
    """The photographs that are not trained on, each with the reason."""
    reasons = list(report.unreadable)
    reasons += [(name, f"{size} pixels, and the short side must have {SMALLEST}") for name, size in report.tiny]
    tiny = {name for name, _ in report.tiny}
    for first, *others in report.duplicates:
        reasons += [(name, f"the same picture as {first!r}") for name in others if name not in tiny]
    return reasons


def check_enough(usable: int, folder: str) -> None:
    """Raise UserError for fewer photographs than `FEWEST`."""
    if usable < FEWEST:
        raise UserError(
            f"{folder!r} has {usable} usable photograph{'s' * (usable != 1)}, and {FEWEST} are needed: add more, of "
            "one kind of subject"
        )


def nearest_model(photographs: Sequence[Path]) -> tuple[str, dict[str, float]]:
    """The embedded model that redraws these photographs with the nearest texture.

    Args:
        photographs: files; some of them, evenly spread, are looked at.

    Returns:
        Its name, and the distance in texture of photographs to their reconstructions by every embedded model.
    """
    names = embedded_names()
    spread = photographs[:: max(1, len(photographs) // COMPARED)][:COMPARED]
    network = LPIPS("squeeze")
    distances = {name: redrawing_distance(SwapAE.embedded(name), spread, network) for name in names}
    return min(names, key=distances.__getitem__), distances


@torch.inference_mode()
def redrawing_distance(model: SwapAE, photographs: Iterable[Path], network: LPIPS) -> float:
    """Mean distance in texture statistics between photographs and their reconstructions."""
    found = []
    for path in photographs:
        image = centre_square(path, model, model.config.image_size).tensor
        made = model.decode(model.encode(image)).clamp(-1, 1)
        found.append(texture_distance(network.features(image), network.features(made)).item())
    return sum(found) / len(found)


def settings(photographs: Path, run: Path, start: str, minutes: float, machine: Machine) -> TrainConfig:
    """Everything that a run of so many minutes needs to know.

    Raises:
        UserError: the run's folder cannot be used.
    """

    def images_in(seconds: float) -> int:
        return max(1, round(seconds * machine.images_per_second))

    config = TrainConfig(
        data=str(photographs.resolve()),
        output=run.resolve(),
        preset=PRESET,
        crop=CROP,
        init=start,
        minutes=minutes,
        colour_jitter=True,
        hide_grain=0.1,
        structure_noise=0.2,
        noise="hybrids",
        batch_size=BATCH * (machine.processes if machine.device == "cuda" else 1),
        lr=0.001,
        max_gradient_norm=20.0,
        ema_half_life=max(10 * BATCH, EMA_SHARE * images_in(60 * minutes)),
        mixed_precision=machine.precision,
        num_workers=2 if machine.device == "cuda" else 0,
        log_every_images=images_in(LOG_SECONDS),
        sample_every_images=images_in(SAMPLE_SECONDS),
        eval_every_images=images_in(60 * minutes / EVALUATIONS),
        eval_photographs=min(MOST_EVALUATED, max(FEWEST_EVALUATED, images_in(60 * minutes) // IMAGES_TO_EVALUATE_ONE)),
        save_every_images=images_in(SAVE_SECONDS),
        tracker="none",
    )
    check(config, machine.processes)
    return config


def launch_command(machine: Machine, config: Path) -> tuple[list[str], dict[str, str]]:
    """Arguments for Python that train by a run's settings in the processes of a machine, and its environment's."""
    command = ["-m", "accelerate.commands.launch", "--quiet", "--num_machines", "1", "--dynamo_backend", "no"]
    command += ["--num_processes", str(machine.processes), "--mixed_precision", machine.precision]
    if machine.processes > 1:
        command += ["--multi_gpu", "--main_process_port", "0"]  # on CPUs too: without it the launcher starts one
    environment = {"OMP_NUM_THREADS": str(machine.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    if machine.device == "cpu":
        environment["ACCELERATE_USE_CPU"] = "true"
    return [*command, "-m", "swapae.train", "--config", str(config)], environment
