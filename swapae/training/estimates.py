"""What a training run will cost, before it starts: parameters, arithmetic, memory and time.

The real step modules run forward and backward on the `meta` device, where tensors have shapes but no numbers, so a
configuration that fits no machine at hand is counted in seconds. Only `throughput` computes anything.
"""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from swapae.backbones import FrozenBackbone
from swapae.config import Preset
from swapae.losses import Fakes, Losses, LossWeights, r1_losses
from swapae.model import SwapAE
from swapae.training.discriminator_step import R1_INTERVAL, DiscriminatorStep
from swapae.training.generation import Generation, TrainingNoise
from swapae.training.generator_step import GeneratorStep
from swapae.training.random import StepRandom

Precision = Literal["no", "bf16", "fp16"]  # as Accelerate names them
DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Share of `throughput` that whole steps reach in float32, the rest being activations, resampling and Adam. Measured on
# two cores of a Zen 4: 0.58 for small128 (batch 8), 0.59 for small256 as it was then (batch 2). Never on a GPU.
STEP_EFFICIENCY = 0.6


@dataclass(frozen=True)
class Step:
    """One forward and backward of one process.

    Args:
        flop: per image of the batch, a multiplication and an addition being two; convolutions and matrices only.
        peak: bytes that are alive at once in float32, gradients included, weights and moments not.
        half_peak: the same under autocast to bf16 or fp16.
    """

    flop: float
    peak: int
    half_peak: int


@dataclass(frozen=True)
class Estimate:
    """What training a preset costs one process.

    Args:
        part_size: images that a process computes at once.
        encoder, generator, image_discriminator, patch_discriminator: parameters.
        discriminator_step, generator_step: of `part_size` images.
        r1_step: likewise; None for discriminators of features, which have none, and share the generator's batches.
    """

    part_size: int
    encoder: int
    generator: int
    image_discriminator: int
    patch_discriminator: int
    discriminator_step: Step
    generator_step: Step
    r1_step: Step | None

    @property
    def state_bytes(self) -> int:
        """Weights, the averaged copy of encoder and generator, and Adam's two moments, all in float32."""
        model = self.encoder + self.generator
        return 4 * (4 * model + 3 * (self.image_discriminator + self.patch_discriminator))

    def peak_bytes(self, precision: Precision) -> int:
        """State, and what the step that needs most holds: activations, temporaries and gradients.

        Within 7 % of what PyTorch's own allocator hands out (small128 on a CPU). Not in it: the libraries, their
        workspaces, what allocators waste, and DDP's copy of the gradients; processes on a CPU took 1.4 to 1.8 times
        as much for small128 and small256.
        """
        steps = (self.discriminator_step, self.generator_step, self.r1_step)
        peaks = (step.peak if precision == "no" else step.half_peak for step in steps if step is not None)
        return self.state_bytes + max(peaks)

    @property
    def flop_per_image_seen(self) -> float:
        """Mean over a run: a batch feeds a discriminator step, now and then with R1, or a generator step, or both."""
        if self.r1_step is None:
            return self.discriminator_step.flop + self.generator_step.flop
        return (self.discriminator_step.flop + self.generator_step.flop + self.r1_step.flop / R1_INTERVAL) / 2


class Meter(TorchDispatchMode):
    """Counts FLOP, and the bytes of tensors made inside it that are alive at once, on any device.

    torch's FlopCounterMode has the same formulas, but hooks on modules that refuse the inner gradient of R1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flop = self.bytes = self.peak = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the function and count it."""
        made = function(*args, **(kwargs or {}))
        if formula := flop_registry.get(function._overloadpacket):
            self.flop += formula(*args, **(kwargs or {}), out_val=made)
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._track(tensor.untyped_storage())
        return made

    def _track(self, storage: torch.UntypedStorage) -> None:
        key = id(storage)  # torch keeps the one Python object of a storage as long as the storage
        if key not in self._alive:
            self._alive[key] = storage.nbytes()
            self.bytes += self._alive[key]
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.bytes -= self._alive.pop(key)


