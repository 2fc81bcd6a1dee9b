"""The page's API over real HTTP: every other edit, films and videos."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from page_api import ENDPOINTS, replayed
from PIL import Image
from studio_page import encoded, painted

from swapae import SwapAE, UserError
from swapae.apps.page import restyling
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.studio import Studio
from swapae.editing.recipes import Recipe
from swapae.pictures.animation import save_animation
from swapae.pictures.video import open_video

IMAGE_DESCRIPTION = 0x010E


HALF = {"height": 32, "width": 40, "runs": [255, 20, 0, 20] * 32}


@pytest.mark.parametrize(
    ("endpoint", "settings", "size"),
    [
        ("/swap", {"coarse": 0, "keep": "luminance"}, (80, 64)),
        ("/swap", {"alpha": 0.5, "path": "spherical"}, (80, 64)),
        ("/mix", {"third": 0.5, "fourth": 0.2}, (80, 64)),
        ("/regions", {"paint": {"third": HALF, "protect": HALF}, "alpha": 0}, (80, 64)),
        ("/directions", {"gains": {"warm": 1.5}, "alpha": 0}, (80, 64)),
        ("/directions", {"gains": {"structure1": 2, "layout2": -1, "texture2": 1}}, (80, 64)),
        ("/drag", {"points": [[0.5, 0.5, 0.7, 0.4], [0.2, 0.8, 0.2, 0.8]], "still": HALF}, (80, 64)),
        ("/drag", {"points": [[0.5, 0.5, 0.7, 0.4]], "alpha": 0, "edges": False}, (80, 64)),
        ("/structure", {"right": 30, "flip": True, "scale": 150}, (80, 64)),
        ("/structure", {"right": -20, "leave": True, "shape": 0.3}, (80, 64)),
        ("/structure", {"wider": 50}, (120, 64)),
        ("/structure", {"join": ["texture", "fourth"], "seam": 20, "shared": 0.5}, (208, 64)),
    ],
)
def test_api_edits_and_every_edit_has_a_recipe(
    client: Client, four: list[dict], upload: object, endpoint: str, settings: dict, size: tuple[int, int]
) -> None:
    photographs = four[: ENDPOINTS[endpoint].count("_image ")]
    settings = {"alpha": 1, **settings}
    result = client.predict(*photographs, **settings, api_name=endpoint)
    with Image.open(result) as image:
        assert (image.format, image.size) == ("PNG", size)
    replayed(client, result, four, upload)
    plain = client.predict(*four[:2], settings["alpha"], api_name="/swap")
    assert Path(plain).read_bytes() != Path(result).read_bytes()


@pytest.mark.slow
def test_api_takes_up_to_eight_photographs(client: Client, upload: object) -> None:
    eight = [upload(f"{seed}.png", encoded(painted(64, 64, seed))) for seed in range(8)]
    first, more = eight[:4], eight[4:]
    shares = [0.1, 0.2, 0.0, 0.3]
    mixed = client.predict(*first, third=0, more_images=more, more_shares=shares, api_name="/mix")
    replayed(client, mixed, eight, upload)
    with Image.open(mixed) as image:
        recipe = Recipe.from_json(image.text["swapae recipe"])
    assert recipe.edits[-1].weights == (0.1, 0.2, 0.3) and len(recipe.inputs) == 5
    panorama = client.predict(
        *first, join=["texture", "third", "fourth", "fifth", "eighth"], seam=0, more_images=more, api_name="/structure"
    )
    with Image.open(panorama) as image:
        assert image.size == (6 * 64, 64)
    with pytest.raises(AppError, match="At most 8 photographs at once, got 9"):
        client.predict(*first, more_images=[*more, more[0]], api_name="/mix")
    with pytest.raises(AppError, match="Photograph 5 must be a number|further photographs' shares must be"):
        client.predict(*first, more_images=more, more_shares=[3], api_name="/mix")
    with pytest.raises(AppError, match="Fifth: give a photograph"):
        client.predict(*first, more_shares=[1], api_name="/mix")


def test_api_translates_between_kinds(client: Client, four: list[dict], upload: object) -> None:
    result = client.predict(four[0], four[:2], four[2:], 1, api_name="/translate")
    replayed(client, result, four, upload)
    with pytest.raises(AppError, match="Give 1 to 6 photographs of the one kind, and of the other"):
        client.predict(four[0], [], four[2:], 1, api_name="/translate")


def test_api_selects_what_is_similar(client: Client, four: list[dict]) -> None:
    everything = client.predict(four[0], 0.5, 0.5, -1, api_name="/similar")
    assert everything == {"height": 16, "width": 20, "runs": [255, 320]}
    some = client.predict(four[0], 0.99, 1, 0.95, api_name="/similar")
    assert 0 < sum(some["runs"][1::2]) == 320 and some["runs"][0] in (0, 255)
    with pytest.raises(AppError, match="Likeness must be a number from -1 to 1"):
        client.predict(four[0], 0.5, 0.5, 2, api_name="/similar")


@pytest.mark.parametrize(
    ("kind", "format", "frames", "back", "direction"),
    [
        ("edit", "gif", 6, True, ""),
        ("textures", "webp", 10, False, ""),
        ("direction", "webp", 12, True, "warm"),
        ("direction", "webp", 7, False, "layout2"),
    ],
)
def test_api_films(
    client: Client, four: list[dict], kind: str, format: str, frames: int, back: bool, direction: str
) -> None:
    settings = {"kind": kind, "format": format, "frames": 3, "back": back, "direction": direction}
    result = client.predict(*four, **settings, api_name="/film")
    with Image.open(result) as film:
        assert (film.format.lower(), film.n_frames, film.size) == (format, frames, (80, 64))
        said = film.info["comment"].decode() if format == "gif" else film.getexif()[IMAGE_DESCRIPTION]
    assert "Generated by swapae" in said


def test_api_writes_mp4(client: Client, four: list[dict]) -> None:
    result = client.predict(*four, kind="edit", format="mp4", frames=2, api_name="/film")
    assert b"ftyp" in Path(result).read_bytes()[:16]


def test_api_restyles_a_video(client: Client, model: SwapAE, upload: object, texture: bytes, tmp_path: Path) -> None:
    frames = [painted(96, 64, 1), painted(96, 64, 1), painted(96, 64, 2)]
    save_animation(frames, tmp_path / "in.mp4", frames_per_second=5)
    data = (tmp_path / "in.mp4").read_bytes()
    result = client.predict(upload("a.mp4", data), upload("b.png", texture), 1, api_name="/restyle")
    with av.open(result) as container:
        assert "Generated by swapae" in container.metadata["comment"]
    with open_video(result) as video:
        assert video.rate == 5 and [frame.shape for frame in video.frames] == [(64, 96, 3)] * 3
    for name, bad in (("none.mp4", b"nothing"), ("cut.mp4", data[: len(data) // 2]), ("a.mp4", texture)):
        with pytest.raises(AppError) as caught:
            client.predict(upload(name, bad), upload("b.png", texture), 1, api_name="/restyle")
        assert "video" in str(caught.value) and "/" not in str(caught.value).replace("/O", "")
    with pytest.raises(AppError, match="Video: give a file"):
        client.predict(None, upload("b.png", texture), 1, api_name="/restyle")


def test_long_videos_are_refused(
    model: SwapAE, texture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_animation([painted(64, 64, 1)] * 4, tmp_path / "in.mp4", frames_per_second=5)
    monkeypatch.setattr(restyling, "MAX_VIDEO_FRAMES", 3)
    with pytest.raises(UserError, match="the video has over 3 frames"):
        restyle_video(Studio(model), str(tmp_path / "in.mp4"), texture, tmp_path / "out.mp4", 1)
    assert not (tmp_path / "out.mp4").exists()
