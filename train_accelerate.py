"""Train a swapping autoencoder on a folder of photographs.

    accelerate launch train_accelerate.py --data my_photos --output runs/mine

The run folder holds config.json, log.jsonl, sample grids, a checkpoint to go on from, and `model/`, the
current averaged model, which `SwapAE.from_pretrained` loads at any moment.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from accelerate import Accelerator, DataLoaderConfiguration
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from swapae import SwapAE
from swapae.codes import Codes
from swapae.config import PRESETS
from swapae.data import Photographs, is_validation
from swapae.errors import UserError
from swapae.grids import swap_grid
from swapae.images import fit, list_images, load_image, save_image, to_pil
from swapae.losses import RECIPES
from swapae.lpips import LPIPS
from swapae.training import R1_INTERVAL, AveragedWeights, DiscriminatorStep, GeneratorStep, TrainingNoise, adam

CHECKPOINT = "checkpoint.pt"
SAMPLES = 4


@dataclass(frozen=True)
class TrainConfig:
    """How a run is made.

    Args:
        data: folder of photographs, searched recursively; 5 % of them are kept for validation.
        output: run folder; a run that is there already goes on from its checkpoint.
        preset: sizes of the networks and of the training crops.
        recipe: the paper's weights of the loss terms, or those of its published code.
        perceptual_weight: weight of LPIPS (SqueezeNet) on the reconstruction, which is not in the paper.
        patch_weight: weight of the co-occurrence loss of encoder and generator; the recipe's if not given.
        noise: random noise maps for fine detail, or zero; a short training does better without, since it would
            take noise for texture long before it learns to draw any.
        batch_size: images of a step, over all processes. A batch feeds either the discriminators or the generator.
        total_images: images after which the run ends.
        lr: learning rate.
        average_half_life: images after which a weight counts half in the averaged model.
        seed: of initial weights, order, crops and noise.
        mixed_precision: the launcher's choice if not given.
        num_workers: processes that read photographs.
        log_every_images, sample_every_images, save_every_images: how often.
    """

    data: Path
    output: Path
    preset: Literal[tuple(PRESETS)] = "church256"  # type: ignore[valid-type]
    recipe: Literal["paper", "release"] = "paper"
    perceptual_weight: float = 0.0
    patch_weight: float | None = None
    noise: TrainingNoise = "random"
    batch_size: int = 16
    total_images: int = 25_000_000
    lr: float = 0.002
    average_half_life: float = 10_000
    seed: int = 0
    mixed_precision: Literal["no", "bf16", "fp16"] | None = None
    num_workers: int = 2
    log_every_images: int = 1_000
    sample_every_images: int = 10_000
    save_every_images: int = 10_000


def train(config: TrainConfig) -> None:
    """Run the training loop: a batch for the discriminators, now and then R1, a batch for the generator."""
    preset = PRESETS[config.preset]
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
    )
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
    critics = DiscriminatorStep(preset.discriminators, weights, config.noise)
    data = Photographs(
        config.data,
        preset.model.image_size,
        preset.discriminators.crop_size,
        config.total_images,
        config.seed,
    )
    generator_optimizer = adam(model.parameters(), config.lr)
    critic_optimizer = adam(critics.parameters(), config.lr, R1_INTERVAL)
    run = Run(config, averaged, model, critics, generator_optimizer, critic_optimizer)
    step, images_seen = run.resume() if accelerator.is_main_process or (config.output / CHECKPOINT).exists() else (0, 0)

    remaining = torch.utils.data.Subset(data, range(images_seen, config.total_images))
    loader = DataLoader(remaining, config.batch_size, num_workers=config.num_workers, drop_last=True)
    generator_step, critics, generator_optimizer, critic_optimizer, loader = accelerator.prepare(
        GeneratorStep(model, weights, config.noise, perceptual), critics, generator_optimizer, critic_optimizer, loader
    )
    averages = AveragedWeights(model, averaged, config.average_half_life)
    raw_critics = accelerator.unwrap_model(critics)

    def optimise(losses: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        accelerator.backward(sum(losses.values()))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        run.record(losses)

    progress = tqdm(total=config.total_images, initial=images_seen, unit="img", disable=not accelerator.is_main_process)
    batches: Iterator[Tensor] = iter(loader)
    for images in batches:
        seed_step(config.seed, step, accelerator.process_index)
        optimise(critics(model, images), critic_optimizer)
        if step % R1_INTERVAL == 0:
            optimise(critics(model, images, r1=True), critic_optimizer)
        images_seen += config.batch_size

        images = next(batches, None)
        if images is None:
            break
        optimise(generator_step(raw_critics, images), generator_optimizer)
        images_seen += config.batch_size
        averages.update(config.batch_size, images_seen)

        step += 1
        progress.update(2 * config.batch_size)
        if accelerator.is_main_process:
            run.maintain(step, images_seen, 2 * config.batch_size, progress)
    if accelerator.is_main_process:
        run.save(step, images_seen)
        run.sample(images_seen)
    progress.close()
    accelerator.end_training()


def seed_step(seed: int, step: int, process: int) -> None:
    """Seed crops and noise of a step from its number, so that a resumed run draws what it would have drawn."""
    torch.manual_seed((seed * 1_000_003 + step) * 1_009 + process)


class Run:
    """The run folder: log, sample grids, checkpoint and the averaged model."""

    def __init__(
        self,
        config: TrainConfig,
        averaged: SwapAE,
        model: SwapAE,
        critics: DiscriminatorStep,
        generator_optimizer: torch.optim.Optimizer,
        critic_optimizer: torch.optim.Optimizer,
    ) -> None:
        self.config, self.averaged, self.folder = config, averaged, config.output
        self.state = {
            "model": model,
            "averaged": averaged,
            "critics": critics,
            "generator_optimizer": generator_optimizer,
            "critic_optimizer": critic_optimizer,
        }
        self.losses: dict[str, list[Tensor]] = {}
        self.started = time.monotonic()
        self.logged_images: int | None = None
        self.examples: list[Tensor] | None = None

    def resume(self) -> tuple[int, int]:
        """Load the checkpoint if there is one; (step, images seen)."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            values = {key: str(v) if isinstance(v, Path) else v for key, v in vars(self.config).items()}
            (self.folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")
            return 0, 0
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in self.state.items():
            part.load_state_dict(saved[name])
        return saved["step"], saved["images_seen"]

    def record(self, losses: dict[str, Tensor]) -> None:
        """Keep this step's terms for the log, without waiting for the device."""
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value.detach())

    def maintain(self, step: int, images_seen: int, new_images: int, progress: tqdm) -> None:
        """Log, sample and save when their turn comes."""

        def due(interval: int) -> bool:
            return images_seen // interval > (images_seen - new_images) // interval

        if due(self.config.log_every_images):
            self.log(images_seen, progress)
        if due(self.config.sample_every_images):
            self.sample(images_seen)
        if due(self.config.save_every_images):
            self.save(step, images_seen)

    def log(self, images_seen: int, progress: tqdm) -> None:
        """Append the mean of each term since the last line, and the speed."""
        means = {name: round(torch.stack(values).mean().item(), 4) for name, values in self.losses.items()}
        self.losses.clear()
        now = time.monotonic()
        line = {"images": images_seen, **means}
        if self.logged_images is not None:
            line["images_per_second"] = round((images_seen - self.logged_images) / (now - self.started), 2)
        self.logged_images, self.started = images_seen, now
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
        progress.set_postfix({name: means[name] for name in ("g_l1", "g_patch", "d_real") if name in means})

    @torch.no_grad()
    def sample(self, images_seen: int) -> None:
        """Write a grid of swaps between photographs that are not trained on; its diagonal reconstructs."""
        size, stride = self.averaged.config.image_size, self.averaged.config.stride
        if self.examples is None:
            paths = list_images(self.config.data)
            kept = [path for path in paths if is_validation(path)]
            kept = kept if len(kept) >= SAMPLES else paths
            chosen = kept[:: max(1, len(kept) // SAMPLES)][:SAMPLES]
            self.examples = [fit(load_image(path), size, stride, self.averaged.config.minimum_side) for path in chosen]
        device = next(self.averaged.parameters()).device
        codes = [self.averaged.encode(example.tensor.to(device)) for example in self.examples]
        hybrids = [
            [to_pil(self.averaged.decode(Codes(a.structure, b.texture)), example.size) for b in codes]
            for a, example in zip(codes, self.examples, strict=True)
        ]
        inputs = [to_pil(example.tensor, example.size) for example in self.examples]
        (self.folder / "samples").mkdir(exist_ok=True)
        save_image(swap_grid(inputs, inputs, hybrids, size), self.folder / "samples" / f"{images_seen:09d}.png")

    def save(self, step: int, images_seen: int) -> None:
        """Replace the checkpoint and the averaged model."""
        self.averaged.save_pretrained(self.folder / "model")
        temporary = self.folder / (CHECKPOINT + ".tmp")
        states = {name: part.state_dict() for name, part in self.state.items()}
        torch.save({**states, "step": step, "images_seen": images_seen}, temporary)
        os.replace(temporary, self.folder / CHECKPOINT)


def main() -> int:
    """Read the command line and train; 2 with one line on stderr for bad input."""
    try:
        train(tyro.cli(TrainConfig, description=__doc__))
    except UserError as error:
        print(f"train_accelerate.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
