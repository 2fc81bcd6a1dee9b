"""Discriminators that look through a frozen network: what they see and what they learn."""

import pytest
import torch

from swapae.backbones import FrozenBackbone
from swapae.config import DiscriminatorConfig
from swapae.errors import UserError
from swapae.feature_discriminators import (
    TAP_CHANNELS,
    TAPS,
    FeatureImageDiscriminator,
    FeaturePatchDiscriminator,
    SpectralConv,
    SpectralLinear,
    power_iteration,
    unit_features,
)
from swapae.losses import HINGE, LOSS_PRESETS, Fakes, discriminator_losses
from swapae.training.augment import jitter, shifted
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.generation import LEAST_NOISE, Generation, keep_noise
from swapae.training.generator_step import GeneratorStep
from swapae.training.grain import hide_grain
from swapae.training.optimizers import discriminator_adam
from swapae.training.random import StepRandom

SIZES = DiscriminatorConfig(crop_size=64, patch_size=16)
WEIGHTS = LOSS_PRESETS["features"]


@pytest.fixture(scope="module")
def backbone():
    return FrozenBackbone("squeeze")


@pytest.fixture
def discriminators(backbone):
    torch.manual_seed(0)
    return DiscriminatorStep(SIZES, WEIGHTS, backbone=backbone)


@pytest.mark.parametrize(
    ("layer", "shape"), [(lambda: SpectralLinear(24, 40), (2, 24)), (lambda: SpectralConv(6, 20, 3), (2, 6, 8, 8))]
)
def test_spectral_norm_is_the_largest_singular_value(layer, shape):
    torch.manual_seed(0)
    layer = layer().double()
    for _ in range(200):
        layer.power_iteration()
    assert torch.linalg.svdvals(layer.normalised().flatten(1))[0].item() == pytest.approx(1, rel=1e-6)
    before = layer.left.clone()
    layer(torch.randn(shape, dtype=torch.float64))
    assert torch.equal(layer.left, before)  # using it changes nothing


def test_spectral_norm_has_torchs_gradient():
    torch.manual_seed(0)
    ours = SpectralLinear(10, 7).double()
    for _ in range(300):
        power_iteration(ours)
    theirs = torch.nn.Linear(10, 7).double()
    theirs.load_state_dict({name: value for name, value in ours.state_dict().items() if name != "left"})
    theirs = torch.nn.utils.parametrizations.spectral_norm(theirs, n_power_iterations=300).eval()
    x = torch.randn(5, 10, dtype=torch.float64)
    for layer in (ours, theirs):
        layer(x).square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.parametrizations.weight.original.grad, rtol=1e-6, atol=1e-9)


def test_every_layer_that_is_looked_at_has_a_mean_square_of_one(backbone):
    layers = unit_features(backbone(torch.rand(2, 3, 64, 64) * 2 - 1, TAPS))
    assert [layer.shape[1] for layer in layers] == list(TAP_CHANNELS)
    for layer in layers:
        torch.testing.assert_close(layer.square().mean(1), torch.ones_like(layer[:, 0]), rtol=1e-2, atol=1e-2)


def test_five_heads_at_four_scales_and_on_pixels(backbone):
    torch.manual_seed(0)
    discriminator = FeatureImageDiscriminator(backbone)
    with torch.no_grad():
        pixels, *scales = discriminator(torch.rand(2, 3, 128, 128))
    assert len(scales) == 4 and pixels.shape == (2, 1, 32, 32)
    assert all(logits.shape == (2, 1, 7, 7) for logits in scales)
    fixed = [name for name, parameter in discriminator.named_parameters() if not parameter.requires_grad]
    assert fixed == [f"channel_mixing.{i}.weight" for i in range(4)] + [f"scale_mixing.{i}.weight" for i in range(3)]


def test_the_frozen_network_is_in_no_checkpoint_and_learns_nothing(discriminators, backbone, tiny_model):
    names = [*discriminators.state_dict(), *(name for name, _ in discriminators.named_parameters())]
    assert not any("backbone" in name for name in names)
    assert sum(value.numel() for value in discriminators.state_dict().values()) < 4e6
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    discriminators(tiny_model, images, StepRandom(0, 0)).total.backward()
    assert all(parameter.grad is None for parameter in backbone.parameters())
    learning = [parameter for parameter in discriminators.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in learning)


