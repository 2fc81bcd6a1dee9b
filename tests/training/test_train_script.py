"""`accelerate launch train_accelerate.py` as people use it: one process, real photographs of noise, no network."""

import csv
import dataclasses
import importlib.util
import json
import shutil
import subprocess
import sys

import pytest
import torch
from launching import PRESET, ROOT, launch, log_lines, make_photographs
from loopback_hub import LoopbackHub
from PIL import Image
from safetensors.torch import load_file, save_file

from swapae import PRESETS, SwapAE
from swapae.data.crops import is_validation
from swapae.train import main
from swapae.training.checkpoints import digest, list_checkpoints
from swapae.training.config import TrainConfig, check, loss_weights, parse

# Runs that began with the mean of earlier ones, docs/flowers256/about.md says of which.
MEANS = {("4_sharp.json", "runs/flowers/mean"), ("6_warm.json", "runs/flowers/5_mean")}
USUAL = ["--data", "photos", "--output", "run", "--batch-size", "4"]


def train(folder, *arguments, environment=None):
    done = launch(folder, *USUAL, *arguments, environment=environment)
    assert done.returncode == 0, done.stderr
    return done


def weights(folder, name="model"):
    return load_file(list_checkpoints(folder / "checkpoints")[-1] / f"{name}.safetensors")


@pytest.fixture
def folder(tmp_path):
    make_photographs(tmp_path / "photos")
    return tmp_path


@pytest.mark.slow
def test_it_trains_evaluates_and_goes_on_where_it_stopped(folder):
    often = ["--log-every-images", "8", "--sample-every-images", "16", "--save-every-images", "16"]
    train(folder, *often, "--eval-every-images", "8", "--total-images", "16", "--tracker", "tensorboard")
    lines = log_lines(folder / "run")
    assert [line["images"] for line in lines] == [8, 8, 16, 16]
    terms = {"d_real", "d_reconstruction", "d_hybrid", "d_patch_real", "d_patch_hybrid", "real_sign"}
    terms |= {"g_l1", "g_reconstruction", "g_hybrid", "g_patch", "lr", "memory_mib"}
    assert terms | {"d_r1", "d_patch_r1"} <= set(lines[0]) and "d_r1" not in lines[2]
    evaluations = [line for line in lines if "eval_score" in line]
    assert len(evaluations) == 2 and {"eval_lpips", "eval_structure", "eval_texture"} <= set(evaluations[0])
    grid = Image.open(folder / "run/samples/000000016.png")
    assert grid.width > 5 * 128
    assert any(path.name.startswith("events") for path in (folder / "run/tensorboard").iterdir())
    before, best = (SwapAE.from_pretrained(folder / "run" / name) for name in ("latest", "best"))
    assert before.config == best.config == PRESETS["small128"].model
    card = (folder / "run/latest/README.md").read_text()
    assert "--preset small128` on 16 images in batches of 4" in card
    assert f"photographs that it was trained on | {evaluations[1]['eval_lpips']} |" in card  # too few to keep some out

    second = launch(folder, "--config", "run/config.json", "--total-images", "32")
    assert second.returncode == 0 and "from image 16" in second.stderr, second.stderr
    lines = log_lines(folder / "run")
    assert [line["images"] for line in lines] == [8, 8, 16, 16, 24, 24, 32, 32]
    after = SwapAE.from_pretrained(folder / "run/latest")
    assert not torch.equal(before.encoder.to_texture.weight, after.encoder.to_texture.weight)
    scores = [line["eval_score"] for line in lines if "eval_score" in line]
    counters = json.loads((list_checkpoints(folder / "run/checkpoints")[-1] / "state.json").read_text())["counters"]
    assert counters["best"] == min(scores) and counters["figures"]["eval_score"] == scores[-1]

    third = launch(folder, "--config", "run/config.json", "--total-images", "32")
    assert third.returncode == 0 and "from image 32, which is the end" in third.stderr
    assert log_lines(folder / "run") == lines


