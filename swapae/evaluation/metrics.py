"""How alike two images are, pixel by pixel, in structure and in texture; and how alike two sets of images are.

Structure, texture and the distances of sets are by the features of a network, such as `LPIPS.features`. A distance of
sets is a FID or a KID only by the features of the Inception network, and is to be called by the network it is of.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.precision import float64

# Self-similarity compares every two places: of more than this many a side, neighbours are averaged first.
LARGEST_GRID = 32
# Of `luminance_patches`, in pixels; the step is odd, so that grids of 8 pixels are seen in every phase.
PATCH_SIDE, PATCH_STEP = 12, 5


def self_similarity(features: Tensor) -> Tensor:
    """Cosine similarity of every two places: features [B, C, h, w] -> [B, n, n] in [-1, 1], n = h w at most 1024."""
    rows, columns = (min(side, LARGEST_GRID) for side in features.shape[2:])
    if features.shape[2:] != (rows, columns):
        features = F.adaptive_avg_pool2d(features, (rows, columns))
    places = F.normalize(features.flatten(2), dim=1)  # [B, C, n]
    return places.transpose(1, 2) @ places


def structure_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean difference of two self-similarities (Kolkin et al. 2019, STROTSS, Eq. 6, with plain cosines).

    It asks which places look alike, not what they look like: colours and materials may change, the layout not.

    Args:
        a: features [B, C, h, w] of one image each, such as one entry of `LPIPS.features`.
        b: of other images of the same size.

    Returns:
        [B] in [0, 2]: 0 for the same layout.
    """
    return (self_similarity(a) - self_similarity(b)).abs().mean((1, 2))


def texture_statistics(layers: Sequence[Tensor]) -> Tensor:
    """Mean and deviation of each channel over all places: layers of [B, C, h, w] -> [B, sum of 2 C].

    Each layer is divided by the root of its number of channels, so that all count alike in `texture_distance`.
    """
    statistics = []
    for layer in layers:
        flat = layer.flatten(2)
        both = torch.cat([flat.mean(2), flat.std(2, unbiased=False)], 1)
        statistics.append(both / layer.shape[1] ** 0.5)
    return torch.cat(statistics, 1)


def texture_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Length of the difference of two images' `texture_statistics`: what they are made of, wherever it is.

    Args:
        a: layers of features, each [B, C, h, w]; the image itself may be one, and then its colours count.
        b: the same layers of other images, of any size.

    Returns:
        [B], 0 for the same statistics.
    """
    return (texture_statistics(a) - texture_statistics(b)).norm(dim=1)


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB: images [B, 3, H, W] in [-1, 1] -> [B], infinite for equal ones."""
    return -10 * ((a - b) / 2).square().mean((1, 2, 3)).log10()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004, with their Gaussian window of 11 pixels), the mean of the channels.

    Args:
        a: images [B, C, H, W] in [-1, 1], sides at least 11.
        b: other images of the same size.

    Returns:
        [B], 1 for equal images, down to -1.
    """
    a, b = (a + 1) / 2, (b + 1) / 2  # the means count from black
    line = torch.arange(11, dtype=a.dtype, device=a.device) - 5
    line = torch.exp(-line.square() / (2 * 1.5**2))
    window = torch.outer(line, line) / line.sum() ** 2

    def local_mean(x: Tensor) -> Tensor:
        return F.conv2d(x, window.expand(x.shape[1], 1, 11, 11), groups=x.shape[1])

    stable_mean, stable_variance = 0.01**2, 0.03**2
    mean_a, mean_b = local_mean(a), local_mean(b)
    variances = local_mean(a * a) - mean_a**2 + local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + stable_mean) / (mean_a**2 + mean_b**2 + stable_mean)
    return (luminance * (2 * covariance + stable_variance) / (variances + stable_variance)).mean((1, 2, 3))


def local_difference(a: Tensor, b: Tensor) -> Tensor:
    """How far two images differ at each place in colours and in the strength of detail.

    For an image beside the one that it should be, where it is left open at which pixel a pattern begins: means are
    local, under a Gaussian of a sixteenth of the side, and of detail in two bands only the local strength counts.

    Args:
        a: images [B, 3, H, W] in [-1, 1].
        b: others of the same size.

    Returns:
        [B, 2, H, W] in [0, 2]: absolute difference of the local means, and of the local root mean squares of the
        bands, each the mean of its channels.
    """
    reach = min(a.shape[2:]) / 16
    means, strengths = [], []
    for images in (a, b):
        fine, middle = blurred(images, reach / 4), blurred(images, reach / 2)
        bands = torch.cat([images - fine, fine - middle], 1)
        means.append(blurred(images, reach))
        strengths.append(blurred(bands.square(), reach).sqrt())
    return torch.stack([(one - other).abs().mean(1) for one, other in (means, strengths)], 1)


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Images [B, C, H, W] under a Gaussian of a deviation in pixels, mirrored at the border."""
    radius = math.ceil(3 * deviation)
    line = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    line = torch.exp(-(line / deviation).square() / 2)
    kernel = (line / line.sum()).view(1, 1, 1, -1)
    flat = F.pad(images.flatten(0, 1)[:, None], [radius] * 4, mode="reflect")
    return F.conv2d(F.conv2d(flat, kernel), kernel.transpose(2, 3))[:, 0].view(images.shape)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Frechet distance of the Gaussians with the means and covariances of two sets (Heusel et al. 2017, Eq. 6).

    It is biased upwards, the more the fewer samples: compare only sets of the same size.

    Args:
        a: features of one set, [N, C], N at least 2.
        b: features of another, [M, C].

    Raises:
        ValueError: fewer than two samples.
    """
    a, b = samples(a, b)
    return frechet_of_moments(*((x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])) for x in (a, b)))


def frechet_of_moments(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """Frechet distance of two Gaussians, each given by mean [C] and covariance [C, C]."""
    (first_mean, first), (second_mean, second) = a, b
    # The trace of (first second)^(1/2), by a symmetric matrix of the same eigenvalues.
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    mixed = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return ((first_mean - second_mean).square().sum() + first.trace() + second.trace() - 2 * mixed).item()


def luminance_patches(images: Tensor) -> Tensor:
    """Patches of 12 x 12 pixels of luminance, every 5 pixels: [B, 3, H, W] -> [B, 144, h, w]."""
    luminance = images.float().mul(torch.tensor([0.299, 0.587, 0.114], device=images.device).view(1, 3, 1, 1)).sum(1)
    rows = luminance.unfold(1, PATCH_SIDE, PATCH_STEP)
    return rows.unfold(2, PATCH_SIDE, PATCH_STEP).flatten(3).permute(0, 3, 1, 2)


def grain_patches(images: Tensor) -> Tensor:
    """`luminance_patches` less their own means: without light and shade, what is left is fine detail."""
    patches = luminance_patches(images)
    return patches - patches.mean(1, keepdim=True)


def local_moments(features: Tensor) -> Tensor:
    """Mean and covariance of an image's features [C, h, w] over its places, as rows of [1 + C, C] in float64."""
    places = float64(features.flatten(1))
    return torch.cat([places.mean(1)[None], torch.cov(places, correction=0).reshape(len(places), len(places))])


