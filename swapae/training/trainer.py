"""The training loop: a batch for the discriminators, now and then R1, a batch for the generator, the EMA, maintenance.

Discriminators that look through features share the generator's batch and what it made of it; without discriminators,
all batches are the generator's.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from swapae.backbones import FrozenBackbone
from swapae.data.dataset import training_data, validation_pictures
from swapae.data.sources import open_source
from swapae.errors import UserError
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.validation import Evaluator
from swapae.losses import Fakes
from swapae.model import SwapAE
from swapae.threads import torch_threads
from swapae.training.config import TrainConfig, check, choose_preset, loss_weights, to_dict
from swapae.training.discriminator_step import R1_INTERVAL, DiscriminatorStep
from swapae.training.generation import Generation, keep_noise
from swapae.training.generator_step import GeneratorStep
from swapae.training.initial import freeze, start_from
from swapae.training.optimizers import EMA, adam, compile_networks, discriminator_adam
from swapae.training.random import StepRandom
from swapae.training.run_folder import SAMPLES, RunFolder
from swapae.training.schedule import Schedule
from swapae.training.tracking import start_tracker, track_picture

logger = logging.getLogger(__name__)


class Trainer:
    """A run, on what `accelerator` found.

    Args:
        config: its settings.
        accelerator: says which devices, processes and precision there are.
        tracker: where curves are shown, None for nowhere.

    Raises:
        UserError: settings, photographs or weights that cannot work; nothing is written then.
    """

    def __init__(self, config: TrainConfig, accelerator: Accelerator, tracker: str | None = None) -> None:
        if not accelerator.is_main_process:  # warnings are said once
            logging.getLogger("swapae").setLevel(logging.ERROR)
        check(config, accelerator.num_processes)
        self.config, self.accelerator, self.main = config, accelerator, accelerator.is_main_process
        self.parts = config.gradient_accumulation_steps
        self.preset = choose_preset(config)
        self.weights = loss_weights(config, self.preset)
        source = open_source(config.data, config.image_column, config.stream)
        self.build()
        pictures, unseen = validation_pictures(source, self.preset.model, config.eval_photographs, SAMPLES)
        if not unseen:
            logger.warning("too few photographs to keep some for validation: what is measured is trained on as well")
        self.folder = RunFolder(
            config.output,
            to_dict(config),
            self.preset,
            pictures[:: max(1, -(-len(pictures) // SAMPLES))],
            {"model": self.model, "ema": self.ema_model, "discriminators": self.discriminators},
            self.optimizers,
            config.keep,
            unseen,
        )
        self.start()
        handling = dataclasses.replace(self.preset.data, flip=config.flip, zoom=config.zoom)
        part_size = config.batch_size // self.parts
        items, self.data = training_data(
            source, handling, config.total_images, config.seed, self.images_seen, part_size
        )
        self.loader = accelerator.prepare(DataLoader(items, part_size, num_workers=config.num_workers, drop_last=True))
        self.evaluator: Evaluator | None = None
        accelerator.wait_for_everyone()
        if self.main:
            self.folder.begin(self.images_seen)
            self.evaluator = make_evaluator(config, [one.tensor.to(accelerator.device) for one in pictures])
            if tracker:
                start_tracker(accelerator, tracker, config.output, to_dict(config), self.images_seen)

    def build(self) -> None:
        """Networks, the module and the optimiser of either side, and the EMA."""
        config, accelerator = self.config, self.accelerator
        torch.manual_seed(config.seed)
        self.model = SwapAE(self.preset.model)
        self.ema_model = copy.deepcopy(self.model).to(accelerator.device).eval()
        generation = Generation(config.noise, config.colour_jitter, config.hide_grain, config.structure_noise)
        frozen = {"device": accelerator.device, "memory_format": torch.channels_last}
        backbone = FrozenBackbone("squeeze").to(**frozen) if self.preset.kind == "features" else None
        self.discriminators = DiscriminatorStep(
            self.preset.discriminators, self.weights, generation, config.augment, backbone
        )
        freeze(config.freeze, self.model, self.discriminators)
        if config.compile:
            compile_networks(self.model, self.discriminators)
        perceptual = LPIPS("squeeze").to(**frozen) if self.weights.perceptual else None
        self.generator_step, self.discriminator_step, generator_optimizer, discriminator_optimizer = (
            accelerator.prepare(
                GeneratorStep(self.model, self.weights, generation, perceptual),
                self.discriminators,
                adam(self.model.parameters(), config.lr),
                discriminator_adam(self.discriminators, config.lr),
            )
        )
        self.optimizers = {"generator": generator_optimizer, "discriminators": discriminator_optimizer}
        if accelerator.scaler is not None:
            self.optimizers["scaler"] = accelerator.scaler
        self.rates = [group["lr"] for group in self.groups]
        self.ema = EMA(self.model, self.ema_model, config.ema_half_life, ramp=config.init is None)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The optimisers' groups of parameters; a resumed optimiser has new ones."""
        both = (self.optimizers[name].param_groups for name in ("generator", "discriminators"))
        return [group for groups in both for group in groups]

    def start(self) -> None:
        """Resume the run that is there, or start from `--init` or random weights."""
        config = self.config
        self.step, self.images_seen, seconds = self.folder.resume(config.resume)
        warm_up = self.discriminators.warm_up_images if self.weights.adversarial else 0
        self.schedule = Schedule(
            config.total_images, config.decay_images, warm_up, config.minutes, seconds, self.mean_number
        )
        if self.images_seen:
            return
        if config.init is not None:
            start_from(config.init, self.preset, self.model, self.ema_model, self.discriminators)
        self.keep_noise()

    def keep_noise(self) -> None:
        """Keep noise alive where reconstructions have none."""
        if self.config.noise == "hybrids" and self.weights.adversarial:
            keep_noise(self.model)

    def train(self) -> None:
        """Update until the images, or the minutes, are used up."""
        config = self.config
        shares_fakes = self.discriminators.shares_fakes
        total = config.total_images if config.minutes is None else None
        with tqdm(total=total, initial=self.images_seen, unit="img", disable=not self.main) as progress:
            for batches in self.batches():
                self.set_learning_rates()
                if not self.weights.adversarial:
                    self.update_generator(batches[0])
                elif shares_fakes:
                    fakes = self.update_generator(batches[0])
                    self.update_discriminators(batches[0], fakes)
                else:
                    self.update_discriminators(batches[0], [None] * self.parts)
                    if self.step % R1_INTERVAL == 0:
                        self.update_by_r1(batches[0])
                    self.update_generator(batches[1])
                before, self.images_seen = self.images_seen, self.images_seen + len(batches) * config.batch_size
                self.ema.update(config.batch_size, self.images_seen)
                self.step += 1
                progress.update(self.images_seen - before)
                self.schedule.advance()
                self.maintain(before, progress)
        if self.main and self.data.unreadable:
            logger.warning("%d unreadable pictures were skipped; `swapae data check` lists them", self.data.unreadable)
        if self.main and config.push_to_hub:
            print(f"uploaded to {self.folder.push(config.push_to_hub, self.images_seen)}", file=sys.stderr)

    @property
    def batches_per_update(self) -> int:
        """Two where either side has its own."""
        return 2 if self.weights.adversarial and not self.discriminators.shares_fakes else 1

    def batches(self) -> Iterator[list[list[Tensor]]]:
        """The batches of each update, each in `parts`."""
        stream = iter(self.loader)
        count = self.batches_per_update * self.parts
        while not self.schedule.is_over(self.images_seen) and len(images := list(islice(stream, count))) == count:
            yield [images[start : start + self.parts] for start in range(0, count, self.parts)]

    def set_learning_rates(self) -> None:
        """Warm-up and decay, by images seen."""
        self.multiplier = self.schedule.lr_multiplier(self.images_seen)
        for group, rate in zip(self.groups, self.rates, strict=True):
            group["lr"] = self.multiplier * rate

    def update_generator(self, batch: list[Tensor]) -> list[Fakes | None]:
        """Encoder and generator; returns what was made of each part."""
        made = []
        for _, images, random in self.each_part(2, self.generator_step, batch):
            losses, fakes = self.generator_step(self.discriminators, images, random)
            self.backward(losses)
            made.append(fakes)
        self.take_step(self.generator_step, "generator")
        self.keep_noise()
        return made

    def update_discriminators(self, batch: list[Tensor], fakes: list[Fakes | None]) -> None:
        """Both discriminators, by fakes that were made already, if any."""
        signs = []
        for part, images, random in self.each_part(0, self.discriminator_step, batch):
            losses = self.discriminator_step(self.model, images, random, fakes=fakes[part])
            self.backward(losses)
            signs.append(losses.statistics["real_sign"])
        self.take_step(self.discriminator_step, "discriminators")
        self.discriminators.finish_update()
        if self.config.augment:
            self.discriminators.adapt(self.mean(torch.stack(signs).mean()), self.config.batch_size)

    def update_by_r1(self, batch: list[Tensor]) -> None:
        """Both discriminators by the gradient penalty."""
        for _, images, random in self.each_part(1, self.discriminator_step, batch):
            self.backward(self.discriminator_step(self.model, images, random, r1=True))
        self.take_step(self.discriminator_step, "discriminators")

    def each_part(self, turn: int, module: nn.Module, batch: list[Tensor]) -> Iterator[tuple[int, Tensor, StepRandom]]:
        """The parts of a batch with their random numbers; in the last, gradients meet those of other processes."""
        processes = self.accelerator.num_processes
        for part, images in enumerate(batch):
            share = part * processes + self.accelerator.process_index
            with nullcontext() if part == self.parts - 1 else self.accelerator.no_sync(module):
                yield part, images, StepRandom(self.config.seed, self.step * 3 + turn, share, processes * self.parts)

    def backward(self, losses: Any) -> None:
        """Add a part's gradients, and keep its terms for the log."""
        self.folder.record({**losses.terms, **losses.statistics})
        self.accelerator.backward(losses.total / self.parts)

    def take_step(self, module: nn.Module, name: str) -> None:
        """Clip, and let the optimiser move the weights."""
        if self.config.max_gradient_norm is not None:
            self.accelerator.clip_grad_norm_(module.parameters(), self.config.max_gradient_norm)
        self.optimizers[name].step()
        self.optimizers[name].zero_grad(set_to_none=True)

    def mean(self, value: Tensor) -> Tensor:
        """Over all processes."""
        return self.accelerator.reduce(value, reduction="mean")

    def mean_number(self, value: float) -> float:
        """The same of a number."""
        return self.mean(torch.tensor(value, device=self.accelerator.device)).item()

    def maintain(self, before: int, progress: tqdm) -> None:
        """Log, sample, validate, save and upload, each when an interval of its images was passed since `before`."""
        config, now, folder = self.config, self.images_seen, self.folder
        last = self.schedule.is_over(now, self.batches_per_update * config.batch_size)

        def due(interval: int) -> bool:
            return now // interval > before // interval or last

        if due(config.log_every_images) or due(config.save_every_images):
            means = folder.means(self.mean)
            shown = [name for name in ("g_l1", "g_patch", "d_real") if name in means]
            left = self.schedule.minutes_left
            left_too = {} if left is None else {"minutes_left": f"{left:.1f}"}
            progress.set_postfix(left_too | {name: f"{means[name]:.3f}" for name in shown})
            if self.main:
                self.accelerator.log(folder.log(means, now, self.multiplier * config.lr), now)
        if not self.main:
            return
        # The other processes of this machine wait meanwhile, so that on a CPU their threads are free.
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if self.accelerator.device.type == "cpu" else 1
        with torch_threads(min(processes * torch.get_num_threads(), os.cpu_count() or 1)):
            if due(config.sample_every_images):
                track_picture(self.accelerator, folder.sample(now), now)
            if self.evaluator and due(config.eval_every_images):
                self.accelerator.log(folder.evaluate(self.evaluator, now), now)
        if due(config.save_every_images):
            folder.save(self.step, now, self.schedule.seconds)
        if config.push_to_hub and config.push_every_images and due(config.push_every_images) and not last:
            try:
                folder.push(config.push_to_hub, now)
            except UserError as error:  # an unreachable Hub does not stop a run
                logger.warning("%s; the run goes on", error)


def make_evaluator(config: TrainConfig, images: list[Tensor]) -> Evaluator | None:
    """What measures the EMA on squares of `images` [1, 3, H, W]; None if not wanted or not possible.

    In an order drawn once for all runs: by name, neighbours are most often of one kind, and hybrids of one kind hide
    what the model does to those of two.
    """
    if not config.eval_every_images or len(images) < 2:
        return None
    try:
        distance = LPIPS("squeeze").to(images[0].device)
    except UserError as error:
        logger.warning("the run goes on without evaluations, and keeps no best/: %s", error)
        return None
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0)).tolist()
    images = [images[number] for number in order]
    side = min(min(image.shape[2:]) for image in images)
    starts = [((image.shape[2] - side) // 2, (image.shape[3] - side) // 2) for image in images]
    squares = [
        image[..., top : top + side, left : left + side] for image, (top, left) in zip(images, starts, strict=True)
    ]
    return Evaluator(squares, distance)
