"""The one training of a page: known by its process, stopped, gone on with, and whose it is."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import gradio as gr
import pytest
from gradio.context import LocalContext
from studio_page import encoded, painted, tiny_model

from swapae import UserError
from swapae.apps.page.models import Models
from swapae.apps.page.results import Results
from swapae.apps.page.studio import Studio
from swapae.apps.page.training import job as job_module
from swapae.apps.page.training import process
from swapae.apps.page.training.chart import chart
from swapae.apps.page.training.course import Evaluation, complaint, course, left_out
from swapae.apps.page.training.handlers import TrainingHandlers
from swapae.apps.page.training.job import Job, Trainings, trained_here
from swapae.apps.page.training.permission import digest, models_folder, trains_at
from swapae.apps.page.training.sharing import push

SUPPORT = Path(__file__).parents[2] / "support"
TOLD = ("status", "grid", "chart", "start", "stop", "go_on", "share", "models", "seen")


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """Trainings that only wait to be stopped."""
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    monkeypatch.setattr(job_module, "COMMAND", "standing_training")
    return Trainings(tmp_path / "models")


def begun(trainings: Trainings, name: str = "tulips", owner: str = "") -> Job:
    dropped = trainings.dropped / "0"
    dropped.mkdir(parents=True)
    (dropped / "a.png").touch()
    return trainings.begin(name, 30, owner, dropped)


def child_of(trainings: Trainings) -> int:
    """The process that the training started, once it did."""
    path = trainings.place / "pids"
    while not path.is_file() or not path.read_text():
        time.sleep(0.02)
    return int(path.read_text())


def wait_for(trainings: Trainings, state: str) -> None:
    while trainings.state(trainings.job) != state:
        time.sleep(0.02)


def test_a_process_is_told_from_another_of_its_number() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = process.mark_of(sleeper.pid)
    assert mark and mark == process.mark_of(sleeper.pid) != process.mark_of(os.getpid())
    sleeper.kill()
    while process.mark_of(sleeper.pid):  # also before anybody asked how it ended
        time.sleep(0.02)
    sleeper.communicate()
    assert process.mark_of(sleeper.pid) is None


def test_a_training_is_found_by_another_server_stopped_and_gone_on_with(trainings: Trainings) -> None:
    job = begun(trainings)
    assert os.getpriority(os.PRIO_PROCESS, job.pid) >= process.NICE
    child_of(trainings)
    other = Trainings(trainings.folder)
    assert other.job == job and other.state(job) == "on"
    with pytest.raises(UserError, match="another training is on"):
        begun(other, "roses")
    other.stop(job)
    wait_for(other, "stopped")
    assert other.state(dataclasses.replace(job, mark="another start")) == "stopped"

    (trainings.place / "pids").unlink()
    again = other.go_on(other.job)
    assert (again.name, again.stopping) == ("tulips", None) and other.state(again) == "on"
    child_of(other)
    trainings.stop(trainings.job)
    wait_for(trainings, "stopped")


@pytest.mark.parametrize("tidied", [False, True])
def test_what_a_killed_training_left_running_ends_before_it_goes_on(trainings: Trainings, tidied: bool) -> None:
    job = begun(trainings)
    child = child_of(trainings)
    os.kill(job.pid, 9)
    wait_for(trainings, "killed")
    assert process.mark_of(child)
    if tidied:
        trainings.tidy(job)
        while process.mark_of(child):
            time.sleep(0.02)
    (trainings.place / "pids").unlink()
    again = trainings.go_on(job)
    while process.mark_of(child):
        time.sleep(0.02)
    child = child_of(trainings)
    # Asked to stop long ago: it may be ended at once.
    trainings._write(dataclasses.replace(again, stopping=1.0))
    assert trainings.state(trainings.job) == "stopping"
    trainings.stop(trainings.job)
    wait_for(trainings, "killed")
    while process.mark_of(child):
        time.sleep(0.02)


def test_a_number_that_another_process_has_by_now_is_no_training(trainings: Trainings) -> None:
    trainings.place.mkdir(parents=True)
    mine = process.mark_of(os.getpid())
    for mark, state in ((mine, "on"), (f"{mine}0", "killed")):
        trainings._write(Job("tulips", 30, "", 0.0, "s", os.getpid(), mark))
        assert trainings.state(trainings.job) == state
    trainings.status.write_text("0")
    assert trainings.state(trainings.job) == "done"
    trainings.photographs.mkdir()
    trainings.tidy(trainings.job)
    assert not trainings.photographs.exists()
    trainings.status.write_text("2")
    assert trainings.state(trainings.job) == "failed"
    (trainings.place / "job.json").write_text("{")
    assert trainings.job is None


def test_a_model_is_never_written_over(trainings: Trainings) -> None:
    model = trainings.folder / "tulips"
    model.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        assert not trained_here(trainings.folder)
        (model / name).touch()
    assert trained_here(trainings.folder) == {"tulips": model}
    with pytest.raises(UserError, match="a model 'tulips' already"):
        begun(trainings)
    assert (trainings.dropped / "0/a.png").exists() and (model / "config.json").exists()


def test_how_far_a_training_is_follows_from_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert course(run, 100.0, 130.0) == (False, 0.0, 0, [], None)
    (run / "samples").mkdir(parents=True)
    (run / "config.json").touch()
    os.utime(run / "config.json", (100, 100))
    assert course(run, 200.0, 230.0).begun is False  # of an earlier start
    lines = [
        {"images": 8, "lr": 1},
        {"images": 8, "eval_lpips": 0.5, "eval_texture": 0.8},
        {"images": 16, "eval_lpips": 0.4, "eval_texture": 0.7},
    ]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"images": 2')
    for name in ("000000008.png", "000000016.png", ".half.png"):
        (run / "samples" / name).touch()
    found = course(run, 100.0, 130.0)
    assert found.begun and found.seconds == 30 and found.images == 16 and found.grid.name == "000000016.png"
    assert found.evaluations == [(8, 0.5, 0.8), (16, 0.4, 0.7)]
    state = run / "checkpoints/step_000000002/state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"counters": {"seconds": 20.0}}))
    os.utime(state, (110, 110))
    assert course(run, 100.0, 130.0).seconds == 40 and course(run, 100.0, None).seconds == 20

    drawn = chart(found.evaluations)
    assert drawn.count("<circle") == 4 and "0.400" in drawn and "from 0.800 to 0.700" in drawn
    assert chart([]) == "" and chart([Evaluation(0, 0.0, 0.0)])

    log = tmp_path / "log.txt"
    log.write_text(
        "check: 10%\rleft out: a<b>.png: tiny\nleft out: a<b>.png: tiny\nswapae: first\nswapae: it is full\n"
    )
    assert left_out(log) == ["a<b>.png: tiny"] and complaint(log) == "it is full"
    log.write_text("swapae train: not enough memory\nswapae: it says why above\n")
    assert complaint(log) == "not enough memory"


@pytest.mark.parametrize(
    ("environment", "host", "there"),
    [
        ({}, "127.0.0.1", True),
        ({}, "0.0.0.0", False),
        ({"SWAPAE_TRAIN": "1"}, "0.0.0.0", True),
        ({"SWAPAE_TRAIN": "0"}, "127.0.0.1", False),
        ({"SPACE_ID": "someone/swapae"}, "127.0.0.1", False),
        ({"SPACE_ID": "someone/swapae", "SWAPAE_TRAIN": "1"}, "0.0.0.0", True),
    ],
)
def test_where_the_tab_is(monkeypatch: pytest.MonkeyPatch, environment: dict, host: str, there: bool) -> None:
    for name in ("SWAPAE_TRAIN", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert trains_at(host) is there
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if environment.get("SWAPAE_TRAIN") == "1":
        with pytest.raises(UserError, match="needs what trains"):
            trains_at(host)
    else:
        assert not trains_at(host)
    monkeypatch.setenv("SWAPAE_TRAINED_MODELS", "here")
    assert models_folder() == Path("here")


# Whose it is


class Client:
    """What a handler is told of whoever asks."""

    def __init__(self, host: str, **headers: str) -> None:
        self.client, self.headers, self.session_hash = self, headers, "s"
        self.host = host


@pytest.fixture
def handlers(trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingHandlers:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return TrainingHandlers(trainings, Models(Studio(tiny_model())), Results())


def asked(monkeypatch: pytest.MonkeyPatch, host: str, **headers: str) -> None:
    LocalContext.request.set(Client(host, **{name.replace("_", "-"): value for name, value in headers.items()}))


def told(values: tuple) -> dict:
    return dict(zip(TOLD, values, strict=True))


def test_of_many_only_the_browser_that_began_it_may_do_something(
    handlers: TrainingHandlers, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWAPAE_TRAIN", "1")
    asked(monkeypatch, "10.0.0.1")
    begun(trainings, "tulips", digest("the key"))
    child_of(trainings)
    mine, other = told(handlers.told("the key", "")), told(handlers.told("another", ""))
    assert "tulips" in mine["status"] and mine["stop"].visible and not mine["start"].interactive
    assert "Another visitor" in other["status"] and "tulips" not in other["status"]
    assert not other["stop"].visible and not other["start"].interactive
    again = told(handlers.told("the key", mine["seen"]))
    assert all(value == gr.skip() for name, value in again.items() if name != "seen")
    for key in ("another", "", None):
        assert "no training of yours" in handlers.stopped(key, "")[0]
        assert "no training of yours" in list(handlers.pushed(key, "a/b", "hf_0123456789", True))[-1][1]
    assert trainings.state(trainings.job) == "on"
    asked(monkeypatch, "127.0.0.1", x_forwarded_host="swaps.org")  # a proxy is not somebody at this machine
    assert "no training of yours" in handlers.stopped("another", "")[0]
    asked(monkeypatch, "127.0.0.1")
    assert told(handlers.told("another", ""))["stop"].visible
    asked(monkeypatch, "10.0.0.1")
    assert handlers.stopped("the key", "")[0] == ""
    wait_for(trainings, "stopped")
    assert "Go on with tulips" in told(handlers.told("the key", ""))["go_on"].value
    assert told(handlers.told("another", ""))["start"].interactive


def test_what_cannot_begin_is_a_sentence(
    handlers: TrainingHandlers, trainings: Trainings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked(monkeypatch, "10.0.0.1")
    few = trainings.dropped / ("0" * 32)
    few.mkdir(parents=True)
    (few / "a.png").write_bytes(encoded(painted(40, 30, seed=1)))
    assert "has to allow it: SWAPAE_TRAIN=1" in handlers.began("key", "", "tulips", 30, few.name)[2]
    # Nor are photographs kept for whom may not.
    sent = tmp_path / "gradio/more.png"
    sent.parent.mkdir()
    sent.write_bytes((few / "a.png").read_bytes())
    dropped = gr.EventData(None, {"files": json.dumps([{"name": "more.png", "pieces": [str(sent)]}])})
    refused, name = handlers.took(dropped, "")
    assert "has to allow it: SWAPAE_TRAIN=1" in refused["problem"] and name == ""
    assert [path.name for path in trainings.dropped.iterdir()] == [few.name]
    monkeypatch.setenv("SWAPAE_TRAIN", "1")
    assert handlers.took(dropped, few.name)[0]["words"] == "2 photographs; 20 are needed"
    (few / "more.png").unlink()
    monkeypatch.delenv("SWAPAE_TRAIN")
    asked(monkeypatch, "127.0.0.1")
    for name, minutes, dropped, words in [
        ("", 30, few.name, "Give the model a name"),
        ("../tulips", 30, few.name, "Give the model a name"),
        (".training", 30, few.name, "Give the model a name"),
        (handlers.models.opening.replace("(", "").replace(")", ""), 30, "", "0 of 20 photographs are there: drop more"),
        ("tulips", "soon", few.name, "Minutes"),
        ("tulips", 30, few.name, "1 of 20 photographs are there"),
        ("tulips", 30, "1" * 32, "no longer kept here"),
    ]:
        assert words in handlers.began("key", "", name, minutes, dropped)[2], name
    assert trainings.job is None and few.is_dir()
    asked(monkeypatch, "127.0.0.1")
    for files in (None, "no JSON", "[1]", '[{"name": "a.png", "pieces": ["/etc/passwd"]}]'):
        event = gr.EventData(None, {"files": files})
        assert "did not arrive" in handlers.took(event, "")[0]["problem"]


def test_no_token_of_the_machine_is_ever_used(tmp_path: Path) -> None:
    for token in ("", "short", "hf_with\nbreak00", "Bearer hf_0123456789"):
        with pytest.raises(UserError, match="give a token of yours") as caught:
            push(tmp_path, "owner/name", token, private=True)
        assert not token or token not in str(caught.value)
