"""Train a swapping autoencoder on a folder of photographs.

    accelerate launch train_accelerate.py --data my_photos --output runs/mine

The run folder holds config.json, log.jsonl, sample grids, checkpoints to go on from, and the averaged model as
`SwapAE.from_pretrained` loads it: `latest/`, and `best/` by the evaluations. The same command goes on where a run
stopped, however it stopped.
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import importlib
import json
import logging
import os
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
from swapae.apps.arguments import parse_arguments
from swapae.backbones import FrozenBackbone
from swapae.config import PRESETS, DiscriminatorKind, Preset
from swapae.data.dataset import held_out, training_data
from swapae.data.sources import open_source
from swapae.errors import UserError, first_line
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.validation import Evaluation
from swapae.losses import RECIPES, Fakes, LossWeights
from swapae.training.estimates import describe, estimate, throughput
from swapae.training.initial import freeze, start_from
from swapae.training.random import Draws
from swapae.training.run_folder import SAMPLES, Run, check_output
from swapae.training.steps import (
    R1_INTERVAL,
    AveragedWeights,
    DiscriminatorStep,
    GeneratorStep,
    Reading,
    TrainingNoise,
    adam,
    compile_networks,
    discriminators_adam,
    share_of_rate,
    wake_noise,
)
from swapae.training.tracking import Tracker, choose_tracker, start_tracker, track_picture

EVALUATED = 64  # photographs, of those kept out of training
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainConfig:
    """How a run is made.

    Args:
        data: folder of photographs, searched recursively; folder of an LMDB; or hf:OWNER/NAME[/CONFIG][:SPLIT], a
            Hugging Face dataset, or its folder on disk. 5 % of the photographs are kept for validation.
        output: run folder; a run that is there already goes on from its newest checkpoint.
        preset: sizes of the networks and of the training crops.
        resolution: pixels of the photographs' short side, if not the preset's; crops and patches scale with it.
        image_column: the dataset's column of photographs, where there is more than one.
        stream: read the dataset as it comes, without downloading it first.
        flip: mirror half of the crops left to right.
        zoom: take half of the crops from random larger squares, so that whole subjects are seen too.
        discriminators: pixels, as the paper's, or features: they look through a pretrained SqueezeNet, which is what
            makes pictures believable within a day of a CPU; the preset's if not given.
        recipe: the paper's weights of the loss terms; or those of its published code; or for discriminators of
            features; or of an autoencoder alone, without discriminators and swaps, as a cheap start for a run with
            --init. If not given, features for discriminators of features, and else the paper's.
        perceptual_weight: weight of LPIPS (SqueezeNet) on the reconstruction; the recipe's if not given.
        patch_weight: likewise, of the co-occurrence loss of encoder and generator.
        swap_weight: likewise, of the hybrids' realism.
        colour_weight: likewise, of the difference of the hybrid's colours, in mean and deviation, from its texture
            image's; not in the paper.
        noise: random noise maps for fine detail, for all pictures or for hybrids alone (reconstruction losses drive
            noise out), or zero; a short training with discriminators of pixels does better without, since it would take
            noise for texture long before it learns to draw any.
        recolour: read the structure from images in random other colours, so that colour goes into the texture code;
            not in the paper.
        hide_grain: share of the images whose structure is read from a blurred and noisy copy, so that fine grain goes
            into the texture code; not in the paper.
        structure_noise: largest deviation of noise on structure codes, in units of their own root mean square; not in
            the paper.
        augment: turn, move and zoom what the image discriminator of pixels sees, the more often the more it knows its
            photographs by heart; for fewer than some 5,000 of them.
        init: run, checkpoint or model folder, or a model of the Hugging Face Hub, whose weights to start from.
        freeze: parts that stay as they are, such as encoder, generator.blocks.2 or image_discriminator.blocks.0.
        batch_size: images of an update, over all processes. With discriminators of pixels a batch feeds either them or
            the generator, as in the published code; with those of features it feeds both.
        gradient_accumulation_steps: parts in which a batch is computed, to save memory.
        total_images: images after which the run ends.
        lr: learning rate.
        decay_images: images at the end of the run over which the learning rate falls to 0.
        max_gradient_norm: clip gradients to this length; not at all if not given.
        average_half_life: images after which a weight counts half in the averaged model.
        seed: of initial weights, order, crops and noise.
        mixed_precision: the launcher's choice if not given.
        compile: compile the networks with torch.compile, which takes a C++ compiler and some minutes at the start.
        num_workers: processes that read photographs, for each process that trains.
        log_every_images, sample_every_images, save_every_images: how often.
        eval_every_images: how often to measure the averaged model on photographs kept out; 0 for never.
        push_every_images: how often to upload it, if at all before the end.
        keep: checkpoints that are kept.
        resume: auto, never, or the folder of a checkpoint.
        tracker: where curves are shown beside log.jsonl; TensorBoard, if it is installed, if not given.
        push_to_hub: OWNER/NAME on the Hugging Face Hub to upload the averaged model to, private if it is new.
        dry_run: print what the run would take of parameters, memory and time, and stop.
    """

    data: str
    output: Path
    preset: Literal[tuple(PRESETS)] = "church256"  # type: ignore[valid-type]
    resolution: int | None = None
    image_column: str | None = None
    stream: bool = False
    flip: bool = True
    zoom: bool = False
    discriminators: DiscriminatorKind | None = None
    recipe: Literal[tuple(RECIPES)] | None = None  # type: ignore[valid-type]
    perceptual_weight: float | None = None
    patch_weight: float | None = None
    swap_weight: float | None = None
    colour_weight: float | None = None
    noise: TrainingNoise = "random"
    recolour: bool = False
    hide_grain: float = 0.0
    structure_noise: float = 0.0
    augment: bool = False
    init: str | None = None
    freeze: tuple[str, ...] = ()
    batch_size: int = 16
    gradient_accumulation_steps: int = 1
    total_images: int = 25_000_000
    lr: float = 0.002
    decay_images: int = 0
    max_gradient_norm: float | None = None
    average_half_life: float = 10_000
    seed: int = 0
    mixed_precision: Literal["no", "bf16", "fp16"] | None = None
    compile: bool = False
    num_workers: int = 2
    log_every_images: int = 1_000
    sample_every_images: int = 10_000
    save_every_images: int = 10_000
    eval_every_images: int = 50_000
    push_every_images: int | None = None
    keep: int = 2
    resume: str = "auto"
    tracker: Tracker | None = None
    push_to_hub: str | None = None
    dry_run: bool = False


def train(config: TrainConfig) -> None:
    """Run the training loop: a batch for the discriminators, now and then R1, a batch for the generator.

    Discriminators that look through features share the generator's batch and what it made of it; without
    discriminators, all batches are the generator's.
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
    train_on(accelerator, config, tracker)
    # The wrapped modules go first, and then, as the last hold on it, the group of processes: its threads end while
    # Python runs and does not wait for them. One that has a tensor to drop after Python's end aborts the process.
    accelerator.free_memory()
    accelerator.end_training()


