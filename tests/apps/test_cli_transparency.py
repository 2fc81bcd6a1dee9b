"""Transparency on the command line: the structure's comes back, the texture's hidden part does not count."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from swapae import SwapAE
from swapae.editing.fitting import DirectionSamples, make_directions
from swapae.evaluation.measuring import Measuring
from swapae.evaluation.networks import Networks
from swapae.images import fit, load_image
from swapae.inference.tiling import encode


@pytest.fixture
def cut(run):
    """The command in a folder that also has cut.png, the photograph a.png with a hole and a soft edge."""
    photograph = Image.open("a.png").convert("RGB")
    width, height = photograph.size
    y, x = np.mgrid[:height, :width]
    opacity = np.clip(np.hypot(x - width / 2, y - height / 2) - 12, 0, 8) / 8
    photograph.putalpha(Image.fromarray(np.rint(255 * opacity).astype(np.uint8)))
    photograph.save("cut.png")
    return run


def opacity_of(path):
    image = Image.open(path)
    assert image.mode == "RGBA", path
    return np.asarray(image)[..., 3]


def expected_opacity():
    return np.asarray(Image.open("cut.png").getchannel("A").resize((90, 64), Image.Resampling.LANCZOS))


COMMANDS = [
    ["swap", "cut.png", "b.jpg"],
    ["swap", "cut.png", "b.jpg", "--keep", "luminance"],
    ["swap", "cut.png", "b.jpg", "--tile", 32],
    ["mix", "cut.png", "--textures", "b.jpg", "a.png"],
    ["translate", "cut.png", "--from", "ones", "--to", "others"],
    ["regions", "cut.png", "--textures", "b.jpg", "--select", "2,2"],
    ["direction", "apply", "cut.png", "--gains", "texture1=1", "--directions", "d.safetensors"],
    ["reconstruct", "cut.png"],
    ["paste", "cut.png", "a.png", "--box", "0,0,8,8", "--to", "0,0"],
]


def test_the_structure_s_comes_back(cut):
    for folder, name in (("ones", "a.png"), ("others", "b.jpg")):
        Path(folder).mkdir()
        shutil.copy(name, folder)
    model = SwapAE.from_pretrained("model")
    images = [torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(n)) * 2 - 1 for n in range(20)]
    make_directions(model, images).save("d.safetensors", model)
    for command in COMMANDS:
        status, _, error = cut(*command, "-o", "out.png")
        assert status == 0, error
        assert np.array_equal(opacity_of("out.png"), expected_opacity()), command
    for name in ("out.webp", "out.tif"):
        assert cut("swap", "cut.png", "b.jpg", "-o", name)[:2] == (0, "")
        assert np.array_equal(opacity_of(name), expected_opacity())


def test_where_the_format_has_none_it_is_over_white_and_a_line_says_so(cut):
    for name in ("out.jpg", "out.bmp"):
        status, out, _ = cut("swap", "cut.png", "b.jpg", "-o", name)
        assert status == 0 and out == (
            f"{name} is laid over white: its format has no transparency; .png, .webp and .tif keep it\n"
        )
        assert Image.open(name).mode == "RGB" and min(Image.open(name).getpixel((45, 32))) > 250
    for name, line in (("film.gif", True), ("film.webp", False)):
        status, out, _ = cut("interpolate", "cut.png", "b.jpg", "-o", name, "--frames", 2)
        assert status == 0 and ("over white" in out) == line
    assert cut("swap", "a.png", "cut.png", "-o", "out.jpg")[:2] == (0, "")
    assert cut("grid", "--structure", "cut.png", "--texture", "b.jpg", "-o", "grid.png", "--cell", 64)[0] == 0


def test_what_is_hidden_changes_nothing(cut):
    """Whatever the colours under full transparency, structure and texture, whole and in tiles."""
    pixels = np.array(Image.open("cut.png"))
    pixels[pixels[..., 3] == 0] = 255, 0, 255, 0
    Image.fromarray(pixels).save("pink.png")
    for options in ([], ["--tile", 32]):
        for first, second in (("a.png", "{}"), ("{}", "b.jpg")):
            made = []
            for name in ("cut.png", "pink.png"):
                assert cut("swap", first.format(name), second.format(name), "-o", "out.png", *options)[0] == 0
                made.append(np.asarray(Image.open("out.png")))
            assert np.array_equal(*made)


def test_a_texture_is_that_of_what_is_seen(cut):
    """A photograph beside nothing has its own texture, not one of the photograph and of smooth filling."""
    model = SwapAE.from_pretrained("model")
    photograph = Image.open("a.png").convert("RGB").resize((96, 96))
    beside = Image.new("RGBA", (480, 96))
    beside.paste(photograph, (0, 0))
    own = model.encode(fit(photograph, "full", 8, 56).tensor).texture
    fitted = fit(load_image(beside, background=None), "full", 8, 56)
    seen = model.encode(fitted.tensor, fitted.opacity).texture
    all_of_it = model.encode(fitted.tensor).texture
    assert (seen - own).norm() < 0.5 * (all_of_it - own).norm()
    for tile in (8, 64, 1000):
        assert torch.allclose(encode(model, fitted.tensor, tile, opacity=fitted.opacity).texture, seen, atol=1e-6)


def beside_nothing(name: str, colours: tuple[int, int, int]) -> Path:
    """A photograph's file with hidden colours beside what is seen, all within its centre square."""
    picture = Image.new("RGBA", (128, 128), (*colours, 0))
    picture.paste(Image.open("a.png").convert("RGB").resize((48, 128)), (0, 0))
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    picture.save(path)
    return path


