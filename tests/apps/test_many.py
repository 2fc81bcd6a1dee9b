"""Commands on folders: all pictures, each once, whatever stops them, and one line for what is wrong."""

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from command_line import assert_one_line, pixels
from launching import run_processes
from PIL import Image

from swapae import SwapAE
from swapae.apps.cli import main
from swapae.apps.cli.many import Job, ahead, make_all, pictures
from swapae.errors import UserError
from swapae.evaluation.measuring import centre_square
from swapae.evaluation.pairs import Pairs, listed_photographs
from swapae.evaluation.processes import Processes


def make_pictures(folder, names, size=(70, 60)):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(folder / name)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_pictures(tmp_path / "shapes", ["a.png", "b.jpg", "below/c.png"])
    make_pictures(tmp_path / "looks", ["x.png", "y.png", "z.png"])
    return tmp_path


@pytest.fixture
def run(here, monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["swapae", *map(str, words), "--size", "64"])
        status = main()
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def results(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*.png"))


def test_swaps_are_those_of_single_commands(run, here):
    assert run("swap", "shapes", "looks/y.png", "-o", "one")[:2] == (0, "made 3, there before 0, failed 0\n")
    assert results(here / "one") == ["a.png", "b.png", "below/c.png"]
    run("swap", "shapes/below/c.png", "looks/y.png", "-o", "single.png")
    assert (here / "one/below/c.png").read_bytes() == (here / "single.png").read_bytes()

    run("swap", "shapes", "looks", "-o", "each")
    assert results(here / "each") == ["a_in_x.png", "b_in_y.png", "below/c_in_z.png"]
    run("swap", "shapes", "looks", "-o", "all", "--every")
    assert len(results(here / "all")) == 9
    assert np.array_equal(pixels(here / "all/below/c_in_y.png"), pixels(here / "single.png"))
    run("swap", "shapes/a.png", "looks/[xy]*", "-o", "row")
    assert results(here / "row") == ["a_in_x.png", "a_in_y.png"]

    pairs = Pairs.draw(listed_photographs(here / "looks"), 4, 0)
    pairs.save(here / "pairs.json")
    run("swap", "looks", "looks", "-o", "paired", "--pairs", "pairs.json")
    assert results(here / "paired") == ["0.png", "1.png", "2.png", "3.png"]
    own, other = pairs.pairs[2]
    run("swap", f"looks/{own}", f"looks/{other}", "-o", "third.png")
    assert (here / "paired/2.png").read_bytes() == (here / "third.png").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ("reconstruct", "shapes"),
        ("mix", "shapes", "--textures", "looks/x.png", "looks/z.png", "--weights", "1", "0.5"),
        ("translate", "shapes", "--from", "looks", "--to", "shapes", "--gain", "0.7", "--keep", "luminance"),
        ("direction", "apply", "shapes", "--gains", "texture1=1", "--mask", "looks/x.png"),
    ],
)
def test_results_are_those_of_single_commands(words, run, here):
    assert run(*words, "-o", "many")[:2] == (0, "made 3, there before 0, failed 0\n")
    assert results(here / "many") == ["a.png", "b.png", "below/c.png"]
    place = 2 if words[0] == "direction" else 1
    assert run(*words[:place], "shapes/below/c.png", *words[place + 1 :], "-o", "single.png")[0] == 0
    assert (here / "many/below/c.png").read_bytes() == (here / "single.png").read_bytes()
    assert_one_line(run(*words, "-o", "many", "--seed", "1"), "another seed")
    assert_one_line(run(*words, "-o", "out.png"), "must be a folder")


