"""Speed and memory of the church256 configuration on this machine's CPU, and the cost of `import swapae`.

    python benchmarks/speed.py --json benchmarks/results/speed.json

Of the plain form, which is trained, and the form for inference (`swapae.inference`). The floor of a call is the time of
its convolutions and matrix products alone: the same shapes, done as plain channels-last operators in the same process,
alternated with the call. Medians; weights are random. Memory is what a call takes at its peak above what the process
held before, in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from swapae import PRESETS, Codes, SwapAE
from swapae.inference import optimize_for_inference

PRESET = "church256"
FORMS = ("plain", "inference")
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


def calls_of(model: SwapAE, size: int, batch: int) -> dict[str, Callable[[], Any]]:
    """Encode, decode and swap of random images."""
    images = torch.rand(batch, 3, size, size) * 2 - 1
    side = size // model.config.stride
    codes = Codes(
        torch.randn(batch, model.config.structure_channels, side, side),
        torch.randn(batch, model.config.texture_channels),
    )
    return {
        "encode": lambda: model.encode(images),
        "decode": lambda: model.decode(codes),
        "swap": lambda: model.swap(images, images),
    }


def time_forms(forms: dict[str, SwapAE], size: int, batch: int, runs: int) -> dict[str, dict[str, float]]:
    """Milliseconds of encode, decode and swap in each form, beside their floor."""
    calls = {name: calls_of(model, size, batch) for name, model in forms.items()}
    rows = {}
    for what in ("encode", "decode", "swap"):
        with OperatorRecorder() as recorder:
            calls["plain"][what]()
        among = {name: of[what] for name, of in calls.items()} | {"floor": recorder.replay}
        # Larger ones are slower in proportion, and less of their time is chance.
        rows[what] = alternate(among, max(2, round(runs * 256**2 / (size**2 * batch))))
    return rows


def memory_of(form: str, what: str, size: int, batch: int) -> float:
    """MiB that a call takes at its peak above what the process holds, measured in a fresh process."""
    words = [sys.executable, __file__, "--memory-of", form, what, str(size), str(batch)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def print_memory_of(form: str, what: str, size: int, batch: int) -> None:
    """Child of `memory_of`: the kernel's high-water mark, reset just before the call (Linux)."""
    model = make(form)
    calls_of(model, 128, 1)["swap"]()  # libraries set themselves up
    call = calls_of(model, size, batch)[what]
    reset_peak_of_process()
    before = status_of_process("VmRSS")
    call()
    print(status_of_process("VmHWM") - before)


def make(form: str) -> SwapAE:
    """A random model, plain or for inference."""
    torch.manual_seed(0)
    model = SwapAE(PRESETS[PRESET].model).eval()
    return model if form == "plain" else optimize_for_inference(model)


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
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="sides in pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument(
        "--runs", type=int, default=9, help="timed runs of each call at 256 pixels, fewer of larger ones"
    )
    parser.add_argument("--json", help="file to write the figures to as well")
    parser.add_argument("--memory-of", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    if arguments.memory_of:
        form, what, size, batch = arguments.memory_of
        return print_memory_of(form, what, int(size), int(batch))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{PRESET}, float32, torch {torch.__version__} ({capability}), {machine}\n")
    print("| call | px | batch | plain, ms | inference, ms | floor, ms | plain / floor | inference / floor ", end="")
    print("| plain, MiB | inference, MiB |\n" + "|---" * 10 + "|")
    forms = {form: make(form) for form in FORMS}
    rows = []
    for size, batch in itertools.product(arguments.sizes, arguments.batches):
        for what, times in time_forms(forms, size, batch, arguments.runs).items():
            memory = {form: memory_of(form, what, size, batch) for form in FORMS}
            rows.append({"call": what, "size": size, "batch": batch, "ms": times, "mib": memory})
            cells = [what, size, batch, *(f"{times[name]:.0f}" for name in (*FORMS, "floor"))]
            cells += [f"{times[form] / times['floor']:.2f}" for form in FORMS] + [
                f"{memory[form]:.0f}" for form in FORMS
            ]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    row = time_import()
    print(f"\nimport torch {row['torch']:.0f} ms, import swapae {row['swapae']:.0f} ms, ratio {row['ratio']:.2f}")
    if arguments.json:
        record = {"machine": machine, "torch": torch.__version__, "capability": capability, "rows": rows, "import": row}
        Path(arguments.json).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
