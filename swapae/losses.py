"""The objectives of the paper (section 3). Networks come in as callables, so this file knows none of them.

    L_total = L_rec + 0.5 L_GAN,rec + 0.5 L_GAN,swap + L_CooccurGAN                         (Eq. 5)

A hybrid has the texture of an image and the structure of its neighbour in the batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from swapae.codes import Codes
from swapae.precision import upcast
from swapae.second_order import CheapSecondDerivatives


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; the defaults are the paper's.

    `perceptual` (LPIPS of the reconstruction), `colour` (means and deviations of the hybrid's colours) and
    `alternation` (from cell to cell of the structure code) are no part of the published method.
    """

    reconstruction: float = 1.0
    gan_reconstruction: float = 0.5
    gan_swap: float = 0.5
    patch: float = 1.0
    r1: float = 10.0
    patch_r1: float = 1.0
    perceptual: float = 0.0
    colour: float = 0.0
    alternation: float = 0.0

    @property
    def adversarial(self) -> bool:
        """Whether any term needs a discriminator."""
        return any((self.gan_reconstruction, self.gan_swap, self.patch))


PHOTOGRAPHS_ALTERNATE = 0.06  # `alternating_share` of photographs brought to 32 x 32 pixels, the mean of 24

LOSS_PRESETS = {
    "paper": LossWeights(),
    # The published code weighs the hybrid's realism twice as much as the paper says, for the generator alone.
    "release": dataclasses.replace(LossWeights(), gan_swap=1.0),
    # For discriminators that look through a pretrained network. Their gradients are some four times as long as those of
    # LPIPS at weights of 1, and would have reconstructions forgotten: here all parts pull about as hard.
    "features": LossWeights(
        gan_reconstruction=0.25, gan_swap=0.4, patch=0.75, perceptual=4.0, colour=1.0, alternation=6.0
    ),
    # Reconstruction alone: a cheap start for the others, no model to swap with.
    "autoencoder": LossWeights(gan_reconstruction=0.0, gan_swap=0.0, patch=0.0),
}

PATCHES_PER_IMAGE = 8


Noise = Literal["zero"] | Sequence[Tensor]
NoiseMaker = Callable[[Tensor], Noise]  # structure codes [B, K, h, w] -> noise for `decode`
Cropper = Callable[[Tensor], Tensor]  # images [B, 3, H, W] -> patches [B, N, 3, S, S]
Augmenter = Callable[[Tensor], Tensor]  # images [B, 3, H, W] -> as the image discriminator sees them
ImageHeads = Callable[[Tensor], Sequence[Tensor]]  # images [B, 3, H, W] -> logits [B, ...] of each head


class SwapModel(Protocol):
    """What the objectives need of `SwapAE`."""

    def decode(self, codes: Codes, *, noise: Noise) -> Tensor:
        """Codes -> images."""


class PatchFeatures(Protocol):
    """What the objectives need of `PatchDiscriminator`."""

    def features(self, patches: Tensor) -> Tensor:
        """[B, N, 3, S, S] -> [B, N, C]."""

    def logits(self, reference: Tensor, features: Tensor) -> Tensor:
        """Two feature sets [B, N, C] -> [B, N]."""


def swap_indices(batch: int) -> list[int]:
    """The image whose structure each image borrows: i with i ^ 1, the last three in a ring if the batch is odd.

    Neighbours are near, so that splitting a batch over processes changes no pair; nobody pairs with itself.

    Raises:
        ValueError: a batch of one has no pairs.
    """
    if batch < 2:
        raise ValueError(f"swapping needs at least 2 images in a batch, got {batch}")
    indices = [i ^ 1 for i in range(batch)]
    if batch % 2:
        indices[-3:] = [batch - 2, batch - 1, batch - 3]
    return indices


class Fakes(NamedTuple):
    """What the generator makes of a batch of B images."""

    reconstructions: Tensor  # [ceil(B / 2), 3, H, W], of images 0, 2, 4, ...
    hybrids: Tensor  # [B, 3, H, W], texture of image i, structure of its neighbour


def generate(
    model: SwapModel,
    images: Tensor,
    encode: Callable[[Tensor], Codes],
    make_noise: NoiseMaker,
    make_own_noise: NoiseMaker | None = None,
) -> Fakes:
    """Reconstruct half of the images and swap all of them, in one call of the generator.

    Args:
        encode: images -> codes; in training the structure may be read from disguised copies.
        make_noise: for hybrids, and for reconstructions too unless `make_own_noise` is given.
    """
    structure, texture = encode(images)
    half = structure[::2]
    codes = Codes(
        torch.cat([half, structure[swap_indices(len(images))]]),
        torch.cat([texture[::2], texture]),
    )
    noise, own = make_noise(structure), (make_own_noise or make_noise)(structure)
    if not isinstance(noise, str) and not isinstance(own, str):
        noise = [torch.cat([mine[::2], swapped]) for mine, swapped in zip(own, noise, strict=True)]
    made = model.decode(codes, noise=noise)
    return Fakes(made[: len(half)], made[len(half) :])


