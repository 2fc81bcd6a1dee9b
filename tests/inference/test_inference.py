"""The form for inference computes what the plain form does."""

import copy
import io
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from swapae import Codes, SwapAE
from swapae.inference import engine, tiling
from swapae.inference import fast as fast_form
from swapae.inference.fast import optimize_for_inference


@pytest.fixture(scope="module")
def model(random_model):
    return random_model


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def picture(batch):
    return torch.rand(batch, 3, 128, 128, generator=torch.Generator().manual_seed(4)) * 2 - 1


@pytest.fixture(scope="module")
def fast(model):
    return optimize_for_inference(model)


@pytest.mark.parametrize("shape", [(1, 3, 128, 192), (3, 3, 128, 128)])
def test_outputs_are_equal(model, fast, shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    codes = model.encode(images)
    for own, plain in zip(fast.encode(images), codes, strict=True):
        assert relative(own, plain) < 1e-5
    grid, width = codes.structure.shape[2:], model.config.texture_channels
    mapped = Codes(codes.structure, torch.randn(len(images), width, 3, 5))
    several = [torch.randn(len(images), width), *[torch.randn(len(images), width, *grid)] * 2]
    several += several[:1] * (len(model.generator.blocks) - len(several))
    for options in ({"noise": 3}, {"noise": "zero"}, {"block_textures": several}):
        for given in (codes, mapped):
            assert relative(fast.decode(given, **options), model.decode(given, **options)) < 1e-5
    assert relative(fast.swap(images, images.flip(3), alpha=0.4), model.swap(images, images.flip(3), alpha=0.4)) < 1e-5


def test_it_changes_neither_its_inputs_nor_the_model(model, fast):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.rand(1, 3, 128, 128)
    codes = fast.encode(images)
    kept = [images.clone(), codes.structure.clone(), codes.texture.clone()]
    first, second = fast.decode(codes), fast.decode(codes)
    assert first.equal(second)
    assert all(one.equal(other) for one, other in zip(kept, (images, *codes), strict=True))
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert not any(made.requires_grad for made in (first, *codes))


@pytest.mark.slow
@pytest.mark.parametrize("values", [500, 3000])
def test_tiles_make_no_seam(model, fast, values, monkeypatch):
    images = torch.rand(2, 3, 112, 128, generator=torch.Generator().manual_seed(3)) * 2 - 1
    codes = model.encode(images)
    grid = codes.structure.shape[2:]
    mapped = Codes(codes.structure, torch.randn(2, model.config.texture_channels, *grid))
    whole = [*fast.encode(images), fast.decode(codes), fast.decode(mapped)]
    monkeypatch.setattr(fast_form, "TILE_VALUES", values)
    tiled = [*fast.encode(images), fast.decode(codes), fast.decode(mapped)]
    assert all(relative(one, other) < 1e-5 for one, other in zip(tiled, whole, strict=True))


def test_threads_do_not_disturb_each_other(fast):
    images = [torch.rand(1, 3, 128, 128 + 64 * i) * 2 - 1 for i in range(4)]
    expected = [fast.swap(image, image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda i: fast.swap(images[i % 4], images[i % 4]), range(16)))
    assert all(one.equal(expected[i % 4]) for i, one in enumerate(made))


def test_calls_under_way_share_no_memory_and_later_ones_take_it(monkeypatch):
    monkeypatch.setattr(engine, "FREE_POOLS", [])
    with engine.pool() as first:
        with engine.pool() as second:
            assert first is not second
        with engine.pool() as third:
            assert third is second
    assert len(engine.FREE_POOLS) == 2
    engine.release_memory()


def test_a_model_in_bfloat16_stays_itself(model):
    half = copy.deepcopy(model).to(torch.bfloat16)
    assert optimize_for_inference(half) is half
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)) * 2 - 1
    codes = model.encode(images)
    made = half.decode(Codes(*(code.bfloat16() for code in codes)), noise="zero")
    plain = model.decode(codes, noise="zero")
    assert made.dtype == torch.bfloat16
    assert ((made - plain).square().mean().sqrt() / (plain.max() - plain.min())).item() < 2e-2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for CPUs with g++")
def test_a_model_in_bfloat16_is_compiled(tiny_model):
    half = copy.deepcopy(tiny_model).to(torch.bfloat16)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)).bfloat16() * 2 - 1
    plain = half.swap(images, images.flip(3))
    compiled = optimize_for_inference(half, compile=True)
    made = compiled.swap(images, images.flip(3))
    assert compiled.encoder._compiled_call_impl is not None
    assert ((made - plain).square().mean().sqrt() / (plain.max() - plain.min())).item() < 2e-2


