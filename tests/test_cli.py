"""The command line in process, and once as the installed program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from swapae import Codes, SwapAE
from swapae.cli import main
from swapae.images import fit, load_image, to_pil


@pytest.fixture
def run(tmp_path, tiny_model, monkeypatch, capsys):
    """Run a command in a folder with two photographs, on the tiny model; (exit status, stdout, stderr)."""
    generator = np.random.default_rng(0)
    for name, (height, width) in {"a.png": (60, 84), "b.jpg": (64, 64)}.items():
        noise = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
        Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(tmp_path / name)
    with torch.no_grad():
        for name, parameter in tiny_model.named_parameters():
            if name.endswith("noise_weight"):
                parameter.fill_(0.2)
    tiny_model.save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)

    def command(*arguments, model=True):
        options = ["--model", "model"] if model else []
        monkeypatch.setattr(sys, "argv", ["swapae", *map(str, arguments), *options])
        status = main()
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def files():
    return sorted(str(p) for p in Path().rglob("*") if p.is_file() and p.parts[0] != "model")


def test_swap_is_the_models_swap(run):
    assert run("swap", "a.png", "b.jpg", "-o", "out.png")[0] == 0
    model = SwapAE.from_pretrained("model")
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
        (["swap", "a.png", "b.jpg"], "output"),
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
    for command in ("swap", "reconstruct", "encode", "decode", "grid", "interpolate", "convert"):
        assert command in out
    status, out, _ = run("swap", "--help", model=False)
    assert status == 0 and "--alpha" in out and "-o" in out and "--size" in out


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
    assert Image.open(tmp_path / "out.png").size == (179, 128)  # the embedded model, at its size


def test_loaded_codes_are_what_was_saved(run):
    assert run("encode", "b.jpg", "-o", "b.safetensors")[0] == 0
    model = SwapAE.from_pretrained("model")
    codes, size = model.load_codes("b.safetensors")
    assert isinstance(codes, Codes) and size == (64, 64)


@pytest.fixture
def photographs(tmp_path):
    """Twenty-four small photographs of two kinds, bright and dark."""
    generator = np.random.default_rng(1)
    (tmp_path / "many").mkdir()
    for index in range(24):
        kind, level = ("rose", 60) if index % 2 else ("tulip", 160)
        pixels = generator.integers(level, level + 80, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"many/{kind}_{index}.png")


def test_directions_are_made_listed_and_applied(run, photographs):
    assert run("direction", "make", "many", "-o", "mine.safetensors", "--classes", "name")[0] == 0
    status, out, _ = run("direction", "list", "--directions", "mine.safetensors")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert status == 0 and {"bright", "warm", "vivid", "contrast", "sharp", "rose", "tulip"} == {n for n, _ in lines}
    assert dict(lines)["rose"] == "less like rose ... more like rose"

    for name, gains in (("same", ["warm=0"]), ("moved", ["warm=1", "rose=-0.5"])):
        done = run(
            "direction", "apply", "a.png", "-o", f"{name}.png", "--directions", "mine.safetensors", "--gains", *gains
        )
        assert done[0] == 0, done[2]
    assert run("reconstruct", "a.png", "-o", "plain.png")[0] == 0
    pictures = {name: np.asarray(Image.open(f"{name}.png")).astype(int) for name in ("plain", "same", "moved")}
    assert np.array_equal(pictures["plain"], pictures["same"])
    assert np.abs(pictures["plain"] - pictures["moved"]).mean() > 1

    # Beside the model's weights they are found by themselves.
    shutil.move("mine.safetensors", "model/directions.safetensors")
    assert run("direction", "list")[1] == out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["list"], "has no directions.safetensors; make one"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm"], "--gains takes NAME=NUMBER"),
        (["apply", "a.png", "-o", "out.png", "--gains", "warm=nan"], "--gains takes NAME=NUMBER"),
        (["list", "--directions", "a.png"], "'a.png' is missing, damaged or not safetensors"),
        (["make", "none", "-o", "out.safetensors"], "none"),
        (["make", "many", "-o", "out.png"], ".safetensors"),
        (["make", "many", "-o", "out.safetensors", "--classes", "folder"], "found 1 class"),
        (["make", "many", "-o", "out.safetensors", "--most", "0"], "--most must be 1 or more"),
    ],
)
def test_bad_directions_are_one_line_and_nothing_is_written(run, photographs, arguments, part):
    before = files()
    status, _, err = run("direction", *arguments)
    lines = [line for line in err.splitlines() if line.startswith("swapae: ")]
    assert status == 2 and len(lines) == 1 and part in lines[0]
    assert files() == before
