"""Photographs of a folder that the operator offers: their index, kept and brought up to date, and what visitors get."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import gradio as gr
import pytest
import torch
from studio_page import encoded, painted, tiny_model
from visiting import everything, inputs, shown

from swapae import SwapAE, UserError
from swapae.apps.page import launch, photographs
from swapae.apps.page.arrivals import ArrivalHandlers
from swapae.apps.page.examples import examples
from swapae.apps.page.finding import FindingHandlers
from swapae.apps.page.photographs import GONE, FolderIndex, PhotographFolder
from swapae.apps.page.slot_handlers import SlotHandlers
from swapae.apps.page.studio import Studio


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photographs, one of them deeper; a broken one, one of an extreme shape, and a link to elsewhere."""
    place = tmp_path / "private" / "photos"
    (place / "deeper").mkdir(parents=True)
    for seed in range(3):
        (place / f"{seed}.png").write_bytes(encoded(painted(64, 64, seed)))
    (place / "deeper" / "3.png").write_bytes(encoded(painted(64, 80, 3)))
    (place / "broken.jpg").write_bytes(b"nothing")
    (place / "long.png").write_bytes(encoded(painted(640, 64, 4)))
    (tmp_path / "secret.png").write_bytes(encoded(painted(64, 64, 5)))
    (place / "link.png").symlink_to(tmp_path / "secret.png")
    return place


def indexed(offered: PhotographFolder, studio: Studio) -> FolderIndex:
    index = offered.index(studio)
    index.wait(60)
    assert not index.busy
    return index


def best(index: FolderIndex, studio: Studio, path: Path) -> str:
    codes = studio.taken_in(path.read_bytes()).encoded.codes
    return index.search(codes, "texture", 9)[0].name


def test_an_index_is_kept_and_brought_up_to_date(
    folder: Path, cache: Path, model: SwapAE, encodings: list[torch.Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(model)
    index = indexed(PhotographFolder(folder), studio)
    assert index.words() == "4 photographs to find; 2 files cannot be read and are left out."
    assert best(index, studio, folder / "2.png") == "2.png" and len(encodings) == 4 + 1
    (kept,) = (cache / "swapae" / "photographs").glob("*.index")

    # The next start encodes nothing; then what came, what changed and what went, without the rest.
    assert len(indexed(PhotographFolder(folder), studio).index) == 4 and len(encodings) == 5
    (folder / "new.png").write_bytes(encoded(painted(64, 64, 7)))
    (folder / "1.png").write_bytes(encoded(painted(64, 64, 8)))
    (folder / "0.png").unlink()
    (folder / "broken.jpg").unlink()
    offered = PhotographFolder(folder)
    index = indexed(offered, studio)
    assert index.words() == "4 photographs to find; 1 file cannot be read and is left out." and len(encodings) == 5 + 2
    assert set(index.index.names.values()) == {"1.png", "2.png", "new.png", os.path.join("deeper", "3.png")}
    assert best(index, studio, folder / "1.png") == "1.png"

    # While the page runs as well, though not at every search.
    (folder / "late.png").write_bytes(encoded(painted(64, 64, 9)))
    assert len(indexed(offered, studio).index) == 4
    monkeypatch.setattr(photographs, "LOOK_AGAIN", 0.0)
    assert len(indexed(offered, studio).index) == 5

    # Another model has an index of its own; a damaged one is made anew.
    other = Studio(SwapAE(model.config).eval())
    assert len(indexed(offered, other).index) == 5
    assert len([*kept.parent.glob("*.index")]) == 2
    kept.write_bytes(kept.read_bytes()[:100])
    assert len(indexed(PhotographFolder(folder), studio).index) == 5
    for file in folder.rglob("*.png"):
        file.unlink()
    index = indexed(offered, studio)
    assert index.words() == "The folder of photographs cannot be searched just now."


def test_an_index_does_not_keep_its_model_in_memory(folder: Path, model: SwapAE) -> None:
    studio, offered = Studio(SwapAE(model.config).eval()), PhotographFolder(folder)
    held = weakref.ref(studio), weakref.ref(studio.model)
    index = indexed(offered, studio)
    del studio
    gc.collect()
    assert [one() for one in held] == [None, None] and len(index.index) == 4


def test_what_cannot_be_kept_is_found_all_the_same(
    folder: Path, cache: Path, model: SwapAE, capsys: pytest.CaptureFixture
) -> None:
    cache.write_text("no folder")
    assert len(indexed(PhotographFolder(folder), Studio(model)).index) == 4
    assert "the index of photographs is not kept for the next start" in capsys.readouterr().err


def test_visitors_get_photographs_of_the_folder_alone_and_no_paths(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path / "gradio")
    offered = handlers.photographs = PhotographFolder(folder)
    indexed(offered, handlers.models.first)
    finding = FindingHandlers(SlotHandlers(handlers), offered)
    mine = [*inputs(handlers.visits, "a"), "both", "texture", None]
    told = finding.searched(*mine)
    assert len(told["found"]) == 4 and not told["wait"]
    assert all(one["picture"].startswith("data:image/jpeg") and one["key"].isalnum() for one in told["found"])
    assert "photos" not in str(told) and ".png" not in str(told)

    keys = {one["key"] for one in told["found"]}
    assert keys == {offered.key(name) for name in ("0.png", "1.png", "2.png", os.path.join("deeper", "3.png"))}
    event = gr.EventData(None, {"key": offered.key("1.png"), "role": "structure"})
    used = finding.used(event, *mine[:-3])
    keeper = shown(used)["keeper"]
    assert used[0]["preview"] and keeper["visit"]["photographs"]["structure"] == {"found": offered.key("1.png")}
    assert "photos" not in str([one for one in used if isinstance(one, dict)])
    assert handlers.visits.named(mine[0]).paths["structure"] == str(folder / "1.png")
    # A browser that goes on after a restart tells the key.
    arrivals = ArrivalHandlers(handlers)
    assert arrivals.path_of({"found": offered.key("1.png")}) == str(folder / "1.png")
    assert arrivals.path_of({"example": 0}) == str(examples()[0].path)

    outside = [offered.key("link.png"), offered.key("../../secret.png"), "../0.png", str(folder / "0.png"), None, 3]
    for key in outside:
        refused = finding.used(gr.EventData(None, {"key": key, "role": "texture"}), *mine[:-3])
        assert "no longer in the folder" in refused[1]["problem"]
        assert arrivals.path_of({"found": key}) is None
    (folder / "2.png").unlink()
    (folder / "2.png").symlink_to(tmp_path / "secret.png")  # meanwhile
    with pytest.raises(UserError, match=GONE):
        offered.path(offered.key("2.png"))
    assert len(finding.searched(*mine)["found"]) == 3
    for wish, words in ((["all", "texture", None], "Alike in must be"), (["both", "other", None], "Give a photograph")):
        assert words in finding.searched(*mine[:-3], *wish)["words"]


def test_a_folder_that_is_none_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    model = tiny_model()
    monkeypatch.setattr(SwapAE, "default", lambda: model)
    monkeypatch.setenv("SWAPAE_PHOTOS", str(tmp_path / "gone"))
    assert launch.main([]) == 2
    assert capsys.readouterr().err.endswith("is not a folder: give a folder of pictures\n")
    assert launch.main(["--photos", str(tmp_path)]) == 2
    assert "there are no pictures in" in capsys.readouterr().err
