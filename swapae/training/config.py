"""How a run is made: its settings, what they choose, and from the command line."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import tyro

from swapae.arguments import parse_arguments
from swapae.config import PRESETS, DiscriminatorKind, Preset
from swapae.errors import UserError
from swapae.losses import LOSS_PRESETS, LossWeights
from swapae.training.generation import TrainingNoise
from swapae.training.run_folder import check_output
from swapae.training.tracking import Tracker

# Options and settings by the names they had before.
RENAMED = {"recolour": "colour_jitter", "recipe": "losses", "average_half_life": "ema_half_life"}


ABOUT = """Train a swapping autoencoder on a folder of photographs.

The run folder holds config.json, log.jsonl, sample grids, checkpoints to resume from, and the EMA of the model as
`SwapAE.from_pretrained` loads it: `latest/`, and `best/` by validation. The same command resumes a run where it
stopped, however it stopped.
"""


@dataclass(frozen=True)
class TrainConfig:
    """How a run is made.

    Args:
        data: folder of photographs, searched recursively; folder of an LMDB; or hf:OWNER/NAME[/CONFIG][:SPLIT], a
            Hugging Face dataset, or its folder on disk. 5 % of the photographs are kept for validation.
        output: run folder; a run that is there already is resumed from its newest checkpoint.
        preset: sizes of the networks and of the training crops.
        resolution: pixels of the photographs' short side, if not the preset's; crops and patches scale with it.
        crop: pixels of the crops' side, if not the preset's, up to whole photographs; patches keep their size. A
            texture code is a mean over the crop: a model trained on parts of photographs gets those of whole ones
            right, in brightness and contrast, after an hour or less of whole ones at the end.
        image_column: the dataset's column of photographs, where there is more than one.
        stream: read the dataset as it comes, without downloading it first.
        flip: mirror half of the crops left to right.
        zoom: take half of the crops from random larger squares, so that whole subjects are seen too.
        discriminators: pixels, as the paper's, or features: they look through a pretrained SqueezeNet, which is what
            makes pictures believable within a day of a CPU; the preset's if not given.
        losses: weights of the loss terms: the paper's; those of its published code (release); those for discriminators
            of features; or those of an autoencoder alone, without discriminators and swaps, as a cheap start for a run
            with --init. If not given, those for the kind of discriminators.
        perceptual_weight: weight of LPIPS (SqueezeNet) on the reconstruction, if not that of --losses.
        patch_weight: likewise, of the co-occurrence loss of encoder and generator.
        swap_weight: likewise, of the hybrids' realism.
        colour_weight: likewise, of the difference of the hybrid's colours, in mean and deviation, from its texture
            image's; not in the paper.
        alternation_weight: likewise, of what alternates from cell to cell of the structure code, which shows as a grid
            of dots: its share in the generator's features there, and in hybrids what photographs have less of; not in
            the paper.
        noise: random noise maps for fine detail, for all pictures or for hybrids alone (reconstruction losses drive
            noise out), or zero; a short training with discriminators of pixels does better without, since it would take
            noise for texture long before it learns to draw any.
        colour_jitter: read the structure from images in random other colours, so that colour goes into the texture
            code; not in the paper.
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
        minutes: end after so many minutes instead, the learning rate falling to 0 over the last third of them.
        lr: learning rate.
        decay_images: images at the end of the run over which the learning rate falls to 0.
        max_gradient_norm: clip gradients to this length; not at all if not given.
        ema_half_life: images after which an old weight counts half in the EMA of the model.
        seed: of initial weights, order, crops and noise.
        mixed_precision: the launcher's choice if not given.
        compile: compile the networks with torch.compile, which takes a C++ compiler and some minutes at the start.
        num_workers: processes that read photographs, for each process that trains.
        log_every_images, sample_every_images, save_every_images: how often.
        eval_every_images: how often to measure the EMA on validation photographs; 0 for never.
        eval_photographs: of them, at most.
        push_every_images: how often to upload it, if at all before the end.
        keep: checkpoints that are kept.
        resume: auto, never, or the folder of a checkpoint.
        tracker: where curves are shown beside log.jsonl; TensorBoard, if it is installed, if not given.
        push_to_hub: OWNER/NAME on the Hugging Face Hub to upload the EMA to, private if it is new.
        dry_run: print what the run would take of parameters, memory and time, and stop.
    """

    data: str
    output: Path
    preset: Literal[tuple(PRESETS)] = "church256"  # type: ignore[valid-type]
    resolution: int | None = None
    crop: int | None = None
    image_column: str | None = None
    stream: bool = False
    flip: bool = True
    zoom: bool = False
    discriminators: DiscriminatorKind | None = None
    losses: Literal[tuple(LOSS_PRESETS)] | None = None  # type: ignore[valid-type]
    perceptual_weight: float | None = None
    patch_weight: float | None = None
    swap_weight: float | None = None
    colour_weight: float | None = None
    alternation_weight: float | None = None
    noise: TrainingNoise = "random"
    colour_jitter: bool = False
    hide_grain: float = 0.0
    structure_noise: float = 0.0
    augment: bool = False
    init: str | None = None
    freeze: tuple[str, ...] = ()
    batch_size: int = 16
    gradient_accumulation_steps: int = 1
    total_images: int = 25_000_000
    minutes: float | None = None
    lr: float = 0.002
    decay_images: int = 0
    max_gradient_norm: float | None = None
    ema_half_life: float = 10_000
    seed: int = 0
    mixed_precision: Literal["no", "bf16", "fp16"] | None = None
    compile: bool = False
    num_workers: int = 2
    log_every_images: int = 1_000
    sample_every_images: int = 10_000
    save_every_images: int = 10_000
    eval_every_images: int = 50_000
    eval_photographs: int = 64
    push_every_images: int | None = None
    keep: int = 2
    resume: str = "auto"
    tracker: Tracker | None = None
    push_to_hub: str | None = None
    dry_run: bool = False


def choose_preset(config: TrainConfig) -> Preset:
    """The preset, at the resolution, with the crops and the kind of discriminators that are given."""
    preset = PRESETS[config.preset] if config.resolution is None else PRESETS[config.preset].at(config.resolution)
    model = dataclasses.replace(preset.model, noise_in_reconstructions=config.noise != "hybrids")
    preset = dataclasses.replace(preset, model=model)
    preset = preset if config.crop is None else preset.cropped(config.crop)
    return preset if config.discriminators is None else dataclasses.replace(preset, kind=config.discriminators)


def loss_weights(config: TrainConfig, preset: Preset) -> LossWeights:
    """The loss preset's weights, with those of the gradient penalties from the networks' preset, and those given."""
    chosen_preset = config.losses or {"pixels": "paper", "features": "features"}[preset.kind]
    weights = dataclasses.replace(LOSS_PRESETS[chosen_preset], r1=preset.r1_weight, patch_r1=preset.patch_r1_weight)
    chosen = {
        "patch": config.patch_weight,
        "gan_swap": config.swap_weight,
        "perceptual": config.perceptual_weight,
        "colour": config.colour_weight,
        "alternation": config.alternation_weight,
    }
    return dataclasses.replace(weights, **{name: value for name, value in chosen.items() if value is not None})


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
    pairs = {"total_images": 2 * config.batch_size, "eval_photographs": 2}
    least = pairs | dict.fromkeys(never, 0) | dict.fromkeys(once, 1)
    for name, minimum in least.items():
        if getattr(config, name) is not None and getattr(config, name) < minimum:
            raise UserError(f"--{name.replace('_', '-')} must be at least {minimum}, got {getattr(config, name)}")
    for name, most in (("hide_grain", 1), ("structure_noise", 10)):
        if not 0 <= getattr(config, name) <= most:
            raise UserError(f"--{name.replace('_', '-')} must be in 0 to {most}, got {getattr(config, name)}")
    if config.augment and choose_preset(config).kind == "features":
        raise UserError("--augment is for --discriminators pixels: those of features always see jittered images")
    if config.minutes is not None and not 0 < config.minutes <= 1e6:
        raise UserError(f"--minutes must be above 0, and at most a million, got {config.minutes:g}")
    if not 0 < config.lr < 1:
        raise UserError(f"--lr must be between 0 and 1, got {config.lr}")
    for name in ("ema_half_life", "max_gradient_norm"):
        if getattr(config, name) is not None and not getattr(config, name) > 0:
            raise UserError(f"--{name.replace('_', '-')} must be above 0, got {getattr(config, name)}")
    for name in (name for name in vars(config) if name.endswith("_weight")):
        if getattr(config, name) is not None and not 0 <= getattr(config, name) < math.inf:
            raise UserError(f"--{name.replace('_', '-')} must be 0 or more, got {getattr(config, name)}")
    check_output(config.output, config.data, to_dict(config), config.resume not in ("auto", "never"))


def to_dict(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON keeps them, but for those of one call."""
    values = {name: value for name, value in vars(config).items() if name not in ("resume", "dry_run")}
    return {**values, "output": str(config.output), "freeze": list(config.freeze)}


