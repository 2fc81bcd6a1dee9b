import colorsys
import math

import pytest
import torch

from swapae.training.colour_jitter import NUMBERS, jitter_colours

SAME = [0.5, 0.5, 0.5, 0.5]  # hue, saturation, contrast, brightness as they are


@pytest.fixture
def images():
    return torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1


def changed(images, **amounts):
    names = ["hue", "saturation", "contrast", "brightness"]
    return jitter_colours(
        images, torch.tensor([[amounts.get(name, same) for name, same in zip(names, SAME, strict=True)]])
    )


def test_the_middle_of_all_draws_changes_nothing(images):
    torch.testing.assert_close(changed(images), images, atol=1e-6, rtol=0)


def test_each_draw_by_hand(images):
    grey = images.mean(1, keepdim=True)
    torch.testing.assert_close(changed(images, saturation=0.0), grey + 0.5 * (images - grey), atol=1e-6, rtol=0)
    torch.testing.assert_close(changed(images, contrast=1.0), 1.25 * images, atol=1e-6, rtol=0)
    torch.testing.assert_close(changed(images, brightness=1.0), images + 0.25, atol=1e-6, rtol=0)
    greys = grey.expand(-1, 3, -1, -1)
    torch.testing.assert_close(changed(greys, hue=0.1, saturation=1.0), greys, atol=1e-6, rtol=0)


def test_hues_turn_by_up_to_a_quarter_and_keep_length_and_grey():
    red = torch.tensor([0.5, -0.25, -0.25]).view(1, 3, 1, 1)  # no grey: chroma alone
    for draw, degrees in ((1.0, 90), (0.0, -90), (0.75, 45)):
        turned = changed(red, hue=draw).flatten()
        assert turned.sum().item() == pytest.approx(0, abs=1e-6)
        assert turned.norm().item() == pytest.approx(red.norm().item())
        angle = math.degrees(math.acos((turned @ red.flatten()).item() / red.square().sum().item()))
        assert angle == pytest.approx(abs(degrees), abs=1e-3)
        hue = colorsys.rgb_to_hsv(*((turned + 1) / 2).tolist())[0]
        assert (hue < 0.5) == (degrees > 0)  # towards yellow and green one way, violet and blue the other


def test_images_are_recoloured_one_by_one(images):
    draws = torch.rand(3, NUMBERS, generator=torch.Generator().manual_seed(1))
    together = jitter_colours(images.expand(3, -1, -1, -1), draws)
    assert (together[0] - together[1]).abs().max() > 0.05
    for image, draw in zip(together, draws, strict=True):
        torch.testing.assert_close(image[None], jitter_colours(images, draw[None]))
    assert jitter_colours(images.bfloat16(), draws[:1]).dtype == torch.bfloat16
