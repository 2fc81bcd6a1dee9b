"""What visitors bring to the page: transparency, HEIC, extreme shapes, videos with sound."""

import dataclasses
import hashlib
import io

import av
import numpy as np
import pillow_heif
import pytest
from films import UNEVEN, make_video, packets, shown
from PIL import Image
from studio_page import encoded, painted, tiny_model

from swapae.apps.page.addresses import miniature, thumbnail
from swapae.apps.page.filming import FilmSettings, make_film
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.studio import Studio
from swapae.editing.recipes import PhotographId, Recipe
from swapae.errors import PictureError
from swapae.pictures.images import to_pil

PAINT = {"texture": {"height": 32, "width": 40, "runs": [255, 20, 0, 20] * 32}}


@pytest.fixture(scope="module")
def studio():
    return Studio(tiny_model())


def cut_out(hidden=(0, 0, 0)):
    """A photograph whose left half is transparent, with some colour beneath."""
    image = painted(150, 90, seed=1).convert("RGBA")
    image.paste((*hidden, 0), (0, 0, 75, 90))
    return encoded(image)


def test_the_structure_s_transparency_comes_back(studio):
    files = {"structure": cut_out(), "texture": encoded(painted(70, 110, seed=2))}
    for values in ({}, {"keep": "luminance"}, {"amount": 0.5, "coarse": 0}):
        made = studio.edit(files, values)
        assert made.image.mode == made.before.mode == "RGBA" and made.image.size == made.before.size
        opacity = np.asarray(made.image)[..., 3]
        assert opacity[:, :45].max() == 0 and opacity[:, 62:].min() == 255
    again = to_pil(Recipe.from_json(made.recipe.to_json()).replay(studio.model, list(files.values())))
    assert np.array_equal(np.asarray(again), np.asarray(made.image))
    assert np.array_equal(np.asarray(studio.replay(made.recipe.to_json(), list(files.values())).image), again)
    for address in (thumbnail(made.image), miniature(made.image)):
        assert address.startswith("data:image/jpeg")


def test_what_is_hidden_changes_nothing(studio):
    other = encoded(painted(70, 110, seed=2))
    for role, partner in (("structure", "texture"), ("texture", "structure")):
        pictures = [
            np.asarray(studio.edit({role: cut_out(hidden), partner: other}, {}).image)
            for hidden in ((0, 0, 0), (255, 0, 255))
        ]
        assert np.array_equal(*pictures)


def test_edits_of_other_sizes_and_regions_take_it(studio):
    files = {"structure": cut_out(), "texture": encoded(painted(150, 90, seed=2))}
    wider = studio.edit(files, {"wider": 25}).image
    opacity = np.asarray(wider)[..., 3]
    assert opacity[:, 0].max() == 0 and opacity[:, -1].min() == 255 and wider.width > 107  # mirrored at the border
    painted_over = studio.edit(files, {"amount": 0, "paint": PAINT})
    assert painted_over.image.mode == "RGBA" and painted_over.outside is not None
    joined = studio.edit(files | {"third": files["texture"]}, {"join": ["third"], "seam": 0}).image
    assert joined.mode == "RGBA" and np.asarray(joined)[:, -20:, 3].min() == 255


@pytest.mark.parametrize("format", ["gif", "webp", "mp4"])
def test_films_of_it(studio, tmp_path, format):
    files = {"structure": cut_out(), "texture": encoded(painted(70, 110, seed=2))}
    path = make_film(studio, files, {}, tmp_path / f"film.{format}", FilmSettings(frames=2, back=False))
    if format == "webp":
        assert Image.open(path).convert("RGBA").getpixel((0, 0))[3] == 0
    elif format == "gif":
        assert Image.open(path).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_heic_is_a_photograph_with_a_preview(studio):
    stream = io.BytesIO()
    pillow_heif.from_pillow(painted(150, 90, seed=3)).save(stream, quality=90)
    upload = studio.uploads.get(stream.getvalue())
    assert upload.preview.size == (150, 90)
    assert studio.edit({"structure": stream.getvalue(), "texture": encoded(painted(70, 110, seed=2))}, {}).image


def test_an_extreme_shape_is_refused_before_it_is_decoded(studio, monkeypatch):
    data = encoded(Image.new("RGB", (7, 4000)))
    monkeypatch.setattr("swapae.apps.page.uploads.load_image", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(PictureError, match="7x4000, over 4 times as long as wide: crop it to a less extreme shape"):
        studio.uploads.get(data)


def test_an_extreme_shape_of_a_recipe_is_refused_before_it_is_decoded(studio, monkeypatch):
    files = [encoded(painted(64, 64, seed=1)), encoded(Image.new("RGB", (7, 4000)))]
    plain = studio.edit({"structure": files[0], "texture": files[0]}, {"amount": 0}).recipe
    long = PhotographId("long", hashlib.sha256(files[1]).hexdigest())
    recipe = dataclasses.replace(plain, inputs=(long,), edits=()).to_json()
    monkeypatch.setattr("swapae.editing.recipes.load_image", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(PictureError, match="7x4000, over 4 times as long as wide"):
        studio.replay(recipe, files)
    monkeypatch.undo()
    assert studio.replay(plain.to_json(), files).image  # of what else was given nothing is asked


def test_a_restyled_video_keeps_its_sound_and_its_times(studio, tmp_path):
    source = make_video(tmp_path / "in.mp4", times=UNEVEN)
    texture = encoded(painted(70, 110, seed=2))
    assert restyle_video(studio, str(source), texture, tmp_path / "out.mp4", 1).frames == len(UNEVEN)
    assert shown(tmp_path / "out.mp4") == list(UNEVEN)
    assert packets(tmp_path / "out.mp4") == packets(source)
    restyle_video(studio, str(make_video(tmp_path / "mute.mp4", sound=None)), texture, tmp_path / "mute_out.mp4", 1)
    with av.open(str(tmp_path / "mute_out.mp4")) as film:
        assert not film.streams.audio
