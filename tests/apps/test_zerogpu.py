"""ZeroGPU: with a stand-in for the package `spaces`, that runs decorated functions in forked processes as it does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from space_page import served, write

from swapae import SwapAE
from swapae.apps import space
from swapae.apps.page import zerogpu
from swapae.apps.page.examples import examples

ROOT = Path(__file__).parents[2]
# One process, forked at the first call as the real one is, and kept; what crosses is pickled. No function may be
# decorated after the launch, nor called before it.
STAND_IN = """
import contextlib, multiprocessing, os
import gradio as gr

context = multiprocessing.get_context("fork")
launched, worker, log = False, None, os.environ["CALLS"]
launch = gr.Blocks.launch

def first_launch(*arguments, **options):
    global launched
    assert decorated, "no function is decorated"
    launched, gr.Blocks.launch = True, launch
    return launch(*arguments, **options)

gr.Blocks.launch = first_launch
decorated = []

def GPU(task, *, duration=None):
    assert not launched and 0 < duration <= 60

    def serve(pipe, other_end):
        other_end.close()  # so that this process ends with the server's, whatever ends that
        with contextlib.suppress(EOFError):
            while True:
                arguments = pipe.recv()
                with open(log, "a") as file:
                    file.write(f"{os.getpid()} {arguments[1]}\\n")
                pipe.send(task(*arguments))

    def call(*arguments):
        global worker
        assert launched or os.environ.get("NO_PAGE"), "called before the launch"
        if worker is None:
            worker, theirs = context.Pipe()
            context.Process(target=serve, args=(theirs, worker), daemon=True).start()
        worker.send(arguments)
        return worker.recv()

    decorated.append(task)
    return call
"""
# Every kind of picture by a model as it is, and by the same model once it is lent.
PICTURES = """
import hashlib, json, os, sys
from pathlib import Path
import numpy as np
from swapae import SwapAE
from swapae.pictures.animation import save_animation
from swapae.apps.page import zerogpu
from swapae.apps.page.examples import examples
from swapae.apps.page.model_handlers import describe_model
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.filming import FilmSettings, make_film
from swapae.apps.page.studio import Studio
from swapae.inference.fast import optimize_for_inference
from PIL import Image

data = [example.path.read_bytes() for example in examples()[:3]]
files = dict(zip(("structure", "texture", "third"), data))
half = {"height": 8, "width": 8, "runs": [255, 32, 0, 32]}
settings = [{}, {"coarse": 0.2}, {"paint": {"third": half}}, {"wider": 50}, {"keep": "luminance"}, {"amount": 0}]
save_animation([Image.open(example.path).resize((96, 72)) for example in examples()[:2]], "in.mp4", frames_per_second=5)

def pictures(studio):
    made = [np.asarray(studio.edit(files, values).image).tolist() for values in settings]
    recipe = studio.edit(files, {}).recipe.to_json()
    made.append(np.asarray(studio.replay(recipe, data).image).tolist())
    film = make_film(studio, files, {}, Path("out.gif"), FilmSettings("textures", frames=2)).read_bytes()
    restyle_video(studio, "in.mp4", data[1], Path("out.mp4"), 0.5)
    return [recipe, made, film.hex(), Path("out.mp4").read_bytes().hex()]

plain, lent, later = (optimize_for_inference(SwapAE.from_pretrained("model")) for _ in range(3))
zerogpu.prepare("model")
assert zerogpu.lend(lent, "model") is lent
expected = pictures(Studio(plain))
assert not Path(os.environ["CALLS"]).exists()
assert pictures(Studio(lent)) == expected
# As one that a visitor chooses: the other process, which is there already, has to load it.
os.rename("model", "later")
assert pictures(Studio(zerogpu.lend(later, "later"))) == expected
print(json.dumps([os.getpid(), describe_model(Studio(lent))]))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a Space with ZeroGPU; what runs on the GPU that is lent is written to the file calls.txt."""
    write(tmp_path, {"stand_in/spaces.py": STAND_IN.encode()})
    return {
        "SPACES_ZERO_GPU": "true",
        "CALLS": str(tmp_path / "calls.txt"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",  # as in the other process; more round otherwise
        "PYTHONPATH": str(tmp_path / "stand_in"),
    }


def calls(tmp_path: Path) -> list[tuple[int, str]]:
    lines = (tmp_path / "calls.txt").read_text().splitlines()
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


@pytest.mark.slow
def test_pictures_are_the_same_where_a_gpu_is_lent(tmp_path: Path, environment, tiny_model: SwapAE) -> None:
    tiny_model.save_pretrained(tmp_path / "model")
    ours = {"PYTHONPATH": f"{environment['PYTHONPATH']}{os.pathsep}{ROOT}", "NO_PAGE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PICTURES],
        env=os.environ | environment | ours,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    pid, words = json.loads(done.stdout.splitlines()[-1])
    made = calls(tmp_path)
    assert {method for _, method in made} == {"encode", "decode"}
    assert len({one for one, _ in made}) == 1 and pid not in dict(made)
    # Three photographs, the two of a recipe from elsewhere, two frames: whatever is asked again is found here.
    assert [method for _, method in made].count("encode") == 2 * (3 + 2 + 2)
    assert "on a GPU that is lent for each picture (ZeroGPU)" in words


@pytest.mark.slow
def test_the_page_asks_for_a_gpu_only_for_visitors(tmp_path: Path, environment) -> None:
    files = {name: one if isinstance(one, bytes) else one.read_bytes() for name, one in space.space_files().items()}
    write(tmp_path / "space", files)
    # Of those that the page opens with the codes are known.
    photographs = [handle_file(example.path) for example in examples()[5:7]]
    pictures = []
    for extra in ({"SPACES_ZERO_GPU": ""}, {}):
        with served(tmp_path / "space", environment | extra) as url:
            assert not (tmp_path / "calls.txt").exists()
            client = Client(url, verbose=False, analytics_enabled=False, download_files=tmp_path)
            with Image.open(client.predict(*photographs, 1, api_name="/swap")) as image:
                pictures.append(np.asarray(image))
    assert np.array_equal(*pictures)
    assert [method for _, method in calls(tmp_path)] == ["encode", "encode", "decode"]


def test_elsewhere_nothing_changes(tiny_model: SwapAE) -> None:
    before = dict(vars(tiny_model))
    zerogpu.prepare("no such model")
    assert not zerogpu.ACTIVE and zerogpu.lend(tiny_model, "no such model") is tiny_model
    assert vars(tiny_model) == before
