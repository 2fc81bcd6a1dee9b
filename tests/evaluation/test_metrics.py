import math
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch

from swapae.codes import Codes
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.metrics import (
    frechet_distance,
    kernel_distance,
    local_frechet,
    local_moments,
    luminance_patches,
    pooled,
    psnr,
    self_similarity,
    sifid,
    ssim,
    structure_distance,
    texture_distance,
    texture_statistics,
)
from swapae.evaluation.validation import Evaluator
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images

EXAMPLES = Path(__file__).parents[2] / "swapae/examples/flowers"


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_self_similarity_by_hand():
    features = torch.tensor([[[[1.0, 0.0]], [[0.0, 2.0]]]])  # two places, at right angles
    assert self_similarity(features)[0].tolist() == [[1, 0], [0, 1]]
    same = torch.tensor([[[[1.0, 3.0]], [[1.0, 3.0]]]])
    assert structure_distance(features, same).item() == pytest.approx(0.5)  # two of four cosines differ by 1
    assert self_similarity(random(2, 3, 40, 33)).shape == (2, 32 * 32, 32 * 32)


def test_structure_distance_sees_places_and_not_what_is_there():
    a = random(2, 8, 6, 5)
    rotation = torch.linalg.qr(random(8, 8, seed=1))[0]
    renamed = torch.einsum("oc,bchw->bohw", rotation, a) * 7  # other features, as unlike one another as before
    torch.testing.assert_close(structure_distance(a, renamed), torch.zeros(2), atol=1e-5, rtol=0)
    moved = a.roll(2, 3)
    assert structure_distance(a, moved).min() > 0.1
    torch.testing.assert_close(texture_distance([a], [moved]), torch.zeros(2), atol=1e-5, rtol=0)
    assert texture_distance([a], [renamed]).min() > 0.1


def test_texture_statistics_by_hand():
    layer = torch.tensor([[[[0.0, 2.0]], [[3.0, 3.0]]]])
    assert texture_statistics([layer])[0].tolist() == pytest.approx([x / 2**0.5 for x in (1, 3, 1, 0)])
    other = torch.tensor([[[[1.0, 1.0]], [[3.0, 3.0]]]])
    assert texture_distance([layer, layer], [other, layer]).item() == pytest.approx(1 / 2**0.5)


def test_psnr_by_hand():
    a = torch.zeros(2, 3, 4, 5)
    b = torch.stack([a[0] + 0.2, a[1] + 2])  # 0.1 of the range, and all of it
    assert psnr(a, b).tolist() == pytest.approx([20, 0], abs=1e-5)


