"""The page's settings, presets, examples and history."""

from __future__ import annotations

import numpy as np
import pytest
from studio_page import encoded, painted

from swapae import SwapAE, UserError
from swapae.apps.page.examples import FOLDER, SHOWCASES, examples, examples_of
from swapae.apps.page.history import MOST, History, HistoryStep
from swapae.apps.page.settings import ROLES
from swapae.apps.page.studio import Studio
from swapae.apps.page.tabs import TAB_PRESETS, preset
from swapae.data.dataset import is_validation
from swapae.editing.directions import Directions
from swapae.editing.words import in_words
from swapae.hub.folders import embedded_names


def test_history_keeps_a_slider_s_way_as_one_step_and_forgets_what_was_undone() -> None:
    def step(amount: float, control: str, time: float) -> HistoryStep:
        return HistoryStep({"amount": amount}, control, time, "")

    def at(history: History) -> dict:
        return history.step.values

    history = History().added(step(1, "opening", 0))
    for tenth in range(1, 6):
        history = history.added(step(tenth / 10, "amount", 10 + tenth / 10))
    history = history.added(step(0.2, "amount", 20)).added(step(0.2, "fine", 30))
    assert [one.values["amount"] for one in history.steps] == [1, 0.5, 0.2]
    assert at(history.moved(-5)) == {"amount": 1} and history.moved(9) == history
    assert history.moved(1).added(step(0.5, "step", 35)) == history.moved(1)  # what is shown already is no step
    branched = history.moved(1).added(step(0.9, "fine", 40))
    assert [one.values["amount"] for one in branched.steps] == [1, 0.5, 0.9]
    for number in range(100):
        branched = branched.added(step(number, "fine", 100 + 10 * number))
    assert len(branched.steps) == MOST and branched.position == MOST - 1


def test_settings_at_their_defaults_make_no_edit_but_the_swap(model: SwapAE, structure: bytes, texture: bytes) -> None:
    result = Studio(model).edit({"structure": structure, "texture": texture}, {})
    assert [edit.name for edit in result.recipe.edits] == ["texture"]
    assert [photograph.name for photograph in result.recipe.inputs] == ["structure", "texture"]
    nothing = Studio(model).edit({"structure": structure}, {"amount": 0})
    assert nothing.recipe.edits == () and nothing.outside is None
    with pytest.raises(UserError, match="^Texture: give a photograph"):
        Studio(model).edit({"structure": structure}, {})
    with pytest.raises(UserError, match="^there is no setting 'colour'"):
        Studio(model).edit({"structure": structure}, {"colour": 1})


def test_settings_of_all_tabs_act_together(model: SwapAE, directions: Directions) -> None:
    files = {role: encoded(painted(64, 64, seed)) for seed, role in enumerate(ROLES)}
    files |= {"from 1": files["third"], "to 1": files["fourth"]}
    mask = {"height": 4, "width": 4, "runs": [0, 8, 255, 8]}
    values = {
        **{"amount": 0.5, "fine": 0.5, "third": 0.5, "paint": {"own": mask, "directions": mask}, "gains": [1.0]},
        **{"axes": [0.5], "translation": 1.0, "shape": 0.2, "right": 20.0, "keep": "colour"},
    }
    result = Studio(model, directions).edit(files, values)
    names = "layers mix regions directions translate shape paste keep"
    assert " ".join(edit.name for edit in result.recipe.edits) == names
    assert len(in_words(result.recipe)) == len(result.recipe.edits)
    assert result.outside is not None and result.outside > 0
    wide = Studio(model, directions).edit(files, {"wider": 50, "join": ["third"], "leave": True, "right": 10})
    assert [edit.name for edit in wide.recipe.edits] == ["texture", "move", "outpaint", "join"]
    assert in_words(wide.recipe)[-1].startswith("Beside it third")
    with pytest.raises(UserError, match="no directions"):
        Studio(model).edit(files, values)


def test_dragged_points_are_pixels_and_the_edges_are_pinned_but_where_one_drags(model: SwapAE) -> None:
    files, studio = {"structure": encoded(painted(96, 64, 1))}, Studio(model)
    still = {"height": 16, "width": 24, "runs": [255, 24, 0, 360]}

    def drags(**values: object) -> list:
        return list(studio.edit(files, {"amount": 0, **values}).recipe.edits)

    assert drags(points=[[0.2, 0.3, 0.2, 0.3]], still=still) == []  # nothing moves
    (free,) = drags(points=[[0.5, 0.5, 0.75, 0.25], [1, 1, 1, 1]], edges=False, still=still)
    assert free.handles == ((48, 32), (95, 63)) and free.targets == ((72, 16), (95, 63)) and free.mask is not None
    (pinned,) = drags(points=[[0.5, 0.5, 0.99, 0.98]])
    pins = set(pinned.handles[1:])
    assert pins == set(pinned.targets[1:]) and pinned.mask is None
    assert pins == {(x, y) for x in (0, 48, 95) for y in (0, 32, 63)} - {(48, 32), (95, 63)}
    assert in_words(studio.edit(files, {"amount": 0, "points": [[0.5, 0.5, 0.7, 0.5]]}).recipe) == [
        "Dragged: 48,32 to 67,32; 8 points held."
    ]
    with pytest.raises(UserError, match="the point 48,32 cannot go to 67,32 and to 9,6"):
        drags(points=[[0.5, 0.5, 0.7, 0.5], [0.5, 0.5, 0.1, 0.1]])
    for points in ([[0.5, 0.5, 0.7]], [[0.5, 0.5, 0.7, 1.1]], "all", [[0.1, 0.1, 0.2, 0.2]] * 25):
        with pytest.raises(UserError, match="^Dragged points must be"):
            drags(points=points)


NOTHING = ("No mix", "Nothing painted", "Not at all", "As it was")


def test_every_preset_makes_another_picture_or_none_on_purpose(model: SwapAE) -> None:
    files = {role: encoded(painted(64, 64, seed)) for seed, role in enumerate((*ROLES, "from 1", "to 1"))}
    studio = Studio(model)
    plain = np.asarray(studio.edit(files, {}).image)
    for tab, presets in TAB_PRESETS.items():
        for number, (words, _) in enumerate(presets):
            image = np.asarray(studio.edit(files, preset(tab, number, (16, 16))).image)
            same = image.shape == plain.shape and np.array_equal(image, plain)
            assert same == (words in ("All of it", *NOTHING)), words


# Licence and address of each model's examples.
SOURCES = {
    "flowers": ("CC BY 2.0", "https://www.flickr.com/photos/"),
    "facades": ("CC0 1.0", "https://github.com/Urban-Research-Lab/"),
}


def test_examples_are_small_credited_and_never_trained_on() -> None:
    gallery = examples()
    assert {example.path for example in gallery} == set(FOLDER.glob("*/*.jpg"))
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.jpg")) < 400_000
    for example in gallery:
        assert is_validation(example.path)
        licence, place = SOURCES[example.model]
        assert example.author and example.licence == licence
        assert example.url.startswith(place)


def test_every_embedded_model_is_shown_with_examples_of_its_own() -> None:
    assert sorted(SHOWCASES) == embedded_names()
    for name, shown in SHOWCASES.items():
        mine = {index for index, example in enumerate(examples()) if example.model == name}
        assert {index for pair in shown.pairs for index in pair} == mine
        assert {index for kind in (*shown.kinds, shown.more) for index in kind} <= mine
        assert [examples()[index] for index in sorted(mine)] == examples_of(shown)