def parse(arguments: Sequence[str], prog: str) -> TrainConfig:
    """Settings from the command line; `--config FILE` starts from a saved run's, and other options override it.

    Raises:
        UserError: options that are not understood, or a file that is no run's.
    """
    words = [renamed(word) for word in arguments]
    options: dict[str, Any] = {"prog": prog, "description": ABOUT}
    if "--config" in words:
        place = words.index("--config")
        try:
            options["default"] = from_file(Path(words[place + 1]))
        except (IndexError, OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"--config needs the config.json of a run ({error})") from None
        del words[place : place + 2]
    try:
        return parse_arguments(partial(tyro.cli, TrainConfig, args=words, **options))
    except UserError as error:
        raise UserError(f"{error}; see {prog} --help") from None


def from_file(path: Path) -> TrainConfig:
    """The settings that a run kept."""
    saved = {RENAMED.get(name, name): value for name, value in json.loads(path.read_bytes()).items()}
    return TrainConfig(**{**saved, "output": Path(saved["output"]), "freeze": tuple(saved["freeze"])})


def renamed(word: str) -> str:
    """An option's new name for one that has changed, with a line on stderr."""
    for old, new in RENAMED.items():
        for prefix in ("--", "--no-"):
            if word.replace("_", "-") == prefix + old.replace("_", "-"):
                option = prefix + new.replace("_", "-")
                print(f"{word} is now called {option}", file=sys.stderr)
                return option
    return word
