"""Encoder and generator as graphs that run without this package: ONNX, or the .pt2 of `torch.export`.

Two graphs, so that a photograph is encoded once and decoded in any texture: `encoder` takes images to structure and
texture, `decoder` structure and texture to images. Batch, height and width are free. Noise is zero, since a graph has
no seed.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import importlib.metadata
import io
import json
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import ModelCard
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn.utils import parametrize

from swapae.codes import Codes
from swapae.config import MINIMUM_CELLS
from swapae.editing.recipes import ModelId
from swapae.encoder import Encoder
from swapae.errors import UserError, first_line
from swapae.generator import Generator, unit_texture
from swapae.hub import folders, remote
from swapae.model import SwapAE
from swapae.release import release

Format = Literal["onnx", "torch"]
Run = Callable[..., tuple[Tensor, ...]]  # a graph: inputs by their names -> outputs in order

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
# Version of the operators; every ONNX Runtime of the last years knows it, the browsers' too.
OPSET = 18
# The least that `torch.export` is told: with fewer cells the texture's last map is one cell wide, a size of which it
# makes a special case, and the graph then refuses all others. An ONNX file holds no such refusals.
TORCH_MINIMUM_CELLS = 11
LARGEST_CELLS = 2**16  # sides are bounded for the exporter's sake; no picture is as large
INFORMATION_FILE = "export.json"
CARD_FILE = "MODEL_CARD.md"
# A graph may differ from the model by this share of the range of values, which is far below what can be seen.
TOLERANCE = 1e-4
REMEDY = "use the versions of torch and of the ONNX packages that constraints.txt names"
NAMES = {"encoder": (("images",), ("structure", "texture")), "decoder": (("structure", "texture"), ("images",))}


class EncoderGraph(nn.Module):
    """images [B, 3, H, W] in [-1, 1] -> structure [B, K, h, w] and texture [B, T], of unit length."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As of the class."""
        return self.encoder(images)


class DecoderGraph(nn.Module):
    """structure [B, K, h, w] and texture [B, T], of any length -> images [B, 3, H, W], not clamped; without noise."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, structure: Tensor, texture: Tensor) -> Tensor:
        """As of the class."""
        return self.generator(structure, unit_texture(texture), None)


class StoredHalf(nn.Module):
    """A parameter that is stored in float16 and used in float32."""

    def forward(self, stored: Tensor) -> Tensor:
        """What the network sees."""
        return stored.float()


@dataclass(frozen=True)
class Source:
    """A model, and what its files say of it.

    Attributes:
        model: in evaluation mode.
        name: as it was asked for.
        revision: commit on the Hub; None for a folder.
        card: text of its README.md; None without one.
    """

    model: SwapAE
    name: str
    revision: str | None
    card: str | None

    @classmethod
    def load(cls, name: str | None) -> Source:
        """A folder's, the Hub's, or the embedded model.

        Raises:
            UserError: as of `SwapAE.from_pretrained`.
        """
        config_file, _ = remote.model_files(name or folders.EMBEDDED, also=(folders.CARD_FILE,))
        folder = config_file.parent
        on_hub = name is not None and not os.path.isdir(name) and name not in folders.embedded_names()
        try:
            card = (folder / folders.CARD_FILE).read_text(encoding="utf-8")
        except (OSError, ValueError):
            card = None
        # The Hub's cache keeps each commit in a folder of its name.
        # The path of a folder is nobody else's business.
        shown = "embedded" if name is None else name if on_hub else folder.resolve().name
        return cls(SwapAE.from_pretrained(folder), shown, folder.name if on_hub else None, card)

    @property
    def licence(self) -> str | None:
        """Of the weights, as the card's head says; None where it does not."""
        try:
            return ModelCard(self.card or "", ignore_metadata_errors=True).data.get("license")
        except Exception:  # a card is anyone's text, and its head any YAML
            return None


