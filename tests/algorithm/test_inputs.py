"""What cannot be encoded or decoded is refused in one sentence that says what to pass."""

import numpy as np
import pytest
import torch
from PIL import Image

from swapae import Codes

IMAGES = torch.zeros(1, 3, 64, 64)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((64, 64, 3), np.uint8), TypeError, "got ndarray: swapae.images.load_image and fit make one"),
        (Image.new("RGB", (64, 64)), TypeError, "got Image: .* swap_images takes these as they are"),
        ("a.jpg", TypeError, "got str: "),
        (IMAGES.to(torch.uint8), TypeError, r"got torch.uint8: pass images.to\(torch.float32\) / 127.5 - 1"),
        (IMAGES.double(), TypeError, r"torch.float32, got images in torch.float64: pass images.to\(torch.float32\)"),
        (IMAGES.bfloat16(), TypeError, r"got images in torch.bfloat16: pass images.to\(torch.float32\)"),
        (IMAGES.to("meta"), ValueError, r"the model is on cpu, got images on meta: pass images.to\('cpu'\)"),
        (IMAGES[0], ValueError, r"got \[3, 64, 64\]: pass images\[None\]"),
        (IMAGES[:0], ValueError, r"expected images \[B, 3, H, W\], got \[0, 3, 64, 64\]"),
        (IMAGES + 255, ValueError, r"in \[-1, 1\], got 255 to 255: pass images / 127.5 - 1"),
        (IMAGES - 80, ValueError, r"in \[-1, 1\], got -80 to -80$"),
        (IMAGES * torch.nan, ValueError, r"in \[-1, 1\], got nan to nan$"),
    ],
)
def test_images(tiny_model, images, error, message):
    for call in (tiny_model.encode, lambda x: tiny_model.swap(x, IMAGES), lambda x: tiny_model.swap(IMAGES, x)):
        with pytest.raises(error, match=message) as raised:
            call(images)
        assert "\n" not in str(raised.value)


@torch.no_grad()
def test_values_a_little_beyond_are_taken_and_training_does_not_look(tiny_model):
    tiny_model.encode(IMAGES + 2)
    tiny_model.train().encode(IMAGES + 255)


@torch.no_grad()
def test_a_model_in_double_precision_wants_it(tiny_model):
    with pytest.raises(
        TypeError, match=r"in torch.float64, got images in torch.float32: pass images.to\(torch.float64"
    ):
        tiny_model.double().encode(IMAGES)
    assert tiny_model(IMAGES.double()).dtype == torch.float64


@torch.no_grad()
def test_autocast_mixes_precisions(tiny_model):
    with torch.autocast("cpu", torch.bfloat16):
        codes = tiny_model.encode(IMAGES)
        assert codes.structure.dtype == torch.bfloat16
        tiny_model.decode(codes)


STRUCTURE, TEXTURE = torch.zeros(1, 4, 8, 8), torch.zeros(1, 32)


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        (STRUCTURE, TypeError, r"expected Codes\(structure, texture\) as encode gives them, got Tensor"),
        (Codes(STRUCTURE.numpy(), TEXTURE), TypeError, r"got ndarray: pass torch.as_tensor\(structure\)"),
        (Codes(STRUCTURE, TEXTURE.numpy()), TypeError, r"got ndarray: pass torch.as_tensor\(texture\)"),
        (Codes(STRUCTURE.double(), TEXTURE), TypeError, r"pass structure.to\(torch.float32\)"),
        (Codes(STRUCTURE, TEXTURE.half()), TypeError, r"pass texture.to\(torch.float32\)"),
        (Codes(STRUCTURE, TEXTURE.to("meta")), ValueError, r"pass texture.to\('cpu'\)"),
        (Codes(STRUCTURE[0], TEXTURE), ValueError, r"pass structure\[None\]"),
        (Codes(STRUCTURE, TEXTURE[0]), ValueError, r"pass texture\[None\]"),
        (Codes(STRUCTURE[:0], TEXTURE), ValueError, "or one of either, got 0 and 1"),
    ],
)
def test_codes(tiny_model, codes, error, message):
    with pytest.raises(error, match=message) as raised:
        tiny_model.decode(codes)
    assert "\n" not in str(raised.value)


def test_noise(tiny_model):
    sides = tiny_model.generator.noise_sides(8, 8)
    for noise, message in [
        (1.5, "noise must be"),
        (None, "noise must be"),
        ([1, 2], "noise must be"),
        ([torch.zeros(2, 1, *side) for side in sides], "expected noise maps"),
        ([torch.zeros(1, 1, *side) for side in sides[:-1]], "expected noise maps"),
    ]:
        with pytest.raises(ValueError, match=message):
            tiny_model.decode(Codes(STRUCTURE, TEXTURE), noise=noise)


def test_batches_that_do_not_fit_are_refused_before_anything_is_encoded(tiny_model, monkeypatch):
    monkeypatch.setattr(tiny_model.encoder, "forward", lambda images: pytest.fail("encoded"))
    with pytest.raises(ValueError, match="as many structures as textures, or one of either, got 2 and 3"):
        tiny_model.swap(IMAGES.expand(2, -1, -1, -1), IMAGES.expand(3, -1, -1, -1))


@torch.no_grad()
@pytest.mark.parametrize("noise", ["zero", "random", 3])
def test_one_structure_for_many_textures_and_the_reverse(tiny_model, noise):
    images = torch.rand(3, 3, 64, 72, generator=torch.Generator().manual_seed(5)) * 2 - 1
    one, many = images[:1], images[1:]
    seen = []
    tiny_model.encoder.register_forward_hook(lambda module, inputs, codes: seen.append(len(inputs[0])))
    for structures, textures in ((one, many), (many, one)):
        torch.manual_seed(6)
        made = tiny_model.swap(structures, textures, alpha=0.7, noise=noise)
        torch.manual_seed(6)
        spread = (images.expand(2, -1, -1, -1) if len(images) == 1 else images for images in (structures, textures))
        torch.testing.assert_close(made, tiny_model.swap(*spread, alpha=0.7, noise=noise), atol=1e-5, rtol=1e-4)
    assert seen == [1, 2, 2, 2, 2, 1, 2, 2]


@torch.no_grad()
def test_one_map_for_many_structures_and_one_structure_for_many_block_textures(tiny_model):
    torch.manual_seed(7)
    codes = tiny_model.encode(torch.rand(2, 3, 64, 72) * 2 - 1)
    own = codes.structure[:1]
    mapped = Codes(codes.structure, torch.randn(1, 32, 3, 5))
    alone = tiny_model.decode(Codes(codes.structure[1:], mapped.texture))
    torch.testing.assert_close(tiny_model.decode(mapped)[1:], alone, atol=1e-5, rtol=1e-4)
    several = [torch.randn(2, 32) for _ in tiny_model.generator.blocks]
    made = tiny_model.decode(Codes(own, codes.texture), block_textures=several)
    alone = tiny_model.decode(Codes(own, codes.texture[:1]), block_textures=[one[1:] for one in several])
    torch.testing.assert_close(made[1:], alone, atol=1e-5, rtol=1e-4)
