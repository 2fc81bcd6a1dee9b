import contextlib

import pytest
import torch
from sizes import SMALL

from swapae.discriminators import ImageDiscriminator, PatchDiscriminator
from swapae.layers import Blur, ConvLayer
from swapae.losses import LossWeights, r1_losses
from swapae.second_order import CheapSecondDerivatives


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: ConvLayer(3, 4, 3),
        lambda: ConvLayer(3, 4, 3, pad_mode="reflect", activate=False),
        lambda: ConvLayer(3, 4, 3, stride=2, padded=False),
        lambda: ConvLayer(3, 4, 1, blur=(1, 3, 3, 1)),
        lambda: ConvLayer(3, 4, 3, blur=(1, 2, 1)),
        lambda: Blur((1, 3, 3, 1), (1, 1), stride=2),
    ],
)
def test_values_and_both_derivatives_are_those_of_plain_layers(layer, side):
    torch.manual_seed(0)
    module = layer().double()
    x = torch.randn(2, 3, side, side).double()
    found = []
    for mode in (contextlib.nullcontext(), CheapSecondDerivatives()):
        module.zero_grad(set_to_none=True)
        images = x.clone().requires_grad_()
        with mode:
            y = module(images)
        (gradient,) = torch.autograd.grad(y.square().sum(), images, create_graph=True)  # curved, unlike the layers
        gradient.square().sum().backward()
        found.append([y, gradient, images.grad, *[parameter.grad for parameter in module.parameters()]])
    for plain, cheap in zip(*found, strict=True):
        torch.testing.assert_close(cheap, plain)


def test_r1_convolves_no_more_than_its_mathematics_does():
    """Forward, gradient, and for the second gradient once more forward and each weight: no detours, no zeros."""
    calls = []

    class Counter(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if function is torch.ops.aten.convolution.default:
                calls.append((1, args[8]))
            elif function is torch.ops.aten.convolution_backward.default:
                calls.append((sum(args[10][:2]), args[9]))
            return function(*args, **(kwargs or {}))

    discriminators = ImageDiscriminator(SMALL), PatchDiscriminator(SMALL)
    layers = [module for critic in discriminators for module in critic.modules() if isinstance(module, ConvLayer)]
    blurs = [layer.blur for layer in layers if layer.blur]
    with Counter():
        patches, unchanged = lambda x: torch.randn(2, 2, 3, 16, 16), lambda x: x
        losses = r1_losses(torch.randn(2, 3, 32, 32), *discriminators, patches, unchanged, LossWeights(), 16)
        losses.total.backward()
    assert sum(count for count, groups in calls if groups == 1) == 4 * len(layers)
    assert sum(count for count, groups in calls if groups > 1) == 3 * len(blurs)
