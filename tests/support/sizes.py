"""Discriminators of few channels, for images of 32 and of 64 pixels."""

from swapae.config import DiscriminatorConfig

SMALL = DiscriminatorConfig(
    crop_size=32,
    image_capacity=0.02,
    image_max_channels=8,
    patch_size=16,
    patch_capacity=0.1,
    patch_max_channels=8,
)

CRITICS = DiscriminatorConfig(
    crop_size=64,
    image_capacity=0.02,
    image_max_channels=8,
    patch_size=16,
    patch_capacity=0.1,
    patch_max_channels=8,
)