def test_patches_are_compared_with_the_mean_of_the_references(backbone):
    torch.manual_seed(0)
    discriminator = FeaturePatchDiscriminator(backbone)
    patches = torch.rand(2, 3, 3, 16, 16) * 2 - 1
    features = discriminator.features(patches)
    assert features.shape[:2] == (2, 3)
    torch.testing.assert_close(features[1, 2], discriminator.features(patches[1:, 2:])[0, 0], rtol=1e-4, atol=1e-5)
    assert discriminator.logits(features.mean(1, keepdim=True).expand_as(features), features).shape == (2, 3)
    # Features of unit length hardly hold colour: the same patch in another colour must differ all the same.
    other = discriminator.features((patches * torch.tensor([1.0, 0.3, 0.3]).view(3, 1, 1)).clamp(-1, 1))
    assert (other - features).norm() > 0.05 * features.norm()


def test_hinge_terms_by_hand():
    images = torch.full((2, 3, 32, 32), 0.5)
    fakes = Fakes(torch.full((1, 3, 32, 32), 0.25), torch.full((2, 3, 32, 32), -1.5))

    class Patches:
        def features(self, patches):
            return patches.mean((2, 3, 4))[..., None]

        def logits(self, reference, features):
            return (features - reference)[..., 0]

    def heads(x):
        return [x.mean((1, 2, 3)), 2 * x.mean((1, 2, 3), keepdim=True)]

    def crop(x):
        return x[:, None].expand(-1, 4, -1, -1, -1)

    losses = discriminator_losses(fakes, images, heads, Patches(), crop, lambda x: x, HINGE)
    assert {name: value.item() for name, value in losses.terms.items()} == pytest.approx(
        {
            "d_real": (0.5 + 0.0) / 2,
            "d_reconstruction": 0.5 * (1.25 + 1.5) / 2,
            "d_hybrid": 0.0,
            "d_patch_real": 1.0,
            "d_patch_hybrid": 0.0,
        },
        abs=1e-6,
    )
    assert losses.statistics["real_sign"] == 1


@pytest.mark.slow
def test_they_learn_in_few_updates_to_tell_photographs_from_blurred_ones(backbone):
    """What pixel discriminators take thousands of updates for."""
    torch.manual_seed(0)
    discriminators = DiscriminatorStep(SIZES, WEIGHTS, backbone=backbone)
    optimizer = discriminator_adam(discriminators, 0.0005)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0005, 0.001]
    generator = torch.Generator().manual_seed(1)
    last = None
    for step in range(40):
        sharp = torch.randn(4, 3, 64, 64, generator=generator).mul(0.5).clamp(-1, 1)
        blurred = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1) * 3
        fakes = Fakes(blurred[::2], blurred)
        losses = discriminators(None, sharp, StepRandom(0, step), fakes=fakes)
        last = {name: value.item() for name, value in losses.terms.items()}
        losses.total.backward()
        optimizer.step()
        optimizer.zero_grad()
        discriminators.finish_update()
    assert last["d_real"] + last["d_reconstruction"] + last["d_hybrid"] < 1.0  # 2 is blind


def test_the_generator_and_the_discriminators_share_fakes(discriminators, tiny_model):
    generator = GeneratorStep(tiny_model.train(), WEIGHTS, Generation("hybrids", True, 0.5, 0.4))
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    losses, fakes = generator(discriminators, images, StepRandom(0, 0))
    assert [len(kind) for kind in fakes] == [2, 4] and not any(kind.requires_grad for kind in fakes)
    assert {"g_l1", "g_reconstruction", "g_hybrid", "g_patch", "g_colour", "g_alternation"} == set(losses.terms)
    losses.total.backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())
    assert all(parameter.grad is None for parameter in discriminators.parameters())