class Losses(NamedTuple):
    """What a step returns."""

    terms: dict[str, Tensor]  # weighted; their sum is what is minimised
    statistics: dict[str, Tensor]  # for the log, without gradient

    @property
    def total(self) -> Tensor:
        """The sum of the terms."""
        return torch.stack(list(self.terms.values())).sum()


class Adversarial(NamedTuple):
    """A pair of opposed losses of logits [B, ...], each a mean in float32 at least."""

    real: Callable[[Tensor], Tensor]  # the discriminator's, of what is real
    fake: Callable[[Tensor], Tensor]  # the discriminator's, of what is not
    fool: Callable[[Tensor], Tensor]  # the generator's, of what it made


NON_SATURATING = Adversarial(
    real=lambda logits: F.softplus(-upcast(logits)).mean(),
    fake=lambda logits: F.softplus(upcast(logits)).mean(),
    fool=lambda logits: F.softplus(-upcast(logits)).mean(),
)
HINGE = Adversarial(
    real=lambda logits: F.relu(1 - upcast(logits)).mean(),
    fake=lambda logits: F.relu(1 + upcast(logits)).mean(),
    fool=lambda logits: -upcast(logits).mean(),
)


def over_heads(loss: Callable[[Tensor], Tensor], heads: Sequence[Tensor]) -> Tensor:
    """Mean of a loss over the heads of an image discriminator."""
    return torch.stack([loss(logits) for logits in heads]).mean()


def discriminator_losses(
    fakes: Fakes,
    images: Tensor,
    image_discriminator: ImageHeads,
    patch_discriminator: PatchFeatures,
    crop: Cropper,
    augment: Augmenter,
    adversarial: Adversarial = NON_SATURATING,
) -> Losses:
    """Losses of both discriminators; each is called once.

    Images are real; reconstructions and hybrids, half the weight each, are not. Patches of an image belong
    to its reference patches; patches of the hybrid with its texture do not (Eq. 4).

    A statistic beside them is `real_sign`, the mean sign of the logits of real images: near 1 the image discriminator
    knows its photographs by heart (Karras et al. 2020, ADA, Eq. 1).
    """
    heads = image_discriminator(torch.cat([augment(kind) for kind in (images, *fakes)]))
    sizes = [len(images), *map(len, fakes)]
    real, reconstruction, hybrid = zip(*(logits.split(sizes) for logits in heads), strict=True)
    references, others, swapped = crop(images), crop(images), crop(fakes.hybrids)
    features = patch_discriminator.features(torch.cat([references, others, swapped], 1))
    count = references.shape[1]
    reference, other, swap = features.split(count, 1)
    reference = reference.mean(1, keepdim=True).expand_as(other)
    patch_logits = patch_discriminator.logits(torch.cat([reference, reference], 1), torch.cat([other, swap], 1))
    terms = {
        "d_real": over_heads(adversarial.real, real),
        "d_reconstruction": 0.5 * over_heads(adversarial.fake, reconstruction),
        "d_hybrid": 0.5 * over_heads(adversarial.fake, hybrid),
        "d_patch_real": adversarial.real(patch_logits[:, :count]),
        "d_patch_hybrid": adversarial.fake(patch_logits[:, count:]),
    }
    return Losses(terms, {"real_sign": over_heads(lambda logits: logits.detach().float().sign().mean(), real)})


def r1_losses(
    images: Tensor,
    image_discriminator: Callable[[Tensor], Tensor],
    patch_discriminator: PatchFeatures,
    crop: Cropper,
    augment: Augmenter,
    weights: LossWeights,
    interval: int,
) -> Losses:
    """Gradient penalty on real images and patches (Mescheder et al. 2018), for every `interval`-th step.

    weight / 2 * |gradient|^2 per image. For patches it is summed over an image's patches of both sets, and has
    an extra half as in the release. Multiplied by the interval, so that its mean strength does not depend on it
    (StyleGAN2). Taken where the discriminators look: at augmented images.
    """
    references, others = (crop(images).detach().requires_grad_() for _ in range(2))
    images = augment(images).detach().requires_grad_()
    with CheapSecondDerivatives():
        logits = image_discriminator(images)
        features = patch_discriminator.features(torch.cat([references, others], 1))
        reference, other = features.split(references.shape[1], 1)
        patch_logits = patch_discriminator.logits(reference.mean(1, keepdim=True).expand_as(other), other)
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    patch_gradients = torch.autograd.grad(patch_logits.sum(), (references, others), create_graph=True)
    penalty = gradient.square().sum((1, 2, 3)).mean()
    of_references, of_others = (g.square().sum((1, 2, 3, 4)).mean() for g in patch_gradients)
    patch_penalty = of_references + of_others
    terms = {
        "d_r1": weights.r1 / 2 * interval * penalty + zero_of_biases(image_discriminator),
        "d_patch_r1": weights.patch_r1 / 4 * interval * patch_penalty + zero_of_biases(patch_discriminator),
    }
    return Losses(terms, {})


