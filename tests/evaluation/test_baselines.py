"""The methods that the model is measured against: each by a case whose answer is known."""

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.baselines.colours import ColourTransfer, Unchanged, transport
from benchmarks.baselines.encoder import Encoder
from benchmarks.baselines.latents import Im2StyleGAN, Projector, Spread, race
from benchmarks.baselines.strotss import collapsed, hypercolumns, pyramid, random_places, relaxed_distance
from benchmarks.baselines.wavelets import WaveletAutoencoder, bands, haar, load, reconstruction_loss
from benchmarks.baselines.wct2 import Wct2, stylised, whitened_and_coloured
from swapae import UserError
from swapae.evaluation.lpips import LPIPS


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


def test_haar_is_orthonormal_and_its_bands_sum_to_its_inverse():
    x = torch.randn(2, 5, 8, 6, generator=torch.Generator().manual_seed(0))
    low, details = haar(x)
    torch.testing.assert_close(low.square().sum() + details.square().sum(), x.square().sum())
    torch.testing.assert_close(torch.stack(bands(low, details)).sum(0), x)
    # A step from top to bottom is in LH alone, as PyWavelets has it too.
    step = torch.tensor([1.0, 1.0, -1.0, -1.0]).view(1, 1, 2, 2)
    assert haar(step)[1].flatten().tolist() == [2.0, 0.0, 0.0]


def test_whitening_and_colouring_gives_the_others_mean_and_covariance():
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(6, 6, generator=generator)
    x, other = torch.randn(6, 400, generator=generator), mix @ torch.randn(6, 300, generator=generator) + 3
    moved = whitened_and_coloured(x, other)
    torch.testing.assert_close(torch.cov(moved), torch.cov(other), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(moved.mean(1), other.mean(1), atol=1e-4, rtol=0)
    flat = torch.cat([other[:5], torch.zeros(1, 300)])  # a channel in which nothing varies, as ReLU leaves them
    torch.testing.assert_close(torch.cov(whitened_and_coloured(x, flat)), torch.cov(flat), atol=1e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def small_wavelets():
    torch.manual_seed(0)
    return WaveletAutoencoder((4, 6, 8, 8), (2, 1, 2)).requires_grad_(False)


def test_a_photograph_in_its_own_style_is_its_reconstruction(small_wavelets):
    (image,) = random_images(1)
    made = Wct2(small_wavelets, "WCT2").hybrid(image, image)
    torch.testing.assert_close(made, small_wavelets(image).clamp(-1, 1), atol=1e-3, rtol=0)


def test_segments_take_the_statistics_of_their_own_label():
    generator = torch.Generator().manual_seed(0)
    content, style = torch.randn(1, 3, 16, 16, generator=generator), torch.randn(1, 3, 16, 16, generator=generator)
    style[..., 8:] += 5
    halves = (torch.arange(16) >= 8).float().expand(1, 1, 16, 16)
    moved = stylised(content, style, (halves, halves))
    torch.testing.assert_close(moved[..., 8:].mean((2, 3)), style[..., 8:].mean((2, 3)), atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[..., :8].mean((2, 3)), style[..., :8].mean((2, 3)), atol=1e-4, rtol=0)
    elsewhere = stylised(content, style, (halves, halves + 7))
    torch.testing.assert_close(elsewhere, content)  # no label of the one is in the other


def test_weights_of_either_kind_are_read_and_others_refused(small_wavelets, tmp_path):
    """Networks by the paper's names: a 1x1 convolution before, images in [0, 1], and the filters of the wavelets."""
    (image,) = random_images(1)
    save_file(small_wavelets.state_dict(), tmp_path / "ours.safetensors")
    torch.testing.assert_close(load(tmp_path / "ours.safetensors")(image), small_wavelets(image))

    parts = {part: getattr(small_wavelets, part).state_dict() for part in ("encoder", "decoder")}
    colours = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    parts["encoder"] |= {"conv0.weight": colours[:, :, None, None], "conv0.bias": torch.tensor([0.1, 0.2, 0.3])}
    down = torch.tensor([1.0, 1.0, -1.0, -1.0]) / 2
    for level, width in ((1, 4), (2, 6), (3, 8)):
        parts["encoder"][f"pool{level}.LH.weight"] = down.view(1, 1, 2, 2).expand(width, 1, 2, 2)
        parts["encoder"][f"pool{level}.HL.weight"] = down.view(2, 2).T.reshape(1, 1, 2, 2).expand(width, 1, 2, 2)
    folder = tmp_path / "published"
    folder.mkdir()
    for part, tensors in parts.items():
        torch.save(tensors, folder / f"{part}.pth")
    moved = torch.einsum("cd,bdhw->bchw", colours, (image + 1) / 2) + torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    torch.testing.assert_close(load(folder)(image), 2 * small_wavelets(moved) - 1, atol=1e-5, rtol=1e-5)

    with pytest.raises(UserError, match=r"no weights of WCT2's networks"):
        save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
        load(tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"as two files of weights"):
        load(tmp_path / ".")
    with pytest.raises(UserError, match=r"there is no .*nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("finest", [0, 2])
def test_a_wavelet_autoencoder_learns_to_reconstruct(finest):
    torch.manual_seed(0)
    network = WaveletAutoencoder((4, 6, 8, 8), (1, 1, 1), concatenate=False)
    lpips, image = LPIPS("squeeze"), random_images(1)[0]
    adam = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(25):
        loss = reconstruction_loss(network, lpips, image, finest)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]
