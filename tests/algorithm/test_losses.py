import math

import pytest
import torch
from sizes import SMALL

from swapae.codes import Codes
from swapae.config import PRESETS
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator, random_patches
from swapae.losses import (
    LOSS_PRESETS,
    PHOTOGRAPHS_ALTERNATE,
    Fakes,
    LossWeights,
    alternating_share,
    alternation_loss,
    discriminator_losses,
    generate,
    generator_losses,
    r1_losses,
    swap_indices,
)


def test_swap_indices():
    assert swap_indices(4) == [1, 0, 3, 2]
    assert swap_indices(3) == [1, 2, 0]
    assert swap_indices(7) == [1, 0, 3, 2, 5, 6, 4]
    for batch in range(2, 12):
        assert sorted(swap_indices(batch)) == list(range(batch))
        assert all(i != j for i, j in enumerate(swap_indices(batch)))
    # An even split over processes makes the same pairs.
    assert swap_indices(4) + [4 + i for i in swap_indices(4)] == swap_indices(8)
    with pytest.raises(ValueError, match="at least 2"):
        swap_indices(1)


class Recorder:
    """A model whose codes and pictures say where they come from."""

    def encode(self, images):
        return Codes(images[:, :1, :2, :2], images[:, 0, 0, :1])

    def decode(self, codes, *, noise):
        self.noise = noise
        self.calls = getattr(self, "calls", 0) + 1
        return torch.cat([codes.structure, codes.texture[..., None, None].expand_as(codes.structure)], 1)


@pytest.mark.parametrize("batch", [4, 5])
def test_hybrids_keep_the_texture_of_an_image_and_take_the_structure_of_its_neighbour(batch):
    images = torch.arange(batch).float().view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    model = Recorder()
    maps = torch.arange(batch).float().view(-1, 1, 1, 1)
    fakes = generate(model, images, model.encode, lambda structure: [maps])
    assert model.calls == 1
    # Each picture has its own map, which does not depend on how the batch is shared out.
    assert model.noise[0].flatten().tolist() == [*range(0, batch, 2), *range(batch)]
    assert fakes.reconstructions[:, :, 0, 0].tolist() == [[i, i] for i in range(0, batch, 2)]
    assert fakes.hybrids[:, :, 0, 0].tolist() == [[j, i] for i, j in enumerate(swap_indices(batch))]


class ConstantCritic:
    """A patch discriminator whose logits are the mean of what it is asked about, minus the reference's."""

    def features(self, patches):
        return patches.mean((2, 3, 4))[..., None]

    def logits(self, reference, features):
        return (features - reference)[..., 0]


def unchanged(x):
    return x


def softplus(x):
    return math.log1p(math.exp(x))


def test_terms_by_hand():
    images = torch.full((2, 3, 32, 32), 0.5)
    fakes = Fakes(torch.full((1, 3, 32, 32), 0.25), torch.full((2, 3, 32, 32), -1.0))

    def crop(x):
        return random_patches(x, 16, torch.rand(len(x), 8, 5))

    def critic(x):
        return [x.mean((1, 2, 3))]

    both = (critic, ConstantCritic(), crop, unchanged)
    terms = {name: value.item() for name, value in discriminator_losses(fakes, images, *both).terms.items()}
    assert terms == pytest.approx(
        {
            "d_real": softplus(-0.5),
            "d_reconstruction": 0.5 * softplus(0.25),
            "d_hybrid": 0.5 * softplus(-1.0),
            "d_patch_real": softplus(0.0),
            "d_patch_hybrid": softplus(-1.5),
        },
        rel=1e-4,
    )
    weights = LossWeights()
    terms = generator_losses(fakes, images, *both, weights).terms
    assert {k: v.item() for k, v in terms.items()} == pytest.approx(
        {
            "g_l1": 0.25,
            "g_reconstruction": 0.5 * softplus(-0.25),
            "g_hybrid": 0.5 * softplus(1.0),
            "g_patch": softplus(1.5),
        },
        rel=1e-4,
    )
    release = generator_losses(fakes, images, *both, LOSS_PRESETS["release"]).terms
    assert release["g_hybrid"].item() == pytest.approx(2 * terms["g_hybrid"].item())
    perceptual = generator_losses(
        fakes,
        images,
        *both,
        LossWeights(perceptual=2.0),
        lambda a, b: (a - b).abs().sum(1),
    ).terms
    assert perceptual["g_perceptual"].item() == pytest.approx(2 * 0.75)