def export_model(source: Source, folder: Path, format: Format, *, half: bool = False) -> dict[str, float]:
    """Write both graphs, config.json, export.json and the model's card into a folder that is there.

    Each file is read back and compared with the model, at the smallest size and a larger one that is not square, for
    one image and for three.

    Args:
        half: store weights in float16, at half the size; computed in float32 all the same. Exact for a model whose
            files are float16, as the embedded one's; another's weights are rounded, and compared as they then are.

    Returns:
        Of each output, the largest difference from the model as a share of the range of its values.

    Raises:
        UserError: a package is missing, a file differs from the model by more than `TOLERANCE`, or cannot be written.
    """
    packages = check_packages(format)
    # A command runs in inference mode, whose tensors cannot be traced.
    with torch.inference_mode(False), torch.no_grad():
        # The order in memory that the networks compute in fastest would become conditions on the sizes.
        model = copy.deepcopy(source.model).float().cpu().eval()
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        if half:
            store_half(model)
        runs: dict[str, Run] = {}
        for name, program in programs(model).items():
            path = folder / f"{name}{SUFFIXES[format]}"
            runs[name] = write_onnx(program, name, path) if format == "onnx" else write_torch(program, path)
        config = model.config
        cells = MINIMUM_CELLS if format == "onnx" else TORCH_MINIMUM_CELLS
        differences = compare(model, runs, cells)
    information = {
        "format": format,
        "opset": OPSET if format == "onnx" else None,
        "files": {name: f"{name}{SUFFIXES[format]}" for name in NAMES},
        "inputs_and_outputs": {
            "images": "[batch, 3, height, width] in [-1, 1]; outputs are not clamped",
            "structure": f"[batch, {config.structure_channels}, height / {config.stride}, width / {config.stride}]",
            "texture": f"[batch, {config.texture_channels}]",
        },
        "image_size": config.image_size,
        "stride": config.stride,
        "minimum_side": cells * config.stride,
        "weights": "float16" if half else "float32",
        "noise": "zero",
        "model": {"name": source.name, "revision": source.revision, **ModelId.of(source.model)._asdict()},
        "licence": source.licence,
        "about": "the model's data, authors and limits are in " + CARD_FILE if source.card else None,
        "versions": {"swapae": release()} | {name: importlib.metadata.version(name) for name in ("torch", *packages)},
        "largest_difference": differences,
    }
    for name, values in ((INFORMATION_FILE, information), (folders.CONFIG_FILE, dataclasses.asdict(config))):
        (folder / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    if source.card is not None:
        (folder / CARD_FILE).write_text(source.card, encoding="utf-8")
    return differences


def check_packages(format: Format) -> tuple[str, ...]:
    """The packages that a format needs.

    Raises:
        UserError: one is not installed.
    """
    packages = ("onnx", "onnxscript", "onnxruntime") if format == "onnx" else ()
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise UserError(
                f"ONNX files need the Python package {package!r} ({first_line(error)}): pip install 'swapae[export]'"
            ) from None
    return packages


def store_half(model: SwapAE) -> None:
    """Give every parameter a float16 store, in place."""
    for module in list(model.modules()):
        for name, _ in list(module.named_parameters(recurse=False)):
            parametrize.register_parametrization(module, name, StoredHalf(), unsafe=True)
            parametrizations: Any = module.parametrizations
            stored = parametrizations[name]
            stored.original = nn.Parameter(stored.original.half(), requires_grad=False)


def programs(model: SwapAE) -> dict[str, ExportedProgram]:
    """Both graphs, traced once for every size and batch."""
    config = model.config
    stride, cells = config.stride, (2 * TORCH_MINIMUM_CELLS + 1, 3 * TORCH_MINIMUM_CELLS + 1)
    batch = Dim("batch", min=1, max=LARGEST_CELLS)
    height, width = (Dim(side, min=TORCH_MINIMUM_CELLS, max=LARGEST_CELLS) for side in ("height", "width"))
    rows, columns = (Dim(side, min=1, max=LARGEST_CELLS) for side in ("rows", "columns"))
    images = torch.zeros(2, 3, *(stride * side for side in cells))
    structure, texture = torch.zeros(2, config.structure_channels, *cells), torch.zeros(2, config.texture_channels)
    return {
        "encoder": torch.export.export(
            EncoderGraph(model.encoder),
            (images,),
            dynamic_shapes={"images": {0: batch, 2: stride * height, 3: stride * width}},
        ),
        "decoder": torch.export.export(
            DecoderGraph(model.generator),
            (structure, texture),
            dynamic_shapes={"structure": {0: batch, 2: rows, 3: columns}, "texture": {0: batch}},
        ),
    }


def write_onnx(program: ExportedProgram, name: str, path: Path) -> Run:
    """Write a graph as one ONNX file, and open it in ONNX Runtime."""
    import onnxruntime

    inputs, outputs = NAMES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        onnx_program = torch.onnx.export(
            program,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert onnx_program is not None, "of what was no ExportedProgram"
    onnx_program.save(path, external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(**values: Tensor) -> tuple[Tensor, ...]:
        results = session.run(outputs, {name: value.numpy() for name, value in values.items()})
        return tuple(map(torch.from_numpy, results))

    return run


def write_torch(program: ExportedProgram, path: Path) -> Run:
    """Write a graph as a .pt2 file, and load it."""
    buffer = io.BytesIO()  # since torch's own writer says of a full disk what nobody understands
    torch.export.save(program, buffer)
    path.write_bytes(buffer.getvalue())
    graph = torch.export.load(path).module()

    def run(**values: Tensor) -> tuple[Tensor, ...]:
        results = graph(*values.values())
        return results if isinstance(results, tuple) else (results,)

    return run


def compare(model: SwapAE, runs: Mapping[str, Run], cells: int) -> dict[str, float]:
    """The largest differences of graphs from a model's own results, as `export_model` returns them.

    Raises:
        UserError: one is above `TOLERANCE`.
    """
    config, generator = model.config, torch.Generator().manual_seed(0)
    differences: dict[str, float] = {}
    for height, width in ((cells, cells), (cells + 1, 2 * cells - 1)):
        for batch in (1, 3):
            sides = (config.stride * height, config.stride * width)
            where = f"{batch} x {sides[1]}x{sides[0]} pixels"
            images = torch.rand(batch, 3, *sides, generator=generator) * 2 - 1
            codes = model.encode(images)
            # Of no unit length, which the decoder has to see to.
            edited = Codes(*(code * 3 for code in codes))
            wanted = {**codes._asdict(), "images": model.decode(edited, noise="zero")}
            inputs = images.clone(), Codes(*(code.clone() for code in edited))
            try:
                made = dict(zip(NAMES["encoder"][1], runs["encoder"](images=inputs[0]), strict=True))
                (made["images"],) = runs["decoder"](**inputs[1]._asdict())
            except Exception as error:  # of whatever runs the graph
                raise UserError(
                    f"the exported graph refuses {where} ({first_line(error):.200}), so nothing was written: {REMEDY}"
                ) from error
            if not all(map(torch.equal, (inputs[0], *inputs[1]), (images, *edited))):
                raise UserError(f"the exported graph overwrites its inputs, so nothing was written: {REMEDY}")
            for name, value in wanted.items():
                difference = relative_difference(made[name], value)
                if not difference <= TOLERANCE:  # put so that NaN fails too
                    raise UserError(
                        f"the exported graph's {name} differ from the model's by {difference:.1e} of their range at "
                        f"{where}, more than {TOLERANCE:.0e}, so nothing was written: {REMEDY}"
                    )
                differences[name] = max(difference, differences.get(name, 0.0))
    return differences


def relative_difference(value: Tensor, wanted: Tensor) -> float:
    """Largest absolute difference, as a share of the range of what is wanted; infinite for another shape."""
    if value.shape != wanted.shape:
        return float("inf")
    low, high = wanted.aminmax()
    return ((value - wanted).abs().max() / (high - low)).item()
