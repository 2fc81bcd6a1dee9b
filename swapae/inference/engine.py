"""Networks that run in ncnn, an engine for CPUs: its Winograd convolutions take a third of the time of torch's.

A `Graph` is written layer by layer, with weights from torch, and built into a `Network`, which torch tensors go into
and come out of. Layers and their numbered parameters: https://github.com/Tencent/ncnn/wiki/operators.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import ncnn
import numpy as np
import torch
from torch import Tensor

MAGIC = 7767517  # first line of every ncnn graph
FLOAT32 = struct.pack("<I", 0)  # before weights that are stored as they are
LEAKY_RELU = 2
MULTIPLY, ADD = 2, 0
BILINEAR = 2
REFLECT = 2
# Memory of one network is kept for the next, and for the next call: fresh pages cost a fifth of the time. A call has a
# pool of its own, for threads that share one take each other's pieces; there are as many as calls were under way.
FREE_POOLS: list[ncnn.PoolAllocator] = []
Value = int | float | Sequence[float]


class Graph:
    """A network in the making. Every method that adds a layer takes and gives names of maps [C, H, W]."""

    def __init__(self) -> None:
        self._layers: list[tuple[str, list[str], str, dict[int, Value]]] = []
        self._weights: list[bytes] = []

    def input(self, name: str) -> str:
        """What the network is given under this name; of height and width 1 it stands for a map of that value."""
        return self._add("Input", [], {}, name)

    def conv(
        self,
        x: str,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        leak: float | None = None,
    ) -> str:
        """`torch.nn.functional.conv2d`, then a leaky ReLU if a leak is given; groups: 1 or all channels."""
        kind = "Convolution" if groups == 1 else "ConvolutionDepthWise"
        more: dict[int, Value] = {} if groups == 1 else {7: groups}
        if leak is not None:
            more |= {9: LEAKY_RELU, 10: [leak]}
        return self._conv(kind, x, len(weight), weight, bias, {3: stride, 4: padding, **more})

    def conv_transpose(self, x: str, weight: Tensor, *, stride: int) -> str:
        """`torch.nn.functional.conv_transpose2d` without padding."""
        weight = weight.transpose(0, 1)
        return self._conv("Deconvolution", x, len(weight), weight, None, {3: stride})

    def pad(self, x: str, before: int, after: int, *, reflect: bool) -> str:
        """Pixels added above and to the left, and below and to the right: mirrored ones or zeros."""
        return self._add("Padding", [x], {0: before, 1: after, 2: before, 3: after, 4: REFLECT if reflect else 0})

    def upsample(self, x: str) -> str:
        """Twice the sides, bilinearly."""
        return self._add("Interp", [x], {0: BILINEAR, 1: 2.0, 2: 2.0})

    def multiply(self, x: str, y: str) -> str:
        """Product."""
        return self._add("BinaryOp", [x, y], {0: MULTIPLY})

    def add(self, x: str, y: str) -> str:
        """Sum."""
        return self._add("BinaryOp", [x, y], {0: ADD})

    def weighted_sum(self, x: str, y: str, weight: float) -> str:
        """x + weight * y."""
        return self._add("Eltwise", [x, y], {0: 1, 1: [1.0, weight]})

    def leaky_relu(self, x: str, leak: float) -> str:
        """Leaky ReLU."""
        return self._add("ReLU", [x], {0: leak})

    def _conv(
        self, kind: str, x: str, channels: int, weight: Tensor, bias: Tensor | None, more: dict[int, Value]
    ) -> str:
        self._weights += [FLOAT32, weight.contiguous().numpy().tobytes()]
        if bias is not None:
            self._weights.append(bias.contiguous().numpy().tobytes())
        return self._add(
            kind, [x], {0: channels, 1: weight.shape[-1], 5: int(bias is not None), 6: weight.numel(), **more}
        )

    def _add(self, kind: str, inputs: list[str], parameters: dict[int, Value], output: str | None = None) -> str:
        output = output or f"map{len(self._layers)}"
        self._layers.append((kind, inputs, output, parameters))
        return output

    def build(self, output: str) -> Network:
        """The network that computes this map."""
        with TemporaryDirectory() as folder:
            weights = Path(folder) / "weights"
            weights.write_bytes(b"".join(self._weights))
            return Network(self._text(), weights, output)

    def _text(self) -> str:
        """The graph in ncnn's format, where a map that several layers take is split for them by a layer."""
        uses = Counter(name for _, inputs, _, _ in self._layers for name in inputs)
        copies = {name: [f"{name}_{i}" for i in range(count)] for name, count in uses.items() if count > 1}
        lines: list[list[Any]] = []
        for kind, inputs, output, parameters in self._layers:
            taken = [copies[name].pop() if name in copies else name for name in inputs]
            values = [written(number, value) for number, value in parameters.items()]
            lines.append([kind, output, len(taken), 1, *taken, output, *values])
            if output in copies:
                lines.append(["Split", f"{output}_copies", 1, len(copies[output]), output, *copies[output]])
        blobs = sum(line[3] for line in lines)
        return "\n".join([str(MAGIC), f"{len(lines)} {blobs}", *(" ".join(map(str, line)) for line in lines), ""])


