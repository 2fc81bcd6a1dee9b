"""Photographs found by their codes: exact against numpy, by cells nearly so, and by the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import swapae.search
from swapae import Codes, SwapAE, UserError
from swapae.apps.cli import main
from swapae.search import QUESTIONS, PhotographIndex, Scaling, parts_of

EXAMPLES = sorted((Path(__file__).parents[1] / "swapae/examples/flowers").glob("*.jpg"))


def random_codes(count, model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    # As real ones are: a few strong axes.
    scales = 1 / torch.arange(1, config.texture_channels + 1) ** 0.7
    texture = torch.randn(count, config.texture_channels, generator=generator) * scales
    structure = torch.randn(count, config.structure_channels, 8, 8, generator=generator)
    return Codes(structure, texture)


def take(codes, start, stop):
    return Codes(codes.structure[start:stop], codes.texture[start:stop])


@pytest.fixture
def index(tiny_model):
    index = PhotographIndex(tiny_model)
    index.add([f"{number}.jpg" for number in range(300)], random_codes(300, tiny_model))
    return index


@pytest.mark.parametrize("by", QUESTIONS)
def test_few_photographs_are_searched_exactly(index, tiny_model, by):
    wanted = random_codes(5, tiny_model, seed=1)
    vectors = index.vectors(random_codes(300, tiny_model))[by].astype(np.float64)
    for number in range(5):
        one = take(wanted, number, number + 1)
        similar = vectors @ index.vectors(one)[by].astype(np.float64)[0]
        expected = np.argsort(-similar)[:10]
        found = index.search(one, by, 10)
        assert [one.name for one in found] == [f"{place}.jpg" for place in expected]
        assert [one.similarity for one in found] == pytest.approx(similar[expected].tolist(), abs=1e-5)


def test_structure_hardly_minds_a_small_shift_and_texture_is_apart(tiny_model):
    smooth = torch.nn.functional.interpolate(torch.randn(6, tiny_model.config.structure_channels, 4, 4), (32, 32))
    shifted = Codes(smooth.roll(2, 3), torch.zeros(6, tiny_model.config.texture_channels) + 1)
    still = Codes(smooth, shifted.texture)
    similar = parts_of(still)["structure"] @ parts_of(shifted)["structure"].T
    assert similar.argmax(1).tolist() == list(range(6)) and similar.diagonal().min() > 0.7
    assert torch.allclose(parts_of(still)["texture"], parts_of(shifted)["texture"])


def test_scaling_takes_variance_from_strong_axes_and_few_vectors_change_nothing():
    spread = torch.tensor([9.0, 1.0, 1.0])
    vectors = torch.randn(5000, 3, generator=torch.Generator().manual_seed(0)) * spread + 5
    scaling = Scaling.of(vectors)
    turned = (vectors - scaling.centre) @ scaling.matrix
    deviations = turned.std(0)
    # Three quarters of the logarithm of the variance are gone: 9 beside 1 becomes 9 ** 0.25.
    assert (deviations.max() / deviations.min()).item() == pytest.approx(9**0.25, rel=0.05)
    few = torch.randn(5, 3)
    assert torch.allclose(Scaling.of(few)(few), few / few.norm(dim=1, keepdim=True), atol=1e-5)


def test_photographs_come_and_go_without_a_rebuild(index, tiny_model, tmp_path):
    codes = random_codes(300, tiny_model)
    assert index.search(take(codes, 7, 8), "both", 1)[0].name == "7.jpg"
    assert index.remove(["7.jpg", "none.jpg"]) == 1 and len(index) == 299
    assert index.search(take(codes, 7, 8), "both", 1)[0].name != "7.jpg"
    index.add(["8.jpg"], take(codes, 7, 8))  # another picture under a name that was there
    assert len(index) == 299
    assert index.search(take(codes, 7, 8), "texture", 1)[0] == ("8.jpg", pytest.approx(1, abs=1e-5))
    index.save(tmp_path / "photos.index")
    loaded = PhotographIndex.load(tmp_path / "photos.index", tiny_model)
    assert loaded.search(take(codes, 7, 8), "both", 20) == index.search(take(codes, 7, 8), "both", 20)
    loaded.add(["new.jpg"], take(codes, 0, 1))
    assert len(loaded) == 300 and loaded.remove(["0.jpg"]) == 1
    assert loaded.search(take(codes, 0, 1), "structure", 1)[0].name == "new.jpg"


def test_many_are_searched_in_cells(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(swapae.search, "EXACT", 1000)
    codes, names = random_codes(3000, tiny_model), [str(number) for number in range(3000)]
    index = PhotographIndex(tiny_model)
    for start in range(0, 3000, 750):
        index.add(names[start : start + 750], take(codes, start, start + 750))
    assert type(index.indexes["texture"]).__name__ == "IndexIVFScalarQuantizer" and len(index) == 3000
    vectors = index.vectors(codes)["texture"]
    hits = 0
    for number in range(100):
        found = {one.name for one in index.search(take(codes, number, number + 1), "texture", 10)}
        hits += len(found & {names[place] for place in np.argsort(-(vectors @ vectors[number]))[:10]})
    assert hits >= 750  # of 1000; these random codes have no clusters
    index.remove(["5"])
    assert "5" not in {one.name for one in index.search(take(codes, 5, 6), "texture", 10)}
    index.save(tmp_path / "photos.index")
    loaded = PhotographIndex.load(tmp_path / "photos.index", tiny_model)
    assert loaded.search(take(codes, 9, 10), "texture", 10) == index.search(take(codes, 9, 10), "texture", 10)


def test_what_is_no_index_or_of_another_model_is_said(index, tiny_model, tmp_path):
    file = tmp_path / "photos.index"
    index.save(file)
    other = SwapAE(tiny_model.config)
    with pytest.raises(UserError, match="an index of another model's codes"):
        PhotographIndex.load(file, other)
    with pytest.raises(UserError, match="missing, damaged or not safetensors"):
        PhotographIndex.load(tmp_path / "none.index", tiny_model)
    tiny_model.save_codes(random_codes(1, tiny_model), tmp_path / "codes.safetensors")
    with pytest.raises(UserError, match="no index of photographs"):
        PhotographIndex.load(tmp_path / "codes.safetensors", tiny_model)


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for path in EXAMPLES:
        shutil.copy(path, tmp_path / "photos")
    return tmp_path


def call(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["swapae", *map(str, words)])
    return main()


def test_the_commands(photographs, monkeypatch, capsys):
    assert call(monkeypatch, "embed", "photos", "-o", "codes", "--shard", "5") == 0
    assert call(monkeypatch, "index", "codes", "-o", "photos.index") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "photos.index: 8 photographs, 8 new"
    assert call(monkeypatch, "index", "codes", "-o", "photos.index") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "photos.index: 8 photographs, 0 new"

    searched = EXAMPLES[3].name
    question = ["search", f"photos/{searched}", "--index", "photos.index"]
    assert call(monkeypatch, *question, "-k", "3", "-o", "found.json") == 0
    lines = capsys.readouterr().out.splitlines()
    listed = json.loads(Path("found.json").read_text())
    assert [line.split(None, 1)[1] for line in lines] == [one["name"] for one in listed]
    assert listed[0]["name"] == searched and listed[0]["similarity"] > 0.99 and len(listed) == 3

    sheet = ["--by", "both", "--photographs", "photos", "-o", "sheet.jpg"]
    assert call(monkeypatch, *question, *sheet) == 0
    width, height = Image.open("sheet.jpg").size
    assert width > 6 * 224 and height > 2 * 224

    assert call(monkeypatch, "index", "-o", "photos.index", "--remove", searched) == 0
    capsys.readouterr()
    assert call(monkeypatch, *question) == 0
    assert searched not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["index", "-o", "photos.index"], "nothing to do: swapae index CODES_DIR -o FILE"),
        (["index", "photos", "-o", "a.jpg/photos.index"], "there is no folder 'a.jpg'; create it first"),
        (["index", "photos", "-o", "photos.index"], "'photos' holds no codes: make them with `swapae embed PHOTOS"),
        (["search", "photos", "--index", "none.index"], "'none.index' is missing"),
        (["search", "a.jpg", "--index", "none.index", "-k", "0"], "--count must be 1 to 10000"),
        (["search", "a.jpg", "--index", "none.index", "-o", "sheet.png"], "--photographs DIR"),
    ],
)
def test_bad_input_is_one_line(photographs, monkeypatch, capsys, words, complaint):
    assert call(monkeypatch, *words) == 2
    said = capsys.readouterr().err.splitlines()
    assert complaint in said[-1] and not Path("photos.index").exists()
