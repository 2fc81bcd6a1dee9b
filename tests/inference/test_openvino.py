"""The engine OpenVINO: what it computes in float32 is exact, and what it rounds to bfloat16 is not seen."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from swapae import Codes, SwapAE, UserError
from swapae.inference import choice, fast, openvino, optimize_for_inference
from swapae.inference.choice import looks_like

# By themselves: `SWAPAE_TEST_OPENVINO=1 pytest tests/inference/test_openvino.py`. A process that has used OpenVINO
# crashes when it forks, as loaders of training data in other tests do.
HERE = openvino.is_installed() and os.environ.get("SWAPAE_TEST_OPENVINO") == "1"


@pytest.fixture(scope="module")
def made(random_model):
    if not HERE:
        pytest.skip("needs the package openvino and SWAPAE_TEST_OPENVINO=1")
    return optimize_for_inference(random_model, engine="openvino")


@pytest.fixture(scope="module")
def exact(random_model):
    """The same in float32 throughout."""
    if not HERE:
        pytest.skip("needs the package openvino and SWAPAE_TEST_OPENVINO=1")
    whole = fast.Engine(lambda half: openvino.OpenVinoGraph(False), joins=True)
    return fast.EngineAutoencoder(random_model, whole)


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("shape", [(1, 3, 128, 192), (3, 3, 128, 128)])
def test_in_float32_it_is_the_plain_form(random_model, exact, shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    codes = random_model.encode(images)
    for own, plain in zip(exact.encode(images), codes, strict=True):
        assert relative(own, plain) < 1e-5
    grid, width = codes.structure.shape[2:], random_model.config.texture_channels
    mapped = Codes(codes.structure, torch.randn(len(images), width, 3, 5))
    blocks = len(random_model.generator.blocks)
    several = [torch.randn(len(images), width), *[torch.randn(len(images), width, *grid)] * (blocks - 1)]
    for options in ({"noise": 3}, {"noise": "zero"}, {"block_textures": several}):
        for given in (codes, mapped):
            assert relative(exact.decode(given, **options), random_model.decode(given, **options)) < 1e-5
    textures, x = codes.texture[:, :, None, None], codes.structure
    for number in range(blocks):  # block by block, as in tiles
        x = exact.generator.run(range(number, number + 1), x, textures, None)
    assert relative(x, random_model.decode(codes, noise="zero")) < 1e-5


def test_the_encoder_is_exact_and_only_enlarging_blocks_are_rounded(random_model, made):
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)) * 2 - 1
    codes = random_model.encode(images)
    for own, plain in zip(made.encode(images), codes, strict=True):
        assert relative(own, plain) < 1e-5
    heads = range(random_model.config.head_blocks)
    textures = codes.texture[:, :, None, None]
    head = made.generator.run(heads, codes.structure, textures, None)
    assert relative(head, random_model.generator.run(heads, codes.structure, textures, None)) < 1e-5


def test_nobody_sees_what_is_rounded_in_the_embedded_model():
    if not HERE:
        pytest.skip("needs the package openvino and SWAPAE_TEST_OPENVINO=1")
    model = SwapAE.default()
    images = torch.nn.functional.interpolate(torch.rand(2, 3, 16, 16), (256, 256), mode="bicubic").clamp(0, 1) * 2 - 1
    with torch.inference_mode():
        exact, rounded = (
            form.swap(images, images.flip(0)) for form in (model, optimize_for_inference(model, engine="openvino"))
        )
    assert looks_like(rounded, exact)


def test_threads_do_not_disturb_each_other(made):
    images = [torch.rand(1, 3, 128, 128 + 64 * i) * 2 - 1 for i in range(4)]
    expected = [made.swap(image, image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda i: made.swap(images[i % 4], images[i % 4]), range(16)))
    assert all(one.equal(expected[i % 4]) for i, one in enumerate(again))


def test_only_so_many_sizes_stay_compiled(random_model, exact, monkeypatch):
    monkeypatch.setattr(openvino, "SIZES", 2)
    small = fast.EngineLayers(fast.OPENVINO, *random_model.encoder.to_structure)
    for side in (8, 9, 10, 8):
        small(torch.zeros(1, random_model.encoder.to_structure[0].weight.shape[1], side, side))
    assert small.network._compiled.cache_info()[1:] == (4, 2, 2)


def test_without_the_package_it_is_no_choice_and_asking_for_it_says_so(tiny_model, monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(openvino.importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"openvino is not installed .*: pip install 'swapae\[openvino\]'"):
        optimize_for_inference(tiny_model, engine="openvino")
    monkeypatch.setattr(fast, "is_installed", lambda: False)
    monkeypatch.delenv(choice.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(choice, "SECONDS", 0.0)
    optimize_for_inference(tiny_model)
    assert set(choice.remembered(tiny_model.config).milliseconds) == {"torch", "ncnn"}
