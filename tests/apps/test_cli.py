"""The command line in process, and once as the installed program."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import files
from PIL import Image

from swapae import Codes, SwapAE
from swapae.apps.cli import main
from swapae.apps.cli.commands import COMMANDS, GROUPS
from swapae.inference.fast import optimize_for_inference
from swapae.pictures.images import fit, load_image, to_pil


def test_swap_is_the_models_swap(run):
    assert run("swap", "a.png", "b.jpg", "-o", "out.png")[0] == 0
    model = optimize_for_inference(SwapAE.from_pretrained("model"))
    size, stride, minimum = model.config.image_size, model.config.stride, model.config.minimum_side
    a, b = (fit(load_image(name), size, stride, minimum) for name in ("a.png", "b.jpg"))
    with torch.no_grad():
        expected = to_pil(model.swap(a.tensor, b.tensor), a.size)
    result = Image.open("out.png")
    assert result.size == (90, 64)
    assert np.array_equal(np.asarray(result), np.asarray(expected))


def test_alpha_seed_and_sizes(run):
    def pixels(*options):
        assert run("swap", "a.png", "b.jpg", "-o", "out.png", *options) == (0, "", "")
        return np.asarray(Image.open("out.png")).astype(int)

    full, none = pixels(), pixels("--alpha", 0)
    assert run("reconstruct", "a.png", "-o", "r.png")[0] == 0
    assert np.array_equal(none, np.asarray(Image.open("r.png")))
    assert np.abs(full - none).mean() > 1
    assert np.array_equal(full, pixels()) and not np.array_equal(full, pixels("--seed", 1))
    assert pixels("--size", "full").shape == (60, 84, 3)
    assert pixels("--size", 56).shape == (56, 78, 3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close(run, dtype):
    assert run("reconstruct", "a.png", "-o", "exact.png")[0] == 0
    assert run("reconstruct", "a.png", "-o", "half.png", "--dtype", dtype)[0] == 0
    exact, half = (np.asarray(Image.open(f"{name}.png")).astype(int) for name in ("exact", "half"))
    assert np.abs(exact - half).mean() < 4


def test_codes_round_trip(run):
    assert run("encode", "a.png", "-o", "a.safetensors")[0] == 0
    assert run("decode", "a.safetensors", "-o", "decoded.png")[0] == 0
    assert run("reconstruct", "a.png", "-o", "r.png")[0] == 0
    assert np.array_equal(np.asarray(Image.open("decoded.png")), np.asarray(Image.open("r.png")))
    status, _, error = run("decode", "a.safetensors", "-o", "x.png", model=False)
    assert status == 2 and "another model" in error and not Path("x.png").exists()


def test_grid_has_every_pair(run):
    Path("more").mkdir()
    shutil.copy("a.png", "more/c.png")
    status, _, error = run(
        "grid", "--structure", "a.png", "b.jpg", "--texture", "b.jpg", "more", "-o", "grid.png", "--cell", 64
    )
    assert status == 0 and "decode" in error  # a progress bar
    grid = Image.open("grid.png")
    assert grid.width > 3 * 64 and grid.height > 3 * 64


@pytest.mark.parametrize("name", ["film.gif", "film.webp"])
def test_interpolation_runs_from_own_texture_to_full_swap(run, name):
    assert run("interpolate", "a.png", "b.jpg", "-o", name, "--frames", 5)[0] == 0
    film = Image.open(name)
    assert film.n_frames == 5 and film.size == (90, 64)
    run("reconstruct", "a.png", "-o", "own.png")
    run("swap", "a.png", "b.jpg", "-o", "full.png")
    for index, still in ((0, "own.png"), (4, "full.png")):
        film.seek(index)
        shown, expected = (np.asarray(x.convert("RGB")).astype(int) for x in (film, Image.open(still)))
        assert np.abs(shown - expected).mean() < 12  # the formats lose a little


def test_interpolation_as_mp4_and_frames(run):
    import av

    assert run("interpolate", "a.png", "b.jpg", "-o", "film.mp4", "--frames", 4, "--fps", 6)[0] == 0
    with av.open("film.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 6
    assert len(frames) == 4 and frames[0].shape == (64, 90, 3)
    assert run("interpolate", "a.png", "b.jpg", "-o", "frames", "--frames", 4)[0] == 0
    assert sorted(p.name for p in Path("frames").iterdir()) == [f"{i:04d}.png" for i in range(4)]
    run("swap", "a.png", "b.jpg", "-o", "full.png")
    assert np.array_equal(np.asarray(Image.open("frames/0003.png")), np.asarray(Image.open("full.png")))
    assert np.abs(frames[3].astype(int) - np.asarray(Image.open("full.png"))).mean() < 12


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["swap", "missing.png", "b.jpg", "-o", "x.png"], "missing.png"),
        (["swap", "text.png", "b.jpg", "-o", "x.png"], "text.png"),
        (["swap", "cut.png", "b.jpg", "-o", "x.png"], "cut.png"),
        (["swap", "a.png", "b.jpg", "-o", "x.xyz"], "x.xyz"),
        (["swap", "a.png", "b.jpg", "-o", "no/folder/x.png"], "folder"),
        (["swap", "a.png", "b.jpg", "-o", "x.png", "--alpha", "nan"], "--alpha"),
        (["swap", "a.png", "b.jpg", "-o", "x.png", "--size", "4"], "56"),
        (["swap", "a.png", "b.jpg", "-o", "x.png", "--size", "huge"], "size"),
        (["swap", "tiny.png", "b.jpg", "-o", "x.png", "--size", "full"], "56"),
        (["swap", "a.png", "b.jpg", "-o", "x.png", "--max-pixels", "1000"], "1000"),
        (["swap", "a.png", "b.jpg", "-o", "x.png", "--device", "cuda"], "cuda"),
        (["swap", "a.png", "b.jpg", "-o", "x.png", "--model", "nowhere"], "nowhere"),
        (["swap", "a.png", "-o", "x.png"], "TEXTURE"),
        (["swap", "a.png", "b.jpg"], "missing -o OUT"),
        (["swop", "a.png", "b.jpg"], "swop"),
        (["encode", "a.png", "-o", "x.png"], ".safetensors"),
        (["decode", "a.png", "-o", "x.png"], "a.png"),
        (["grid", "--structure", "empty", "--texture", "a.png", "-o", "x.png"], "empty"),
        (["interpolate", "a.png", "b.jpg", "-o", "x.gif", "--frames", "1"], "--frames"),
        (["interpolate", "a.png", "b.jpg", "-o", "x.avi"], "x.avi"),
        (["interpolate", "a.png", "b.jpg", "-o", "full_folder"], "full_folder"),
        (["interpolate", "a.png", "cut.png", "-o", "x.mp4"], "cut.png"),
        (["convert", "text.png", "OUT"], "text.png"),
        (["convert", "missing.pth", "OUT"], "missing.pth"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, arguments, part):
    Path("text.png").write_text("not a picture")
    Path("cut.png").write_bytes(Path("a.png").read_bytes()[:-200])
    Path("empty").mkdir()
    Path("full_folder").mkdir()
    Path("full_folder/kept.txt").write_text("kept")
    Image.new("RGB", (20, 20)).save("tiny.png")
    before = files()
    status, out, error = run(*arguments, model=arguments[0] != "convert" and "--model" not in arguments)
    lines = [line for line in error.splitlines() if "it/s" not in line and "0/" not in line]
    assert status == 2 and out == "", error
    assert len(lines) == 1 and part in lines[0] and "Traceback" not in error, error
    assert files() == before


def test_help_tells_a_newcomer_what_there_is(run):
    status, out, _ = run("--help", model=False)
    assert status == 0
    for command in (*COMMANDS, *GROUPS):
        assert re.search(rf"\b{command}\b", out), command
    status, out, _ = run("swap", "--help", model=False)
    assert status == 0 and "--alpha" in out and "-o" in out and "--size" in out


EVERY_COMMAND = COMMANDS | {
    f"{group} {name}": command for group, (_, commands) in GROUPS.items() for name, command in commands.items()
}


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_every_argument_of_every_command_is_explained(run, name):
    function = EVERY_COMMAND[name].load()
    explained = set(re.findall(r"^        (\w+): ", function.__doc__, re.M))
    assert explained == inspect.signature(function).parameters.keys() - {"common", "finish"}
    status, out, error = run(*name.split(), "--help", model=False)
    assert status == 0 and function.__doc__.split(".")[0].split(",")[0][:30] in out, error


@pytest.mark.slow
def test_the_installed_program(run, tmp_path):
    program = Path(sys.executable).parent / "swapae"
    assert program.exists(), "the console script is missing: run make install"
    done = subprocess.run(
        [program, "swap", "a.png", "b.jpg", "-o", "out.png", "--alpha", "0.5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    config = SwapAE.default().config  # at whose size the picture is, 60 by 84 pixels before
    assert Image.open(tmp_path / "out.png").size == (round(config.image_size * 84 / 60), config.image_size)


def test_loaded_codes_are_what_was_saved(run):
    assert run("encode", "b.jpg", "-o", "b.safetensors")[0] == 0
    model = SwapAE.from_pretrained("model")
    codes, size = model.load_codes("b.safetensors")
    assert isinstance(codes, Codes) and size == (64, 64)


@pytest.mark.slow
def test_every_command_on_pictures_works_in_half_precision(run, photographs, monkeypatch):
    monkeypatch.setattr("swapae.editing.fitting.CALIBRATED_ON", 2)
    white = np.full((9, 9), 255, np.uint8)
    Image.fromarray(white).save("mask.png")
    half, film = ["--dtype", "bfloat16"], ["-o", "out.gif"]
    assert run("direction", "make", "many", "--classes", "name", "-o", "all.safetensors", *half)[0] == 0
    for path in sorted(Path("many").glob("rose*")):
        Path("roses").mkdir(exist_ok=True)
        path.rename(Path("roses", path.name))
    kinds = ["--having", "many", "--lacking", "roses", "-o", "mine.safetensors"]
    for arguments in (
        ["swap", "a.png", "b.jpg", "--spherical", "--fine", 0.5, "--keep", "colour", "--protect", "mask.png"],
        ["mix", "a.png", "--textures", "b.jpg", "a.png"],
        ["regions", "a.png", "--textures", "b.jpg", "--masks", "mask.png", "--exact"],
        ["select", "a.png", "3,3"],
        ["paste", "a.png", "b.jpg", "--box", "0,0,16,16", "--to", "8,8,32,32", "--texture", "--feather", 8],
        ["move", "a.png", "--box", "0,0,16,16", "--to", "8,8"],
        ["drag", "a.png", "--from", "8,8", "40,40", "--to", "20,8", "40,40"],
        ["join", "a.png", "b.jpg", "--seam", 16],
        ["outpaint", "a.png", "--vertical", 8],
        ["translate", "a.png", "--from", "many", "--to", "roses", "--most", 3],
        ["direction", "add", "tulip", *kinds],
        ["direction", "apply", "a.png", "--gains", "tulip=1", "structure1=1", "--orthogonal", "--mask", "mask.png",
         "--directions", "mine.safetensors"],
        ["journey", "a.png", "b.jpg", "--steps", 2, *film],
        ["sweep", "a.png", "--direction", "tulip", "--directions", "mine.safetensors", "--frames", 2, *film],
        ["restyle", "out.gif", "--texture", "b.jpg", "-o", "out.mp4"],
    ):  # fmt: skip
        status, _, error = run(*arguments, *(() if "-o" in arguments else ("-o", "out.png")), *half)
        assert status == 0, (arguments, error)


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["swapae", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"swapae {version('swapae')}\n"