def test_ssim_is_that_of_its_definition_window_by_window():
    a, b = random(1, 1, 13, 12).clamp(-1, 1).double(), random(1, 1, 13, 12, seed=1).clamp(-1, 1).double()
    offsets = [(y, x, math.exp(-(y * y + x * x) / 4.5)) for y in range(-5, 6) for x in range(-5, 6)]
    total = sum(weight for *_, weight in offsets)
    values = []
    for row in range(5, 8):
        for column in range(5, 7):
            pairs = [
                ((a[0, 0, row + y, column + x].item() + 1) * 127.5, (b[0, 0, row + y, column + x].item() + 1) * 127.5)
                for y, x, _ in offsets
            ]
            weights = [weight / total for *_, weight in offsets]
            mean_a, mean_b = (sum(w * pair[i] for w, pair in zip(weights, pairs, strict=True)) for i in (0, 1))
            variance_a = sum(w * (p - mean_a) ** 2 for w, (p, _) in zip(weights, pairs, strict=True))
            variance_b = sum(w * (q - mean_b) ** 2 for w, (_, q) in zip(weights, pairs, strict=True))
            covariance = sum(w * (p - mean_a) * (q - mean_b) for w, (p, q) in zip(weights, pairs, strict=True))
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append(
                (2 * mean_a * mean_b + c1)
                * (2 * covariance + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
            )
    assert ssim(a, b).item() == pytest.approx(sum(values) / len(values), abs=1e-9)
    assert ssim(a, a).item() == pytest.approx(1)


def test_frechet_distance_of_known_gaussians():
    """Two sets whose means and covariances are exact: axes of length +-s, in a turned frame."""
    rotation = torch.linalg.qr(random(3, 3).double())[0]

    def axes(deviations, shift):
        points = torch.cat([torch.diag(torch.tensor(deviations)), -torch.diag(torch.tensor(deviations))]).double()
        return (points + torch.tensor(shift).double()) @ rotation.T

    a, b = axes([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]), axes([2.0, 2.0, 1.0], [1.0, 0.0, 2.0])
    # Covariances are 2 s^2 / 5; in one frame the distance is that of the means and of the deviations.
    expected = 1 + 4 + 2 / 5 * ((1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="2 or more"):
        frechet_distance(a[:1], b)


def scipy_frechet(a, b):
    """Heusel et al. 2017, Eq. 6, with a matrix square root by another method: samples [N, C]."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)


def test_frechet_distance_and_sifid_are_those_of_scipy():
    mixing = random(6, 6, seed=3).double()
    a, b = random(50, 6).double() @ mixing, random(70, 6, seed=1).double() + 0.5
    assert frechet_distance(a, b) == pytest.approx(scipy_frechet(a.numpy(), b.numpy()), rel=1e-9)
    maps = random(8, 9, 7), random(8, 5, 12, seed=1).relu()  # places are samples: maps may differ in size
    places = [one.double().reshape(8, -1).T.numpy() for one in maps]
    assert sifid(*maps) == pytest.approx(scipy_frechet(*places), rel=1e-9)
    shuffled = maps[0].flatten(1)[:, torch.randperm(63)].view(8, 7, 9)
    assert sifid(maps[0], shuffled) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="2 or more"):
        sifid(torch.ones(8, 1, 1), maps[0])


def test_kernel_distance_in_parts_is_that_of_all_at_once():
    a, b = random(1500, 3).double(), random(1100, 3, seed=1).double()
    within_a, within_b, between = ((x @ y.T / 3 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    expected = sum((w.sum() - w.trace()) / (len(w) * (len(w) - 1)) for w in (within_a, within_b)) - 2 * between.mean()
    assert kernel_distance(a, b) == pytest.approx(expected.item(), abs=1e-10)


def test_kernel_distance_by_hand_and_unbiased():
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    # k(x, y) = (x y + 1)^3: within a 1, within b 27, between 1, 1, 8, 27.
    assert kernel_distance(a, b) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)
    same = [kernel_distance(random(20, 4, seed=2 * i), random(30, 4, seed=2 * i + 1)) for i in range(200)]
    spread = torch.tensor(same).std().item() / 200**0.5
    assert abs(sum(same) / 200) < 3 * spread and min(same) < 0
    with pytest.raises(ValueError, match="2 or more"):
        kernel_distance(a, b[:1])


class Fixed:
    """A model whose codes are its images' numbers, and which decodes to what a function says."""

    def __init__(self, images, decode):
        self.images, self._decode = images, decode

    def encode(self, image):
        number = torch.tensor([[next(i for i, other in enumerate(self.images) if other is image)]])
        return Codes(number, number)

    def reconstruction_noise(self):
        return "zero"

    def decode(self, codes, noise=None):
        structure, texture = map(int, codes)
        assert (noise == "zero") == (structure == texture)
        return self._decode(structure, texture)


@pytest.fixture(scope="module")
def images():
    pictures = [fit(load_image(path), 64, 8, 56).tensor[..., :64, :64] for path in list_images(EXAMPLES)]
    return pictures[:4]


def test_evaluation_tells_good_models_from_bad_ones(images):
    evaluation = Evaluator(images, LPIPS("squeeze"))

    def scores(decode):
        return evaluation(Fixed(images, decode))

    structure_only = scores(lambda structure, texture: images[structure])
    local = structure_only["local"]
    assert structure_only == pytest.approx(
        {"lpips": 0, "structure": 0, "texture": 1, "local": local, "score": 1 + local / 4}, abs=1e-5
    )
    assert 0.5 < local < 2  # photographs themselves
    texture_only = scores(lambda structure, texture: images[texture])
    assert texture_only["structure"] == pytest.approx(1) and texture_only["texture"] == pytest.approx(0, abs=1e-5)

    def recoloured(structure, texture):
        """The structure image with the mean and deviation of the texture image's colours."""
        a, b = images[structure], images[texture]
        return (a - a.mean((2, 3), True)) / a.std((2, 3), keepdim=True) * b.std((2, 3), keepdim=True) + b.mean(
            (2, 3), True
        )

    hybrid = scores(recoloured)
    assert hybrid["lpips"] == pytest.approx(0, abs=1e-3) and hybrid["structure"] < 0.8 and hybrid["texture"] < 0.8
    grey = scores(lambda structure, texture: torch.zeros_like(images[0]))
    assert grey["lpips"] > 0.5
    assert hybrid["score"] < min(structure_only["score"], texture_only["score"], grey["score"])
    assert hybrid["score"] == pytest.approx(
        hybrid["lpips"] + hybrid["structure"] + hybrid["texture"] + hybrid["local"] / 4
    )


def test_local_frechet_of_patches_sees_hatching_and_blur_wherever_they_are(images):
    def local(change):
        made = [local_moments(luminance_patches(change(image))[0]) for image in images]
        photographs = [local_moments(luminance_patches(image)[0]) for image in images]
        return local_frechet(photographs, made, range(len(images)))

    hatching = 0.3 * (torch.arange(64) % 4 < 2).float().sub(0.5)
    plain = local(lambda image: image)
    assert plain == pytest.approx(1)
    assert local(lambda image: image + hatching) > 1.01
    assert local(lambda image: torch.nn.functional.avg_pool2d(image, 9, 1, 4)) > 1.05


def test_pooled_moments_are_those_of_all_places(images):
    patches = [luminance_patches(image)[0] for image in images]
    assert patches[0].shape == (144, 11, 11)
    corner = images[0][0, :, :12, :12]
    luminance = (corner * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0)
    torch.testing.assert_close(patches[0][:, 0, 0], luminance.flatten())
    mean, covariance = pooled([local_moments(one) for one in patches])
    together = torch.cat([one.flatten(1) for one in patches], 1).double()
    torch.testing.assert_close(mean, together.mean(1))
    torch.testing.assert_close(covariance, torch.cov(together, correction=0), rtol=1e-6, atol=1e-9)