def test_what_is_there_is_not_made_again_and_settings_are_not_mixed(run, here):
    (here / "shapes/broken.jpg").write_text("no picture")
    status, out, error = run("reconstruct", "shapes", "-o", "out")
    assert (status, out) == (2, "made 3, there before 0, failed 1\n")
    assert "shapes/broken.jpg" in error and error.splitlines()[-1].startswith("swapae: 1 of 4")
    kept = (here / "out/a.png").stat().st_mtime_ns
    (here / "out/b.png").unlink()
    make_pictures(here / "shapes", ["broken.jpg"])
    assert run("reconstruct", "shapes", "-o", "out")[:2] == (0, "made 2, there before 2, failed 0\n")
    assert (here / "out/a.png").stat().st_mtime_ns == kept

    assert_one_line(run("reconstruct", "shapes", "-o", "out", "--seed", "1"), "another seed (0, now 1)")
    assert_one_line(run("reconstruct", "looks", "-o", "out"), "another image")
    assert_one_line(run("swap", "shapes", "looks", "-o", "out", "--every"), "another command")
    (here / "other").mkdir()
    (here / "other/mine.txt").write_text("mine")
    assert_one_line(run("reconstruct", "looks", "-o", "other"), "holds other files")


def test_quiet_says_which_pictures_failed_in_its_one_line(run, here):
    for number in range(5):
        (here / f"shapes/broken{number}.jpg").write_text("no picture")
    status, out, error = run("reconstruct", "shapes", "-o", "out", "--quiet")
    assert (status, out) == (2, "made 3, there before 0, failed 5\n")
    (line,) = error.splitlines()
    assert line.startswith("swapae: 5 of 8 could not be made, ") and line.endswith("; and 2 more; the others are there")
    assert [number for number in range(5) if f"shapes/broken{number}.jpg" in line] == [0, 1, 2]


def test_bad_input(run, here):
    make_pictures(here / "more", ["1.png", "2.png"])
    assert_one_line(run("swap", "shapes", "more", "-o", "out"), "3 structures and 2 textures")
    assert_one_line(run("swap", "shapes", "looks", "-o", "out.png"), "must be a folder")
    assert_one_line(run("swap", "none/*.png", "looks", "-o", "out"), "no file fits")
    assert_one_line(run("swap", "shapes", "looks", "-o", "out", "--pairs", "pairs.json"), "--pairs takes the folder")
    (here / "empty").mkdir()
    assert_one_line(run("reconstruct", "empty", "-o", "out"), "no pictures")
    assert_one_line(run("embed", "looks", "-o", "out", "--shard", "0"), "shard")
    assert not (here / "out").exists()


def test_names_of_results_do_not_collide(here):
    make_pictures(here / "twins", ["a.png", "a.jpg", "b.png"])
    assert list(pictures(here / "twins")) == ["a.jpg", "a.png", "b"]
    assert list(pictures(here / "**" / "*.jpg")) == ["shapes/b", "twins/a"]


def test_codes_of_a_folder_are_those_of_its_pictures(run, here):
    (here / "shapes/aa.jpg").write_text("no picture")
    assert run("embed", "shapes", "-o", "codes", "--shard", "3")[:2] == (0, "made 2, there before 0, failed 0\n")
    assert run("embed", "shapes", "-o", "codes", "--shard", "3")[:2] == (0, "made 0, there before 2, failed 0\n")
    model = SwapAE.default()
    found = {}
    for number in range(2):
        described = json.loads((here / f"codes/{number:06}.json").read_text())
        codes, _ = model.load_codes(here / f"codes/{number:06}.safetensors")
        assert len(codes.structure) == len(described["names"])
        found |= dict(zip(described["names"], zip(*codes, strict=True), strict=True))
        assert list(described["failed"]) == (["aa.jpg"] if number == 0 else [])
    assert list(found) == ["a.png", "b.jpg", "below/c.png"]
    with torch.inference_mode():
        codes = model.encode(centre_square(here / "shapes/below/c.png", model, 64).tensor)
    for own, alone in zip(found["below/c.png"], codes, strict=True):
        torch.testing.assert_close(own, alone[0], atol=1e-5, rtol=0)
    assert_one_line(run("embed", "shapes", "-o", "codes", "--shard", "2"), "another shard")
    make_pictures(here / "shapes", ["new.png"])
    assert_one_line(run("embed", "shapes", "-o", "codes", "--shard", "3"), "another pictures (4, now 5)")


