"""The church256 configuration in other engines than ours, on this machine's CPU: which is the fastest?

    pip install openvino && python benchmarks/engines.py --json benchmarks/results/engines.json

Encode and decode (without noise, which a graph has none of) at 256 pixels, batch 1: the networks as they are trained,
the form for inference, and the graphs that `swapae export` makes in ONNX Runtime and OpenVINO. Medians of alternated
runs, and the largest difference from the networks as they are trained, as a share of the range of values.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import openvino
import torch
from speed import alternate, make

from swapae import Codes, SwapAE
from swapae.inference.choice import processor
from swapae.inference.export import Source, export_model

SIZE = 256
Call = Callable[[], list[np.ndarray]]


def engines(model: SwapAE, folder: Path, name: str, inputs: dict[str, np.ndarray]) -> dict[str, Call]:
    """One of the exported networks in each engine."""
    path = folder / f"{name}.onnx"
    threads = torch.get_num_threads()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    calls: dict[str, Call] = {"ONNX Runtime": lambda: session.run(None, inputs)}
    core = openvino.Core()
    for precision in ("f32", "bf16"):
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        compiled = core.compile_model(path, "CPU", settings)
        calls[f"OpenVINO {precision}"] = lambda compiled=compiled: list(compiled(inputs).values())
    return calls


def main() -> None:
    """Print the table, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", help="file to write the figures to as well")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    plain, fast = make("plain"), make("inference")
    images = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    codes = plain.encode(images)
    calls: dict[str, dict[str, Call]] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_model(Source(plain, "church256", None, None), folder, "onnx")
        given = {"structure": codes.structure.numpy(), "texture": codes.texture.numpy()}
        for what, name, inputs in (("encode", "encoder", {"images": images.numpy()}), ("decode", "decoder", given)):
            calls[what] = {
                form: lambda model=model, what=what: run(model, what, images, codes)
                for form, model in (("plain", plain), ("inference", fast))
            } | engines(plain, folder, name, inputs)
    record = {
        "machine": processor(),
        "versions": {name: version(name) for name in ("torch", "ncnn", "onnxruntime", "openvino")},
    }
    print(f"{json.dumps(record)}\n\n| engine | encode, ms | decode, ms | difference, encode | difference, decode |")
    print("|---" * 5 + "|")
    times = {what: alternate(of, arguments.runs) for what, of in calls.items()}
    errors = {what: {name: error(call(), of["plain"]()) for name, call in of.items()} for what, of in calls.items()}
    for name in times["encode"]:
        cells = [f"{times[what][name]:.0f}" for what in times] + [f"{errors[what][name]:.0e}" for what in errors]
        print(f"| {name} | " + " | ".join(cells) + " |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({**record, "ms": times, "error": errors}, indent=1) + "\n")


def run(model: SwapAE, what: str, images: torch.Tensor, codes: Codes) -> list[np.ndarray]:
    """What a model makes, as an engine gives it."""
    made = model.encode(images) if what == "encode" else [model.decode(codes, noise="zero")]
    return [one.numpy() for one in made]


def error(made: list[np.ndarray], exact: list[np.ndarray]) -> float:
    """Largest difference as a share of the range of values."""
    return max(float(np.abs(one - other).max() / np.ptp(other)) for one, other in zip(made, exact, strict=True))


if __name__ == "__main__":
    main()
