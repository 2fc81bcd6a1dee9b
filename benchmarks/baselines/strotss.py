"""Style transfer by relaxed optimal transport and self-similarity (Kolkin, Salavon, Shakhnarovich 2019, STROTSS)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.evaluation.lpips import LPIPS

LUMINANCE_AND_CHROMA = torch.tensor([[0.577, 0.577, 0.577], [-0.577, 0.788, -0.211], [-0.577, -0.211, 0.788]])


class Strotss:
    """Pixels optimised from coarse to fine for the loss of Eq. 1.

    The picture is a Laplacian pyramid, which RMSprop moves at all scales at once. At each size the content weight is
    halved. Of each image features at random places are compared: hypercolumns of all layers of the trunk and the
    pixels themselves.

    Args:
        trunk: the paper's is VGG-16.
        iterations: at each size; the paper's 200.
        smallest: side that the work begins at; doubled until the image's own.
        places: compared at a time.
    """

    name = "STROTSS"
    embed = None

    def __init__(self, trunk: LPIPS, iterations: int = 200, smallest: int = 64, places: int = 1024) -> None:
        self.trunk, self.iterations, self.smallest, self.places = trunk, iterations, smallest, places

    def hybrid(self, structure: Tensor, texture: Tensor) -> Tensor:
        """The optimised image."""
        generator = torch.Generator().manual_seed(0)
        side, weight = self.smallest, 16.0
        final = min(structure.shape[2:])
        picture: Tensor | None = None
        while True:
            scale = min(1.0, side / final)
            content, style = (shrunk(image, scale) for image in (structure, texture))
            if picture is None:
                # Content's detail on the style's mean colour.
                picture = laplacian(content) + style.mean((2, 3), keepdim=True)
            else:
                picture = F.interpolate(picture, content.shape[2:], mode="bilinear", align_corners=False)
            rate = 0.002 if scale < 1 else 0.001
            picture = self.refined(picture, content, style, weight, rate, generator)
            if scale == 1.0:
                return picture.clamp(-1, 1)
            side, weight = 2 * side, weight / 2

    def refined(
        self, start: Tensor, content: Tensor, style: Tensor, weight: float, rate: float, generator: torch.Generator
    ) -> Tensor:
        """The picture at one size, optimised from `start`."""
        levels = [level.requires_grad_(True) for level in pyramid(start)]
        optimiser = torch.optim.RMSprop(levels, lr=rate)
        with torch.no_grad():
            contents, styles = ([image, *self.trunk.features(image)] for image in (content, style))
            wanted = moments(hypercolumns(styles, random_places(style, 4 * self.places, generator)))
        for _ in range(self.iterations):
            picture = collapsed(levels)
            at, beyond = (random_places(image, self.places, generator) for image in (content, style))
            x = hypercolumns([picture, *self.trunk.features(picture)], at)
            c, s = hypercolumns(contents, at), hypercolumns(styles, beyond)
            colours = [LUMINANCE_AND_CHROMA @ pixels[:3] for pixels in (x, s)]
            appearance = relaxed_distance(cosine_distances(x, s))
            # Eq. 5.
            appearance = appearance + sum(
                (own - other).abs().mean() for own, other in zip(moments(x), wanted, strict=True)
            )
            # 1 / alpha on colours, so that they count less where content counts more.
            appearance = appearance + relaxed_distance(euclidean_distances(*colours)) / weight
            loss = (weight * self_similarity_loss(x, c) + appearance) / (2 + weight + 1 / weight)
            for level, gradient in zip(levels, torch.autograd.grad(loss, levels), strict=True):
                level.grad = gradient
            optimiser.step()
        return collapsed(levels).detach()


def random_places(image: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Up to `count` of the centres of all squares of two by two pixels, [1, 1, N, 2], x and y in [-1, 1]."""
    rows, columns = (side // 2 for side in image.shape[2:])
    chosen = torch.randperm(rows * columns, generator=generator)[:count]
    places = torch.stack([chosen % columns, chosen // columns], 1) + 0.5
    return (2 * places / torch.tensor([columns, rows]) - 1).view(1, 1, -1, 2)


def hypercolumns(layers: Sequence[Tensor], places: Tensor) -> Tensor:
    """All layers at places, bilinearly: each [1, c, h, w], [1, 1, N, 2] -> [C, N]."""
    columns = [F.grid_sample(layer, places, padding_mode="border", align_corners=False) for layer in layers]
    return torch.cat(columns, 1).flatten(2)[0]


def cosine_distances(a: Tensor, b: Tensor) -> Tensor:
    """[C, N], [C, M] -> [N, M], 1 less the cosine."""
    return 1 - F.normalize(a, dim=0).T @ F.normalize(b, dim=0)


def euclidean_distances(a: Tensor, b: Tensor) -> Tensor:
    """[C, N], [C, M] -> [N, M]."""
    return (a.square().sum(0)[:, None] + b.square().sum(0) - 2 * a.T @ b).clamp(min=1e-5).sqrt() / len(a) ** 0.5


def relaxed_distance(distances: Tensor) -> Tensor:
    """The relaxed earth mover's distance of Eq. 4: each place to its nearest, of the two directions the worse."""
    return torch.maximum(distances.amin(1).mean(), distances.amin(0).mean())


def moments(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance over the places of [C, N]: [C], [C, C]."""
    return columns.mean(1), torch.cov(columns)


def self_similarity_loss(a: Tensor, b: Tensor) -> Tensor:
    """Difference of two self-similarities, each column of distances normalised to a sum of 1 (Eq. 6): [C, N] twice."""
    first, second = (cosine_distances(x, x) for x in (a, b))
    first, second = (x / x.sum(0, keepdim=True).clamp(min=1e-6) for x in (first, second))
    return (first - second).abs().mean() * first.shape[0]


def shrunk(image: Tensor, scale: float) -> Tensor:
    """An image at another scale, antialiased."""
    if scale == 1.0:
        return image
    size = [max(32, round(scale * side)) for side in image.shape[2:]]
    return F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)


def laplacian(image: Tensor) -> Tensor:
    """What is lost of an image at half its size."""
    half = shrunk(image, 0.5)
    return image - F.interpolate(half, image.shape[2:], mode="bilinear", align_corners=False)


def pyramid(image: Tensor, levels: int = 5) -> list[Tensor]:
    """Laplacian pyramid, finest first, what is left last."""
    parts = []
    for _ in range(levels):
        if min(image.shape[2:]) < 4:
            break
        half = F.interpolate(image, [side // 2 for side in image.shape[2:]], mode="bilinear", align_corners=False)
        parts.append((image - F.interpolate(half, image.shape[2:], mode="bilinear", align_corners=False)).detach())
        image = half
    return [*parts, image.detach().clone()]


def collapsed(levels: list[Tensor]) -> Tensor:
    """The image of a pyramid."""
    image = levels[-1]
    for level in reversed(levels[:-1]):
        image = level + F.interpolate(image, level.shape[2:], mode="bilinear", align_corners=False)
    return image