WILD, MEEK = (255, 0, 255), (90, 90, 90)


def test_embedded_textures_are_those_of_what_is_seen(cut):
    for number, colours in enumerate((WILD, MEEK)):
        beside_nothing(f"many/{number}.png", colours)
    shutil.copy("b.jpg", "many/2.jpg")
    assert cut("embed", "many", "-o", "codes", "--size", 128)[0] == 0
    model = SwapAE.from_pretrained("model")
    codes, _ = model.load_codes("codes/000000.safetensors")
    assert torch.equal(codes.texture[0], codes.texture[1]) and torch.equal(codes.structure[0], codes.structure[1])
    fitted = fit(load_image("many/0.png", background=None), 128, 8, 56)
    # As `swap` has it, in the order of the names, and beside pictures without transparency.
    assert torch.allclose(codes.texture[0], model.encode(fitted.tensor, fitted.opacity).texture[0], atol=1e-5)
    assert (codes.texture[0] - model.encode(fitted.tensor).texture[0]).norm() > 1e-3
    opaque = fit(load_image("b.jpg"), 128, 8, 56)
    assert torch.allclose(codes.texture[2], model.encode(opaque.tensor).texture[0], atol=1e-5)
    Image.new("RGBA", (80, 80), (200, 100, 50, 0)).save("many/3.png")
    assert cut("embed", "many", "-o", "more", "--size", 128)[0] == 0
    assert "3.png" in json.loads(Path("more/000000.json").read_text())["failed"]


def test_directions_are_of_what_is_seen(cut):
    """`direction make` and `add`: the same, whatever colours the transparent parts hide."""
    made = {}
    for name, colours in (("wild", WILD), ("meek", MEEK)):
        generator = np.random.default_rng(0)
        for number in range(20):
            pixels = np.empty((64, 64, 4), np.uint8)
            pixels[..., :3], pixels[..., 3] = colours, 0
            blots = generator.integers(0, 128, (8, 4, 3), np.uint8) + np.uint8(100 * (number % 2))
            pixels[:, :32, :3], pixels[:, :32, 3] = np.kron(blots, np.ones((8, 8, 1), np.uint8)), 255
            path = Path(f"{name}-{'ab'[number % 2]}/{number:02}.png")
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
        Path(name).mkdir()
        for folder in (f"{name}-a", f"{name}-b"):
            shutil.copytree(folder, f"{name}/{folder[-1]}")
        assert cut("direction", "make", name, "-o", f"{name}.safetensors", "--size", 128)[0] == 0
        kinds = ["--having", f"{name}-b", "--lacking", f"{name}-a"]
        assert cut("direction", "add", "light", *kinds, "-o", f"{name}.safetensors", "--size", 128)[0] == 0
        made[name] = load_file(f"{name}.safetensors")
    assert made["wild"].keys() == made["meek"].keys()
    assert all(torch.equal(tensor, made["meek"][name]) for name, tensor in made["wild"].items())
    model = SwapAE.from_pretrained("model")
    fitted = fit(load_image("wild-a/00.png", background=None), 128, 8, 56)
    found = DirectionSamples.of(model, [fitted.with_opacity])
    seen = model.encode(fitted.tensor, fitted.opacity).texture
    assert torch.allclose(found.texture, seen, atol=1e-5)
    assert (seen - model.encode(fitted.tensor).texture).norm() > 1e-3