class Network:
    """A network of ncnn in float32, on as many threads as torch has when it is built; safe to call from several."""

    def __init__(self, text: str, weights: Path, output: str) -> None:
        self._output = output
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = torch.get_num_threads()
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        if self._net.load_param_mem(text) or self._net.load_model(str(weights)):
            raise RuntimeError("ncnn does not take the network")

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Maps [C, H, W] by the names of the inputs -> the output [C, H, W]; all in float32.

        Raises:
            MemoryError: there is not enough.
            ValueError: a gradient is wanted.
        """
        check_no_gradient(inputs)
        # ncnn does not hold them.
        held = {name: np.ascontiguousarray(value.detach().numpy()) for name, value in inputs.items()}
        with pool() as own:
            extractor = self._net.create_extractor()
            extractor.set_blob_allocator(own)
            extractor.set_workspace_allocator(own)
            for name, array in held.items():
                extractor.input(name, ncnn.Mat(array))
            failed, mat = extractor.extract(self._output)
            if failed:
                raise MemoryError("not enough memory for this picture; compute it in tiles")
            return torch.from_numpy(np.array(mat))

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        # Nothing changes it, so that copies of what holds it can share it.
        return self

    def __reduce__(self) -> NoReturn:
        not_pickled()


def check_no_gradient(inputs: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a gradient is wanted."""
    if torch.is_grad_enabled() and any(value.requires_grad for value in inputs.values()):
        raise ValueError(
            "a model optimized for inference computes no gradients: use the model it was made of, or pass "
            "x.detach(), or call it under torch.no_grad()"
        )


def not_pickled() -> NoReturn:
    """Raise TypeError for a network of an engine that is to be pickled."""
    raise TypeError(
        "a model optimized for inference cannot be pickled: save or pickle the model it was made of, and optimize "
        "it again where it is loaded"
    )


@contextmanager
def pool() -> Iterator[ncnn.PoolAllocator]:
    """Memory for a call."""
    try:
        own = FREE_POOLS.pop()  # safe among threads, unlike to look first whether there is one
    except IndexError:
        own = ncnn.PoolAllocator()
        own.set_size_compare_ratio(0.0)  # any piece that is large enough serves
    try:
        yield own
    finally:
        FREE_POOLS.append(own)


def release_memory() -> None:
    """Give the system back what is kept for calls to come."""
    for own in FREE_POOLS:
        own.clear()


def written(number: int, value: Value) -> str:
    """A numbered parameter in ncnn's format."""
    if isinstance(value, int):
        return f"{number}={value}"
    if isinstance(value, float):
        return f"{number}={value:.9e}"
    return f"{-23300 - number}={len(value)},{','.join(f'{one:.9e}' for one in value)}"