def test_noise_is_in_hybrids_alone_and_is_kept_alive(discriminators, tiny_model):
    head, last = tiny_model.generator.blocks[0], tiny_model.generator.blocks[-1]
    torch.nn.init.constant_(last.conv1.noise_weight, -0.3)
    torch.nn.init.zeros_(last.conv2.noise_weight)
    torch.nn.init.constant_(head.conv1.noise_weight, 0.3)
    frozen = tiny_model.generator.blocks[-2].conv1.noise_weight.requires_grad_(False)
    torch.nn.init.zeros_(frozen)
    keep_noise(tiny_model)
    assert frozen.item() == 0
    frozen.requires_grad_(True)
    assert last.conv1.noise_weight.item() == pytest.approx(-0.3)
    assert last.conv2.noise_weight.item() == pytest.approx(LEAST_NOISE)
    assert head.conv1.noise_weight.item() == head.conv2.noise_weight.item() == 0  # of a cell's size
    generator = GeneratorStep(tiny_model, WEIGHTS, Generation("hybrids"))
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        (_, one), (_, other) = (generator(discriminators, images, StepRandom(0, step)) for step in range(2))
    assert torch.equal(one.reconstructions, other.reconstructions)
    assert not torch.allclose(one.hybrids, other.hybrids)
    torch.testing.assert_close(
        one.reconstructions, tiny_model.decode(tiny_model.encode(images), noise="zero")[:1], rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_shares_of_a_batch_have_the_gradients_of_the_whole(backbone, tiny_model):
    """In float64, so that only a real difference shows."""
    torch.manual_seed(0)
    frozen = FrozenBackbone("squeeze").double()
    reading = Generation("hybrids", True, 0.5, 0.4)
    discriminators = DiscriminatorStep(SIZES, WEIGHTS, reading, backbone=frozen).double()
    generator = GeneratorStep(tiny_model.double().train(), WEIGHTS, reading)
    images = torch.rand(4, 3, 64, 64, dtype=torch.float64) * 2 - 1

    def gradients(images, draws):
        generator.zero_grad(set_to_none=True)
        discriminators.zero_grad(set_to_none=True)
        losses, fakes = generator(discriminators, images, draws)
        losses.total.backward()
        discriminators(None, images, draws, fakes=fakes).total.backward()
        return [p.grad for module in (generator, discriminators) for p in module.parameters() if p.requires_grad]

    whole = gradients(images, StepRandom(1, 2))
    shares = [gradients(images[2 * p : 2 * p + 2], StepRandom(1, 2, p, 2)) for p in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        # The backbone takes float32 images, so that rounding differs a little.
        torch.testing.assert_close(sum(parts) / 2, batch, rtol=1e-3, atol=1e-5)


def test_crops_that_are_too_small_to_be_looked_at(backbone):
    with pytest.raises(UserError, match="sees nothing of crops of 24 pixels with patches of 16.*larger --resolution"):
        DiscriminatorStep(DiscriminatorConfig(crop_size=24, patch_size=16), WEIGHTS, backbone=backbone)


def test_shifts_are_of_whole_pixels():
    images = torch.arange(100.0).view(1, 1, 10, 10).expand(3, 1, 10, 10)
    crops = shifted(images, torch.tensor([[0.0, 0.0], [0.999, 0.0], [0.5, 0.999]]), 3)
    assert crops.shape == (3, 1, 7, 7)
    assert crops[:, 0, 0, 0].tolist() == [0, 30, 23]


def test_jitter_keeps_the_middle_as_it_is():
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    same = jitter(images, torch.tensor([[0.5, 0.5, 0.5, 0.5, 0.5]]).expand(2, -1))
    torch.testing.assert_close(same, images)
    moved = jitter(images, torch.tensor([[0.75, 0.5, 0.5, 0.5, 0.0]]).expand(2, -1))
    torch.testing.assert_close(moved[..., 8:], images[..., :-8] + 0.125)


def test_grain_is_hidden_in_a_share_of_the_images():
    torch.manual_seed(0)
    images = torch.randn(400, 3, 16, 16).clamp(-1, 1)
    draws, noise = torch.rand(400, 3), torch.randn(400, 3, 16, 16)
    changed = (hide_grain(images, draws, noise, 0.25) != images).flatten(1).any(1)
    assert torch.equal(changed, draws[:, 0] < 0.25) and 60 < changed.sum() < 140
    assert torch.equal(hide_grain(images, draws, noise, 0.0), images)
    large = torch.randn(8, 3, 64, 64)
    blurred = hide_grain(large, torch.tensor([[0.0, 1.0, 0.0]]).expand(8, -1), torch.randn_like(large), 1.0)
    assert blurred.shape == large.shape and blurred.std() < 0.5 * large.std()
