"""Speed of training: its steps beside their convolutions alone, or the whole update of a preset on any device.

python benchmarks/train.py                                                       # the steps, on the CPU
python benchmarks/train.py --preset church256 --batch-size 16 --precision bf16   # the update, on what is there

Without --preset: 64-pixel crops, batch 4, float32; encoder, generator and both discriminators at a quarter of the
published channels (their caps as published); structure 8 channels at 1/8, texture 256, patches of 32 pixels, 512
hidden channels. The floor of a step is the time of its full (not depthwise) convolutions and matrix products
alone: each that a real step ran forward, backward and in R1's second backward, with the gradients it gave, is run
once more on plain channels-last tensors of the same shapes, in the same process, alternated with the step.

With --preset: an update is a discriminator step, a generator step, 1/16 of an R1 step, their optimisers and the
EMA. With pixel discriminators a batch feeds one of the two steps, so an update sees 2 x batch images; with feature
discriminators it feeds both, and there is no R1. images/s are images seen.
Loading photographs is not in it: see data.py. Peak memory is what torch allocated on a GPU, and what the whole
process held on a CPU (Linux). Times are medians of alternated runs; weights and images are random.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import os
import platform
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from speed import OperatorRecorder, alternate, reset_peak_of_process, status_of_process
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from swapae import SwapAE
from swapae.backbones import FrozenBackbone
from swapae.config import PRESETS, DiscriminatorConfig, Preset, SwapAEConfig
from swapae.evaluation.lpips import LPIPS
from swapae.losses import LOSS_PRESETS, Fakes
from swapae.training.discriminator_step import R1_INTERVAL, DiscriminatorStep
from swapae.training.generator_step import GeneratorStep
from swapae.training.optimizers import EMA, adam, compile_networks, discriminator_adam
from swapae.training.random import StepRandom

QUARTER = Preset(
    SwapAEConfig(
        image_size=64,
        structure_channels=8,
        texture_channels=256,
        downsamplings=3,
        encoder_capacity=0.25,
        generator_capacity=0.25,
    ),
    DiscriminatorConfig(
        crop_size=64, image_capacity=0.25, patch_size=32, patch_capacity=1.0, patch_hidden_channels=512
    ),
)
# Share of an update that each turn has.
TURNS = {"D": 1, "G": 1, "R1": 1 / R1_INTERVAL, "EMA": 1}


class Training:
    """What train_accelerate.py trains, and its turns on one batch of random images.

    Args:
        preset: sizes of networks and crops.
        batch: B, images [B, 3, crop, crop].
        accelerator: says on which device and in which precision.
        compiled: compile the networks.
    """

    def __init__(self, preset: Preset, batch: int, accelerator: Accelerator, compiled: bool = False) -> None:
        torch.manual_seed(0)
        features = preset.kind == "features"
        weights = LOSS_PRESETS["features" if features else "paper"]
        weights = dataclasses.replace(weights, r1=preset.r1_weight, patch_r1=preset.patch_r1_weight)
        frozen = {"device": accelerator.device, "memory_format": torch.channels_last}
        backbone = FrozenBackbone("squeeze").to(**frozen) if features else None
        perceptual = LPIPS("squeeze").to(**frozen) if weights.perceptual else None
        self.model = SwapAE(preset.model)
        self.unwrapped = DiscriminatorStep(preset.discriminators, weights, backbone=backbone)
        ema_model = copy.deepcopy(self.model).to(accelerator.device)
        generator = GeneratorStep(self.model, weights, perceptual_distance=perceptual)
        prepared = accelerator.prepare(
            generator,
            self.unwrapped,
            adam(generator.parameters(), 0.002),
            discriminator_adam(self.unwrapped, 0.002),
        )
        self.accelerator, self.batch = accelerator, batch
        self.generator, self.discriminators, self.generator_optimizer, self.discriminator_optimizer = prepared
        if compiled:
            compile_networks(self.model, self.unwrapped)
        self.turns = {turn: share for turn, share in TURNS.items() if not (features and turn == "R1")}
        self.images_per_update = batch if features else 2 * batch
        self.fakes: Fakes | None = None  # of the newest G turn, where they are shared
        self.ema = EMA(self.model, ema_model, 10_000)
        side = preset.discriminators.crop_size
        self.images = torch.rand(batch, 3, side, side, device=accelerator.device) * 2 - 1
        self.calls = 0

    def gradients(self, turn: str) -> None:
        """Forward and backward of one turn, from no gradients at all."""
        self.calls += 1
        random = StepRandom(0, self.calls)
        if turn == "G":
            self.generator_optimizer.zero_grad(set_to_none=True)
            losses, fakes = self.generator(self.unwrapped, self.images, random)
            self.fakes = fakes if self.unwrapped.shares_fakes else None
        else:
            if self.unwrapped.shares_fakes and self.fakes is None:
                _, self.fakes = self.generator(self.unwrapped, self.images, random)
            self.discriminator_optimizer.zero_grad(set_to_none=True)
            losses = self.discriminators(self.model, self.images, random, fakes=self.fakes, r1=turn == "R1")
        self.accelerator.backward(losses.total)

    def take(self, turn: str) -> None:
        """One turn with its optimiser, or the EMA, waiting until the device has done it."""
        if turn == "EMA":
            self.ema.update(self.batch, 10**6)
        else:
            self.gradients(turn)
            (self.generator_optimizer if turn == "G" else self.discriminator_optimizer).step()
        if self.accelerator.device.type == "cuda":
            torch.cuda.synchronize()


def time_steps(training: Training, runs: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each step without and with its optimiser, and of its floor; GFLOP of the floor."""
    rows = {}
    for turn in ("D", "G", "R1"):
        with OperatorRecorder() as recorder:
            training.gradients(turn)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            recorder.replay()
        calls = {
            "step": lambda turn=turn: training.gradients(turn),
            "floor": torch.no_grad()(recorder.replay),
            "with_optimiser": lambda turn=turn: training.take(turn),
        }
        medians = alternate(calls, runs)
        gflop = counter.get_total_flops() / 1e9
        rows[turn] = {**medians, "ratio": medians["step"] / medians["floor"], "gflop": gflop}
    return rows