def test_alternation_is_the_share_of_what_changes_sign_from_cell_to_cell():
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    board, stripes, waves = (-1.0) ** (rows + columns), (-1.0) ** columns, torch.sin(columns * math.pi / 8)
    torch.manual_seed(0)
    noise = torch.randn(64, 32, 32)
    # Of white noise: the squared weights of [-1, 2, -1]/4 twice, and of it with [1, 2, 1]/4 and the other way round.
    for map_, share in ((board, 1), (stripes, 1), (stripes.T, 1), (waves, math.sin(math.pi / 16) ** 4), (noise, 0.42)):
        features = 7 * map_.expand(2, 64, 32, 32) + 5
        assert alternating_share(features).mean().item() == pytest.approx(share, abs=0.01)
    # Each image counts alike, however strong its features are.
    both = torch.stack([board[None], 100 * waves[None]])
    assert alternating_share(both).mean().item() == pytest.approx(0.5, abs=0.01)


def test_dots_that_hybrids_have_more_of_than_photographs_are_held_down():
    board = (-1.0) ** sum(torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij"))
    waves = torch.sin(torch.arange(16) * math.pi / 8).expand(16, 16)
    calm, dots = (torch.kron(cells, torch.ones(8, 8)).expand(2, 3, 128, 128) for cells in (waves, board))
    head, fine = waves.expand(2, 4, 16, 16), torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    trace = alternation_loss([head], calm).item()
    assert trace == pytest.approx(math.sin(math.pi / 16) ** 4, abs=0.001)  # photographs have more
    assert alternation_loss([head], calm + fine).item() < trace + 0.01  # grain finer than a cell is none of it
    assert alternation_loss([head], dots).item() == pytest.approx(trace + 1 - PHOTOGRAPHS_ALTERNATE, abs=0.01)
    half = torch.cat([calm[:1], dots[:1]])
    assert alternation_loss([head, board.expand(2, 4, 16, 16)], half).item() == pytest.approx(
        (trace + 1) / 2 + (1 - PHOTOGRAPHS_ALTERNATE) / 2, abs=0.01
    )


def test_r1_is_the_squared_gradient():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 32, 32)
    slope = torch.randn(3, 32, 32)

    def crop(x):
        return random_patches(x, 16, torch.rand(len(x), 8, 5))

    terms = r1_losses(
        images,
        lambda x: (x * slope).sum((1, 2, 3)),
        ConstantCritic(),
        crop,
        unchanged,
        LossWeights(r1=10.0, patch_r1=1.0),
        16,
    ).terms
    assert terms["d_r1"].item() == pytest.approx(80 * slope.square().sum().item(), rel=1e-4)
    # logit = mean(other) - mean over 8 references; summed over 8 others, each of the two sets' pixels has slope
    # 1 / (3 * 16 * 16), in absolute value.
    pixels = 3 * 16 * 16
    assert terms["d_patch_r1"].item() == pytest.approx(16 / 4 * 2 * 8 * pixels / pixels**2, rel=1e-4)


