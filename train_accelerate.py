"""Train a swapping autoencoder on a folder of photographs.

    accelerate launch train_accelerate.py --data my_photos --output runs/mine

The run folder holds config.json, log.jsonl, sample grids, checkpoints to go on from, and `model/`, the current
averaged model, which `SwapAE.from_pretrained` loads at any moment. The same command goes on where a run stopped.
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from accelerate import Accelerator, DataLoaderConfiguration
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from swapae import SwapAE
from swapae.arguments import parse_arguments
from swapae.config import PRESETS
from swapae.data import held_out, training_data
from swapae.draws import Draws
from swapae.errors import UserError
from swapae.losses import RECIPES
from swapae.lpips import LPIPS
from swapae.run import SAMPLES, Run, check_output
from swapae.sources import open_source
from swapae.training import R1_INTERVAL, AveragedWeights, DiscriminatorStep, GeneratorStep, TrainingNoise, adam


@dataclass(frozen=True)
class TrainConfig:
    """How a run is made.

    Args:
        data: folder of photographs, searched recursively; folder of an LMDB; or hf:OWNER/NAME[/CONFIG][:SPLIT], a
            Hugging Face dataset, or its folder on disk. 5 % of the photographs are kept for validation.
        output: run folder; a run that is there already goes on from its newest checkpoint.
        preset: sizes of the networks and of the training crops.
        image_column: the dataset's column of photographs, where there is more than one.
        stream: read the dataset as it comes, without downloading it first.
        flip: mirror half of the crops left to right.
        recipe: the paper's weights of the loss terms, or those of its published code.
        perceptual_weight: weight of LPIPS (SqueezeNet) on the reconstruction, which is not in the paper.
        patch_weight: weight of the co-occurrence loss of encoder and generator; the recipe's if not given.
        noise: random noise maps for fine detail, or zero; a short training does better without, since it would
            take noise for texture long before it learns to draw any.
        batch_size: images of an update, over all processes. A batch feeds either the discriminators or the generator.
        gradient_accumulation_steps: parts in which a batch is computed, to save memory.
        total_images: images after which the run ends.
        lr: learning rate.
        max_gradient_norm: clip gradients to this length; not at all if not given.
        average_half_life: images after which a weight counts half in the averaged model.
        seed: of initial weights, order, crops and noise.
        mixed_precision: the launcher's choice if not given.
        num_workers: processes that read photographs.
        log_every_images, sample_every_images, save_every_images: how often.
        keep: checkpoints that are kept.
        resume: auto, never, or the folder of a checkpoint.
    """

    data: str
    output: Path
    preset: Literal[tuple(PRESETS)] = "church256"  # type: ignore[valid-type]
    image_column: str | None = None
    stream: bool = False
    flip: bool = True
    recipe: Literal["paper", "release"] = "paper"
    perceptual_weight: float = 0.0
    patch_weight: float | None = None
    noise: TrainingNoise = "random"
    batch_size: int = 16
    gradient_accumulation_steps: int = 1
    total_images: int = 25_000_000
    lr: float = 0.002
    max_gradient_norm: float | None = None
    average_half_life: float = 10_000
    seed: int = 0
    mixed_precision: Literal["no", "bf16", "fp16"] | None = None
    num_workers: int = 2
    log_every_images: int = 1_000
    sample_every_images: int = 10_000
    save_every_images: int = 10_000
    keep: int = 2
    resume: str = "auto"


def train(config: TrainConfig) -> None:
    """Run the training loop: a batch for the discriminators, now and then R1, a batch for the generator."""
    preset = PRESETS[config.preset]
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
    )
    parts = config.gradient_accumulation_steps
    check(config, accelerator.num_processes)
    source = open_source(config.data, config.image_column, config.stream)
    handling = dataclasses.replace(preset.data, flip=config.flip)
    part_size = config.batch_size // parts
    torch.manual_seed(config.seed)
    weights = dataclasses.replace(
        RECIPES[config.recipe],
        perceptual=config.perceptual_weight,
        r1=preset.r1_weight,
        patch_r1=preset.patch_r1_weight,
    )
    if config.patch_weight is not None:
        weights = dataclasses.replace(weights, patch=config.patch_weight)
    perceptual = LPIPS("squeeze").to(accelerator.device) if config.perceptual_weight else None

    model = SwapAE(preset.model)
    averaged = copy.deepcopy(model).to(accelerator.device).eval()
    raw_critics = DiscriminatorStep(preset.discriminators, weights, config.noise)
    generator_optimizer = adam(model.parameters(), config.lr)
    critic_optimizer = adam(raw_critics.parameters(), config.lr, R1_INTERVAL)
    generator_step, critics, generator_optimizer, critic_optimizer = accelerator.prepare(
        GeneratorStep(model, weights, config.noise, perceptual), raw_critics, generator_optimizer, critic_optimizer
    )
    optimizers = {"generator": generator_optimizer, "critics": critic_optimizer}
    if accelerator.scaler is not None:
        optimizers["scaler"] = accelerator.scaler
    networks = {"model": model, "averaged": averaged, "critics": raw_critics}
    examples = held_out(source, SAMPLES)
    run = Run(config.output, plain(config), preset, examples, networks, optimizers, config.keep)
    step, images_seen = run.resume(config.resume)
    remaining, data = training_data(source, handling, config.total_images, config.seed, images_seen, part_size)
    accelerator.wait_for_everyone()
    main = accelerator.is_main_process
    if main:
        run.begin(images_seen)
        count = f"{accelerator.num_processes} process{'es' * (accelerator.num_processes > 1)}"
        print(
            f"{config.preset} on {count}, {accelerator.device}, precision {accelerator.mixed_precision}; "
            f"from image {images_seen}",
            file=sys.stderr,
        )

    loader = accelerator.prepare(DataLoader(remaining, part_size, num_workers=config.num_workers, drop_last=True))
    mean_over_processes = partial(accelerator.reduce, reduction="mean")
    averages = AveragedWeights(model, averaged, config.average_half_life)

    def optimise(turn: int, module: Any, optimizer: Any, other: Any, batches: list[Tensor], **options: bool) -> None:
        for part, images in enumerate(batches):
            draws = Draws(
                config.seed,
                (step * 3 + turn) * parts + part,
                accelerator.process_index,
                accelerator.num_processes,
            )
            last = part == len(batches) - 1
            with nullcontext() if last else accelerator.no_sync(module):
                terms = module(other, images, draws, **options)
                accelerator.backward(sum(terms.values()) / len(batches))
            run.record(terms)
        if config.max_gradient_norm is not None:
            accelerator.clip_grad_norm_(module.parameters(), config.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    stream: Iterator[Tensor] = iter(loader)
    with tqdm(total=config.total_images, initial=images_seen, unit="img", disable=not main) as progress:
        while len(batches := list(islice(stream, 2 * parts))) == 2 * parts:
            optimise(0, critics, critic_optimizer, model, batches[:parts])
            if step % R1_INTERVAL == 0:
                optimise(1, critics, critic_optimizer, model, batches[:parts], r1=True)
            optimise(2, generator_step, generator_optimizer, raw_critics, batches[parts:])
            before, images_seen = images_seen, images_seen + 2 * config.batch_size
            averages.update(config.batch_size, images_seen)
            step += 1
            progress.update(images_seen - before)

            def due(interval: int, before: int = before, now: int = images_seen) -> bool:
                return now // interval > before // interval

            if due(config.log_every_images) or due(config.save_every_images):
                means = run.means(mean_over_processes)
                if main:
                    run.log(means, images_seen, config.lr)
                progress.set_postfix({name: f"{means[name]:.3f}" for name in ("g_l1", "g_patch", "d_real")})
            if main and due(config.sample_every_images):
                run.sample(images_seen)
            if main and due(config.save_every_images):
                run.save(step, images_seen)
    run.means(mean_over_processes)  # stops here rather than save what is broken
    if main:
        run.sample(images_seen)
        run.save(step, images_seen)
        if data.unreadable:
            print(
                f"{data.unreadable} unreadable pictures were skipped; `swapae data check` lists them", file=sys.stderr
            )
    accelerator.end_training()


def check(config: TrainConfig, processes: int) -> None:
    """Raise UserError for settings that cannot work, before anything is computed or written."""
    shards = processes * config.gradient_accumulation_steps
    if config.gradient_accumulation_steps < 1 or config.batch_size % shards or config.batch_size // shards < 2:
        raise UserError(
            f"--batch-size {config.batch_size} does not give each of {processes} processes x "
            f"{config.gradient_accumulation_steps} accumulation steps the same 2 or more images: swaps need pairs"
        )
    for name in ("log_every_images", "sample_every_images", "save_every_images", "keep", "total_images"):
        if getattr(config, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(config, name)}")
    check_output(config.output)


def plain(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON keeps them."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(config).items()}


def parse() -> TrainConfig:
    """Settings from the command line; `--config FILE` starts from a saved run's, and flags override it."""
    arguments = sys.argv[1:]
    if "--config" not in arguments:
        return parse_arguments(partial(tyro.cli, TrainConfig, description=__doc__, args=arguments))
    place = arguments.index("--config")
    try:
        path = Path(arguments[place + 1])
        saved = json.loads(path.read_text())
        default = TrainConfig(**{**saved, "output": Path(saved["output"])})
    except (IndexError, OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"--config needs the config.json of a run ({error})") from None
    del arguments[place : place + 2]
    return parse_arguments(partial(tyro.cli, TrainConfig, description=__doc__, args=arguments, default=default))


def main() -> int:
    """Read the command line and train; 2 with one line on stderr for bad input."""
    try:
        train(parse())
        return 0
    except UserError as error:
        message = str(error)
    # Said when what failed is gone, and with it the loader's workers, who could still log something after it.
    gc.collect()
    print(f"train_accelerate.py: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
