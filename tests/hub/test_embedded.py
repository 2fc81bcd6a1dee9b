"""The models that come with the package, by their names."""

import shutil
from pathlib import Path

import pytest
import torch
from command_line import assert_one_line, pixels

from swapae import SwapAE, UserError
from swapae.hub.folders import embedded, embedded_names


def test_each_has_a_name_and_the_default_is_flowers():
    assert "flowers" in embedded_names()
    assert {path.name for path in embedded("flowers").iterdir()} >= {
        "config.json",
        "model.safetensors",
        "directions.safetensors",
        "README.md",
    }
    first, second = SwapAE.default().state_dict(), SwapAE.embedded("flowers").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(SwapAE.from_pretrained("flowers").weight, first["encoder.to_texture.weight"])


def test_an_unknown_name_is_one_sentence():
    with pytest.raises(UserError, match="no model 'roses' comes with swapae: there is .*flowers"):
        SwapAE.embedded("roses")
    with pytest.raises(UserError, match="no such folder, and not a Hub name either .*flowers"):
        SwapAE.from_pretrained("roses")
    with pytest.raises(UserError, match="no model '../weights'"):
        SwapAE.embedded("../weights")


def test_the_command_line_takes_a_name_and_a_folder_of_that_name_wins_and_says_so(run):
    assert run("swap", "a.png", "b.jpg", "-o", "default.png", model=False)[0] == 0
    assert run("swap", "a.png", "b.jpg", "-o", "named.png", "--model", "flowers", model=False) == (0, "", "")
    assert (pixels("default.png") == pixels("named.png")).all()
    assert_one_line(run("swap", "a.png", "b.jpg", "-o", "x.png", "--model", "roses", model=False), "flowers")
    shutil.copytree("model", "flowers")
    assert run("swap", "a.png", "b.jpg", "-o", "own.png")[0] == 0
    assert run("swap", "a.png", "b.jpg", "-o", "folder.png", "--model", "flowers", model=False)[0] == 0
    assert (pixels("own.png") == pixels("folder.png")).all() and not Path("x.png").exists()


def test_a_folder_of_that_name_is_said(tmp_path, monkeypatch, tiny_model, caplog):
    monkeypatch.chdir(tmp_path)
    tiny_model.save_pretrained("flowers")
    SwapAE.from_pretrained("flowers")
    assert "'flowers': the folder of that name here, not the model that comes with swapae" in caplog.text