@pytest.mark.slow
def test_init_takes_every_kind_of_weights_and_freeze_keeps_some(folder):
    train(folder, "--total-images", "16", "--eval-every-images", "0")
    shutil.copytree(folder / "run/latest", folder / "alone")

    start = ["--output", "frozen", "--total-images", "8", "--eval-every-images", "0", "--init"]
    frozen = ["--freeze", "encoder", "generator.blocks.0", "image_discriminator.blocks.0"]
    train(folder, *start, "run", *frozen)
    before, after = weights(folder / "run"), weights(folder / "frozen")
    kept = ("encoder.", "generator.blocks.0.")
    assert all(before[name].equal(after[name]) == name.startswith(kept) for name in before if "noise" not in name)
    before, after = (weights(folder / name, "discriminators") for name in ("run", "frozen"))
    same = {name for name in before if before[name].equal(after[name])} - {"strength"}
    assert same == {name for name in before if name.startswith("image_discriminator.blocks.0.")}

    done = train(folder, *start, "alone", "--output", "second")
    assert "no discriminators" in done.stderr
    one, other = load_file(folder / "alone/model.safetensors"), weights(folder / "second")
    shifts = [(one[name] - other[name]).abs().max() for name in one]
    assert max(shifts) < 0.01  # one update of Adam from the average, not other random weights

    done = train(folder, *start, "run", "--output", "larger", "--resolution", "256")
    assert "discriminators of run are of other crops (crop_size is 64, not 128" in done.stderr
    assert SwapAE.from_pretrained(folder / "larger/latest").config.image_size == 256

    done = train(folder, *start, "run", "--output", "whole", "--crop", "128")
    assert "discriminators of run are of other crops (crop_size is 64, not 128): their first" in done.stderr
    done = launch(folder, *USUAL, "--output", "whole")
    assert done.returncode == 2 and "is of another --preset, --resolution, --crop or" in done.stderr

    done = launch(folder, *USUAL, *start, "run", "--preset", "small256", "--output", "other")
    assert done.returncode == 2 and "structure_channels is 4, not 8" in done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_the_model_goes_to_the_hub_private_and_with_its_figures(folder):
    with LoopbackHub() as hub:
        environment = hub.environment(folder / "home") | {"HF_HUB_OFFLINE": "0"}
        push = ["--push-to-hub", "tester/flowers", "--push-every-images", "8"]
        done = train(folder, "--total-images", "24", *push, environment=environment)
        repo = hub.repos["tester/flowers"]
        files = repo.files()
        score = log_lines(folder / "run")[-1]["eval_lpips"]
        again = ["--output", "again", "--total-images", "8", "--eval-every-images", "0", "--init", "tester/flowers"]
        assert "tester/flowers has no discriminators" in train(folder, *again, environment=environment).stderr
    assert repo.private and len(repo.commits) >= 3 and "uploaded to" in done.stderr
    assert {"README.md", "config.json", "model.safetensors"} <= set(files)
    assert files["model.safetensors"] == (folder / "run/latest/model.safetensors").read_bytes()
    card = files["README.md"].decode()
    assert 'from_pretrained("tester/flowers")' in card and f"| {score} |" in card

    with LoopbackHub() as hub:  # that knows no such token: a warning while it trains, an error at the end
        environment = hub.environment(folder / "home", "wrong") | {"HF_HUB_OFFLINE": "0"}
        done = launch(folder, *USUAL, "--output", "run2", "--total-images", "24", *push, environment=environment)
    assert done.returncode == 2 and "cannot upload" in done.stderr.strip().splitlines()[-1]
    assert "the run goes on" in done.stderr and (folder / "run2/latest/model.safetensors").is_file()


