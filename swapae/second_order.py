"""Layers whose gradient is cheap to differentiate again, as a gradient penalty does."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class CheapSecondDerivatives(TorchFunctionMode):
    """Within it, `conv2d` and `leaky_relu_` are recorded so that differentiating their gradient takes no detours.

    PyTorch's own second derivative of a convolution makes the weight's gradient by a convolution whose kernel is as
    large as the image, and for a depthwise one channel by channel, even if the weight is fixed. That of the leaky
    ReLU is zero, but is sent through the whole network. Values and gradients are the same. A gradient that is itself
    recorded (`create_graph`) is one with respect to inputs alone: with respect to weights, there is none.
    """

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Replace the two functions."""
        return REPLACEMENTS.get(function, function)(*args, **(kwargs or {}))


class Convolution(torch.autograd.Function):
    """`conv2d` whose gradients are operators with a gradient of first order of their own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int, groups: int) -> Tensor:
        """x [B, C, H, W], weight [O, C / groups, k, k] -> [B, O, H', W']."""
        ctx.save_for_backward(x, weight)
        ctx.options = stride, padding, groups
        return F.conv2d(x, weight, None, stride, padding, 1, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient [B, O, H', W'] of the result -> those of x and weight."""
        x, weight = ctx.saved_tensors
        stride, padding, groups = ctx.options
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            # Pixels at the far border that no stride reached.
            rest = [
                side - ((steps - 1) * stride - 2 * padding + taps)
                for side, steps, taps in zip(x.shape[2:], gradient.shape[2:], weight.shape[2:], strict=True)
            ]
            of_x = F.conv_transpose2d(gradient, weight, None, stride, padding, rest, groups)
        # A penalty differentiates with respect to x alone; autograd does not say so here, but a graph is recorded.
        if ctx.needs_input_grad[1] and not torch.is_grad_enabled():
            pairs = [[stride] * 2, [padding] * 2, [1, 1], False, [0, 0]]
            of_weight = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, *pairs, groups, [False, True, False]
            )[1]
        return of_x, of_weight, None, None, None


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0, groups: int = 1
) -> Tensor:
    """`F.conv2d`, as far as the networks use it."""
    y = Convolution.apply(x, weight, stride, padding, groups)
    return y if bias is None else y + bias.view(-1, 1, 1)


def leaky_relu(x: Tensor, negative_slope: float) -> Tensor:
    """`F.leaky_relu_`, but not in place: x times its slope, and the slope has no derivative."""
    return torch.ops.aten.leaky_relu_backward(x, x.detach(), negative_slope, False)


REPLACEMENTS = {F.conv2d: conv2d, F.leaky_relu_: leaky_relu}