def test_few_pictures_are_read_ahead_and_writing_waits():
    """With a reader and a writer that note what they do: never more than the bound is read and not yet computed."""
    read, computed = [], []
    with ThreadPoolExecutor(1) as readers:
        for item, future in ahead(readers, lambda item: read.append(item) or item, range(40)):
            assert future.result() == item
            assert len(read) <= len(computed) + 10
            computed.append(item)
    assert computed == list(range(40))


def test_a_full_disk_ends_the_work(tmp_path):
    def write(job, made):
        raise UserError("no space left")

    jobs = [Job((), tmp_path / f"{number}.png") for number in range(5)]
    with pytest.raises(UserError, match="no space left"):
        make_all(jobs, lambda job: 1, lambda job, read: 2, write, Processes())


@pytest.mark.slow
def test_a_killed_run_leaves_whole_pictures_and_goes_on(here):
    make_pictures(here / "photos", [f"{number:02}.png" for number in range(60)])
    command = [sys.executable, "-m", "swapae", "reconstruct", "photos", "-o", "out", "--size", "128"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    shown = b""
    # The bar counts what was computed; all of it but the last one is written.
    while not any(int(count) > 10 for count in re.findall(rb"(\d+)/60 ", shown)):
        chunk = process.stderr.read1()
        assert chunk, shown
        shown += chunk
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {name: (here / "out" / name).stat().st_mtime_ns for name in results(here / "out")}
    assert 10 <= len(before) < 60
    for name in before:
        Image.open(here / "out" / name).load()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"made {60 - len(before)}, there before {len(before)}, failed 0\n"
    after = {name: (here / "out" / name).stat().st_mtime_ns for name in results(here / "out")}
    assert len(after) == 60 and all(after[name] == time for name, time in before.items())


@pytest.mark.slow
def test_two_processes_make_each_picture_once(here):
    make_pictures(here / "photos", [f"{number}.png" for number in range(7)])
    (here / "photos/broken.png").write_text("no picture")
    words = ["swap", "photos", "looks", "-o", "out", "--every", "--device", "cpu", "--size", "64"]
    done = run_processes(here, "-m", "swapae", *words, processes=2)
    assert "process 1 of 2: made 11, there before 0, failed 1" in done.stdout, done.stderr
    assert "process 2 of 2: made 10, there before 0, failed 2" in done.stdout
    assert len(results(here / "out")) == 21


def test_each_core_embeds_a_picture_of_its_own(run, here):
    """Large JPEGs decoded at a fraction, on as many threads as torch had, each of which torch computes on alone."""
    make_pictures(here / "large", [f"{number}.jpg" for number in range(5)], (700, 600))
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert run("embed", "large", "-o", "codes")[0] == 0
        assert torch.get_num_threads() == 3, "as it was before"
    finally:
        torch.set_num_threads(threads)
    model, names = SwapAE.default(), json.loads((here / "codes/000000.json").read_text())["names"]
    codes, _ = model.load_codes(here / "codes/000000.safetensors")
    assert names == [f"{number}.jpg" for number in range(5)]
    for number, name in enumerate(names):
        path = here / "large" / name
        with torch.inference_mode():
            at_a_fraction = model.encode(centre_square(path, model, 64, draft_to=128).tensor)
            whole = model.encode(centre_square(path, model, 64).tensor)
        for made, exact, near in zip(codes, at_a_fraction, whole, strict=True):
            torch.testing.assert_close(made[number], exact[0], atol=1e-5, rtol=0)
            assert not near.equal(exact) and (made[number] - near[0]).norm() < 0.02 * near.norm()