def test_the_image_discriminator_sees_every_kind_of_image_augmented():
    images, fakes = torch.full((2, 3, 32, 32), 0.5), Fakes(torch.ones(1, 3, 32, 32), -torch.ones(2, 3, 32, 32))
    seen, augmented = [], []

    def augment(x):
        augmented.append(len(x))
        return x + 10

    def critic(x):
        seen.append(x.mean((1, 2, 3)).tolist())
        return [x.mean((1, 2, 3))]

    def crop(x):
        assert x.max() <= 1  # patches are of the images as they are
        return random_patches(x, 16, torch.rand(len(x), 8, 5))

    both = (critic, ConstantCritic(), crop, augment)
    discriminator_losses(fakes, images, *both)
    generator_losses(fakes, images, *both, LossWeights())
    r1_losses(images, lambda x: critic(x)[0], *both[1:], LossWeights(), 16)
    assert seen == [[10.5, 10.5, 11, 9, 9], [11, 9, 9], [10.5, 10.5]] and augmented == [2, 1, 2, 1, 2, 2]


def test_r1_reaches_every_parameter_of_both_discriminators():
    torch.manual_seed(0)
    image_critic, patch_critic = ImageDiscriminator(SMALL), PatchDiscriminator(SMALL)

    def crop(x):
        return random_patches(x, 16, torch.rand(len(x), 2, 5))

    networks = (image_critic, patch_critic, crop, unchanged)
    r1_losses(torch.randn(2, 3, 32, 32), *networks, LossWeights(), 16).total.backward()
    for critic in (image_critic, patch_critic):
        assert all(parameter.grad is not None for parameter in critic.parameters())
        assert sum(parameter.grad.abs().sum() for parameter in critic.parameters()) > 0


def test_patches_show_their_part_of_the_image():
    """On an image whose value is the position, a patch's corners say where it lies and how large it is."""
    line = (torch.arange(128) + 0.5) / 128
    x, y = torch.meshgrid(line, line, indexing="xy")
    images = torch.stack([x, y, torch.zeros_like(x)])[None].expand(3, -1, -1, -1)
    draws = torch.rand(3, 200, 5, generator=torch.Generator().manual_seed(0))
    patches = random_patches(images, 16, draws)
    assert patches.shape == (3, 200, 3, 16, 16)
    width = (patches[:, :, 0, 0, -1] - patches[:, :, 0, 0, 0]) * 16 / 15
    height = (patches[:, :, 1, -1, 0] - patches[:, :, 1, 0, 0]) * 16 / 15
    assert 1 / 8 - 1e-3 <= width.abs().min() < 0.13 and 0.245 < width.abs().max() <= 1 / 4 + 1e-3
    assert 1 / 8 - 1e-3 <= height.min() < 0.13 and 0.245 < height.max() <= 1 / 4 + 1e-3
    assert 0.4 < (width < 0).float().mean() < 0.6  # flipped left to right, never upside down
    correlation = torch.corrcoef(torch.stack([width.abs().flatten(), height.flatten()]))[0, 1]
    assert abs(correlation) < 0.1  # drawn independently
    assert patches[:, :, :2].min() >= 0 and patches[:, :, :2].max() <= 1
    left = patches[:, :, 0].amin((2, 3))
    assert left.min() < 0.03 and left.max() > 0.8  # everywhere in the image
    assert torch.equal(patches[1:], random_patches(images[1:], 16, draws[1:]))


def test_patches_lie_where_they_lie_in_half_precision_too():
    """Else the patches of generated images, which autocast gives in half precision, were told by their rounded grid."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 256, 256, generator=generator).bfloat16()
    draws = torch.rand(2, 8, 5, generator=generator)
    assert torch.equal(random_patches(images, 64, draws), random_patches(images.float(), 64, draws))


@pytest.mark.parametrize("name", PRESETS)
def test_discriminators_of_presets_take_their_sizes(name):
    config = PRESETS[name].discriminators
    with torch.device("meta"):
        assert ImageDiscriminator(config)(torch.zeros(2, 3, config.crop_size, config.crop_size)).shape == (2,)
        patches = torch.zeros(2, 4, 3, config.patch_size, config.patch_size)
        assert PatchDiscriminator(config)(patches, patches).shape == (2, 4)


def test_published_sizes_of_discriminators():
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in critic(PRESETS["church256"].discriminators).parameters()) / 1e6
            for critic in (ImageDiscriminator, PatchDiscriminator)
        ]
    assert sizes == pytest.approx([28.9, 24.5], abs=0.06)