def zero_of_biases(network: object) -> Tensor | float:
    """Zero, whose gradient gives a network's biases one: they do not enter that of the logits, but DDP demands it.

    A multiple of the logits would do too, but send its zeros back through the whole network.
    """
    parameters = network.parameters() if isinstance(network, nn.Module) else ()
    return sum(0 * parameter.sum() for parameter in parameters if parameter.dim() == 1)


def generator_losses(
    fakes: Fakes,
    images: Tensor,
    image_discriminator: ImageHeads,
    patch_discriminator: PatchFeatures,
    crop: Cropper,
    augment: Augmenter,
    weights: LossWeights,
    perceptual_distance: Callable[[Tensor, Tensor], Tensor] | None = None,
    adversarial: Adversarial = NON_SATURATING,
    head_features: Sequence[Tensor] = (),
) -> Losses:
    """Losses of encoder and generator (Eq. 1 to 5); each discriminator is called once.

    Args:
        head_features: what the generator's blocks at the structure's resolution made, for `alternation_loss`.
    """
    heads = image_discriminator(torch.cat([augment(kind) for kind in fakes]))
    sizes = [*map(len, fakes)]
    reconstruction, hybrid = zip(*(logits.split(sizes) for logits in heads), strict=True)
    with torch.no_grad():
        references = crop(images)
    swapped = crop(fakes.hybrids)
    features = patch_discriminator.features(torch.cat([references, swapped], 1))
    reference, swap = features.split(references.shape[1], 1)
    patch_logits = patch_discriminator.logits(reference.mean(1, keepdim=True).expand_as(swap), swap)
    terms = reconstruction_losses(fakes.reconstructions, images[::2], weights, perceptual_distance).terms | {
        "g_reconstruction": weights.gan_reconstruction * over_heads(adversarial.fool, reconstruction),
        "g_hybrid": weights.gan_swap * over_heads(adversarial.fool, hybrid),
        "g_patch": weights.patch * adversarial.fool(patch_logits),
    }
    if weights.colour:
        terms["g_colour"] = weights.colour * colour_loss(fakes.hybrids, images)
    if weights.alternation:
        terms["g_alternation"] = weights.alternation * alternation_loss(head_features, fakes.hybrids)
    return Losses(terms, {})


def colour_loss(hybrids: Tensor, images: Tensor) -> Tensor:
    """Mean absolute difference of hybrids [B, 3, H, W] from their texture images in channels' means and deviations."""
    (mean, deviation), (wanted_mean, wanted_deviation) = (
        (x.mean((2, 3)), (x.var((2, 3)) + 1e-5).sqrt()) for x in (upcast(hybrids), upcast(images))
    )
    return F.l1_loss(mean, wanted_mean) + F.l1_loss(deviation, wanted_deviation)


def alternation_loss(head_features: Sequence[Tensor], hybrids: Tensor) -> Tensor:
    """What alternates from cell to cell of the structure code: a grid of dots, or of stripes, in pictures.

    Head blocks' features [B, C, h, w], which nothing low-passes, may amplify a trace of it until it carries the grain:
    their share is held down altogether. Later blocks may draw dots out of the trace that is left, in hybrids of unlike
    images above all: of hybrids [B, 3, H, W], brought to the same cells, what exceeds photographs' own share counts.
    """
    cells = F.avg_pool2d(upcast(hybrids), hybrids.shape[-1] // head_features[0].shape[-1])
    drawn = F.relu(alternating_share(cells) - PHOTOGRAPHS_ALTERNATE)
    return torch.stack([alternating_share(features).mean() for features in head_features]).mean() + drawn.mean()


def alternating_share(features: Tensor) -> Tensor:
    """Share [B] of the variance of features [B, C, h, w] that alternates from cell to cell, along x, y or both."""
    features = upcast(features)
    high, low = features.new_tensor([[-1, 2, -1], [1, 2, 1]]) / 4
    kernels = torch.stack([torch.outer(a, b) for a, b in ((high, high), (high, low), (low, high))])
    alternating = F.conv2d(features.flatten(0, 1)[:, None], kernels[:, None]).square().mean((2, 3)).sum(1)
    return alternating.view(features.shape[:2]).sum(1) / (features.var((2, 3)).sum(1) + 1e-8)


def reconstruction_losses(
    reconstructions: Tensor,
    originals: Tensor,
    weights: LossWeights,
    perceptual_distance: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Losses:
    """Losses of how far reconstructions [B, 3, H, W] are from their originals (Eq. 1)."""
    terms = {"g_l1": weights.reconstruction * F.l1_loss(upcast(reconstructions), upcast(originals))}
    if perceptual_distance is not None and weights.perceptual:
        terms["g_perceptual"] = weights.perceptual * perceptual_distance(reconstructions, originals).mean()
    return Losses(terms, {})
