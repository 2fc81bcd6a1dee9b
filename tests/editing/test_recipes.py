"""Recipes: what they hold, that they replay to the same bits, and that nothing odd gets in."""

import copy
import dataclasses
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import assert_one_line
from PIL import Image

from swapae import SwapAE, editing
from swapae.editing import Box
from swapae.editing.directions import Direction, Directions
from swapae.editing.operations import (
    BlendStructure,
    Directed,
    Drag,
    Join,
    Keep,
    Layers,
    Mix,
    Move,
    Outpaint,
    Paste,
    Protect,
    Regions,
    SwapTexture,
    Translate,
    directions_digest,
)
from swapae.editing.parsing import EDITS, edit_from_dict
from swapae.editing.recipes import MAX_BYTES, ModelId, PhotographId, Recipe, encode_photograph
from swapae.editing.state import EditContext, initial_state
from swapae.editing.validation import Mask
from swapae.errors import UserError
from swapae.model import DEFAULT_NOISE_SEED
from swapae.pictures.images import load_image, to_pil
from swapae.pictures.saving import save_image


def picture(seed, size=(64, 64)):
    """A file of large coloured blots."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


FILES = [picture(seed) for seed in range(4)]
GRID = torch.zeros(1, 1, 8, 8)
GRID[..., 2:5, 3:] = 1
MASK = Mask.from_tensor(GRID)


@pytest.fixture
def directions(tiny_config):
    generator = torch.Generator().manual_seed(0)
    channels, places = tiny_config.texture_channels, tiny_config.structure_channels
    vectors = torch.randn(4, channels, generator=generator)
    square = torch.randn(places, places, generator=generator)
    named = {"warm": Direction(vectors[1], "cooler", "warmer")}
    return Directions(
        vectors[0], vectors[1:], square[0], square, named, torch.randn(2, places, 8, 8, generator=generator)
    )


def directed(directions, gains, mask=None, orthogonal=False):
    return Directed(gains, orthogonal, mask, 1, directions_digest(directions, gains, orthogonal=orthogonal))


def every_edit(directions):
    return [
        SwapTexture(1, 0.7, "linear"),
        SwapTexture(1, 0.5, "spherical"),
        Mix(0.5, (1, 2), (0.25, 1.0)),
        Regions((2, 3), (MASK, MASK), 1),
        directed(directions, {"warm": 0.5, "texture1": 0.25, "structure2": -0.5, "layout1": 1.0}, MASK),
        directed(directions, {"warm": -1.0}),
        Translate((1,), (2, 3), 0.5),
        Layers(1, 0.0, 0.5, 1.0),
        BlendStructure(1, 0.3),
        Paste(1, Box(0, 0, 3, 3), Box(4, 4, 4, 4), True, 1),
        Paste(None, Box(0, 0, 3, 3), Box(4, 4, 3, 3), False, 0),
        Move(Box(1, 1, 3, 3), Box(4, 4, 3, 3), False, 1),
        Keep("luminance"),
        Keep("colour"),
        Protect(MASK, 2),
        Drag(((20.0, 20.0), (50.0, 8.0)), ((32.0, 24.5), (50.0, 8.0)), MASK, 1),
        Outpaint(1, 3),
        Join((1, 2), 2, 0.5),
    ]


def recipe_of(model, edits, files=FILES):
    inputs = tuple(PhotographId(f"{n}.png", hashlib.sha256(data).hexdigest()) for n, data in enumerate(files))
    return Recipe(ModelId.of(model), inputs, tuple(edits))


def test_every_edit_is_tried(directions):
    assert {edit.name for edit in every_edit(directions)} == set(EDITS)


@pytest.mark.parametrize("number", range(18))
def test_replays_to_the_same_bits_through_a_file(tiny_model, directions, tmp_path, number):
    recipe = recipe_of(tiny_model, [every_edit(directions)[number]])
    recipe.save(tmp_path / "recipe.json")
    again = Recipe.load(tmp_path / "recipe.json")
    assert again == recipe
    first = recipe.replay(tiny_model, FILES, directions=directions)
    second = again.replay(tiny_model, FILES[::-1], directions=directions)
    assert torch.equal(first, second)
    unedited = recipe_of(tiny_model, []).replay(tiny_model, FILES)
    assert first.shape != unedited.shape or not torch.equal(first, unedited)
    assert first.abs().max() <= 1


@pytest.mark.parametrize("noisy", [True, False])
def test_a_reconstruction_has_the_noise_that_the_model_learnt_them_with(tiny_model, directions, noisy):
    tiny_model.config = dataclasses.replace(tiny_model.config, noise_in_reconstructions=noisy)
    images = encode_photograph(tiny_model, FILES[0]).image
    codes = tiny_model.encode(images)
    expected = tiny_model.decode(codes, noise=DEFAULT_NOISE_SEED if noisy else "zero")
    assert torch.equal(tiny_model(images), expected)
    unedited = recipe_of(tiny_model, []).replay(tiny_model, FILES)
    height, width = unedited.shape[2:]
    torch.testing.assert_close(unedited, expected.clamp(-1, 1)[..., :height, :width])
    # With an edit that does nothing the noise is on.
    still = recipe_of(tiny_model, [SwapTexture(1, 0.0, "linear")])
    assert torch.equal(still.replay(tiny_model, FILES), unedited) == noisy


def test_edits_follow_each_other(tiny_model, directions):
    kinds = [edit for edit in every_edit(directions) if not isinstance(edit, Keep | Protect | Join)]
    result = recipe_of(tiny_model, kinds).replay(tiny_model, FILES, directions=directions)
    # Outpainted to 10 x 14 cells: too high to be joined.
    assert result.shape == (1, 3, 80, 112)


def test_the_texture_edit_is_the_model_s_swap(tiny_model):
    own, other = (encode_photograph(tiny_model, data) for data in FILES[:2])
    result = recipe_of(tiny_model, [SwapTexture(1, 0.6, "linear")]).replay(tiny_model, FILES)
    with torch.inference_mode():
        swapped = tiny_model.swap(own.image, other.image, alpha=0.6)
    assert torch.equal(result, swapped.clamp(-1, 1))


def test_codes_outside_a_mask_stay(tiny_model, directions):
    with torch.inference_mode():
        context = EditContext(tiny_model, [encode_photograph(tiny_model, data) for data in FILES], directions)
        own = context.photographs[0].codes.texture[..., None, None]
        for edit in (Regions((1,), (MASK,), 0), directed(directions, {"warm": 1.0}, mask=MASK)):
            edit = edit if isinstance(edit, Regions) else dataclasses.replace(edit, radius=0)
            (texture,) = recipe_of(tiny_model, [edit]).final_state(context).textures
            same = (texture == own).all(1)
            assert torch.equal(same, GRID[:, 0] == 0)


def test_protected_pixels_are_the_photograph_s(tiny_model):
    result = recipe_of(tiny_model, [SwapTexture(1, 1.0, "linear"), Protect(MASK, 1)]).replay(tiny_model, FILES)
    original = encode_photograph(tiny_model, FILES[0]).image
    assert torch.equal(result[..., 16:40, 24:], original[..., 16:40, 24:])
    assert not torch.equal(result[..., :8, :8], original[..., :8, :8])


def test_masks_are_small_and_come_back():
    soft = editing.feather(GRID, 2)
    mask = Mask.from_tensor(soft)
    assert (mask.to_tensor() - soft).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(MASK.to_tensor(), GRID)
    assert MASK.runs == (0, 19, 255, 5, 0, 3, 255, 5, 0, 3, 255, 5, 0, 24)
    assert not MASK.empty and Mask(2, 2, (0, 4)).empty


def test_another_model_or_a_missing_photograph_is_refused(tiny_model, tiny_config):
    recipe = recipe_of(tiny_model, [])
    torch.manual_seed(1)
    with pytest.raises(UserError, match="another model"):
        recipe.replay(SwapAE(tiny_config).eval(), FILES)
    with pytest.raises(UserError, match=r"photograph '0\.png' \(SHA-256 [0-9a-f]{12}\.\.\.\) is not among"):
        recipe.replay(tiny_model, FILES[1:])


def test_directions_can_be_kept_apart(tiny_model, directions):
    both = {**directions.named, "vivid": Direction(directions["warm"].vector + directions.mean_texture, "", "")}
    directions = dataclasses.replace(directions, named=both)
    edits = [directed(directions, {"warm": 0.5, "vivid": 0.5}, orthogonal=flag) for flag in (False, True)]
    assert edits[0].digest != edits[1].digest
    pictures = [recipe_of(tiny_model, [edit]).replay(tiny_model, FILES, directions=directions) for edit in edits]
    assert not torch.equal(*pictures)


@pytest.mark.parametrize("name", ["texture2", "structure1", "layout2"])
def test_axes_move_their_part_of_the_codes_and_only_inside_a_mask(tiny_model, directions, name):
    photograph = encode_photograph(tiny_model, FILES[0])
    context, state = EditContext(tiny_model, [photograph], directions), initial_state(photograph)
    moved = directed(directions, {name: 1.5}).apply(state, context)
    part = 0 if name == "texture2" else 1
    parts = [(moved.textures[0], state.textures[0]), (moved.structure, state.structure)]
    assert not torch.allclose(*parts[part]) and torch.equal(*parts[1 - part])
    masked = directed(directions, {name: 1.5}, MASK).apply(state, context)
    inside = editing.feather(GRID, 1) > 0
    texture = state.textures[0][..., None, None].expand_as(masked.textures[0])
    for own, edited in ((state.structure, masked.structure), (texture, masked.textures[0])):
        assert torch.equal(own.masked_fill(inside, 0), edited.masked_fill(inside, 0))
    assert torch.equal(moved.structure[..., 3, 4], masked.structure[..., 3, 4])


def test_other_directions_are_refused(tiny_model, directions):
    recipe = recipe_of(tiny_model, [directed(directions, {"warm": 1.0})])
    with pytest.raises(UserError, match="has no directions"):
        recipe.replay(tiny_model, FILES)
    others = copy.copy(directions)
    object.__setattr__(others, "named", {"warm": Direction(2 * directions["warm"].vector, "", "")})
    with pytest.raises(UserError, match="not those that the recipe was made with"):
        recipe.replay(tiny_model, FILES, directions=others)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([SwapTexture(9, 1.0, "linear")], "no photograph 9, only 4"),
        ([Outpaint(1, 1), Keep("colour")], "another size"),
        ([Keep("colour"), Outpaint(1, 1)], "must come before"),
        ([Outpaint(200, 200)], "too large"),
        ([Layers(1, 0, 0, 1), Layers(1, 0, 0, 1)], "already"),
        ([Paste(None, Box(0, 0, 9, 9), Box(0, 0, 1, 1), False, 0)], "paste: expected a box"),
        ([Mix(0.0, (1,), (0.0,))], "mix: expected weights of a positive sum"),
    ],
)
def test_edits_that_do_not_fit_are_one_sentence(tiny_model, edits, message):
    with pytest.raises(UserError, match=message):
        recipe_of(tiny_model, edits).replay(tiny_model, FILES)


def test_shapes_that_differ_are_refused(tiny_model):
    files = [FILES[0], picture(9, (96, 64)), picture(8, (64, 96))]
    for edit in (BlendStructure(1, 0.5), Join((2,), 0, 0.0)):
        with pytest.raises(UserError, match="same"):
            recipe_of(tiny_model, [edit], files).replay(tiny_model, files)


BAD = {
    "version": [1, True, None, "1"],
    "model": [{}, "x", {"config": "a", "probe": 3}, {"config": "a", "probe": "b", "path": "/etc"}],
    "inputs": [[], {}, [{"name": "a/b", "sha256": "0" * 64}], [{"name": "a", "sha256": "../x"}], [{}] * 17],
    "noise": [-1, 1.5, True, 2**40],
    "edits": [{}, [{}] * 65, [None], [{"edit": "exec"}], [{"edit": ["texture"]}]],
    "more": [1],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_other_recipes_are_refused(tiny_model, key, value):
    plain = recipe_of(tiny_model, []).to_dict() | {key: value}
    with pytest.raises(UserError) as caught:
        Recipe.from_json(json.dumps(plain))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


BAD_EDITS = [
    (SwapTexture(1, 1.0, "linear"), "amount", [float("nan"), float("inf"), "1", None, True, 1e9]),
    (SwapTexture(1, 1.0, "linear"), "photograph", [-1, 16, 0.5, None, "0"]),
    (SwapTexture(1, 1.0, "linear"), "path", ["/etc/passwd", 3, None, ["linear"]]),
    (Mix(1.0, (1,), (1.0,)), "weights", [[], [1, 1], [-1], 3, [float("nan")]]),
    (Paste(1, Box(0, 0, 1, 1), Box(0, 0, 1, 1), True, 0), "box", [[0, 0, 0, 1], [0, 0, 1], [0, 0, 1, 10**9], "abcd"]),
    (Paste(1, Box(0, 0, 1, 1), Box(0, 0, 1, 1), True, 0), "flip", [0, "yes"]),
    (
        Drag(((1.0, 1.0),), ((2.0, 2.0),), None, 0),
        "handles",
        [[], [[1]], [[1, 2, 3]], [[-1, 0]], [[0, 10**9]], [[0, float("nan")]], ["12"], 3, [[True, 1]], [[1, 1]] * 33],
    ),
    (Drag(((1.0, 1.0),), ((2.0, 2.0),), None, 0), "targets", [[], [[1, 1], [2, 2]], [None], {"a": 1}]),
    (Outpaint(1, 1), "rows", [-1, 10**6, 1.0]),
    (Directed({"warm": 1.0}, False, None, 0, ""), "gains", [[], {"a" * 50: 1}, {"<b>": 1}, {"warm": float("inf")}]),
    (Protect(MASK, 0), "radius", [-1, 1000]),
    (
        Protect(MASK, 0),
        "mask",
        [
            None,
            {},
            {"height": 257, "width": 1, "runs": [0, 257]},
            {"height": 2, "width": 2, "runs": [0, 5]},
            {"height": 2, "width": 2, "runs": [256, 4]},
            {"height": 2, "width": 2, "runs": [0, 4, 0]},
            {"height": 2, "width": 2, "runs": [0, 0, 1, 4]},
            {"height": 2, "width": 2, "runs": []},
        ],
    ),
]


@pytest.mark.parametrize(
    ("edit", "field", "value"), [(edit, field, value) for edit, field, values in BAD_EDITS for value in values]
)
def test_other_parameters_are_refused(edit, field, value):
    with pytest.raises(UserError) as caught:
        edit_from_dict(edit.to_dict() | {field: value}, "edit 3")
    assert str(caught.value).startswith("edit 3") and "\n" not in str(caught.value)


def test_unknown_and_missing_fields_are_refused():
    plain = Outpaint(1, 1).to_dict()
    with pytest.raises(UserError, match="unknown key 'path'"):
        edit_from_dict(plain | {"path": "x"}, "edit 0")
    with pytest.raises(UserError, match="lacks 'rows'"):
        edit_from_dict({key: value for key, value in plain.items() if key != "rows"}, "edit 0")


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "null", "[]", "\x00", "1" * 5000, " " * (MAX_BYTES + 1)])
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(UserError, match="^the recipe"):
        Recipe.from_json(text)


def test_unreadable_files_are_one_sentence(tmp_path, tiny_model):
    with pytest.raises(UserError, match="cannot read"):
        Recipe.load(tmp_path / "none.json")
    with pytest.raises(UserError, match="cannot read"):
        recipe_of(tiny_model, []).replay(tiny_model, [tmp_path / "none.png"])


def test_a_png_says_how_it_was_made(tiny_model, tmp_path):
    recipe = recipe_of(tiny_model, [SwapTexture(1, 1.0, "linear")])
    save_image(to_pil(recipe.replay(tiny_model, FILES)), tmp_path / "a.png", metadata=recipe.metadata())
    data = (tmp_path / "a.png").read_bytes()
    assert b"tEXt" in data and b"iTXt" not in data
    with Image.open(tmp_path / "a.png") as image:
        texts = image.text
    assert texts["Software"] == "swapae" and "Generated by swapae" in texts["Comment"]
    assert texts["swapae model"].startswith(tiny_model.config.fingerprint)
    assert Recipe.from_json(texts["swapae recipe"]) == recipe
    assert load_image(tmp_path / "a.png").info == {}


@pytest.mark.slow
def test_the_command_finds_inputs_by_their_contents(tiny_model, tmp_path):
    tiny_model.save_pretrained(tmp_path / "model")
    names = ["b.png", "a.png", "unneeded.png"]
    for name, data in zip(names, (FILES[1], FILES[0], FILES[3]), strict=True):
        (tmp_path / name).write_bytes(data)
    recipe = recipe_of(tiny_model, [SwapTexture(1, 1.0, "linear")], FILES[:2])
    recipe.save(tmp_path / "recipe.json")
    command = [sys.executable, "-m", "swapae", "replay", tmp_path / "recipe.json", "--model", tmp_path / "model"]
    inputs = [tmp_path / name for name in names]
    done = subprocess.run(
        [*command, "-o", tmp_path / "c.png", "--inputs", *inputs], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(load_image(tmp_path / "c.png"), to_pil(recipe.replay(tiny_model, FILES)))
    done = subprocess.run(
        [*command, "-o", tmp_path / "d.png", "--inputs", inputs[1]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stderr.startswith("swapae: the photograph '1.png'")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_a_picture_carries_its_recipe(run, suffix):
    name = f"hybrid.{suffix}"
    assert run("swap", "a.png", "b.jpg", "-o", name, "--alpha", "0.8")[0] == 0
    assert run("replay", name, "--inputs", "b.jpg", "a.png", "-o", f"again.{suffix}")[0] == 0
    assert Path(f"again.{suffix}").read_bytes() == Path(name).read_bytes()
    status, out, _ = run("recipe", name, model=False)
    assert status == 0 and out.splitlines()[0].startswith("a.png  (SHA-256 ")
    assert "1. 80 % of the texture of b.jpg." in out


def test_a_picture_without_a_recipe_says_so(run):
    for name in ("a.png", "b.jpg"):
        assert_one_line(run("recipe", name, model=False), f"'{name}' carries no recipe")
    Path("c.json").write_text("no JSON")
    assert_one_line(run("recipe", "c.json", model=False), "the recipe is not valid JSON")