def time_update(training: Training, runs: int) -> dict[str, Any]:
    """Milliseconds of each turn with its optimiser and of the EMA, images seen per second, peak MiB."""
    cuda = training.accelerator.device.type == "cuda"
    torch.cuda.reset_peak_memory_stats() if cuda else reset_peak_of_process()
    medians = alternate({turn: lambda turn=turn: training.take(turn) for turn in training.turns}, runs)
    update = sum(share * medians[turn] for turn, share in training.turns.items())
    return {
        "ms": {**medians, "update": update},
        "images_per_second": 1e3 * training.images_per_update / update,
        "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else status_of_process("VmHWM"),
    }


def kind(operator: Any) -> str:
    """What sort of work an averaged event of the profiler is."""
    name, shapes = operator.key, operator.input_shapes
    if "conv" in name:
        weight = shapes[2 if "backward" in name else 1]
        # A filter per channel reads one channel each; a full convolution reads them all.
        return "FIR filters (depthwise)" if weight[1:2] == [1] else "convolutions, matrix products"
    if any(part in name for part in ("aten::mm", "addmm", "bmm", "aten::dot")):
        return "convolutions, matrix products"
    if "grid_sampler" in name:
        return "grid_sample"
    if "_foreach" in name or "_fused" in name or "Optimizer" in name:
        return "optimiser, averaging"
    return "elementwise, sums, copies" if name.startswith(("aten::", "triton_")) else "other"


def profile_update(training: Training) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of an update on the device by kind of work, and of the 10 longest operators, by name."""
    cuda = training.accelerator.device.type == "cuda"
    kinds, names = Counter(), Counter()
    for turn, share in training.turns.items():
        training.take(turn)
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * cuda
        with profile(activities=activities, record_shapes=True) as profiler:
            training.take(turn)
        for operator in profiler.key_averages(group_by_input_shape=True):
            # A kernel's time is listed with the operator that launched it, and once more by itself.
            if operator.device_type == torch.autograd.DeviceType.CPU:
                microseconds = operator.self_device_time_total if cuda else operator.self_cpu_time_total
                kinds[kind(operator)] += share * microseconds / 1e3
                names[operator.key] += share * microseconds / 1e3
    return dict(kinds.most_common()), dict(names.most_common(10))


def print_steps(rows: dict[str, dict[str, float]]) -> None:
    """Table of `time_steps`."""
    print("| 64 px, batch 4 | ms | convolutions and products alone, ms | ratio | GFLOP | ms with optimiser |")
    print("|---|---|---|---|---|---|")
    for turn, row in rows.items():
        figures = f"{row['step']:.0f} | {row['floor']:.0f} | {row['ratio']:.2f} | {row['gflop']:.1f}"
        print(f"| {turn} | {figures} | {row['with_optimiser']:.0f} |")


def print_update(results: dict[str, Any]) -> None:
    """Tables of `time_update` and `profile_update`."""
    times = ", ".join(f"{turn} {ms:.0f}" for turn, ms in results["ms"].items())
    print(f"{results['images_per_second']:.2f} images/s, peak {results['peak_mib']:.0f} MiB; ms: {times}")
    total = sum(results["kinds_ms"].values())
    for title in ("kinds", "operators"):
        print(f"\n| {title} | ms of an update | share |\n|---|---|---|")
        for name, ms in results[f"{title}_ms"].items():
            print(f"| {name} | {ms:.1f} | {100 * ms / total:.0f} % |")


def main() -> None:
    """Print the tables, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=[*PRESETS], help="measure the whole update of this preset")
    parser.add_argument("--batch-size", type=int, default=16, help="images of a step, with --preset")
    parser.add_argument("--precision", choices=["no", "bf16", "fp16"], default="no", help="with --preset")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="with --preset")
    parser.add_argument("--compile", action="store_true", help="compile the networks, with --preset")
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each call")
    parser.add_argument("--json", type=Path, help="file to write the figures to as well")
    arguments = parser.parse_args()
    cuda = torch.cuda.is_available()
    if arguments.device == "cuda" and not cuda:
        sys.exit("train.py: this torch sees no CUDA device")
    use_cpu = arguments.preset is None or arguments.device == "cpu" or not cuda
    accelerator = Accelerator(cpu=use_cpu, mixed_precision=arguments.precision if arguments.preset else "no")
    device = torch.cuda.get_device_name() if not use_cpu else torch.backends.cpu.get_cpu_capability()
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "device": device,
    }
    machine = f"torch {results['torch']} ({device}), {results['machine']}"
    if arguments.preset is None:
        print(f"float32, {machine}\n")
        results["steps"] = time_steps(Training(QUARTER, 4, accelerator), arguments.runs)
        print_steps(results["steps"])
    else:
        names = ("preset", "batch_size", "precision", "compile")
        results |= {name: getattr(arguments, name) for name in names}
        print(", ".join(f"{name} {results[name]}" for name in names) + f"; {machine}\n")
        training = Training(PRESETS[arguments.preset], arguments.batch_size, accelerator, arguments.compile)
        results |= time_update(training, arguments.runs)
        results |= dict(zip(("kinds_ms", "operators_ms"), profile_update(training), strict=True))
        print_update(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
