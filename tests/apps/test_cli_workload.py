"""Large pictures: what they will take is said before, and what becomes very large by its shape is refused."""

import time
from pathlib import Path

import pytest
from PIL import Image

from swapae import SwapAE
from swapae.apps.cli import workload
from swapae.editing.recipes import encode_photograph
from swapae.errors import PictureError
from swapae.images import fit


def lines(error):
    return [line for line in error.replace("\r", "\n").splitlines() if "memory" in line]


def test_a_narrow_picture_that_becomes_very_large_is_refused_at_once(run):
    Image.new("RGB", (7, 40_000), (9, 90, 200)).save("narrow.png")
    start = time.monotonic()
    for pair in (("narrow.png", "b.jpg"), ("a.png", "narrow.png")):
        status, _, error = run("swap", *pair, "-o", "out.png")
        assert status == 2 and not Path("out.png").exists() and not lines(error)
        assert "7x40000 would become 64x365714, over the limit of 16777216 pixels for what is enlarged" in error
        assert "crop it to a less extreme shape" in error and "or allow it by --max-pixels 234" in error
    assert time.monotonic() - start < 20  # nothing was computed
    status, _, error = run("swap", "narrow.png", "b.jpg", "-o", "out.png", "--max-pixels", 20_000_000)
    assert status == 2 and "over the limit of 20000000 pixels: crop" in error
    # Beyond what may be allowed, nothing is offered.
    Image.new("RGB", (1, 40_000)).save("thread.png")
    status, _, error = run("reconstruct", "thread.png", "-o", "out.png")
    assert status == 2 and "over the limit of" in error and "--max-pixels" not in error


def test_what_is_large_itself_and_what_the_option_allows_is_fitted():
    whole = Image.new("RGB", (4101, 4101))
    assert fit(whole, "full", 8, 56).size == (4101, 4101)
    narrow = Image.new("RGB", (7, 40_000))
    with pytest.raises(PictureError, match="for what is enlarged"):
        fit(narrow, 64, 8, 56)
    assert fit(narrow, 64, 8, 56, max_pixels=24_000_000).size == (64, 365_714)


def test_a_recipe_of_what_was_allowed_replays(tiny_model, monkeypatch):
    monkeypatch.setattr("swapae.pictures.images.MAX_ENLARGED", 10_000)
    picture = Image.new("RGB", (7, 40))
    with pytest.raises(PictureError):
        fit(picture, 64, 8, 56)
    assert encode_photograph(tiny_model, picture).size == (64, 366)


def test_what_a_large_picture_takes_is_said_once_before_it(run, monkeypatch):
    monkeypatch.setattr("swapae.apps.cli.session.HEAVY", 4000)
    status, _, error = run("swap", "a.png", "b.jpg", "-o", "out.png")
    first, larger = lines(error)
    assert status == 0 and first.startswith("64x64 pixels: about 0.") and first.endswith(" s")
    assert larger.startswith("96x64 pixels: about 0.")
    assert run("reconstruct", "a.png", "-o", "out.png", "--size", 56)[2].count("memory") == 1
    # A result that is larger than its photograph.
    first, larger = lines(run("outpaint", "a.png", "--horizontal", 32, "-o", "out.png")[2])
    assert larger.startswith("152x64 pixels")


def test_nothing_is_said_of_others(run):
    assert run("swap", "a.png", "b.jpg", "-o", "out.png")[2] == ""


@pytest.mark.parametrize(
    "seconds, words",
    [(0.2, "1 s"), (7.4, "7 s"), (44, "40 s"), (100, "2 minutes"), (5000, "83 minutes"), (9000, "2.5 hours")],
)
def test_durations(seconds, words):
    assert workload.duration(seconds) == words


def test_the_outlook_grows_with_the_picture(tiny_model, monkeypatch):
    monkeypatch.setattr(workload, "seconds_per_pixel", lambda model: 1e-5)
    small, large = (workload.outlook(tiny_model, side, side, None) for side in (512, 4096))
    assert small.startswith("512x512 pixels: ") and small.endswith("and 3 s") and large.endswith("and 3 minutes")
    tiled = workload.outlook(tiny_model, 4096, 4096, 512)
    assert float(tiled.split()[3]) == pytest.approx(0.75 + 45 * 4096**2 / 1024**3, abs=0.06)


def test_a_trial_takes_a_picture_of_the_model_s_size(monkeypatch, tiny_model):
    seen = []
    encode = SwapAE.encode
    monkeypatch.setattr(SwapAE, "encode", lambda self, images: seen.append(images.shape) or encode(self, images))
    assert workload.seconds_per_pixel(tiny_model) > 0
    assert set(seen) == {(1, 3, 64, 64)}
