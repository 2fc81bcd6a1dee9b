import math

import pytest
import torch
import torch.nn.functional as F

from swapae.layers import Blur, ConvLayer, EqualLinear, leaky_relu, modulated_conv2d, residual, unit_length


@pytest.mark.parametrize("upsample", [False, True])
def test_modulated_convolution_equals_the_grouped_one_with_a_weight_per_sample(upsample):
    torch.manual_seed(0)
    x, weight = torch.randn(3, 5, 6, 7).double(), torch.randn(4, 5, 3, 3).double()
    style = torch.randn(3, 5, 1, 1).double()
    ours = modulated_conv2d(x, weight, style, upsample=upsample)
    normal_style = style / style.square().mean(1, keepdim=True).sqrt()
    normal_weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
    weights = normal_weight[None] * normal_style[:, None]  # [B, O, C, 3, 3]
    if upsample:
        grouped = F.conv_transpose2d(
            x.reshape(1, 15, 6, 7), weights.transpose(1, 2).reshape(15, 4, 3, 3), stride=2, groups=3
        )
    else:
        grouped = F.conv2d(x.reshape(1, 15, 6, 7), weights.reshape(12, 5, 3, 3), padding=1, groups=3)
    torch.testing.assert_close(ours, grouped.view_as(ours), rtol=1e-6, atol=1e-6)


def test_a_constant_texture_map_modulates_like_its_vector():
    torch.manual_seed(0)
    x, weight, style = torch.randn(2, 4, 8, 6), torch.randn(3, 4, 3, 3), torch.randn(2, 4, 1, 1)
    torch.testing.assert_close(
        modulated_conv2d(x, weight, style), modulated_conv2d(x, weight, style.expand(2, 4, 3, 5))
    )


def test_modulation_without_demodulation_is_linear_in_the_style():
    torch.manual_seed(0)
    x, weight, style = torch.randn(2, 4, 5, 5), torch.randn(3, 4, 1, 1), torch.randn(2, 4, 1, 1)
    once = modulated_conv2d(x, weight, style, demodulate=False)
    torch.testing.assert_close(modulated_conv2d(x, weight, 3 * style, demodulate=False), 3 * once)
    torch.testing.assert_close(modulated_conv2d(x, weight, 3 * style), modulated_conv2d(x, weight, style))


def test_blur_is_the_binomial_filter():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 16
    expected = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    assert torch.equal(Blur((1, 2, 1), (0, 0))(x)[0, 0], expected)
    assert torch.equal(Blur((1, 2, 1), (1, 1))(x)[0, 0, 1:4, 1:4], expected)


def test_a_strided_blur_keeps_every_second_pixel_of_the_full_one():
    x = torch.randn(2, 3, 8, 10)
    full = Blur((1, 3, 3, 1), (1, 1))(x)
    torch.testing.assert_close(Blur((1, 3, 3, 1), (1, 1), stride=2)(x), full[..., ::2, ::2])


def test_a_strided_blur_is_the_same_in_bf16_and_with_a_gradient():
    """On a CPU it is computed in another way then."""
    x = torch.randn(2, 3, 8, 10)
    for pad_mode, pad in (("constant", (1, 1)), ("reflect", (2, 1))):
        blur = Blur((1, 3, 3, 1), pad, stride=2, pad_mode=pad_mode)
        with torch.no_grad():
            expected = blur(x)
        half = x.bfloat16().requires_grad_()
        seen = blur(half)
        torch.testing.assert_close(seen.float(), expected, atol=0.05, rtol=0)
        wide = x.clone().requires_grad_()
        weights = torch.randn_like(expected)
        (gradient,) = torch.autograd.grad((seen * weights).sum(), half)
        (wanted,) = torch.autograd.grad((blur(wide) * weights).sum(), wide)
        torch.testing.assert_close(gradient.float(), wanted, atol=0.05, rtol=0)


def test_upsampling_blur_has_gain_four():
    assert Blur((1, 3, 3, 1), (1, 1), gain=4.0).kernel.sum().item() == pytest.approx(4)


def test_blur_keeps_a_constant_under_reflection_but_not_under_zeros():
    x = torch.ones(1, 2, 6, 6)
    torch.testing.assert_close(Blur((1, 2, 1), (2, 1), pad_mode="reflect")(x), torch.ones(1, 2, 7, 7))
    assert Blur((1, 2, 1), (1, 1))(x)[0, 0, 0, 0].item() == pytest.approx(9 / 16)


def test_layers_keep_unit_variance():
    torch.manual_seed(0)
    x = torch.randn(8, 64, 32, 32)
    with torch.no_grad():
        assert ConvLayer(64, 64, 3)(x).square().mean().sqrt().item() == pytest.approx(1.0198, abs=0.05)
    assert ConvLayer(64, 64, 3, activate=False)(x).std().item() == pytest.approx(1, abs=0.1)
    assert EqualLinear(512, 512)(torch.randn(256, 512)).std().item() == pytest.approx(1, abs=0.1)
    assert modulated_conv2d(x, torch.randn(64, 64, 3, 3), torch.ones(8, 64, 1, 1)).std().item() == pytest.approx(
        1, abs=0.1
    )


def test_in_place_arithmetic_gives_what_the_recorded_one_does():
    torch.manual_seed(0)
    layers = [
        ConvLayer(4, 6, 3, pad_mode="reflect"),
        ConvLayer(4, 6, 3, blur=(1, 3, 3, 1)),
        ConvLayer(4, 9, 1),
    ]
    x = torch.randn(2, 4, 8, 8)
    for layer in layers:
        layer.bias.data.normal_()
        recorded = layer(x)
        kept = x.clone()
        with torch.no_grad():
            torch.testing.assert_close(layer(x), recorded)
        assert torch.equal(x, kept)  # the input is the caller's


def test_activation_and_residual_by_hand():
    x = torch.tensor([[1.0, -2.0]])
    expected = torch.tensor([[1.5, -0.3]]) * math.sqrt(2)
    torch.testing.assert_close(leaky_relu(math.sqrt(2) * x, torch.tensor([0.5, 0.5])), expected)
    torch.testing.assert_close(residual(torch.ones(1), torch.ones(1)), torch.tensor([math.sqrt(2)]))


def test_unit_length_survives_half_precision():
    codes = torch.full((1, 2048, 1, 1), 200.0, dtype=torch.float16)  # its squares overflow float16
    torch.testing.assert_close(unit_length(codes), torch.full_like(codes, 2048**-0.5))
