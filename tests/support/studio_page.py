"""The page as tests serve it, with a model of random weights, and pictures to give to it."""

import contextlib
import io
import socket
from collections.abc import Iterator, Sequence

import gradio as gr
import numpy as np
import torch
from PIL import Image

import app
from swapae import SwapAE, SwapAEConfig
from swapae.directions import Direction, Directions


def tiny_model() -> SwapAE:
    torch.manual_seed(0)
    config = SwapAEConfig(
        image_size=64, texture_channels=16, downsamplings=2, encoder_capacity=0.1, generator_capacity=0.1
    )
    return SwapAE(config).eval()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tiny_directions(model: SwapAE) -> Directions:
    """One named direction, and random axes."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(8, model.config.texture_channels, generator=generator)
    places = torch.randn(model.config.structure_channels, model.config.structure_channels, generator=generator)
    layouts = torch.randn(2, model.config.structure_channels, 16, 16, generator=generator)
    named = {"warm": Direction(vectors[1], "cooler", "warmer")}
    return Directions(vectors[0], vectors[1:3], places[0], places[:1], named, layouts)


@contextlib.contextmanager
def served(model: SwapAE, directions: Directions | None = None, allowed: Sequence[str] = ()) -> Iterator[str]:
    """The address of the page for `model`, as `python app.py` launches it."""
    with launched(app.build_demo(model, directions, allowed)) as url:
        yield url


@contextlib.contextmanager
def launched(demo: gr.Blocks, port: int = 0) -> Iterator[str]:
    """The address of a page while it is served, at a port that is free if none is given."""
    _, url, _ = demo.launch(
        server_name="127.0.0.1", server_port=port or free_port(), prevent_thread_lock=True, quiet=True, **app.LAUNCH
    )
    try:
        yield url
    finally:
        demo.close()


def painted(width: int, height: int, seed: int) -> Image.Image:
    """A picture of large coloured blots."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, format)
    return stream.getvalue()
