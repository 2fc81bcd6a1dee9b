"""Fixtures for more than one test module."""

import pytest
import torch

from swapae import SwapAE, SwapAEConfig


@pytest.fixture(scope="session")
def tiny_config() -> SwapAEConfig:
    """The smallest model with all parts: 64 pixels, stride 8."""
    return SwapAEConfig(
        image_size=64,
        structure_channels=4,
        texture_channels=32,
        downsamplings=3,
        encoder_capacity=0.25,
        generator_capacity=0.0625,
    )


@pytest.fixture
def tiny_model(tiny_config: SwapAEConfig) -> SwapAE:
    """The same random weights every time; noise counts, as in a trained model."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SwapAE(tiny_config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("noise_weight"):
                parameter.fill_(0.1)
    return model
