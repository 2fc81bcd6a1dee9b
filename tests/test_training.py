import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from swapae import SwapAE, SwapAEConfig
from swapae.config import DiscriminatorConfig
from swapae.losses import LossWeights
from swapae.training import AveragedWeights, DiscriminatorStep, GeneratorStep, adam

ROOT = Path(__file__).parent.parent
CRITICS = DiscriminatorConfig(
    crop_size=64,
    image_capacity=0.02,
    image_max_channels=8,
    patch_size=16,
    patch_capacity=0.1,
    patch_max_channels=8,
)


@pytest.fixture
def steps(tiny_model):
    torch.manual_seed(0)
    model = tiny_model.train()
    return GeneratorStep(model, LossWeights()), DiscriminatorStep(CRITICS, LossWeights())


def test_each_step_trains_its_own_networks_alone(steps):
    generator, critics = steps
    images = torch.rand(4, 3, 64, 64) * 2 - 1
    sum(critics(generator.model, images).values()).backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad is not None for p in critics.parameters())
    critics.zero_grad(set_to_none=True)
    sum(generator(critics, images).values()).backward()
    assert all(p.grad is None and p.requires_grad for p in critics.parameters())
    assert all(p.grad is not None for p in generator.parameters())
    assert not {id(p) for p in generator.parameters()} & {id(p) for p in critics.parameters()}


def test_training_without_noise_leaves_its_weights_alone(tiny_model):
    generator = GeneratorStep(tiny_model.train(), LossWeights(), "zero")
    critics = DiscriminatorStep(CRITICS, LossWeights(), "zero")
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    reconstruction = [generator(critics, images)["g_l1"] for _ in range(2)]
    assert torch.equal(*reconstruction)  # crops are random, pictures are not
    sum(generator(critics, images).values()).backward()
    without = {name for name, parameter in tiny_model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in tiny_model.named_parameters() if name.endswith("noise_weight")}


def test_lazy_r1_corrects_adam():
    parameter = torch.nn.Parameter(torch.zeros(1))
    lazy = adam([parameter], 0.002, lazy_r1_interval=16).param_groups[0]
    assert lazy["lr"] == pytest.approx(0.002 * 16 / 17)
    assert lazy["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert adam([parameter], 0.002).param_groups[0]["betas"] == (0.0, 0.99)


def test_averaged_weights_by_hand():
    source = torch.nn.Linear(1, 1, bias=False)
    target = copy.deepcopy(source)
    with torch.no_grad():
        source.weight.fill_(1.0), target.weight.fill_(0.0)
    averages = AveragedWeights(source, target, half_life=100)
    averages.update(batch=100, images_seen=10**6)
    assert target.weight.item() == pytest.approx(0.5)
    averages.update(batch=50, images_seen=1000)  # ramp: a half-life of 50
    assert target.weight.item() == pytest.approx(0.75)
    assert not target.weight.requires_grad


def test_a_few_steps_lower_the_reconstruction_loss(tiny_model):
    torch.manual_seed(0)
    generator, critics = (
        GeneratorStep(tiny_model.train(), LossWeights()),
        DiscriminatorStep(CRITICS, LossWeights()),
    )
    images = torch.rand(4, 3, 1, 1).expand(-1, -1, 64, 64) * 2 - 1
    optimizer = adam(generator.parameters(), 0.01)
    losses = []
    for _ in range(30):
        terms = generator(critics, images)
        losses.append(terms["g_l1"].item())
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def run(folder, *arguments):
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--num_processes",
        "1",
        "--num_machines",
        "1",
    ]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", str(ROOT / "train_accelerate.py")]
    return subprocess.run([*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_script_trains_and_goes_on_where_it_stopped(tmp_path):
    for index in range(12):
        Image.effect_noise((70, 60), 20 + 5 * index).convert("RGB").save(tmp_path / f"{index}.png")
    arguments = [
        "--data",
        ".",
        "--output",
        "run",
        "--preset",
        "small128",
        "--batch-size",
        "4",
        "--num-workers",
        "0",
    ]
    arguments += ["--log-every-images", "8", "--sample-every-images", "16", "--save-every-images", "16"]
    first = run(tmp_path, *arguments, "--total-images", "16")
    assert first.returncode == 0, first.stderr
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [8, 16]
    terms = {
        "d_real",
        "d_reconstruction",
        "d_hybrid",
        "d_patch_real",
        "d_patch_hybrid",
        "g_l1",
        "g_reconstruction",
    }
    assert terms | {"g_hybrid", "g_patch", "d_r1", "d_patch_r1"} <= set(lines[0]) and "d_r1" not in lines[1]
    grid = Image.open(tmp_path / "run/samples/000000016.png")
    assert grid.width > 5 * 128
    before = SwapAE.from_pretrained(tmp_path / "run/model")
    assert before.config == SwapAEConfig(**json.loads((tmp_path / "run/model/config.json").read_text()))

    second = run(tmp_path, *arguments, "--total-images", "32")
    assert second.returncode == 0, second.stderr
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [8, 16, 24, 32]
    after = SwapAE.from_pretrained(tmp_path / "run/model")
    assert not torch.equal(before.encoder.to_texture.weight, after.encoder.to_texture.weight)


def test_bad_data_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "train_accelerate.py"), "--data", "nothing", "--output", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "nothing" in done.stderr
    assert not (tmp_path / "run").exists()