@pytest.mark.slow
def test_squeezenets_weights_come_along(folder):
    """Evaluations, LPIPS as a loss and discriminators of features, with no network and no folder of weights."""
    blocked = {"SWAPAE_LPIPS_WEIGHTS": str(folder), "TORCH_HOME": str(folder / "cache")}
    blocked |= {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    train(folder, "--total-images", "8", "--discriminators", "features", environment=blocked)
    assert (folder / "run/best/model.safetensors").is_file()
    (line,) = [line for line in log_lines(folder / "run") if "g_perceptual" in line]
    assert {"g_colour", "g_hybrid", "d_patch_real"} <= set(line) and "d_r1" not in line


def test_a_damaged_or_another_frozen_network_is_one_line_before_any_work(folder, monkeypatch, capsys):
    (folder / "weights").mkdir()
    file = folder / "weights/squeezenet1_1_features.safetensors"
    file.write_bytes(b"damaged")
    monkeypatch.setenv("SWAPAE_LPIPS_WEIGHTS", str(folder / "weights"))
    features = ["--discriminators", "features"]
    assert f"{file} is damaged or not a weights file" in complaint(folder, monkeypatch, capsys, *features)
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, file)
    assert "does not hold the weights of the backbone 'squeeze'" in complaint(folder, monkeypatch, capsys, *features)


@pytest.mark.slow
def test_a_checkpoint_of_the_other_kind_is_refused_and_starts_another_run(folder):
    few = ["--total-images", "8", "--eval-every-images", "0"]
    train(folder, *few)
    done = launch(folder, *USUAL, *few, "--total-images", "16", "--discriminators", "features")
    assert done.returncode == 2 and "of another --preset, --resolution, --crop or --discriminators" in done.stderr
    done = train(folder, *few, "--init", "run", "--output", "other", "--discriminators", "features")
    assert "are of --discriminators pixels, not features: random weights" in done.stderr


@pytest.mark.slow
def test_an_autoencoder_starts_a_swapping_one(folder):
    """Without discriminators all batches are the generator's; what comes of it starts the next run."""
    plain = ["--losses", "autoencoder", "--colour-jitter", "--eval-every-images", "0", "--log-every-images", "4"]
    train(folder, *plain, "--total-images", "8", "--save-every-images", "8", "--decay-images", "8")
    done = train(folder, *plain, "--total-images", "16", "--decay-images", "8")
    assert "from image 8" in done.stderr
    lines = log_lines(folder / "run")
    assert [line["images"] for line in lines] == [4, 8, 12, 16]
    assert {name for name in lines[0] if name.startswith(("g_", "d_"))} == {"g_l1"}
    # The first run's rate falls from its start; the second, longer one's only from where that had ended.
    assert [line["lr"] for line in lines] == pytest.approx([0.002, 0.001, 0.002, 0.001])
    card = (folder / "run/latest/README.md").read_text()
    assert "on 16 images in batches of 4, without discriminators." in card
    start = ["--init", "run", "--output", "next", "--total-images", "8", "--colour-jitter", "--swap-weight", "0"]
    train(folder, *start, "--eval-every-images", "0", "--log-every-images", "8")
    (line,) = log_lines(folder / "next")
    assert line["g_hybrid"] == 0 and line["g_reconstruction"] > 0 and line["g_patch"] > 0


def test_weights_that_are_given_decide_on_discriminators_with_the_losses():

    def adversarial(**settings):
        config = TrainConfig(data="photos", output=ROOT / "run", **settings)
        return loss_weights(config, PRESETS["small128"]).adversarial

    assert adversarial() and adversarial(swap_weight=0.0, patch_weight=0.0)
    assert not adversarial(losses="autoencoder") and adversarial(losses="autoencoder", patch_weight=1.0)