def pooled(moments: Sequence[Tensor], weights: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
    """Mean [C] and covariance [C, C] of all places of several images of one size, from their `local_moments`.

    Args:
        weights: of each image; all alike if not given.
    """
    stacked = torch.stack([float64(one) for one in moments])
    share = torch.tensor([1.0] * len(moments) if weights is None else weights, dtype=torch.float64).to(stacked.device)
    share = share / share.sum()
    mean = share @ stacked[:, 0]
    off = stacked[:, 0] - mean
    return mean, torch.einsum("n,nij->ij", share, stacked[:, 1:]) + off.T @ (share[:, None] * off)


def local_frechet(photographs: Sequence[Tensor], made: Sequence[Tensor], origins: Sequence[int]) -> float:
    """How unlike photographs pictures are in what any small part of them looks like: 1 is as unlike as photographs.

    The Frechet distance of local features, each place a sample, of pictures made of one half of the photographs to the
    other half's photographs, in units of the distance of the two halves. Blur, hatching and repeated patterns raise it,
    wherever they are, while single images' layouts do not matter. All photographs that something was made of count
    alike, however often it was.

    Args:
        photographs: `local_moments` of two or more photographs of one size; every second one is of the other half.
        made: those of pictures of that size.
        origins: of each picture, the number of the photograph that it was made of; of a hybrid, its texture image.
    """
    halves = [pooled(photographs[start::2]) for start in (0, 1)]
    unit = frechet_of_moments(*halves)
    counts = Counter(origins)
    distances = []
    for half in (0, 1):
        of_half = [(moments, 1 / counts[o]) for moments, o in zip(made, origins, strict=True) if o % 2 == half]
        if of_half:
            distances.append(frechet_of_moments(pooled(*zip(*of_half, strict=True)), halves[1 - half]))
    return sum(distances) / len(distances) / max(unit, 1e-12)


def sifid(a: Tensor, b: Tensor) -> float:
    """Frechet distance of the local features of two images (Shaham et al. 2019, SinGAN, section 4: SIFID).

    Every place of a feature map is a sample, so that it compares what the images are made of and not where.

    Args:
        a: features [C, h, w] of one image, of two places or more. The name SIFID is of Inception's, of which the
            publication says before the second pooling and its code takes the 64 channels before the first
            (github.com/tamarott/SinGAN/issues/155); by another network it is a "single-image Frechet distance".
        b: features [C, any, any] of another.

    Returns:
        0 or more (less only by rounding), 0 for the same mean and covariance.

    Raises:
        ValueError: fewer than two places.
    """
    return frechet_distance(a.flatten(1).T, b.flatten(1).T)


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Squared maximum mean discrepancy of two sets under a cubic kernel, unbiased (Binkowski et al. 2018, KID).

    All samples at once, where the publication takes the mean over random subsets of them: the same on average.

    Args:
        a: features of one set, [N, C], N at least 2.
        b: features of another, [M, C].

    Raises:
        ValueError: fewer than two samples.
    """
    a, b = samples(a, b)

    def total(x: Tensor, y: Tensor) -> Tensor:
        # In parts: of fifty thousand samples each, all similarities would take 20 GB.
        return sum((((part @ y.T / x.shape[1] + 1) ** 3).sum() for part in x.split(1024)), torch.zeros(()).to(x))

    def among(x: Tensor) -> Tensor:
        own = ((x.square().sum(1) / x.shape[1] + 1) ** 3).sum()
        return (total(x, x) - own) / (len(x) * (len(x) - 1))

    return (among(a) + among(b) - 2 * total(a, b) / (len(a) * len(b))).item()


def samples(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two sets of features in float64; ValueError if one has fewer than the two that a spread takes."""
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a distance of sets takes 2 or more samples of each, got {len(a)} and {len(b)}")
    return float64(a), float64(b)
