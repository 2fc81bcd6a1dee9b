"""The tab Train in a real browser, its server and its training in real processes."""

from __future__ import annotations

import os
import signal
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import TIMEOUT, open_tab, wait_for_another
from loopback_hub import LoopbackHub
from playwright.sync_api import Browser, Page, expect
from space_page import served
from studio_page import encoded, launched, painted, tiny_model

from swapae import SwapAE
from swapae.apps.page.models import Models
from swapae.apps.page.page import Page as WholePage
from swapae.apps.page.studio import Studio
from swapae.apps.page.training.job import SECRET, Trainings
from swapae.apps.page.training.process import end_all

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# The page as `python app.py` serves it, but with a tiny model, and with a training that samples and saves after a step.
APP = """
import sys
from swapae import SwapAE, SwapAEConfig
from swapae.apps.page import launch
from swapae.apps.page.training import job
tiny = SwapAEConfig(
    image_size=64, texture_channels=16, downsamplings=2, encoder_capacity=0.1, generator_capacity=0.1
)
SwapAE.default, launch.optimize_for_inference = lambda: SwapAE(tiny).eval(), lambda model: model
job.COMMAND = "tiny_training"
sys.exit(launch.main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which no training is on any more afterwards."""
    yield tmp_path
    if job := Trainings(tmp_path / "models").job:
        end_all(f"{SECRET}={job.secret}")


def opened(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#result img").last).to_be_visible()
    page.wait_for_function("window.swapae")
    open_tab(page, "Train")


def test_a_training_outlives_its_server_and_its_model_can_be_chosen_taken_home_and_pushed(
    browser: Browser, folder: Path
) -> None:
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"photos/{number}.png", encoded(painted(200, 150, seed=number)))
        archive.writestr("photos/notes.txt", "none")
    (folder / "one.png").write_bytes(encoded(painted(150, 180, seed=20)))
    (folder / "app.py").write_text(APP)
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT)
    trainings, model = Trainings(folder / "models"), folder / "models/blots"
    status = page.locator("#train-status")
    with LoopbackHub() as hub:
        environment = hub.environment(folder / "home", token="") | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/support'}",
            "SWAPAE_TRAINED_MODELS": str(trainings.folder),
            "OMP_NUM_THREADS": "1",
        }
        with served(folder, environment, end=signal.SIGKILL) as url:
            opened(page, url)
            expect(status).to_contain_text("A model of your own")
            page.locator("#train-drop input").set_input_files([folder / "photos.zip", folder / "one.png"])
            expect(page.locator("#train-drop .count")).to_have_text("21 photographs")
            expect(page.locator("#train-drop summary")).to_have_text("1 left out")
            page.locator("#start-training").click()
            expect(page.locator("#train-problem")).to_contain_text("Give the model a name")
            page.get_by_label("Name of the model").fill("blots")
            page.locator("#start-training").click()
            expect(status).to_contain_text("blots: looking through the photographs")
            expect(page.locator("#start-training")).to_be_disabled()
        with served(folder, environment) as url:
            opened(page, url)
            expect(status).to_contain_text("blots:")
            # What takes long is waited for by files and processes, however busy the machine is.
            while not (model / "run/latest/model.safetensors").is_file():
                assert trainings.state(trainings.job) == "on", trainings.log.read_text()
                time.sleep(0.2)
            expect(page.locator("#train-grid img")).to_be_visible()
            expect(status).to_contain_text("minutes left of 30")
            # The page is as usable as ever.
            open_tab(page, "Swap")
            seen = page.locator("#result img").last.get_attribute("src")
            page.get_by_label("range slider for Strength").press("Home")
            seen = wait_for_another(page, seen)
            open_tab(page, "Train")
            page.locator("#stop-training").click()
            while trainings.state(trainings.job) in ("on", "stopping"):
                time.sleep(0.2)
            expect(status).to_contain_text("blots was stopped")
            expect(page.locator("#go-on-training")).to_have_text("Go on with blots")

            with page.expect_download() as download:
                page.locator("#download-model").click()
            download.value.save_as(folder / "blots.zip")
            with zipfile.ZipFile(folder / "blots.zip") as archive:
                assert {"blots/README.md", "blots/config.json", "blots/model.safetensors"} == set(archive.namelist())
                archive.extractall(folder / "home")
            assert SwapAE.from_pretrained(folder / "home/blots").config == SwapAE.default().config

            page.get_by_role("button", name="Push it to the Hugging Face Hub").click()
            page.get_by_label("Repository").fill("tester/blots")
            for token, answer in (("hf_forged_forged", "no such token"), (hub.token, "It is there")):
                page.get_by_label("Your token").fill(token)
                page.locator("#push-model").click()
                expect(page.locator("#push-note")).to_contain_text(answer)
                expect(page.get_by_label("Your token")).to_have_value("")
            pushed = hub.repos["tester/blots"]
            assert pushed.private and pushed.files()["model.safetensors"]

            page.get_by_role("tab", name="Your model", exact=True).click()
            page.get_by_label("Model", exact=True).click()
            page.get_by_role("option", name="blots", exact=True).click()
            wait_for_another(page, seen)
            page.reload()
            expect(page.get_by_label("Model", exact=True)).to_have_value("blots")
    page.close()
    kept = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 10**6]
    assert (folder / "log.txt") in kept
    assert not [path for path in kept if hub.token.encode() in path.read_bytes()]


def test_no_photographs_are_lost_while_those_before_are_looked_at(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPACE_ID", "SWAPAE_TRAIN"):
        monkeypatch.delenv(name, raising=False)
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(painted(150, 140, number)))
    whole = WholePage(Models(Studio(tiny_model())), trainings=Trainings(tmp_path / "models"))
    dropped = whole.training.handlers.dropped
    begun, go_on, add = threading.Event(), threading.Event(), dropped.add

    def held(*given):
        begun.set()
        assert go_on.wait(TIMEOUT / 1000)
        return add(*given)

    monkeypatch.setattr(dropped, "add", held)
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT)
    drop, said = page.locator("#train-drop input"), page.locator("#train-drop .count")
    with launched(whole.build()) as url:
        opened(page, url)
        drop.set_input_files(paths[0])
        assert begun.wait(TIMEOUT / 1000)
        drop.set_input_files(paths[1])
        expect(page.locator("#train-drop .note")).to_contain_text("still on their way: drop these again")
        go_on.set()
        expect(said).to_have_text("1 photograph; 20 are needed")
        expect(page.locator("#train-drop .note")).to_be_empty()
        # What nobody foresaw ends it too.
        monkeypatch.setattr(dropped, "add", lambda *_: 1 / 0)
        drop.set_input_files(paths[1])
        expect(page.locator("#train-drop .note")).to_contain_text("could not be looked at: drop them again")
        monkeypatch.setattr(dropped, "add", add)
        drop.set_input_files(paths[1])
        expect(said).to_have_text("2 photographs; 20 are needed")
        page.close()
