"""Speed and memory of the church256 configuration on this machine's CPU, and the cost of `import swapae`.

python benchmarks/speed.py

The floor of a call is the time of its convolutions and matrix products alone: the same shapes, done as plain
channels-last operators in the same process, alternated with the call. Medians; weights are random.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from swapae import PRESETS, Codes, SwapAE

PRESET = "church256"
# What a floor is made of, and how many tensors each begins with.
OPERATORS = {
    torch.ops.aten.convolution.default: 2,
    torch.ops.aten.convolution_backward.default: 3,
    torch.ops.aten.mm.default: 2,
    torch.ops.aten.addmm.default: 3,
    torch.ops.aten.bmm.default: 2,
}


class OperatorRecorder(TorchDispatchMode):
    """Collects full (not depthwise) convolutions and matrix products, forward and backward, to repeat them.

    Backward ones are repeated with the gradients that were asked of them. The tensors are other ones of the same
    shapes and dtypes, channels last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Record a convolution or product, then run it."""
        kwargs = kwargs or {}
        count = OPERATORS.get(function, 0)
        convolution = function in (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
        groups = args[8 if count == 2 else 9] if convolution else 1
        if count and groups == 1:
            tensors = [plain_tensor_like(arg) for arg in args[:count]]
            rest = args[count:]
            self.calls.append(lambda: function(*tensors, *rest, **kwargs))
        return function(*args, **kwargs)

    def replay(self) -> None:
        """Run all of them, in order."""
        for call in self.calls:
            call()


def plain_tensor_like(tensor: Tensor) -> Tensor:
    """Random numbers of the same shape, dtype and device; channels last if it is a map."""
    made = torch.randn(tensor.shape, dtype=tensor.dtype, device=tensor.device)
    return made.contiguous(memory_format=torch.channels_last) if made.dim() == 4 else made


def alternate(calls: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Median milliseconds of each call, alternated so that a noisy moment hits all."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(runs + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if run >= 2:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def time_model(model: SwapAE, size: int, runs: int) -> dict[str, dict[str, float]]:
    """Milliseconds of encode, decode and swap of one image, each beside its floor."""
    image = torch.rand(1, 3, size, size) * 2 - 1
    codes = model.encode(image)
    calls = {
        "encode": lambda: model.encode(image),
        "decode": lambda: model.decode(codes),
        "swap": lambda: model.swap(image, image),
    }
    rows = {}
    for name, call in calls.items():
        with OperatorRecorder() as recorder:
            call()
        medians = alternate({"model": call, "floor": recorder.replay}, runs)
        rows[name] = {**medians, "ratio": medians["model"] / medians["floor"]}
    return rows


def memory_of_decode(size: int) -> float:
    """MiB that a second decode takes at its peak above what the process holds, measured in a fresh process."""
    output = subprocess.run(
        [sys.executable, __file__, "--memory-of-decode", str(size)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return float(output)


def print_memory_of_decode(size: int) -> None:
    """Child of `memory_of_decode`: the kernel's high-water mark, reset just before the decode (Linux)."""
    torch.set_grad_enabled(False)
    config = PRESETS[PRESET].model
    model = SwapAE(config).eval()
    side = size // config.stride
    codes = Codes(torch.randn(1, config.structure_channels, side, side), torch.randn(1, config.texture_channels))
    small = Codes(codes.structure[..., :4, :4], codes.texture)
    model.decode(small)  # libraries set themselves up

    reset_peak_of_process()
    before = status_of_process("VmRSS")
    model.decode(codes)
    print(status_of_process("VmHWM") - before)


def status_of_process(field: str) -> float:
    """MiB that this process holds ("VmRSS"), or held at most since its start or the last reset ("VmHWM"); Linux."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


def reset_peak_of_process() -> None:
    """Let "VmHWM" begin anew."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def time_import(runs: int = 7) -> dict[str, float]:
    """Seconds of `import torch` and of `import swapae` in fresh processes, alternated."""

    def start(module: str) -> Callable[[], Any]:
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    medians = alternate({name: start(name) for name in ("torch", "swapae")}, runs)
    return {**medians, "ratio": medians["swapae"] / medians["torch"]}


def main() -> None:
    """Print the table, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each call")
    parser.add_argument("--json", help="file to write the figures to as well")
    parser.add_argument("--memory-of-decode", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of_decode:
        return print_memory_of_decode(arguments.memory_of_decode)
    torch.set_grad_enabled(False)
    results = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "time_256": time_model(SwapAE(PRESETS[PRESET].model).eval(), 256, arguments.runs),
        "decode_memory_mib": {size: memory_of_decode(size) for size in (256, 512)},
        "import": time_import(),
    }
    print(f"{PRESET}, float32, torch {results['torch']} ({results['capability']}), {results['machine']}\n")
    print("| 256 px, batch 1 | ms | convolutions and products alone, ms | ratio |\n|---|---|---|---|")
    for name, row in results["time_256"].items():
        print(f"| {name} | {row['model']:.0f} | {row['floor']:.0f} | {row['ratio']:.2f} |")
    print("\n| extra memory of a decode | MiB |\n|---|---|")
    for size, mib in results["decode_memory_mib"].items():
        print(f"| {size} px | {mib:.0f} |")
    row = results["import"]
    print(f"\nimport torch {row['torch']:.0f} ms, import swapae {row['swapae']:.0f} ms, ratio {row['ratio']:.2f}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