class HalfPrecision(TorchFunctionMode):
    """Autocast for the `meta` device, which has none: convolutions and linear layers in bf16 (fp16 is as large).

    As CUDA has it; a CPU's also keeps padding by reflection and the crops in float32.
    """

    FUNCTIONS = (torch.conv2d, F.conv2d, torch.conv_transpose2d, F.conv_transpose2d, F.linear)

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the function, on halved arguments if it is one of them."""
        if function in self.FUNCTIONS:
            args = tuple(arg.to(torch.bfloat16) if isinstance(arg, Tensor) else arg for arg in args)
        return function(*args, **(kwargs or {}))


class MetaRandom(StepRandom):
    """`meta` has no generator: noise of the right shape is enough."""

    def noise(self, batch: int, sides: Sequence[tuple[int, int]], device: torch.device) -> list[Tensor]:
        """Maps [batch, 1, *side] without numbers."""
        return [torch.empty(batch, 1, *side, device=device) for side in sides]


def estimate(preset: Preset, part_size: int, *, noise: TrainingNoise = "random", accumulates: bool = False) -> Estimate:
    """Count a preset's parameters and what its steps compute and hold, in a few seconds and no memory.

    Args:
        preset: sizes of the networks and of the crops.
        part_size: images that one process computes at once: batch / processes / accumulation parts.
        noise: as training has it.
        accumulates: whether a batch has several parts, so that their gradients stay through the steps.

    Raises:
        ValueError: a part of fewer than two images, which cannot be swapped.
    """
    generation, features = Generation(noise), preset.kind == "features"
    backbone = FrozenBackbone("squeeze").to("meta") if features else None
    with torch.device("meta"):
        model = SwapAE(preset.model)
        discriminators = DiscriminatorStep(preset.discriminators, LossWeights(), generation, backbone=backbone)
        generator = GeneratorStep(model, LossWeights(), generation)
    shape = (part_size, 3, preset.data.crop_size, preset.data.crop_size)

    def r1(images: Tensor, random: StepRandom) -> Losses:
        # Not through `discriminators`, which turns autocast off, since meta does not know it: R1 is in float32 always.
        networks = (
            discriminators.image_discriminator,
            discriminators.patch_discriminator,
            discriminators.cropper(random),
            discriminators.augmenter(random),
        )
        return r1_losses(images, *networks, discriminators.weights, R1_INTERVAL)

    def measure(module: nn.Module, losses: Callable[[Tensor, StepRandom], Losses], half: bool) -> Meter:
        with Meter() as meter:
            if accumulates:
                for parameter in module.parameters():
                    parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None
            images = torch.empty(shape, device="meta", memory_format=torch.channels_last)
            with HalfPrecision() if half else nullcontext():
                made = losses(images, MetaRandom(0, 0))
            made.total.backward()
        module.zero_grad(set_to_none=True)
        return meter

    def both(images: Tensor, random: StepRandom) -> Losses:
        # Shared fakes are the generator step's.
        fakes = Fakes(torch.empty_like(images[::2]), torch.empty_like(images)) if discriminators.shares_fakes else None
        return discriminators(model, images, random, fakes=fakes)

    def step(module: nn.Module, losses: Callable[[Tensor, StepRandom], Losses], half: bool = True) -> Step:
        meter = measure(module, losses, half=False)
        half_peak = measure(module, losses, half=True).peak if half else meter.peak
        return Step(meter.flop / part_size, meter.peak, half_peak)

    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    return Estimate(
        part_size,
        encoder=count(model.encoder),
        generator=count(model.generator),
        image_discriminator=count(discriminators.image_discriminator),
        patch_discriminator=count(discriminators.patch_discriminator),
        discriminator_step=step(discriminators, both),
        generator_step=step(generator, lambda images, random: generator(discriminators, images, random)[0]),
        r1_step=None if features else step(discriminators, r1, half=False),
    )


@dataclass(frozen=True)
class Throughput:
    """What a process's device computes, in FLOP per second.

    Args:
        convolutions: in the run's precision, as `throughput` finds it.
        in_float32: the same in float32.
    """

    convolutions: float
    in_float32: float

    @property
    def steps(self) -> float:
        """What whole steps reach: what is no convolution takes as long as in float32.

        On two cores with AMX, whose convolutions are many times as fast in bf16, small256 on whole photographs was
        estimated at 12 images/s without that, and did 2.6.
        """
        return 1 / (1 / self.convolutions + (1 / STEP_EFFICIENCY - 1) / self.in_float32)


def throughput(device: torch.device | str, precision: Precision, seconds: float = 1.0) -> float:
    """FLOP per second of the device in a 3x3 convolution of 128 channels at 64 pixels, forward and backward.

    Channels last; the batch grows until a call takes 20 ms or has 64 images, so that it is arithmetic that is timed.
    The median over about `seconds`.
    """
    device = torch.device(device)
    channels, side = 128, 64
    dtype = DTYPES[precision]
    weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
    weight = weight.to(memory_format=torch.channels_last).requires_grad_()

    def call(images: Tensor) -> float:
        start = time.perf_counter()
        made = F.conv2d(images, weight, padding=1)
        torch.autograd.grad(made, (images, weight), made.detach())
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return time.perf_counter() - start

    batch = 1
    while True:
        images = torch.randn(batch, channels, side, side, device=device, dtype=dtype)
        images = images.to(memory_format=torch.channels_last).requires_grad_()
        duration = min(call(images) for _ in range(3))  # the first is a warm-up
        if duration >= 0.02 or batch == 64:
            break
        batch *= 2
    median = statistics.median(call(images) for _ in range(max(3, min(100, int(seconds / duration)))))
    forward = 2 * batch * side**2 * channels**2 * 9
    return 3 * forward / median  # the backward pass has two convolutions of the forward's size


def images_per_second(costs: Estimate, speed: Throughput, processes: int = 1) -> float:
    """Images seen in a second, of `processes` that have a device of that speed each."""
    return processes * speed.steps / costs.flop_per_image_seen


def describe(costs: Estimate, speed: Throughput, precision: Precision, processes: int, total_images: int) -> str:
    """Lines for a reader: parameters, GFLOP, memory, speed and time; each says what it is derived from.

    Args:
        costs: of one process.
        speed: of each process.
        precision: "no" is float32.
        processes: how many compute at the same time, each on a device of its own.
        total_images: seen by the run.
    """
    per_process = images_per_second(costs, speed)
    seconds = total_images / (per_process * processes)
    together = f"{processes} process{'es' * (processes > 1)}"
    steps = {
        "discriminator step": costs.discriminator_step,
        "generator step": costs.generator_step,
    }
    if costs.r1_step is not None:
        steps[f"R1 (every {R1_INTERVAL}th step)"] = costs.r1_step
    return "\n".join(
        [
            f"parameters (counted): encoder {millions(costs.encoder)}, generator {millions(costs.generator)}, "
            f"image discriminator {millions(costs.image_discriminator)}, "
            f"patch discriminator {millions(costs.patch_discriminator)}",
            "GFLOP per image (counted, convolutions and matrices): "
            + ", ".join(f"{name} {significant(step.flop / 1e9)}" for name, step in steps.items()),
            f"memory per process (estimate, from the tensors of a step of {costs.part_size} images and Adam's state, "
            f"without libraries): "
            + (f"{gibibytes(costs.peak_bytes('no'))} in float32, " if precision == "no" else "")
            + f"{gibibytes(costs.peak_bytes('bf16'))} with bf16 or fp16",
            f"speed (estimate, from GFLOP, a convolution timed at {speed.convolutions / 1e9:,.0f} GFLOP/s, and the "
            f"{speed.steps / speed.convolutions:.0%} of it that steps reach): "
            f"{significant(per_process)} images/s per process",
            f"time (estimate, from that speed on {together} with a device each, generation of pictures not counted): "
            f"{duration(seconds)} for {total_images:,} images",
        ]
    )


def significant(number: float) -> str:
    """Three digits, or all those before the point: 0.129, 4.48, 1,013."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def millions(count: int) -> str:
    """25123456 -> "25.1 M"."""
    return f"{count / 1e6:.1f} M"


def gibibytes(count: int) -> str:
    """Bytes, in GiB."""
    return f"{count / 2**30:.2f} GiB"


def duration(seconds: float) -> str:
    """Seconds, in days from two days on, else in hours, or in minutes below one."""
    if seconds >= 48 * 3600:
        return f"{seconds / 86400:.1f} days"
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"
