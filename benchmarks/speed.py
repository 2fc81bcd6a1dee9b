"""Speed and memory of the church256 configuration on this machine's CPU, and the time that commands take to start.

    python benchmarks/speed.py --json benchmarks/results/speed.json

First a table of all engines, for the embedded model and others, and which of them would be chosen (`--engines` prints
it alone). Then three: of the plain form, which is trained, and the form for inference (`swapae.inference`); of
bfloat16, where the CPU computes with it; and of large pictures, which are computed in tiles. The floor of a call is the
time of its convolutions and matrix products alone: the same shapes, done as plain channels-last operators of float32 in
the same process, alternated with the call. Medians; weights are random. Memory is what a call takes at its peak above
what the process held before it had its pictures, in a process of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from swapae import PRESETS, Codes, SwapAE
from swapae.inference import choice, openvino, tiling
from swapae.inference.choice import processor
from swapae.inference.engine import release_memory
from swapae.inference.fast import ENGINES, optimize_for_inference

PRESET = "church256"
FORMS = ("plain", "inference")
CALLS = ("encode", "decode", "swap")
EXAMPLES = Path(__file__).parents[1] / "swapae" / "examples" / "flowers"
LARGE_BYTES = 2**28
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
    shapes and dtypes, channels last; large ones of one shape are one, for all together would not fit into memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], Any]] = []
        self._large: dict[Any, Tensor] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Record a convolution or product, then run it."""
        kwargs = kwargs or {}
        count = OPERATORS.get(function, 0)
        convolution = function in (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
        groups = args[8 if count == 2 else 9] if convolution else 1
        if count and groups == 1:
            tensors = [self._like(arg) for arg in args[:count]]
            rest = args[count:]
            self.calls.append(lambda: function(*tensors, *rest, **kwargs))
        return function(*args, **kwargs)

    def _like(self, tensor: Tensor) -> Tensor:
        if tensor.nbytes < LARGE_BYTES:
            return plain_tensor_like(tensor)
        key = tensor.shape, tensor.dtype
        if key not in self._large:
            self._large[key] = plain_tensor_like(tensor)
        return self._large[key]

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
    idle = min(2, runs // 4)
    for run in range(idle + runs):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if run >= idle:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def calls_of(model: SwapAE, size: int, batch: int) -> dict[str, Callable[[], Any]]:
    """Encode, decode and swap of random images, in tiles where the command line would."""
    dtype = model.encoder.to_texture.weight.dtype
    images = (torch.rand(batch, 3, size, size) * 2 - 1).to(dtype)
    side = size // model.config.stride
    codes = Codes(
        torch.randn(batch, model.config.structure_channels, side, side).to(dtype),
        torch.randn(batch, model.config.texture_channels).to(dtype),
    )
    tile = tiling.suggested_tile(model, size, size)
    if tile is None or batch > 1:
        encode, decode = model.encode, model.decode
    else:
        encode, decode = partial(tiling.encode, model, tile=tile), partial(tiling.decode, model, tile=tile)

    def swap() -> Tensor:
        return decode(Codes(encode(images).structure, encode(images).texture))

    return {"encode": lambda: encode(images), "decode": lambda: decode(codes), "swap": swap}


def time_forms(forms: dict[str, SwapAE], size: int, batch: int, runs: int) -> dict[str, dict[str, float]]:
    """Milliseconds of encode, decode and swap in each form, beside the floor of the first one."""
    calls = {name: calls_of(model, size, batch) for name, model in forms.items()}
    rows = {}
    for what in CALLS:
        with OperatorRecorder() as recorder:
            next(iter(calls.values()))[what]()
        among = {name: of[what] for name, of in calls.items()} | {"floor": recorder.replay}
        # Larger ones are slower in proportion, and less of their time is chance.
        rows[what] = alternate(among, max(2, round(runs * 256**2 / (size**2 * batch))))
    return rows


def measure_alone(form: str, what: str, size: int, batch: int) -> tuple[float, float]:
    """Seconds of one call, and MiB that it takes at its peak above what the process held, in a fresh process."""
    words = [sys.executable, __file__, "--alone", form, what, str(size), str(batch)]
    seconds, mebibytes = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(mebibytes)


def print_alone(form: str, what: str, size: int, batch: int) -> None:
    """Child of `measure_alone`: the kernel's high-water mark, reset just before the call (Linux, glibc)."""
    model = make(form)
    calls_of(model, 128, 1)["swap"]()  # libraries set themselves up
    release_memory()  # what that left, and what is free but not given back, counts as well
    ctypes.CDLL(None).malloc_trim(0)
    reset_peak_of_process()
    before = status_of_process("VmRSS")
    call = calls_of(model, size, batch)[what]
    start = time.perf_counter()
    call()
    print(time.perf_counter() - start, status_of_process("VmHWM") - before)


def make(form: str) -> SwapAE:
    """A random model, plain or for inference, in float32 or bfloat16."""
    torch.manual_seed(0)
    model = SwapAE(PRESETS[PRESET].model).eval()
    if form.startswith("bfloat16"):
        model = model.to(torch.bfloat16).to(memory_format=torch.channels_last)
    return model if form in ("plain", "bfloat16") else optimize_for_inference(model, engine="ncnn", compile=True)


def status_of_process(field: str) -> float:
    """MiB that this process holds ("VmRSS"), or held at most since its start or the last reset ("VmHWM"); Linux."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


def reset_peak_of_process() -> None:
    """Let "VmHWM" begin anew."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def print_start(runs: int = 7) -> dict[str, float]:
    """Milliseconds from start to end of small commands in fresh processes, alternated, beside `import torch` alone."""
    first, second, *_ = sorted(EXAMPLES.glob("*.jpg"))
    with TemporaryDirectory() as folder:
        commands: dict[str, list[str | Path]] = {
            "python -c 'import torch'": ["-c", "import torch"],
            "python -c 'import swapae.model'": ["-c", "import swapae.model"],
            "swapae --help": ["-m", "swapae", "--help"],
            "swapae direction list": ["-m", "swapae", "direction", "list"],
            "swapae swap": ["-m", "swapae", "swap", first, second, "-o", Path(folder, "hybrid.png")],
        }

        def start(words: Sequence[str | Path]) -> None:
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)

        medians = alternate({name: partial(start, words) for name, words in commands.items()}, runs)
    print("\n| start to end | ms |\n|---|---|")
    for name, value in medians.items():
        print(f"| `{name}` | {value:.0f} |")
    return medians


def print_forms(sizes: Sequence[int], batches: Sequence[int], runs: int) -> list[dict[str, Any]]:
    """Table of the plain form and the one for inference; its rows."""
    print("| call | px | batch | plain, ms | inference, ms | floor, ms | plain / floor | inference / floor ", end="")
    print("| plain, MiB | inference, MiB |\n" + "|---" * 10 + "|")
    forms = {form: make(form) for form in FORMS}
    rows = []
    for size, batch in itertools.product(sizes, batches):
        for what, times in time_forms(forms, size, batch, runs).items():
            memory = {form: measure_alone(form, what, size, batch)[1] for form in FORMS}
            rows.append({"call": what, "size": size, "batch": batch, "ms": times, "mib": memory})
            cells = [what, size, batch, *(f"{times[name]:.0f}" for name in (*FORMS, "floor"))]
            cells += [f"{times[form] / times['floor']:.2f}" for form in FORMS]
            cells += [f"{memory[form]:.0f}" for form in FORMS]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return rows


def models() -> dict[str, SwapAE]:
    """The embedded model, and random ones of published sizes."""
    made = {"embedded": SwapAE.default()}
    for preset in ("small256", "church256", "ffhq1024"):
        torch.manual_seed(0)
        made[preset] = SwapAE(PRESETS[preset].model).eval()
    return made


def print_engines(sizes: Sequence[int], batches: Sequence[int], runs: int, limit: int) -> list[dict[str, Any]]:
    """Table of a swap in each engine that is installed, and what the chosen one takes beside torch; its rows.

    Args:
        sizes, batches: to make swaps of, as long as size^2 * batch is at most `limit`^2.
        runs: timed ones at 256 pixels, fewer of larger ones.
    """
    engines = [name for name in ENGINES if name != "openvino" or openvino.is_installed()]
    heads = ["swap", "px", "batch", *(f"{name}, ms" for name in engines), "chosen", "chosen / torch"]
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    rows = []
    for name, model in models().items():
        forms = {engine: optimize_for_inference(model, engine=engine) for engine in engines}
        chosen = choice.measure(model.config, forms).engine
        for size, batch in itertools.product(sizes, batches):
            if size**2 * batch > limit**2 or size < model.config.minimum_side:
                continue
            calls = {engine: calls_of(form, size, batch)["swap"] for engine, form in forms.items()}
            for call in calls.values():
                call()  # the first one also allocates or compiles
            times = alternate(calls, max(1, round(runs * 256**2 / (size**2 * batch))))
            rows.append({"model": name, "size": size, "batch": batch, "ms": times, "chosen": chosen})
            cells = [name, size, batch, *(f"{value:.0f}" for value in times.values()), chosen]
            print("| " + " | ".join(map(str, cells)) + f" | {times[chosen] / times['torch']:.2f} |", flush=True)
    return rows


def print_half(runs: int) -> list[dict[str, Any]]:
    """Table of bfloat16 at 256 pixels, as it is and compiled; its rows, none where the CPU does not compute with it."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        print("\nNo bfloat16: this CPU does not compute with it.")
        return []
    forms = ["plain", "inference", "bfloat16", *(["bfloat16, compiled"] if shutil.which("g++") else [])]
    print("\n| 256 px, batch 1 | " + " | ".join(f"{form}, ms | / floor" for form in forms) + " | floor, ms |")
    print("|---" * (2 * len(forms) + 2) + "|")
    rows = []
    for what, times in time_forms({form: make(form) for form in forms}, 256, 1, runs).items():
        rows.append({"call": what, "ms": times})
        cells = [f"{times[form]:.0f} | {times[form] / times['floor']:.2f}" for form in forms]
        print(f"| {what} | " + " | ".join(cells) + f" | {times['floor']:.0f} |", flush=True)
    return rows


def print_large(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Table of one swap of each size in the form for inference, in a process of its own; its rows."""
    print("\n| swap, px | s | s per megapixel | MiB |\n|---|---|---|---|")
    rows = []
    for size in sizes:
        seconds, memory = measure_alone("inference", "swap", size, 1)
        rows.append({"size": size, "s": seconds, "mib": memory})
        print(f"| {size} | {seconds:.1f} | {seconds / size**2 * 1e6:.2f} | {memory:.0f} |", flush=True)
    return rows


def main() -> None:
    """Print the tables, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024], help="sides in pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--large", type=int, nargs="*", default=[512, 1024, 2048, 4096], help="sides of large pictures")
    parser.add_argument(
        "--runs", type=int, default=9, help="timed runs of each call at 256 pixels, fewer of larger ones"
    )
    parser.add_argument("--engines", action="store_true", help="print the table of engines alone")
    parser.add_argument("--limit", type=int, default=2048, help="of the engines' table, the root of a swap's pixels")
    parser.add_argument("--json", help="file to write the figures to as well")
    parser.add_argument("--alone", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    if arguments.alone:
        form, what, size, batch = arguments.alone
        return print_alone(form, what, int(size), int(batch))
    record: dict[str, Any] = {
        "machine": f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "versions": {name: choice.version_of(name) for name in ("torch", "ncnn", "openvino", "numpy")}
        | {"python": platform.python_version()},
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
    print(f"{json.dumps(record)}\n")
    record["engines"] = print_engines(arguments.sizes, arguments.batches, arguments.runs, arguments.limit)
    if not arguments.engines:
        print(f"\n{PRESET}\n")
        record["rows"] = print_forms(arguments.sizes, arguments.batches, arguments.runs)
        record["half"] = print_half(arguments.runs)
        record["large"] = print_large(arguments.large)
        record["start"] = print_start()
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
