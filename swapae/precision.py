"""Where half precision is not enough."""

import torch
from torch import Tensor


def upcast(x: Tensor) -> Tensor:
    """x in float32, or float64 if it is: sums of squares overflow or lose digits in half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def float64(x: Tensor) -> Tensor:
    """x in float64; on the CPU where its device has none, as Apple's."""
    return (x.cpu() if x.device.type == "mps" else x).double()