def train_on(accelerator: Accelerator, config: TrainConfig, tracker: str | None) -> None:
    """The run, on what `accelerator` found; nothing that it prepared outlives this."""
    main, parts = accelerator.is_main_process, config.gradient_accumulation_steps
    check(config, accelerator.num_processes)
    preset = choose_preset(config)
    if config.dry_run:
        return dry_run(config, preset, accelerator)
    weights = loss_weights(config, preset)
    source = open_source(config.data, config.image_column, config.stream)
    part_size = config.batch_size // parts

    model, averaged, critics, generator_step, critics_step, optimizers = build(config, preset, weights, accelerator)
    adversarial, shares = weights.adversarial, critics.shares_fakes
    turns = 2 if adversarial and not shares else 1  # batches of an update
    warm_up = critics.warm_up_images if adversarial else 0
    averages = AveragedWeights(model, averaged, config.average_half_life, ramp=config.init is None)

    kept_out = held_out(source, preset.model, EVALUATED, SAMPLES)
    networks = {"model": model, "averaged": averaged, "critics": critics}
    examples = kept_out[:: max(1, -(-len(kept_out) // SAMPLES))]
    run = Run(config.output, plain(config), preset, examples, networks, optimizers, config.keep)
    groups = [group for name in ("generator", "critics") for group in optimizers[name].param_groups]
    rates = [group["lr"] for group in groups]
    step, images_seen = run.resume(config.resume)
    if config.init is not None and not images_seen:
        start_from(config.init, preset, model, averaged, critics)
    if config.noise == "hybrids" and adversarial and not images_seen:
        wake_noise(model)
    handling = dataclasses.replace(preset.data, flip=config.flip, zoom=config.zoom)
    remaining, data = training_data(source, handling, config.total_images, config.seed, images_seen, part_size)
    loader = accelerator.prepare(DataLoader(remaining, part_size, num_workers=config.num_workers, drop_last=True))
    evaluation = None
    accelerator.wait_for_everyone()
    if main:
        run.begin(images_seen)
        evaluation = make_evaluation(config, [picture.tensor.to(accelerator.device) for picture in kept_out])
        if tracker:
            start_tracker(accelerator, tracker, config.output, plain(config), images_seen)
        announce(config, accelerator, images_seen)

    def mean(value: Tensor) -> Tensor:
        return accelerator.reduce(value, reduction="mean")

    def parted(turn: int, module: Any, batch: list[Tensor]) -> Iterator[tuple[int, Tensor, Draws]]:
        """The parts of a batch with their random numbers; gradients meet those of other processes in the last."""
        for part, images in enumerate(batch):
            share = part * accelerator.num_processes + accelerator.process_index
            with nullcontext() if part == parts - 1 else accelerator.no_sync(module):
                yield part, images, Draws(config.seed, step * 3 + turn, share, accelerator.num_processes * parts)

    def backward(terms: dict[str, Tensor]) -> None:
        run.record(terms)
        accelerator.backward(sum(value for name, value in terms.items() if name != "real_sign") / parts)

    def update(module: Any, optimizer: Any) -> None:
        if config.max_gradient_norm is not None:
            accelerator.clip_grad_norm_(module.parameters(), config.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def update_critics(batch: list[Tensor], fakes: list[Fakes | None]) -> None:
        signs = []
        for part, images, draws in parted(0, critics_step, batch):
            terms = critics_step(model, images, draws, fakes=fakes[part])
            backward(terms)
            signs.append(terms["real_sign"])
        update(critics_step, optimizers["critics"])
        if critics.kind == "pixels" and step % R1_INTERVAL == 0:
            for _, images, draws in parted(1, critics_step, batch):
                backward(critics_step(model, images, draws, r1=True))
            update(critics_step, optimizers["critics"])
        critics.settle()
        if config.augment:
            critics.adapt(mean(torch.stack(signs).mean()), config.batch_size)

    def update_generator(batch: list[Tensor]) -> list[Fakes | None]:
        made = []
        for _, images, draws in parted(2, generator_step, batch):
            terms, fakes = generator_step(critics, images, draws)
            backward(terms)
            made.append(fakes)
        update(generator_step, optimizers["generator"])
        return made

    stream: Iterator[Tensor] = iter(loader)
    with tqdm(total=config.total_images, initial=images_seen, unit="img", disable=not main) as progress:
        while len(batches := list(islice(stream, turns * parts))) == turns * parts:
            share = share_of_rate(images_seen, config.total_images, config.decay_images, warm_up)
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = share * rate
            if adversarial and not shares:
                update_critics(batches[:parts], [None] * parts)
            made = update_generator(batches[-parts:])
            if adversarial and shares:
                update_critics(batches, made)
            before, images_seen = images_seen, images_seen + turns * config.batch_size
            averages.update(config.batch_size, images_seen)
            step += 1
            progress.update(images_seen - before)
            last = images_seen + turns * config.batch_size > config.total_images

            def due(interval: int, before: int = before, now: int = images_seen, last: bool = last) -> bool:
                return now // interval > before // interval or last

            if due(config.log_every_images) or due(config.save_every_images):
                means = run.means(mean)
                progress.set_postfix(
                    {name: f"{means[name]:.3f}" for name in ("g_l1", "g_patch", "d_real") if name in means}
                )
                if main:
                    accelerator.log(run.log(means, images_seen, share * config.lr), images_seen)
            if main and due(config.sample_every_images):
                track_picture(accelerator, run.sample(images_seen), images_seen)
            if evaluation and due(config.eval_every_images):
                accelerator.log(run.evaluate(evaluation, images_seen), images_seen)
            if main and due(config.save_every_images):
                run.save(step, images_seen)
            if main and config.push_to_hub and config.push_every_images and due(config.push_every_images) and not last:
                push_or_warn(run, config.push_to_hub, images_seen)
    if main and data.unreadable:
        logger.warning("%d unreadable pictures were skipped; `swapae data check` lists them", data.unreadable)
    if main and config.push_to_hub:
        print(f"uploaded to {run.push(config.push_to_hub, images_seen)}", file=sys.stderr)


def choose_preset(config: TrainConfig) -> Preset:
    """The preset, at the resolution and with the kind of discriminators that are given."""
    preset = PRESETS[config.preset] if config.resolution is None else PRESETS[config.preset].at(config.resolution)
    return preset if config.discriminators is None else dataclasses.replace(preset, kind=config.discriminators)


def loss_weights(config: TrainConfig, preset: Preset) -> LossWeights:
    """The recipe's weights, with the preset's of the gradient penalties and those given."""
    recipe = config.recipe or {"pixels": "paper", "features": "features"}[preset.kind]
    weights = dataclasses.replace(RECIPES[recipe], r1=preset.r1_weight, patch_r1=preset.patch_r1_weight)
    chosen = {
        "patch": config.patch_weight,
        "gan_swap": config.swap_weight,
        "perceptual": config.perceptual_weight,
        "colour": config.colour_weight,
    }
    return dataclasses.replace(weights, **{name: value for name, value in chosen.items() if value is not None})


def build(config: TrainConfig, preset: Preset, weights: LossWeights, accelerator: Accelerator) -> tuple[Any, ...]:
    """What is trained: model, averaged model, discriminators, their two prepared steps, and what optimises them."""
    torch.manual_seed(config.seed)
    model = SwapAE(preset.model)
    averaged = copy.deepcopy(model).to(accelerator.device).eval()
    reading = Reading(config.noise, config.recolour, config.hide_grain, config.structure_noise)
    frozen = {"device": accelerator.device, "memory_format": torch.channels_last}
    backbone = FrozenBackbone("squeeze").to(**frozen) if preset.kind == "features" else None
    critics = DiscriminatorStep(preset.discriminators, weights, reading, config.augment, backbone)
    freeze(config.freeze, model, critics)
    if config.compile:
        compile_networks(model, critics)
    perceptual = LPIPS("squeeze").to(**frozen) if weights.perceptual else None
    generator_step, critics_step, generator_optimizer, critic_optimizer = accelerator.prepare(
        GeneratorStep(model, weights, reading, perceptual),
        critics,
        adam(model.parameters(), config.lr),
        discriminators_adam(critics, config.lr),
    )
    optimizers = {"generator": generator_optimizer, "critics": critic_optimizer}
    if accelerator.scaler is not None:
        optimizers["scaler"] = accelerator.scaler
    return model, averaged, critics, generator_step, critics_step, optimizers


def dry_run(config: TrainConfig, preset: Preset, accelerator: Accelerator) -> None:
    """Print what the run would take, on the main process."""
    if accelerator.is_main_process:
        processes, parts = accelerator.num_processes, config.gradient_accumulation_steps
        size = config.batch_size // parts // processes
        costs = estimate(preset, size, noise=config.noise, accumulates=parts > 1)
        warn_of_idle_cores(accelerator)
        speed = throughput(accelerator.device, accelerator.mixed_precision)
        print(describe(costs, speed, accelerator.mixed_precision, processes, config.total_images))


def check(config: TrainConfig, processes: int) -> None:
    """Raise UserError for settings that cannot work, before anything is computed or written."""
    shares = processes * config.gradient_accumulation_steps
    if config.gradient_accumulation_steps < 1 or config.batch_size % shares or config.batch_size // shares < 2:
        raise UserError(
            f"--batch-size {config.batch_size} does not give each of {processes} processes x "
            f"{config.gradient_accumulation_steps} accumulation steps the same 2 or more images: swaps need pairs"
        )
    once = ["log_every_images", "sample_every_images", "save_every_images", "push_every_images", "keep"]
    never = ["eval_every_images", "num_workers", "decay_images"]
    least = {"total_images": 2 * config.batch_size} | dict.fromkeys(never, 0) | dict.fromkeys(once, 1)
    for name, minimum in least.items():
        if getattr(config, name) is not None and getattr(config, name) < minimum:
            raise UserError(f"--{name.replace('_', '-')} must be at least {minimum}, got {getattr(config, name)}")
    for name, most in (("hide_grain", 1), ("structure_noise", 10)):
        if not 0 <= getattr(config, name) <= most:
            raise UserError(f"--{name.replace('_', '-')} must be in 0 to {most}, got {getattr(config, name)}")
    if config.augment and choose_preset(config).kind == "features":
        raise UserError("--augment is for --discriminators pixels: those of features always see jittered images")
    if not 0 < config.lr < 1:
        raise UserError(f"--lr must be between 0 and 1, got {config.lr}")
    check_output(config.output, config.data, plain(config), config.resume not in ("auto", "never"))


def make_evaluation(config: TrainConfig, images: list[Tensor]) -> Evaluation | None:
    """What measures the averaged model on squares of `images` [1, 3, H, W]; None if not wanted or not possible."""
    if not config.eval_every_images or len(images) < 2:
        return None
    try:
        distance = LPIPS("squeeze").to(images[0].device)
    except UserError as error:
        logger.warning("the run goes on without evaluations, and keeps no best/: %s", error)
        return None
    side = min(min(image.shape[2:]) for image in images)
    starts = [((image.shape[2] - side) // 2, (image.shape[3] - side) // 2) for image in images]
    squares = [
        image[..., top : top + side, left : left + side] for image, (top, left) in zip(images, starts, strict=True)
    ]
    return Evaluation(squares, distance)


def announce(config: TrainConfig, accelerator: Accelerator, images_seen: int) -> None:
    """Say on stderr what runs where."""
    count = f"{accelerator.num_processes} process{'es' * (accelerator.num_processes > 1)}"
    print(
        f"{config.preset} on {count}, {accelerator.device}, precision {accelerator.mixed_precision}; "
        f"from image {images_seen}" + (", which is the end" if images_seen >= config.total_images else ""),
        file=sys.stderr,
    )
    warn_of_idle_cores(accelerator)


def warn_of_idle_cores(accelerator: Accelerator) -> None:
    """`accelerate launch` gives a process on a CPU one thread, if it is not told otherwise."""
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    each = cores // accelerator.num_processes
    if accelerator.device.type == "cpu" and threads < each:
        logger.warning("%d of %d cores compute: OMP_NUM_THREADS=%d before the command is faster", threads, cores, each)


def push_or_warn(run: Run, repo: str, images_seen: int) -> None:
    """Upload while the run goes on, which an unreachable Hub does not stop."""
    try:
        run.push(repo, images_seen)
    except UserError as error:
        logger.warning("%s; the run goes on", error)


def plain(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON keeps them, but for those of one call."""
    values = {name: value for name, value in vars(config).items() if name not in ("resume", "dry_run")}
    return {**values, "output": str(config.output), "freeze": list(config.freeze)}


def parse() -> TrainConfig:
    """Settings from the command line; `--config FILE` starts from a saved run's, and flags override it."""
    arguments = sys.argv[1:]
    if "--config" not in arguments:
        return parse_arguments(partial(tyro.cli, TrainConfig, description=__doc__, args=arguments))
    place = arguments.index("--config")
    try:
        path = Path(arguments[place + 1])
        saved = json.loads(path.read_text())
        default = TrainConfig(**{**saved, "output": Path(saved["output"]), "freeze": tuple(saved["freeze"])})
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
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        message = f"--compile does not work here ({first_line(error)}): install a C++ compiler, or leave it out"
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the newest checkpoint", file=sys.stderr)
        return 130
    # Said when what failed is gone, and with it the loader's workers, who could still log something after it.
    gc.collect()
    print(f"train_accelerate.py: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
