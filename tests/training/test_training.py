import copy
import dataclasses
import functools

import pytest
import torch
from sizes import CRITICS

from swapae import PRESETS, SwapAE
from swapae.backbones import FrozenBackbone
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator
from swapae.errors import UserError
from swapae.losses import Losses, LossWeights
from swapae.training.config import TrainConfig
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.generation import Generation
from swapae.training.generator_step import GeneratorStep
from swapae.training.optimizers import EMA, adam, compile_networks
from swapae.training.random import StepRandom
from swapae.training.trainer import make_evaluator


def losses_of(made):
    """A step's losses, whether it gives its fakes too or not."""
    return made if isinstance(made, Losses) else made[0]


@pytest.fixture
def steps(tiny_model):
    torch.manual_seed(0)
    model = tiny_model.train()
    return GeneratorStep(model, LossWeights()), DiscriminatorStep(CRITICS, LossWeights())


def test_each_step_trains_its_own_networks_alone(steps):
    generator, discriminators = steps
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    discriminators(generator.model, images, StepRandom(0, 0)).total.backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad is not None for p in discriminators.parameters())
    discriminators.zero_grad(set_to_none=True)
    generator(discriminators, images, StepRandom(0, 0))[0].total.backward()
    assert all(p.grad is None and p.requires_grad for p in discriminators.parameters())
    assert all(p.grad is not None for p in generator.parameters())
    assert not {id(p) for p in generator.parameters()} & {id(p) for p in discriminators.parameters()}


def test_training_without_noise_leaves_its_weights_alone(tiny_model):
    generator = GeneratorStep(tiny_model.train(), LossWeights(), Generation("zero"))
    discriminators = DiscriminatorStep(CRITICS, LossWeights(), Generation("zero"))
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    reconstruction = [generator(discriminators, images, StepRandom(0, step))[0].terms["g_l1"] for step in range(2)]
    assert torch.equal(*reconstruction)  # crops are random, pictures are not
    generator(discriminators, images, StepRandom(0, 0))[0].total.backward()
    without = {name for name, parameter in tiny_model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in tiny_model.named_parameters() if name.endswith("noise_weight")}


def test_draws_do_not_depend_on_how_the_batch_is_shared_out():
    alone = StepRandom(3, 5)
    shares = [StepRandom(3, 5, process, 2) for process in range(2)]
    for _ in range(2):  # the second call draws other numbers
        whole = alone.uniform(4, 8, 5)
        assert torch.equal(whole, torch.cat([share.uniform(2, 8, 5) for share in shares]))
        maps = alone.noise(4, [(2, 3), (4, 6)], torch.device("cpu"))
        parts = [share.noise(2, [(2, 3), (4, 6)], torch.device("cpu")) for share in shares]
        assert [map.shape for map in maps] == [(4, 1, 2, 3), (4, 1, 4, 6)]
        assert all(
            torch.equal(map, torch.cat(pieces)) for map, pieces in zip(maps, zip(*parts, strict=True), strict=True)
        )
    assert not torch.equal(whole, alone.uniform(4, 8, 5))
    assert not torch.equal(StepRandom(3, 5).uniform(4), StepRandom(3, 6).uniform(4))
    assert not torch.equal(StepRandom(3, 5).uniform(4), StepRandom(4, 5).uniform(4))
    noise = torch.cat([map.flatten() for map in StepRandom(0, 0).noise(8, [(64, 64)], torch.device("cpu"))])
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03