def test_evaluation_is_of_what_is_seen(cut):
    model = SwapAE.from_pretrained("model")
    measuring = Measuring(model, Networks.load("cpu"), 128)
    wild, meek = (measuring.subject(beside_nothing(f"many/{name}.png", name)) for name in (WILD, MEEK))
    assert torch.equal(wild.image, meek.image) and torch.equal(wild.codes.texture, meek.codes.texture)
    fitted = fit(load_image("many/(255, 0, 255).png", background=None), 128, 8, 56)
    assert torch.allclose(wild.codes.texture, model.encode(fitted.tensor, fitted.opacity).texture, atol=1e-5)


def test_an_opacity_of_ones_is_none(cut):
    model = SwapAE.from_pretrained("model")
    images = torch.rand(2, 3, 64, 96) * 2 - 1
    ones = torch.ones(1, 1, 64, 96)
    assert torch.allclose(model.encode(images, ones).texture, model.encode(images).texture, atol=1e-6)
    # What only the last cells show, at which the texture branch never looks.
    ones[..., :-8] = 0
    assert model.encode(images, ones).texture.isfinite().all()


def test_recipes_replay_it(cut):
    for command in (COMMANDS[0], COMMANDS[3], ["paste", "b.jpg", "cut.png", "--box", "24,8,40,40", "--to", "0,0"]):
        assert cut(*command, "-o", "made.png")[0] == 0
        Path("made.json").write_text(Image.open("made.png").text["swapae recipe"])
        inputs = [name for name in ("cut.png", "a.png", "b.jpg") if name in json.dumps(command)]
        assert cut("replay", "made.json", "--inputs", *inputs, "-o", "again.png")[0] == 0
        assert Path("again.png").read_bytes() == Path("made.png").read_bytes(), command
        assert opacity_of("again.png").min() == 0


def test_a_folder_keeps_it(cut):
    Path("many").mkdir()
    for name in ("a.png", "cut.png"):
        shutil.copy(name, "many")
    assert cut("swap", "many", "cut.png", "-o", "made")[0] == 0
    assert np.array_equal(opacity_of("made/cut.png"), expected_opacity()) and Image.open("made/a.png").mode == "RGB"


def test_it_goes_where_the_structure_goes(cut):
    assert cut("outpaint", "cut.png", "--horizontal", 16, "-o", "wider.png")[0] == 0
    opacity = opacity_of("wider.png")
    assert opacity.shape[1] == 88 + 32 and opacity[32, 60] == 0 and opacity[0, 0] == 255
    assert cut("join", "cut.png", "b.jpg", "--seam", 0, "-o", "joined.png")[0] == 0
    opacity = opacity_of("joined.png")
    assert opacity[:, 88:].min() == 255 and opacity[:, :88].min() == 0
    assert cut("move", "cut.png", "--box", "32,16,24,32", "--to", "0,0", "-o", "moved.png")[0] == 0
    opacity = opacity_of("moved.png")
    assert opacity[16, 12] == 0 and opacity[32, 45] > 128


def test_swap_images_keeps_it(cut):
    made = SwapAE.from_pretrained("model").swap_images("cut.png", "b.jpg")
    assert made.mode == "RGBA" and np.array_equal(np.asarray(made)[..., 3], expected_opacity())


def test_a_picture_of_nothing_is_refused_in_one_line(cut):
    Image.new("RGBA", (80, 80), (200, 100, 50, 0)).save("nothing.png")
    for pair in (("nothing.png", "b.jpg"), ("a.png", "nothing.png")):
        status, _, error = cut("swap", *pair, "-o", "out.png")
        assert status == 2 and "'nothing.png' is wholly transparent" in error and not Path("out.png").exists()
