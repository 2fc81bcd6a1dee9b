"""`swap_images` makes of files, images and arrays what `swapae swap` makes of files."""

import numpy as np
import pytest
import torch
from PIL import Image

from swapae import SwapAE, UserError
from swapae.images import load_image, save_image
from swapae.inference import optimize_for_inference


def test_it_gives_the_command_s_picture(run):
    status, _, error = run("swap", "a.png", "b.jpg", "-o", "made.png", "--alpha", "0.6", "--seed", "4")
    assert status == 0, error
    model, made = SwapAE.from_pretrained("model"), np.asarray(Image.open("made.png")).astype(int)
    fast = optimize_for_inference(model).swap_images("a.png", "b.jpg", alpha=0.6, noise=4)
    assert np.array_equal(fast, made) and fast.size == (90, 64)  # the structure's aspect, at the model's 64 pixels
    assert np.abs(np.asarray(model.swap_images("a.png", "b.jpg", alpha=0.6, noise=4)).astype(int) - made).max() <= 1
    run("swap", "a.png", "b.jpg", "-o", "larger.png", "--size", "72")
    assert np.array_equal(
        optimize_for_inference(model).swap_images("a.png", "b.jpg", size=72), Image.open("larger.png")
    )


def test_it_takes_paths_images_arrays_and_tensors(tiny_model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 64, 3), np.uint8)
    image = Image.fromarray(pixels)
    save_image(image, tmp_path / "a.png")
    given = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        image,
        pixels,
        pixels / 255,
        torch.from_numpy(pixels).permute(2, 0, 1),
        torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1,
    ]
    first, *others = (np.asarray(tiny_model.swap_images(one, image)) for one in given)
    assert first.shape == pixels.shape and all(np.array_equal(first, other) for other in others)


def test_it_works_in_half_precision_and_wants_no_gradient(tiny_model):
    image = load_image(np.zeros((64, 64, 3), np.uint8))
    assert tiny_model.to(torch.bfloat16).swap_images(image, image).size == (64, 64)


def test_what_cannot_be_read_is_said_in_one_line(tiny_model):
    for picture in ("missing.jpg", np.zeros((4, 4, 7)), b"no picture"):
        with pytest.raises(UserError) as raised:
            tiny_model.swap_images(picture, picture)
        assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="56"):
        tiny_model.swap_images(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8), size=8)