@pytest.mark.slow
def test_gradients_of_shares_average_to_those_of_the_batch(steps):
    """In float64, so that only a real difference shows."""
    generator, discriminators = (step.double() for step in steps)
    images = torch.rand(4, 3, 64, 64, dtype=torch.float64) * 2 - 1

    def gradients(images, draws):
        found = []
        for module, other, options in (
            (discriminators, generator.model, {}),
            (discriminators, generator.model, {"r1": True}),
            (generator, discriminators, {}),
        ):
            module.zero_grad(set_to_none=True)
            losses_of(module(other, images, draws, **options)).total.backward()
            found += [parameter.grad for parameter in module.parameters()]
        return found

    whole = gradients(images, StepRandom(1, 2))
    shares = [gradients(images[2 * p : 2 * p + 2], StepRandom(1, 2, p, 2)) for p in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        torch.testing.assert_close(sum(parts) / 2, batch, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_compiled_steps_have_the_same_losses_and_gradients(steps, monkeypatch):
    """Without the compiler's last stage, which takes minutes: what it is given is captured from the real steps."""
    generator, discriminators = steps
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    monkeypatch.setattr(
        torch.nn.Module, "compile", functools.partialmethod(torch.nn.Module.compile, backend="aot_eager")
    )

    def everything():
        found = []
        turns = ((discriminators, {}), (discriminators, {"r1": True}), (generator, {}))
        for module, options in turns:
            other = discriminators if module is generator else generator.model
            module.zero_grad(set_to_none=True)
            losses = losses_of(module(other, images, StepRandom(0, 0), **options))
            losses.total.backward()
            found += [*losses.terms.values(), *(parameter.grad for parameter in module.parameters())]
        return found

    plain = everything()
    names = set(discriminators.state_dict())
    compile_networks(generator.model, discriminators)
    assert all(torch.allclose(*pair, rtol=1e-3, atol=1e-5) for pair in zip(plain, everything(), strict=True))
    assert set(discriminators.state_dict()) == names and generator.model.encoder._compiled_call_impl is not None


def test_lazy_r1_corrects_adam():
    parameter = torch.nn.Parameter(torch.zeros(1))
    lazy = adam([parameter], 0.002, lazy_r1_interval=16).param_groups[0]
    assert lazy["lr"] == pytest.approx(0.002 * 16 / 17)
    assert lazy["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert adam([parameter], 0.002).param_groups[0]["betas"] == (0.0, 0.99)


def test_averaged_weights_by_hand():
    source = torch.nn.Linear(1, 1, bias=False)
    target = copy.deepcopy(source)
    with torch.no_grad():
        source.weight.fill_(1.0), target.weight.fill_(0.0)
    averages = EMA(source, target, half_life=100)
    averages.update(batch=100, images_seen=10**6)
    assert target.weight.item() == pytest.approx(0.5)
    averages.update(batch=50, images_seen=1000)  # ramp: a half-life of 50
    assert target.weight.item() == pytest.approx(0.75)
    assert not target.weight.requires_grad
    EMA(source, target, half_life=100, ramp=False).update(batch=100, images_seen=100)
    assert target.weight.item() == pytest.approx(0.875)


def test_evaluations_of_all_runs_pair_photographs_that_are_no_neighbours_by_name():
    config = TrainConfig("photos", "run")
    images = [torch.full((1, 3, 64, 72), number / 20) for number in range(20)]
    kinds = [[round(20 * image.mean().item()) // 5 for image in make_evaluator(config, images).images] for _ in "ab"]
    assert kinds[0] == kinds[1] and sorted(kinds[0]) == sorted(list(range(4)) * 5)
    textures = make_evaluator(config, images).textures
    assert sum(kinds[0][i] != kinds[0][j] for i, j in enumerate(textures)) > 10


@pytest.mark.slow
def test_a_few_steps_lower_the_reconstruction_loss(tiny_model):
    torch.manual_seed(0)
    generator, discriminators = (
        GeneratorStep(tiny_model.train(), LossWeights()),
        DiscriminatorStep(CRITICS, LossWeights()),
    )
    images = torch.rand(4, 3, 1, 1).expand(-1, -1, 64, 64) * 2 - 1
    optimizer = adam(generator.parameters(), 0.01)
    losses = []
    for _ in range(30):
        made, _ = generator(discriminators, images, StepRandom(0, 0))
        losses.append(made.terms["g_l1"].item())
        optimizer.zero_grad()
        made.total.backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def accepted(preset):
    """Every resolution up to twice the preset's that `Preset.at` takes."""
    for resolution in range(preset.model.stride, 2 * preset.model.image_size + 1, preset.model.stride):
        try:
            yield preset.at(resolution)
        except UserError:
            continue


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_patches_of_larger_crops_keep_their_size_in_pixels(kind):
    preset = PRESETS["small256"]
    cropped = preset.cropped(256)
    assert cropped.data.crop_size == cropped.data.size == 256
    assert cropped.discriminators.patch_size == preset.discriminators.patch_size
    backbone = FrozenBackbone("squeeze") if kind == "features" else None
    sides = []
    for one in (preset, cropped):
        config = dataclasses.replace(one.discriminators, patch_capacity=0.1, patch_hidden_channels=8)
        shares = DiscriminatorStep(config, LossWeights(), backbone=backbone).patch_sides
        sides.append([share * config.crop_size for share in shares])
    assert sides[0] == sides[1] == ([16, 32] if kind == "pixels" else [24, 48])


# The published presets share their networks; what differs is the size that factors start from.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["church256", "mountain512", "ffhq1024", "drawings64", "small128", "small256"])
def test_discriminators_take_crops_and_patches_of_every_accepted_size(name):
    """On the meta device, forward and backward: shapes alone decide. Of 224 sizes 201 once crashed."""
    sizes = {(one.discriminators.crop_size, one.discriminators.patch_size) for one in accepted(PRESETS[name])}
    assert len(sizes) > 5
    for crop_size, patch_size in sizes:
        config = dataclasses.replace(CRITICS, crop_size=crop_size, patch_size=patch_size)
        with torch.device("meta"):
            image, patch = ImageDiscriminator(config), PatchDiscriminator(config)
            images, patches = torch.zeros(2, 3, crop_size, crop_size), torch.zeros(1, 2, 3, patch_size, patch_size)
        logits = image(images).sum() + patch(patches, patches).sum()
        logits.backward()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "resolution", "kind"),
    [
        *[("church256", resolution, "pixels") for resolution in (112, 144, 224, 320)],
        *[("small128", resolution, "pixels") for resolution in (112, 120, 200)],
        *[("church256", 112, "features"), ("church256", 208, "features"), ("small128", 168, "features")],
    ],
)
def test_sizes_that_people_ask_for_train_a_step(name, resolution, kind):
    preset = PRESETS[name].at(resolution)
    crop_size, patch_size = preset.discriminators.crop_size, preset.discriminators.patch_size
    config = dataclasses.replace(preset.model, texture_channels=16, encoder_capacity=0.05, generator_capacity=0.02)
    sizes = dataclasses.replace(CRITICS, crop_size=crop_size, patch_size=patch_size)
    model = SwapAE(config).train()
    backbone = FrozenBackbone("squeeze") if kind == "features" else None
    discriminators = DiscriminatorStep(sizes, LossWeights(), backbone=backbone)
    images = torch.rand(2, 3, crop_size, crop_size) * 2 - 1
    losses, fakes = GeneratorStep(model, LossWeights())(discriminators, images, StepRandom(0, 0))
    losses.total.backward()
    discriminators(model, images, StepRandom(0, 0), fakes=fakes).total.backward()
    if kind == "pixels":
        discriminators(model, images, StepRandom(0, 0), r1=True).total.backward()
    assert all(torch.isfinite(value) for value in losses.terms.values())
