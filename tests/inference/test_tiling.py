"""Tiles give what the whole picture gives, at any size, without seams, in less memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from swapae import PRESETS, Codes, SwapAE
from swapae.apps.cli import main
from swapae.inference.fast import optimize_for_inference
from swapae.inference.tiling import decode, encode, suggested_tile, tiles


@pytest.fixture(scope="module")
def model(random_model):
    return random_model


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize(("height", "width"), [(448, 320), (256, 512), (128, 128)])
@pytest.mark.parametrize("tile", [1, 100, 5000])
def test_tiles_give_what_the_whole_gives(model, height, width, tile):
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    codes = model.encode(images)
    for own, whole in zip(encode(model, images, tile), codes, strict=True):
        assert relative(own, whole) < 1e-5
    assert relative(decode(model, codes, tile, noise=3), model.decode(codes, noise=3)) < 1e-5
    several = [torch.randn(2, model.config.texture_channels) for _ in model.generator.blocks]
    own, whole = (
        do(model, codes, *tiled, noise="zero", block_textures=several)
        for do, tiled in ((decode, (tile,)), (SwapAE.decode, ()))
    )
    assert relative(own, whole) < 1e-5


def test_a_map_of_textures_on_the_grid(model):
    codes = model.encode(torch.rand(1, 3, 256, 320) * 2 - 1)
    grid = codes.structure.shape[2:]
    mapped = Codes(codes.structure, torch.randn(1, model.config.texture_channels, *grid))
    assert relative(decode(model, mapped, 64), model.decode(mapped)) < 1e-5
    with pytest.raises(ValueError, match="structure's grid"):
        decode(model, Codes(codes.structure, mapped.texture[..., :-1]), 64)


def test_a_halo_one_cell_narrower_shows_seams(model, monkeypatch):
    """So that the halos are as wide as they have to be, and no wider."""
    images = torch.rand(1, 3, 512, 256) * 2 - 1
    codes, tile = model.encode(images), 8 * model.config.stride
    monkeypatch.setattr("swapae.inference.tiling.ENCODER_HALO", 2)
    monkeypatch.setattr("swapae.inference.tiling.GENERATOR_REACH", 2)
    assert relative(encode(model, images, tile).structure, codes.structure) > 1e-4
    assert relative(decode(model, codes, tile), model.decode(codes)) > 1e-4


@pytest.mark.parametrize(("height", "width", "side"), [(7, 30, 4), (64, 64, 16), (5, 5, 8), (36, 9, 16)])
def test_tiles_cover_a_grid_once(height, width, side):
    seen = torch.zeros(height, width, dtype=torch.int)
    heights = set()
    for rows, columns in tiles(height, width, side, 3, beyond=2):
        seen[rows.own(), columns.own()] += 1
        assert rows.first == max(0, rows.start - 3) and columns.last == min(width, columns.stop + 5)
        heights.add(rows.stop - rows.start)
    assert (seen == 1).all()
    assert max(heights) <= side and 2 * min(heights) > max(heights)


def test_small_pictures_are_left_whole_and_large_ones_are_not():
    model = SwapAE(PRESETS["church256"].model).eval()
    fast = optimize_for_inference(model)
    assert suggested_tile(model, 1024, 1024) is None and suggested_tile(fast, 2048, 2048) is None
    for one, least, most in ((model, 512, 1024), (fast, 1024, 1536)):
        tile = suggested_tile(one, 4096, 4096)
        assert tile is not None and least <= tile < most and tile % model.config.stride == 0


def test_the_command_line(tmp_path, monkeypatch, capsys):
    for name, seed in (("a", 1), ("b", 9)):
        Image.effect_noise((300, 260), 40 * seed).convert("RGB").save(tmp_path / f"{name}.png")

    def swap(output, *options):
        words = ["swap", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "-o", str(tmp_path / output), *options]
        monkeypatch.setattr("sys.argv", ["swapae", *words, "--size", "full"])
        return main()

    assert swap("whole.png") == 0
    assert "tile" not in capsys.readouterr().err
    assert swap("tiled.png", "--tile", "128") == 0
    assert "decode: 100%" in capsys.readouterr().err
    whole, tiled = (Image.open(tmp_path / name).convert("RGB") for name in ("whole.png", "tiled.png"))
    differences = torch.frombuffer(bytearray(whole.tobytes()), dtype=torch.uint8).int() - torch.frombuffer(
        bytearray(tiled.tobytes()), dtype=torch.uint8
    )
    assert differences.abs().max() <= 1 and (differences != 0).float().mean() < 1e-3
    assert swap("bad.png", "--tile", "-5") == 2
    assert "--tile" in capsys.readouterr().err and not (tmp_path / "bad.png").exists()


PEAK = """
import sys, torch
from process_memory import peak
from swapae import SwapAE
from swapae.inference.tiling import decode
model = SwapAE.default().requires_grad_(False)
images = torch.zeros(1, 3, 1024, 1024)
with torch.inference_mode():
    codes = model.encode(images[..., :256, :256])
    model.decode(codes)
    large = codes._replace(structure=codes.structure.repeat(1, 1, 4, 4))
    before = peak()
    decode(model, large, 256, noise="zero") if sys.argv[1] == "tiled" else model.decode(large, noise="zero")
print((peak() - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_tiles_take_less_memory():
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "support")}

    def taken(how):
        command = [sys.executable, "-c", PEAK, how]
        return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    whole, tiled = taken("whole"), taken("tiled")
    assert tiled < 0.5 * whole, (tiled, whole)
