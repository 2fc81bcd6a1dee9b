import math

import pytest
import torch

from swapae.training.augment import LARGEST_STRENGTH, NUMBERS, adapted, augment

OFF, ON = torch.tensor(0.0), torch.tensor(1.0)
# StepRandom that do nothing where a map is done: no turn, no move, a zoom and a stretch of 1, no tilt.
NEUTRAL = [0.0, 0.5, 0.5, 0.5, 0.5, 0.5]


def draws(done=(), **amounts):
    """For one image: the maps numbered in `done` are done at any strength below 1."""
    names = ["turn", "right", "down", "zoom", "stretch", "tilt"]
    values = [amounts.get(name, neutral) for name, neutral in zip(names, NEUTRAL, strict=True)]
    return torch.tensor([[0.0 if i in done else 0.99 for i in range(5)] + values])


@pytest.fixture
def images():
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_without_strength_images_stay_as_they_are(images):
    many = images.expand(50, -1, -1, -1)
    torch.testing.assert_close(augment(many, torch.rand(50, NUMBERS), OFF), many, atol=1e-5, rtol=0)
    half = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.testing.assert_close(augment(half, torch.rand(1, NUMBERS), OFF), half.float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_and_a_move_by_whole_pixels_keep_every_pixel(images, quarters):
    turned = augment(images, draws([0], turn=quarters / 4 + 0.1), torch.tensor(0.5))
    torch.testing.assert_close(turned, torch.rot90(images, quarters, (2, 3)), atol=1e-4, rtol=0)
    # 0.75 of the way from -1/8 to 1/8 of 16 pixels: one to the right in the source, hence to the left in the picture.
    moved = augment(images, draws([1], right=0.75), torch.tensor(0.5))
    torch.testing.assert_close(moved[..., :-1], images[..., 1:], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[..., -1], images[..., -1], atol=1e-4, rtol=0)  # mirrored at the border


def test_zoom_stretch_and_tilt_by_hand():
    line = (torch.arange(64) + 0.5) / 32 - 1
    x, y = torch.meshgrid(line, line, indexing="xy")
    position = torch.stack([x, y, torch.zeros_like(x)])[None]
    centre = slice(24, 40)
    deviation = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # of a normal number of 1
    for number, name, factors in ((2, "zoom", (2**0.2, 2**0.2)), (3, "stretch", (2**0.2, 2**-0.2))):
        seen = augment(position, draws([number], **{name: deviation}), torch.tensor(0.5))[..., centre, centre]
        expected = position[..., centre, centre] * torch.tensor([*factors, 1]).view(1, 3, 1, 1)
        torch.testing.assert_close(seen, expected, atol=1e-4, rtol=0)
    seen = augment(position, draws([4], tilt=0.5 + 1 / 12), torch.tensor(0.5))[..., centre, centre]  # 30 degrees
    x, y = position[0, :2, centre, centre]
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    torch.testing.assert_close(seen[0, 0], cosine * x - sine * y, atol=1e-4, rtol=0)
    torch.testing.assert_close(seen[0, 1], sine * x + cosine * y, atol=1e-4, rtol=0)


def test_strength_is_how_often_and_colours_are_those_of_the_image(images):
    many = images.expand(2000, -1, -1, -1)
    for strength in (0.2, 0.8):
        seen = augment(
            many, torch.rand(2000, NUMBERS, generator=torch.Generator().manual_seed(1)), torch.tensor(strength)
        )
        changed = ((seen - many).abs().amax((1, 2, 3)) > 1e-3).float().mean().item()
        # A turn by 0 quarters, a move by 0 pixels change nothing: three quarters of turns, 24 of 25 moves do.
        still = (1 - 0.75 * strength) * (1 - 0.96 * strength) * (1 - strength) ** 3
        assert changed == pytest.approx(1 - still, abs=0.03)
        assert seen.amax((0, 2, 3)).le(images.amax((0, 2, 3)) + 1e-5).all()
        assert seen.amin((0, 2, 3)).ge(images.amin((0, 2, 3)) - 1e-5).all()


def test_gradients_pass_to_the_images(images):
    images = images.double().requires_grad_()
    amounts = torch.rand(1, NUMBERS, generator=torch.Generator().manual_seed(2))
    assert torch.autograd.gradcheck(lambda x: augment(x, amounts, ON), images[..., :6, :6], fast_mode=True)


def test_strength_settles_where_the_sign_is_on_target():
    assert adapted(OFF, torch.tensor(0.7), 5_000).item() == pytest.approx(0.01)
    assert adapted(torch.tensor(0.5), torch.tensor(0.6), 5_000).item() == 0.5
    assert adapted(torch.tensor(0.5), torch.tensor(0.1), 5_000).item() == pytest.approx(0.45)
    assert adapted(OFF, torch.tensor(-1.0), 5_000).item() == 0
    assert adapted(ON, ON, 5_000).item() == pytest.approx(LARGEST_STRENGTH)
