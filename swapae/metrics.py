"""Metrics, under the name that people import; see `swapae.evaluation.metrics`."""

from swapae.evaluation.metrics import (
    frechet_distance,
    kernel_distance,
    local_difference,
    local_frechet,
    psnr,
    sifid,
    ssim,
    structure_distance,
    texture_distance,
)

__all__ = [
    "frechet_distance",
    "kernel_distance",
    "local_difference",
    "local_frechet",
    "psnr",
    "sifid",
    "ssim",
    "structure_distance",
    "texture_distance",
]
