"""Where half precision is not enough."""

import torch
from torch import Tensor


def upcast(x: Tensor) -> Tensor:
    """x in float32, or float64 if it is: sums of squares overflow or lose digits in half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
