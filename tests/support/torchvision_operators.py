"""For tests that import packages which import torchvision."""

import functools

import torch


@functools.cache  # the definitions live as long as the returned object
def define_missing_operators() -> torch.library.Library:
    """Let a torchvision built for another torch be imported: it lacks two operators of detection."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