@pytest.mark.parametrize("faster", ["torch", "ncnn"])
def test_torch_compiles_what_no_other_engine_runs(tiny_model, monkeypatch, faster):
    monkeypatch.delenv("SWAPAE_ENGINE")
    compiled = []
    for network in (tiny_model.encoder, tiny_model.generator):
        monkeypatch.setattr(network, "compile", lambda options, network=network: compiled.append(network))
    monkeypatch.setattr("swapae.inference.fast.fastest", lambda config, forms: forms[faster]())
    found = optimize_for_inference(tiny_model, engine="auto", compile=True)
    assert (found is tiny_model) == (faster == "torch")
    assert compiled == ([tiny_model.encoder, tiny_model.generator] if faster == "torch" else [])


def test_it_works_in_tiles(model, fast):
    images = torch.rand(1, 3, 256, 192) * 2 - 1
    codes = model.encode(images)
    assert relative(tiling.encode(fast, images, 64).structure, codes.structure) < 1e-5
    grid = codes.structure.shape[2:]
    mapped = Codes(codes.structure, torch.randn(1, model.config.texture_channels, *grid))
    for one in (codes, mapped):
        assert relative(tiling.decode(fast, one, 64), model.decode(one)) < 1e-5


def test_one_texture_for_all_blocks_is_one_product(model, fast, monkeypatch):
    codes, products = model.encode(picture(1)), []
    conv2d = torch.nn.functional.conv2d
    monkeypatch.setattr(fast_form.F, "conv2d", lambda *args: products.append(args) or conv2d(*args))
    one = fast.decode(codes)
    assert len(products) == 1
    blocks = len(model.generator.blocks)
    several = fast.decode(codes, block_textures=[codes.texture] * blocks)
    assert len(products) == 1 + blocks and relative(several, one) < 1e-5


def test_one_for_all(model, fast):
    images = picture(3)
    one, many = images[:1], images[1:]
    for structures, textures in ((one, many), (many, one)):
        assert relative(fast.swap(structures, textures), model.swap(structures, textures)) < 1e-5
    codes, grid = model.encode(images), 128 // model.config.stride
    mapped = Codes(codes.structure, torch.ones(1, model.config.texture_channels, grid, grid))
    for given in (codes._replace(structure=codes.structure[:1]), mapped):
        assert relative(fast.decode(given), model.decode(given)) < 1e-5
        assert relative(tiling.decode(fast, given, 64), model.decode(given)) < 1e-5


def test_it_is_no_model_to_train_save_or_move(fast):
    assert not isinstance(fast, SwapAE | torch.nn.Module)
    for name in ("save_pretrained", "push_to_hub", "to", "half", "parameters", "train"):
        assert not hasattr(fast, name)
        with pytest.raises(AttributeError, match=f"no '{name}': use the model it was made of"):
            getattr(fast, name)
    with pytest.raises(AttributeError, match="no 'colour'$"):
        fast.colour  # noqa: B018


def test_it_knows_what_the_model_knows(model, fast, tmp_path):
    assert fast.config == model.config and fast.parameter_count == model.parameter_count
    assert (fast.device, fast.dtype) == (torch.device("cpu"), torch.float32)
    codes = model.encode(picture(1))
    fast.save_codes(codes, tmp_path / "codes.safetensors")
    assert all(map(torch.equal, model.load_codes(tmp_path / "codes.safetensors")[0], codes))


def test_copies_compute_the_same(fast):
    images = picture(1)
    for copied in (copy.copy(fast), copy.deepcopy(fast)):
        assert copied is not fast and copied(images).equal(fast(images))


def test_pickling_says_what_to_do(fast):
    for write in (pickle.dumps, lambda model: torch.save(model, io.BytesIO())):
        with pytest.raises(TypeError, match="save or pickle the model it was made of"):
            write(fast)


def test_gradients_are_refused_in_one_sentence(model, fast):
    images = picture(1)
    codes = model.encode(images)
    maps = [torch.randn(1, 1, *side) for side in model.generator.noise_sides(*codes.structure.shape[2:])]
    wanted = images.clone().requires_grad_()
    structure, texture = (code.clone().requires_grad_() for code in codes)
    for call in (
        lambda: fast.encode(wanted),
        lambda: fast.decode(codes._replace(structure=structure)),
        lambda: fast.decode(codes._replace(texture=texture)),
        lambda: fast.decode(codes, noise=[one.clone().requires_grad_() for one in maps]),
    ):
        with pytest.raises(ValueError, match="no gradients: use the model it was made of"):
            call()
        with torch.no_grad():
            call()
    with torch.inference_mode():
        assert fast.encode(wanted).texture.equal(fast.encode(images).texture)
