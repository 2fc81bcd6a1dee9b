import pytest
import torch

from swapae import PRESETS, Codes, SwapAE


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.rand(2, 3, 64, 88) * 2 - 1


@torch.no_grad()
def test_codes_have_their_shapes_and_unit_length(tiny_model, images):
    codes = tiny_model.encode(images)
    config = tiny_model.config
    assert codes.structure.shape == (2, config.structure_channels, 64 // config.stride, 88 // config.stride)
    assert codes.texture.shape == (2, config.texture_channels)
    for code in codes:
        torch.testing.assert_close(code.norm(dim=1), torch.ones_like(code.norm(dim=1)), atol=1e-4, rtol=0)
    assert tiny_model.decode(codes).shape == images.shape


@torch.no_grad()
def test_same_call_same_picture_and_each_noise_mode(tiny_model, images):
    for name, parameter in tiny_model.named_parameters():
        if name.endswith("noise_weight"):
            parameter.fill_(0.3)
    codes = tiny_model.encode(images)
    default = tiny_model.decode(codes)
    assert torch.equal(default, tiny_model.decode(codes))
    assert torch.equal(default, tiny_model.decode(codes, noise=0))
    assert not torch.allclose(default, tiny_model.decode(codes, noise=1), atol=1e-3)
    assert not torch.allclose(tiny_model.decode(codes, noise="random"), tiny_model.decode(codes, noise="random"))
    zero = tiny_model.decode(codes, noise="zero")
    sides = tiny_model.generator.noise_sides(*codes.structure.shape[2:])
    torch.testing.assert_close(tiny_model.decode(codes, noise=[torch.zeros(1, 1, *side) for side in sides]), zero)
    maps = [torch.randn(2, 1, *side) for side in sides]
    given = tiny_model.decode(codes, noise=maps)
    alone = tiny_model.decode(Codes(*(code[1:] for code in codes)), noise=[map[1:] for map in maps])
    torch.testing.assert_close(given[1:], alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_global_random_state_is_left_alone_by_seeded_noise(tiny_model, images):
    codes = tiny_model.encode(images)
    before = torch.get_rng_state()
    tiny_model.decode(codes, noise=5)
    assert torch.equal(before, torch.get_rng_state())


@torch.no_grad()
def test_swap_and_alpha(tiny_model, images):
    a, b = images[:1], images[1:]
    torch.testing.assert_close(tiny_model.swap(a, b, alpha=0.0), tiny_model(a))
    hybrid = Codes(tiny_model.encode(a).structure, tiny_model.encode(b).texture)
    torch.testing.assert_close(tiny_model.swap(a, b), tiny_model.decode(hybrid))
    assert not torch.allclose(tiny_model.swap(a, b), tiny_model(a), atol=1e-3)
    larger = torch.nn.functional.interpolate(b, size=(128, 72))
    assert tiny_model.swap(a, larger).shape == a.shape


@torch.no_grad()
def test_decoding_brings_codes_back_to_the_sphere(tiny_model, images):
    codes = tiny_model.encode(images)
    stretched = Codes(codes.structure * 3, codes.texture * 0.2)
    torch.testing.assert_close(tiny_model.decode(stretched), tiny_model.decode(codes), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_texture_maps_for_any_batch_agree_with_one_at_a_time(tiny_model, images):
    codes = tiny_model.encode(images)
    constant = codes.texture[:, :, None, None].expand(-1, -1, 3, 5)
    torch.testing.assert_close(
        tiny_model.decode(Codes(codes.structure, constant)), tiny_model.decode(codes), atol=1e-5, rtol=1e-4
    )
    maps = torch.randn(2, tiny_model.config.texture_channels, 4, 6)
    both = tiny_model.decode(Codes(codes.structure, maps))
    alone = tiny_model.decode(Codes(codes.structure[1:], maps[1:]))
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_parameter(tiny_model, images):
    tiny_model.decode(tiny_model.encode(images), noise=0).square().sum().backward()
    unused = [name for name, parameter in tiny_model.named_parameters() if parameter.grad is None]
    assert not unused


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 60, 64), (1, 3, 48, 64)])
def test_encode_refuses_other_shapes(tiny_model, shape):
    with pytest.raises(ValueError, match="expected|multiples of 8 and at least 56"):
        tiny_model.encode(torch.zeros(shape))


def test_decode_refuses_other_shapes(tiny_model):
    structure, texture = torch.zeros(1, 4, 8, 8), torch.zeros(1, 32)
    for codes, message in [
        (Codes(structure[:, :3], texture), "structure"),
        (Codes(structure, texture[:, :5]), "texture"),
        (Codes(structure.expand(3, -1, -1, -1), texture.expand(2, -1)), "as many"),
    ]:
        with pytest.raises(ValueError, match=f"expected {message}"):
            tiny_model.decode(codes)
    with pytest.raises(ValueError, match="noise must be"):
        tiny_model.decode(Codes(structure, texture), noise="loud")
    with pytest.raises(ValueError, match="noise maps"):
        tiny_model.decode(Codes(structure, texture), noise=[torch.zeros(1, 1, 8, 8)])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build_and_pair_with_their_discriminators(name):
    with torch.device("meta"):
        model = SwapAE(PRESETS[name].model)
        side = PRESETS[name].model.minimum_side
        assert model.decode(model.encode(torch.zeros(1, 3, side, side))).shape == (1, 3, side, side)


def test_published_sizes_in_parameters():
    with torch.device("meta"):
        model = SwapAE(PRESETS["church256"].model)
    assert sum(p.numel() for p in model.encoder.parameters()) / 1e6 == pytest.approx(30.6, abs=0.05)
    assert sum(p.numel() for p in model.generator.parameters()) / 1e6 == pytest.approx(25.1, abs=0.05)
