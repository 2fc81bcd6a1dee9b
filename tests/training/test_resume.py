"""A run that is killed at any moment ends, bit for bit, as one that is not."""

import os
import random
import time

import pytest
import torch
from forking import fork
from launching import ENVIRONMENT, FEATURES, ROOT
from PIL import Image
from safetensors.torch import load_file

from swapae.training.checkpoints import list_checkpoints

IMAGES = {"pixels": 72, "features": 48}
ARGUMENTS = ["--data", "photos", "--preset", "small128", "--batch-size", "2", "--num-workers", "0", "--seed", "7"]
ARGUMENTS += ["--save-every-images", "8", "--log-every-images", "8"]
ARGUMENTS += ["--sample-every-images", "24"]
KINDS = {"pixels": ["--discriminators", "pixels"], "features": FEATURES}


def start(folder, output, kind):
    # One thread: sums in another order are other numbers.
    environment = {**os.environ, **ENVIRONMENT}
    program = [str(ROOT / "train_accelerate.py"), "--output", output, *ARGUMENTS, *KINDS[kind]]
    program += ["--total-images", str(IMAGES[kind])]
    return fork(program, folder, environment, folder)


def ended(process):
    process.join()
    return process.exitcode


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_five_times_and_bit_identical(tmp_path, kind):
    (tmp_path / "photos").mkdir()
    for index in range(9):
        Image.effect_noise((150, 140), 20 + 10 * index).convert("RGB").save(tmp_path / f"photos/{index}.png")
    whole = start(tmp_path, "whole", kind)
    assert ended(whole) == 0, (tmp_path / "stderr").read_text()

    moments = random.Random(0)
    resumed_from = []
    for kill in range(5):
        process = start(tmp_path, "killed", kind)
        checkpoints = tmp_path / "killed/checkpoints"
        goal = 2 * (kill + 1)  # steps; a checkpoint is written every second one
        while process.is_alive() and not any(int(path.name[5:]) >= goal for path in list_checkpoints(checkpoints)):
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.8))  # in a step, or while a checkpoint, a sample or the log is written
        assert process.is_alive()
        process.kill()
        process.join()
        resumed_from.append(int(list_checkpoints(checkpoints)[-1].name[5:]))
    last = start(tmp_path, "killed", kind)
    assert ended(last) == 0, (tmp_path / "stderr").read_text()
    assert resumed_from == sorted(resumed_from) and resumed_from[0] > 0

    folders = [list_checkpoints(tmp_path / name / "checkpoints")[-1] for name in ("whole", "killed")]
    assert folders[0].name == folders[1].name == f"step_{IMAGES[kind] // (4 if kind == 'pixels' else 2):09d}"
    for name in ("model", "ema", "discriminators"):
        one, other = (load_file(folder / f"{name}.safetensors") for folder in folders)
        assert all(torch.equal(one[key], other[key]) for key in one), name
    one, other = (torch.load(folder / "optimizers.pt", weights_only=True) for folder in folders)
    for name in one:
        for key, state in one[name]["state"].items():
            assert all(torch.equal(value, other[name]["state"][key][field]) for field, value in state.items())
    terms = [
        [line.split('"lr"')[0] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "killed")
    ]
    assert terms[0] == terms[1]
    assert not list((tmp_path / "killed").rglob("*.partial"))