def test_the_embedded_models_settings_are_complete(tmp_path):
    """Runs, each from the one before; `python train_accelerate.py --config FILE` takes each."""
    output = None
    paths = (ROOT / "docs/flowers256").glob("*.json")
    for path in sorted(paths, key=lambda path: int(path.stem.partition("_")[0])):
        config = parse(["--config", str(path)], "train_accelerate.py")
        # The EMA alone is another start than the run, whose discriminators come along.
        before = config.init and config.init.removesuffix("/latest")
        assert before == output or (path.name, before) in MEANS
        assert config.preset == "small256"
        check(dataclasses.replace(config, output=tmp_path / "run"), 1)
        output = str(config.output)
    assert output == "runs/flowers/16_whole"
    for name, start in (("1_facades", "flowers"), ("2_whole", "facades")):
        own = parse(["--config", str(ROOT / f"docs/facades256/{name}.json")], "train_accelerate.py")
        assert (own.preset, own.init) == ("small256", start)
    fronts = (ROOT / "docs/facades256/validation.txt").read_text().split()
    assert all(map(is_validation, fronts)) and len(set(fronts)) == 35
    listed = (ROOT / "docs/flowers256/validation.txt").read_text().split()
    with open(ROOT / "docs/flowers256/attribution.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert set(listed) < set(names) and all(map(is_validation, listed)) and len(set(listed)) == 169


def test_settings_may_be_written_in_notepad(tmp_path):
    """UTF-8 with the mark that says so, whatever the system's own encoding."""
    saved = json.dumps({"data": "Blüten", "output": "out", "freeze": []}, ensure_ascii=False)
    (tmp_path / "mine.json").write_bytes(saved.encode("utf-8-sig"))
    assert parse(["--config", str(tmp_path / "mine.json")], "train_accelerate.py").data == "Blüten"


def complaint(folder, monkeypatch, capsys, *arguments):
    """The one line on stderr of a run in this process that must end with status 2 and leave nothing behind."""
    sys.path.insert(0, str(ROOT))
    import train_accelerate

    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["train_accelerate.py", *PRESET, *USUAL, *arguments])
    assert train_accelerate.main() == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1, error
    assert sorted(folder.rglob("*")) == before
    return error


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--data", "nothing"], "nothing"),
        (["--data", "empty"], "empty"),
        (["--data", "damaged"], "none of the 3 pictures looked at can be read"),
        (["--data", "tiny"], "smaller than the crop of 64 pixels, the largest is 40x50"),
        (["--preset", "church"], "church"),
        (["--resolution", "100"], "multiple of 8, at least 112"),
        (["--resolution", "64"], "at least 112"),
        (["--crop", "100"], "--crop 100 does not suit this preset: give a multiple of 8 from 56 to 128"),
        (["--crop", "256"], "a multiple of 8 from 56 to 128"),
        (["--crop", "48"], "a multiple of 8 from 56 to 128"),
        (["--batch-size", "1"], "--batch-size"),
        (["--batch-size", "6", "--gradient-accumulation-steps", "4"], "--batch-size"),
        (["--total-images", "7"], "--total-images must be at least 8"),
        (["--lr", "0"], "--lr"),
        (["--ema-half-life", "0"], "--ema-half-life must be above 0, got 0"),
        (["--max-gradient-norm", "-1"], "--max-gradient-norm must be above 0, got -1"),
        (["--patch-weight", "-1"], "--patch-weight must be 0 or more, got -1"),
        (["--output", "photos"], "photos"),
        (["--output", "photos/run"], "lies within the photographs"),
        (["--output", "photos/0.png"], "0.png"),
        (["--config", "photos/0.png"], "--config"),
        (["--resume", "nowhere"], "nowhere"),
        (["--keep", "0"], "--keep"),
        (["--hide-grain", "1.5"], "--hide-grain must be in 0 to 1"),
        (["--augment", "--discriminators", "features"], "--augment is for --discriminators pixels"),
        (["--push-every-images", "-1"], "--push-every-images must be at least 1"),
        (["--init", "empty"], "lacks config.json"),
        (["--freeze", "decoder"], "decoder"),
        (["--freeze", "encoder", "generator"], "nothing of encoder and generator"),
        (["--tracker", "wandb"], "pip install wandb"),
        (["--tracker", "mlflow"], "mlflow"),
    ],
)
def test_bad_input_is_one_line(folder, monkeypatch, capsys, arguments, part):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else find(name))
    for name in ("empty", "damaged", "tiny"):
        (folder / name).mkdir()
    for index in range(3):
        (folder / f"damaged/{index}.png").write_bytes(b"no picture")
        Image.new("RGB", (40, 50)).save(folder / f"tiny/{index}.png")
    assert part in complaint(folder, monkeypatch, capsys, *arguments)


