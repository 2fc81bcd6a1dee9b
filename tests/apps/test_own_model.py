"""`swapae train` as people use it: a folder of photographs, a number of minutes, real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from swapae import SwapAE
from swapae.apps.cli import main, own_model
from swapae.apps.page.examples import examples_of, showcase
from swapae.editing.directions import Directions
from swapae.training.config import choose_preset
from swapae.training.own_model import Machine, launch_command, look_at_machine, nearest_model, settings

EXAMPLES = [example.path for example in examples_of(showcase("flowers"))]
SLOW_MACHINE = Machine("cpu", 1, 1, "no", images_per_second=1.0)


def make_photographs(folder, count):
    """Crops of the examples, all different."""
    folder.mkdir()
    for number in range(count):
        with Image.open(EXAMPLES[number % len(EXAMPLES)]) as image:
            left = 3 * number
            image.crop((left, 0, left + 160, 150)).save(folder / f"{number}.png")
    return folder


def run(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["swapae", *map(str, words)])
    return main()


def test_too_few_photographs_are_refused_with_the_reason_for_each(tmp_path, monkeypatch, capsys):
    folder = make_photographs(tmp_path / "photos", 3)
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "broken.jpg").write_text("no picture")
    Image.new("RGB", (300, 90)).save(folder / "low.png")
    assert run(monkeypatch, "train", folder, "-o", tmp_path / "mine", "--workers", "0") == 2
    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if line.startswith("left out: ")]
    assert len(said) == 3
    assert any("broken.jpg" in line and "not a picture" in line for line in said)
    assert any("low.png: 300x90 pixels" in line and "128" in line for line in said)
    assert any("copy.png: the same picture as '0.png'" in line for line in said)
    assert lines[-1].startswith("swapae: ") and "3 usable photographs, and 20 are needed" in lines[-1]
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["photos", "-o", "mine", "--minutes", "0"], "--minutes must be 1 to"),
        (["nowhere", "-o", "mine"], "'nowhere' is not a folder"),
        (["photos", "-o", "photos"], "'photos' holds something else than a model of `swapae train`"),
        (["photos", "-o", "photos/0.png"], "'photos/0.png' holds something else"),
        (["photos"], "missing -o MODEL_DIR; usage: swapae train DIR -o MODEL_DIR"),
    ],
)
def test_what_cannot_work_is_one_line(tmp_path, monkeypatch, capsys, words, complaint):
    monkeypatch.chdir(tmp_path)
    make_photographs(tmp_path / "photos", 2)
    assert run(monkeypatch, "train", *words) == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("words", [["photos", "-o", "mine", "--workers", "0"], ["--data", "photos"], ["--config", "a"]])
def test_without_what_trains_nothing_is_begun(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    make_photographs(tmp_path / "photos", 21)
    monkeypatch.setattr(own_model, "prepare", lambda *_: pytest.fail("it looked through the photographs"))
    monkeypatch.setitem(sys.modules, "accelerate", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "swapae.train", raising=False)
    assert run(monkeypatch, "train", *words) == 2
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "swapae: this needs the Python package 'accelerate', which is not installed: pip install 'swapae[train]'"
    ]
    assert not (tmp_path / "mine").exists()


def test_the_nearest_model_is_the_one_that_redraws_best(monkeypatch, tiny_model):
    monkeypatch.setattr("swapae.training.own_model.embedded_names", lambda: ["random", "flowers"])
    flowers = SwapAE.default()
    monkeypatch.setattr(SwapAE, "embedded", lambda name: flowers if name == "flowers" else tiny_model)
    name, distances = nearest_model(EXAMPLES[:2])
    assert name == "flowers" and distances["flowers"] < distances["random"]


def test_whole_photographs_are_trained_on_in_the_batch_that_speed_is_measured_with(tmp_path):
    preset = choose_preset(settings(tmp_path / "copies", tmp_path / "run", "flowers", 30, SLOW_MACHINE))
    assert preset.discriminators.crop_size == preset.model.image_size == 256


def test_intervals_follow_the_machine(tmp_path):
    slow = settings(tmp_path / "copies", tmp_path / "run", "flowers", 30, SLOW_MACHINE)
    fast = settings(
        tmp_path / "copies", tmp_path / "run", "flowers", 30, Machine("cuda", 2, 1, "bf16", images_per_second=100)
    )
    assert (slow.sample_every_images, fast.sample_every_images) == (30, 3000)  # every half a minute
    assert (slow.minutes, slow.batch_size, fast.batch_size) == (30, 4, 8)
    assert (slow.eval_photographs, fast.eval_photographs) == (45, 64)
    assert (slow.ema_half_life, fast.ema_half_life) == (90, 9000)


def test_several_processes_on_a_cpu_are_launched_as_such():
    command, environment = launch_command(Machine("cpu", 2, 3, "bf16", 1.0), Path("run/config.json"))
    assert "--multi_gpu" in command and environment["ACCELERATE_USE_CPU"] == "true"
    assert environment["OMP_NUM_THREADS"] == "3" and command[-4:] == [
        "-m",
        "swapae.train",
        "--config",
        "run/config.json",
    ]


def test_what_is_gone_from_the_folder_is_trained_on_no_more(tmp_path):
    folder = make_photographs(tmp_path / "photos", 21)
    own_model.prepare(str(folder), tmp_path / "copies", 0)
    (folder / "3.png").unlink()
    own_model.prepare(str(folder), tmp_path / "copies", 0)
    assert {path.stem for path in (tmp_path / "copies").iterdir()} == {path.stem for path in folder.iterdir()}


def test_processes_share_a_batch_whatever_the_cores(monkeypatch):
    for cores, processes, threads in ((1, 1, 1), (2, 2, 1), (3, 2, 1), (6, 2, 3), (16, 2, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        monkeypatch.setattr("swapae.training.own_model.throughput", lambda device, precision: 1e11)
        monkeypatch.setattr("swapae.training.own_model.costs", lambda processes: None)  # which take seconds to estimate
        monkeypatch.setattr("swapae.training.own_model.images_per_second", lambda costs, speed, processes: 1.0)
        machine = look_at_machine()
        assert (machine.processes, machine.threads) == (processes, threads)
    monkeypatch.setattr("swapae.training.own_model.SEVERAL_PROCESSES", False)  # Windows
    machine = look_at_machine()
    assert (machine.processes, machine.threads) == (1, 16)


def test_a_training_stopped_before_it_has_a_model_does_not_say_that_there_is_one(tmp_path, monkeypatch, capsys):
    make_photographs(tmp_path / "photos", 21)
    monkeypatch.setattr(own_model, "look_at_machine", lambda: SLOW_MACHINE)
    monkeypatch.setattr(own_model, "launch", lambda machine, run: signal.SIGINT)
    assert run(monkeypatch, "train", tmp_path / "photos", "-o", tmp_path / "mine", "--workers", "0") == 130
    assert "stopped; there is no model yet, and the same" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "mine/config.json").exists()


@pytest.mark.parametrize(("complete", "name", "lpips"), [(True, "latest", "0.25"), (False, "best", "0.125")])
def test_a_complete_training_gives_the_newest_and_a_stopped_one_the_best(tmp_path, tiny_model, complete, name, lpips):
    run_folder = tmp_path / "mine/run"
    for number, kept in enumerate(("best", "latest")):
        torch.nn.init.constant_(tiny_model.generator.to_rgb.bias, number)
        tiny_model.save_pretrained(run_folder / kept)
    lines = [{"eval_lpips": 0.125, "eval_score": 1.0}, {"eval_lpips": 0.25, "eval_score": 2.0}]
    (run_folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert own_model.finish(tmp_path / "mine", run_folder, [], 30, "flowers", complete=complete)
    given, kept = (SwapAE.from_pretrained(folder) for folder in (tmp_path / "mine", run_folder / name))
    assert given.generator.to_rgb.bias.equal(kept.generator.to_rgb.bias)
    assert f"| {lpips} |" in (tmp_path / "mine/README.md").read_text()


@pytest.mark.slow
def test_a_stopped_training_keeps_the_best_goes_on_and_ends_with_directions(tmp_path):
    """Ctrl-C reaches the whole group, as from a terminal; what is waited for are files, not times."""
    make_photographs(tmp_path / "photos", 21)
    often = "import sys, swapae.training.own_model as own; own.SAVE_SECONDS = 8; own.BATCH = 4; "
    often += "import swapae.editing.fitting as fitting; fitting.CALIBRATED_ON = 1; "
    short = "from swapae.apps.cli import main, own_model; own_model.SHORTEST = 0.1; sys.exit(main())"
    command = [sys.executable, "-c", often + short, "train", "photos", "-o", "mine", "--workers", "0"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run_folder = tmp_path / "mine/run"

    def start(*more):
        return subprocess.Popen(
            [*command, *more], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    first = start("--minutes", "600")
    # The model comes after its checkpoint; the training would take ten hours.
    while first.poll() is None and not (run_folder / "latest/model.safetensors").is_file():
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGINT)
    said = first.communicate()[1]
    assert first.returncode == 130 and "mine has the best model so far" in said.splitlines()[-1], said
    assert SwapAE.from_pretrained(tmp_path / "mine").config == SwapAE.default().config
    assert not (tmp_path / "mine/directions.safetensors").exists()
    saved = json.loads((next((run_folder / "checkpoints").glob("step_*")) / "state.json").read_text())["counters"]

    second = start("--minutes", "0.1")
    said = second.communicate()[1]
    assert second.returncode == 0, said
    assert f"from image {saved['images_seen']}" in said
    model = SwapAE.from_pretrained(tmp_path / "mine")
    assert "bright" in Directions.load(tmp_path / "mine/directions.safetensors", model).named
    assert "on 21 photographs, from the model flowers" in " ".join((tmp_path / "mine/README.md").read_text().split())
