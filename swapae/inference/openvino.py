"""The engine OpenVINO, an optional package: on CPUs that compute with bfloat16 up to twice as fast as float32.

It takes the graphs of `fast.py` as `engine.Graph` does. Which of them may be in bfloat16 is said there.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from swapae.errors import UserError
from swapae.inference.engine import check_no_gradient, not_pickled

SIZES = 4  # for which a network stays compiled, and keeps its memory


def is_installed() -> bool:
    """Whether the package is there."""
    return find_spec("openvino") is not None


def has_bfloat16() -> bool:
    """Whether this processor computes with bfloat16, as far as the engine knows."""
    return "BF16" in package().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def package(name: str = "openvino") -> Any:
    """The package, imported when it is first needed.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"the engine openvino is not installed ({error}): pip install 'swapae[openvino]'") from error


class OpenVinoGraph:
    """As `engine.Graph`, in which values are nodes of OpenVINO; in bfloat16 within if `half`."""

    def __init__(self, half: bool) -> None:
        self._half = half
        self._inputs: list[Any] = []
        self._ops = package("openvino.opset13")

    def input(self, name: str) -> Any:
        """See `engine.Graph`."""
        made = self._ops.parameter([1, -1, -1, -1], np.float32, name)
        made.output(0).set_names({name})
        self._inputs.append(made)
        return made

    def conv(
        self,
        x: Any,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        leak: float | None = None,
    ) -> Any:
        """See `engine.Graph`."""
        spatial: tuple[list[int], ...] = ([stride] * 2, [padding] * 2, [padding] * 2, [1, 1])
        if groups == 1:
            y = self._ops.convolution(x, constant(weight), *spatial)
        else:
            y = self._ops.group_convolution(x, constant(weight[:, None]), *spatial)
        if bias is not None:
            y = self._ops.add(y, constant(bias.view(1, -1, 1, 1)))
        return y if leak is None else self.leaky_relu(y, leak)

    def conv_transpose(self, x: Any, weight: Tensor, *, stride: int) -> Any:
        """See `engine.Graph`."""
        return self._ops.convolution_backprop_data(
            x, constant(weight), [stride] * 2, pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]
        )

    def pad(self, x: Any, before: int, after: int, *, reflect: bool) -> Any:
        """See `engine.Graph`."""
        ends = ([0, 0, side, side] for side in (before, after))
        return self._ops.pad(x, *ends, "reflect" if reflect else "constant", None if reflect else np.float32(0))

    def upsample(self, x: Any) -> Any:
        """See `engine.Graph`."""
        return self._ops.interpolate(
            x,
            np.array([2, 2], np.float32),
            "linear_onnx",
            "scales",
            coordinate_transformation_mode="half_pixel",
            axes=np.array([2, 3]),
        )

    def multiply(self, x: Any, y: Any) -> Any:
        """See `engine.Graph`."""
        return self._ops.multiply(x, y)

    def add(self, x: Any, y: Any) -> Any:
        """See `engine.Graph`."""
        return self._ops.add(x, y)

    def weighted_sum(self, x: Any, y: Any, weight: float) -> Any:
        """See `engine.Graph`."""
        return self._ops.add(x, self._ops.multiply(y, np.float32(weight)))

    def leaky_relu(self, x: Any, leak: float) -> Any:
        """See `engine.Graph`."""
        return self._ops.prelu(x, np.array([leak], np.float32))

    def build(self, output: Any) -> OpenVinoNetwork:
        """See `engine.Graph`."""
        return OpenVinoNetwork(package().Model([output], self._inputs, "block"), self._half)


class OpenVinoNetwork:
    """A network, compiled for each size that it is called with; safe to call from several threads.

    Compiling takes some hundredths of a second; a network for all sizes at once would be half as fast.
    """

    def __init__(self, model: Any, half: bool) -> None:
        self._model, self._half = model, half
        self._compiled = lru_cache(SIZES)(self._compile)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """As of `engine.Network`."""
        check_no_gradient(inputs)
        given = {name: np.ascontiguousarray(value.detach().numpy())[None] for name, value in inputs.items()}
        compiled, free = self._compiled(tuple((name, value.shape) for name, value in given.items()))
        try:
            request = free.pop()  # safe among threads, unlike to look first whether there is one
        except IndexError:
            request = compiled.create_infer_request()
        try:
            (made,) = request.infer(given, share_inputs=True).values()
            return torch.from_numpy(np.array(made[0]))
        finally:
            free.append(request)

    def _compile(self, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> tuple[Any, list[Any]]:
        """The network for these shapes, and requests to it, of which each call under way has one."""
        model, threads = self._model.clone(), torch.get_num_threads()
        model.reshape({name: list(shape) for name, shape in shapes})
        streams = max(1, (os.cpu_count() or 1) // threads)  # so many calls are computed at the same time
        settings = {
            "INFERENCE_NUM_THREADS": threads * streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # others may have more to do on a core
            "INFERENCE_PRECISION_HINT": "bf16" if self._half else "f32",
        }
        return package().Core().compile_model(model, "CPU", settings), []

    def __deepcopy__(self, memo: dict[int, Any]) -> OpenVinoNetwork:
        # Nothing changes it, so that copies of what holds it can share it.
        return self

    def __reduce__(self) -> NoReturn:
        not_pickled()


def constant(value: Tensor) -> np.ndarray:
    """Weights as the graph takes them."""
    return value.detach().contiguous().numpy()
