"""`swapae train`, `python -m swapae.train`, and `accelerate launch -m swapae.train` for several GPUs or machines."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence

import torch
from accelerate import Accelerator, DataLoaderConfiguration

from swapae.errors import UserError, first_line
from swapae.training.config import TrainConfig, check, choose_preset, parse
from swapae.training.estimates import Throughput, describe, estimate, images_per_second, throughput
from swapae.training.tracking import choose_tracker
from swapae.training.trainer import Trainer

logger = logging.getLogger(__name__)

UNEXPECTED = (
    "this should not have happened. Please report the lines above with the command; the same command resumes from the "
    "newest checkpoint"
)


def train(config: TrainConfig) -> None:
    """Start or resume a run, or with `dry_run` say what it would take.

    Raises:
        UserError: what cannot work, and what to do.
    """
    tracker = choose_tracker(config.tracker)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # DistributedDataParallel imports it. Imported after the processes met, it would hold their group for ever.
        importlib.import_module("torch._dynamo")
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
        log_with=tracker,
        project_dir=config.output,
    )
    if config.dry_run:
        dry_run(config, accelerator)
    else:
        run(config, accelerator, tracker)
    # The wrapped modules went with `run`, and now, as the last hold on it, the group of processes goes: its threads end
    # while Python runs and does not wait for them. One that has a tensor to drop after Python's end aborts the process.
    accelerator.free_memory()
    accelerator.end_training()


def run(config: TrainConfig, accelerator: Accelerator, tracker: str | None) -> None:
    """Train; nothing that was prepared outlives this."""
    trainer = Trainer(config, accelerator, tracker)
    if accelerator.is_main_process:
        announce(config, accelerator, trainer.images_seen, trainer.schedule.is_over(trainer.images_seen, 1))
    trainer.train()


def dry_run(config: TrainConfig, accelerator: Accelerator) -> None:
    """Print what the run would take, on the main process."""
    check(config, accelerator.num_processes)
    if accelerator.is_main_process:
        processes, parts = accelerator.num_processes, config.gradient_accumulation_steps
        size = config.batch_size // parts // processes
        costs = estimate(choose_preset(config), size, noise=config.noise, accumulates=parts > 1)
        warn_of_idle_cores(accelerator)
        in_float32 = throughput(accelerator.device, "no")
        half = accelerator.mixed_precision != "no"
        convolutions = throughput(accelerator.device, accelerator.mixed_precision) if half else in_float32
        speed = Throughput(convolutions, in_float32)
        total = config.total_images
        if config.minutes is not None:
            total = min(total, round(60 * config.minutes * images_per_second(costs, speed, processes)))
        print(describe(costs, speed, accelerator.mixed_precision, processes, total))


def announce(config: TrainConfig, accelerator: Accelerator, images_seen: int, over: bool) -> None:
    """Say on stderr what runs where."""
    count = f"{accelerator.num_processes} process{'es' * (accelerator.num_processes > 1)}"
    print(
        f"{config.preset} on {count}, {accelerator.device}, precision {accelerator.mixed_precision}; "
        f"from image {images_seen}" + (", which is the end" if over else ""),
        file=sys.stderr,
    )
    warn_of_idle_cores(accelerator)


def warn_of_idle_cores(accelerator: Accelerator) -> None:
    """`accelerate launch` gives a process on a CPU one thread, if it is not told otherwise."""
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    each = cores // accelerator.num_processes
    if accelerator.device.type == "cpu" and threads < each:
        logger.warning("%d of %d cores compute: OMP_NUM_THREADS=%d before the command is faster", threads, cores, each)


def advice(error: Exception) -> str | None:
    """What to do about an error that the libraries below raise; None for one that nobody foresaw."""
    said = first_line(error)
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return f"--compile does not work here ({said}): install a C++ compiler, or leave it out"
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in said:
        return (
            "not enough memory: double --gradient-accumulation-steps, which gives the same result in less, or take a "
            "smaller --batch-size or --resolution"
        )
    if "DataLoader worker" in said:
        return "the system ended a process that loads photographs, most often for want of memory: fewer --num-workers"
    if isinstance(error, torch.distributed.DistBackendError) or "Connection closed by peer" in said:
        return "another process of this run ended, and says why; the same command resumes from the newest checkpoint"
    return None


def main(arguments: Sequence[str] | None = None, prog: str = "swapae train") -> int:
    """Read the command line and train; 2 with one line on stderr for bad input."""
    try:
        train(parse(sys.argv[1:] if arguments is None else arguments, prog))
        return 0
    except UserError as error:
        message = str(error)
    except KeyboardInterrupt:
        print("stopped; the same command resumes from the newest checkpoint", file=sys.stderr)
        return 130
    except Exception as error:
        known = advice(error)
        if known is None:
            traceback.print_exc()
        message = known or UNEXPECTED
    # Said when what failed is gone, and with it the loader's workers, who could still log something after it.
    gc.collect()
    print(f"{prog}: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