@pytest.mark.slow
def test_a_folder_of_another_run_is_refused(folder, monkeypatch, capsys):
    (folder / "run").mkdir()
    saved = {"data": "photos", "preset": "small128", "resolution": None, "seed": 0}
    for change, part in (
        ({"preset": "small256"}, "--preset small256 and not small128"),
        ({"data": "others"}, "--data others and not photos"),
        ({"seed": 3}, "--seed 3 and not 0"),
    ):
        (folder / "run/config.json").write_text(json.dumps(saved | change))
        assert part in complaint(folder, monkeypatch, capsys)
    (folder / "run/config.json").write_text("{")
    assert "is not a run's" in complaint(folder, monkeypatch, capsys)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(folder):
    train(folder, "--total-images", "16", "--save-every-images", "8", "--eval-every-images", "0")
    newest = list_checkpoints(folder / "run/checkpoints")[-1]
    broken = load_file(newest / "model.safetensors")
    broken["generator.to_rgb.bias"][0] = float("nan")
    shutil.copytree(newest, folder / "broken")
    save_file(broken, folder / "broken/model.safetensors")
    state = json.loads((newest / "state.json").read_text())
    state["digests"]["model.safetensors"] = digest(folder / "broken/model.safetensors")
    (folder / "broken/state.json").write_text(json.dumps(state))
    kept = sorted(path.name for path in list_checkpoints(folder / "run/checkpoints"))
    done = launch(folder, *USUAL, "--total-images", "32", "--resume", "broken", "--eval-every-images", "0")
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "is no longer finite" in last and "the last good checkpoint is in run" in last
    assert sorted(path.name for path in list_checkpoints(folder / "run/checkpoints")) == kept


@pytest.mark.slow
def test_a_dry_run_says_what_it_takes_and_writes_nothing(folder):
    done = launch(folder, *USUAL, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "encoder 1.1 M, generator 0.9 M" in done.stdout and "images/s per process" in done.stdout
    assert "memory per process" in done.stdout and "25,000,000 images" in done.stdout
    assert not (folder / "run").exists()


@pytest.mark.slow
def test_it_is_a_command_too(folder):
    words = ["train", *PRESET, *USUAL, "--batch-size", "1"]
    done = subprocess.run([sys.executable, "-m", "swapae", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("swapae train: --batch-size 1 does not give each of 1")
    assert len(done.stderr.splitlines()) == 1 and not (folder / "run").exists()


@pytest.mark.parametrize(
    ("fails", "part", "traceback"),
    [
        (lambda: torch.empty(10**14), "not enough memory: double --gradient-accumulation-steps", False),
        (
            lambda: (_ for _ in ()).throw(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")),
            "fewer --num-workers",
            False,
        ),
        (lambda: 1 // 0, "Please report the lines above", True),
    ],
    ids=["memory", "worker", "unexpected"],
)
def test_what_fails_inside_training_ends_with_what_to_do(folder, monkeypatch, capsys, fails, part, traceback):
    monkeypatch.setattr("swapae.train.Trainer", lambda *_: fails())
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert main(["--data", "photos", "--output", str(folder / "run")]) == 2
    *before, last = capsys.readouterr().err.splitlines()
    assert part in last and ("Traceback (most recent call last):" in before) == traceback
