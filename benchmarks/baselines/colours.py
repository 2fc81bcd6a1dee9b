"""Methods on colours alone: bounds from below, and the oldest transfer of a look."""

from __future__ import annotations

import torch
from torch import Tensor


class Unchanged:
    """The structure image as it is: all of the structure, none of the texture. Every hybrid ought to beat it."""

    name = "structure image"
    embed = None

    def hybrid(self, structure: Tensor, texture: Tensor) -> Tensor:
        """The structure image."""
        return structure


class ColourTransfer:
    """Pixels moved by the linear map that gives them the other's mean and covariance.

    Of all such maps the one that moves them least: the optimal transport of Gaussians (Pitie and Kokaram 2007), where
    Reinhard et al. (2001) matched means and deviations of decorrelated channels.
    """

    name = "colour transfer"
    embed = None

    def hybrid(self, structure: Tensor, texture: Tensor) -> Tensor:
        """The structure image in the texture image's colours."""
        pixels, others = (image[0].flatten(1).double() for image in (structure, texture))
        moved = transport(torch.cov(pixels), torch.cov(others)) @ (pixels - pixels.mean(1, keepdim=True))
        moved = moved + others.mean(1, keepdim=True)
        return moved.view_as(structure[0])[None].to(structure).clamp(-1, 1)


def transport(source: Tensor, target: Tensor) -> Tensor:
    """The symmetric map M with M source M = target, of covariances [C, C]."""
    half = root(source)
    inverse = torch.linalg.pinv(half, hermitian=True)
    return inverse @ root(half @ target @ half) @ inverse


def root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric matrix with no negative eigenvalues."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T
