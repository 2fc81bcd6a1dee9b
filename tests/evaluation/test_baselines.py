"""The methods that the model is measured against: each by a case whose answer is known."""

import pytest
import torch

from benchmarks.baselines.colours import ColourTransfer, Unchanged, transport
from benchmarks.baselines.encoder import Encoder
from benchmarks.baselines.latents import Im2StyleGAN, Projector, Spread, race
from benchmarks.baselines.strotss import collapsed, hypercolumns, pyramid, random_places, relaxed_distance


def random_images(count, seed=0):
    coarse = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear").tanh().split(1)


def test_colours_take_the_mean_and_covariance_of_the_other():
    structure, texture = (0.3 * image for image in random_images(2))
    moved = ColourTransfer().hybrid(structure, texture)
    pixels, others = (image[0].flatten(1) for image in (moved, texture))
    torch.testing.assert_close(pixels.mean(1), others.mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(pixels), torch.cov(others), atol=1e-4, rtol=0)
    torch.testing.assert_close(ColourTransfer().hybrid(structure, structure), structure, atol=1e-5, rtol=0)
    assert Unchanged().hybrid(structure, texture) is structure
    a, b = (torch.diag(torch.tensor(values, dtype=torch.float64)) for values in ([1.0, 4.0], [9.0, 1.0]))
    assert transport(a, b).diagonal().tolist() == pytest.approx([3.0, 0.5])


def test_the_relaxed_distance_is_the_worse_direction():
    distances = torch.tensor([[0.0, 1.0, 5.0], [2.0, 0.0, 4.0]])
    assert relaxed_distance(distances).item() == pytest.approx(4 / 3)  # of the columns: 0, 0 and 4


def test_hypercolumns_are_those_of_the_interpolated_layers():
    (image,) = random_images(1)
    layers = [image, image[:, :2, ::4, ::4]]
    places = random_places(image, 10**6, torch.Generator().manual_seed(0))
    found = hypercolumns(layers, places)
    everywhere = [torch.nn.functional.interpolate(layer, (32, 32), mode="bilinear") for layer in layers]
    pixels = ((places[0, 0] + 1) / 2 * 32 - 0.5).round().long()
    assert len(pixels.unique(dim=0)) == 32 * 32
    torch.testing.assert_close(found, torch.cat(everywhere, 1)[0, :, pixels[:, 1], pixels[:, 0]], atol=1e-5, rtol=0)


def test_a_pyramid_gives_its_image_back():
    (image,) = random_images(1)
    torch.testing.assert_close(collapsed(pyramid(image)), image)


@pytest.mark.parametrize("method", [Im2StyleGAN, Projector])
def test_optimisation_approaches_the_photograph_and_stops_where_it_is_told(tiny_model, method):
    tiny_model.requires_grad_(False)
    images = random_images(4)

    def distance(a, b):
        return (a - b).square().mean((1, 2, 3))

    spread = Spread.of(tiny_model, images)
    target = Encoder(tiny_model).embed(images[0])  # what the codes can surely make
    start = race(method(tiny_model, distance, spread, 1), target, distance, 0.0, every=1)
    end = race(method(tiny_model, distance, spread, 40), target, distance, 0.0, every=10)
    assert start.seconds is None and end.seconds is None
    assert end.measured < 0.7 * start.measured
    goal = (start.measured + end.measured) / 2
    stopped = race(method(tiny_model, distance, spread, 40), target, distance, goal, every=1)
    assert stopped.measured <= goal and 1 < stopped.iterations < 40 and stopped.seconds > 0


def test_swapped_codes_make_a_hybrid(tiny_model):
    tiny_model.requires_grad_(False)
    images = random_images(3)
    method = Im2StyleGAN(tiny_model, lambda a, b: (a - b).abs().mean((1, 2, 3)), Spread.of(tiny_model, images), 2)
    hybrid = method.hybrid(images[0], images[1])
    assert hybrid.shape == images[0].shape and not torch.equal(hybrid, method.embed(images[0]))
