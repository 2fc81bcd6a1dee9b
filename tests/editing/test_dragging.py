"""Dragging: the deformation against the paper's formulas, and what it does to codes, masks, opacity and recipes."""

import hashlib
import json

import numpy as np
import pytest
import torch

from swapae.codes import Codes
from swapae.editing import Box, drag, move
from swapae.editing.dragging import backward_offsets, check_points, check_within, rigid_displacements, sample
from swapae.editing.operations import Drag
from swapae.editing.parsing import edit_from_dict
from swapae.editing.recipes import EncodedPhotograph, ModelId, PhotographId, Recipe, encode_photograph
from swapae.editing.state import EditContext, initial_state
from swapae.editing.validation import Mask
from swapae.editing.words import sentence_of
from swapae.errors import UserError
from swapae.pictures.images import to_pil

GENERATOR = torch.Generator().manual_seed(0)


def points(count, side=100.0):
    return side * torch.rand(count, 2, generator=GENERATOR, dtype=torch.float64)


def by_the_paper(v, p, q, alpha):
    """Equation 8 of section 2.3 for one place, in complex numbers."""
    weights = 1 / np.abs(p - v) ** (2 * alpha)
    p_star, q_star = (weights * p).sum() / weights.sum(), (weights * q).sum() / weights.sum()
    # q_hat A_i of the paper, its matrix A_i being weight * conj(p_hat) * (v - p_star).
    vector = sum(
        (q_i - q_star) * w * np.conj(p_i - p_star) * (v - p_star) for w, p_i, q_i in zip(weights, p, q, strict=True)
    )
    return abs(v - p_star) * vector / abs(vector) + q_star


@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("count", [2, 3, 8, 32])
def test_the_deformation_is_the_paper_s(count, alpha):
    p, q, places = points(count), points(count), points(50)
    expected = [
        by_the_paper(complex(*v), *(np.array([complex(*one) for one in ends.tolist()]) for ends in (p, q)), alpha)
        for v in places.tolist()
    ]
    got = torch.view_as_complex(places + rigid_displacements(places, p, q, alpha=alpha)).numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


def test_points_go_to_their_targets_exactly():
    p, q = points(9), points(9)
    assert (p + rigid_displacements(p, p, q) - q).abs().max() < 1e-12


def test_one_point_is_a_translation_and_pins_alone_do_nothing():
    p, places = points(1), points(40)
    shift = torch.tensor([[12.5, -7.0]], dtype=torch.float64)
    torch.testing.assert_close(rigid_displacements(places, p, p + shift), shift.expand(40, 2))
    several = points(6)
    torch.testing.assert_close(rigid_displacements(places, several, several + shift), shift.expand(40, 2))
    assert not rigid_displacements(places, several, several).any()


@pytest.mark.parametrize("turn", [0.3, 3.0])
def test_two_points_that_turn_turn_everything(turn):
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = torch.tensor([[cosine, sine], [-sine, cosine]])  # of rows
    p, places, shift = points(2), points(40), torch.tensor([3.0, 4.0])
    got = places + rigid_displacements(places, p, p @ matrix + shift)
    torch.testing.assert_close(got, places @ matrix + shift)
    # Points that move apart stretch nothing: the deformation is rigid.
    middle = p.mean(0)
    got = places + rigid_displacements(places, p, middle + 2 * (p - middle), alpha=0.0)
    torch.testing.assert_close(torch.pdist(got), torch.pdist(places))


def test_nothing_becomes_nan_where_shapes_fold_over():
    crossed = [(10.0, 10.0), (50.0, 10.0), (30.0, 30.0), (30.0, 31.0)]
    swapped = [(50.0, 10.0), (10.0, 10.0), (30.0, 31.0), (30.0, 30.0)]
    offsets = backward_offsets((9, 13), crossed, swapped, 8)
    assert offsets.isfinite().all() and offsets.abs().max() > 1
    # In the middle of a square that is mirrored no rotation is better than another.
    p = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    middle = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert not rigid_displacements(middle, p, p * torch.tensor([1.0, -1.0])).any()


def test_a_shift_by_whole_cells_is_a_shift_mirrored_at_the_border():
    code = torch.randn(2, 3, 6, 9, generator=GENERATOR)
    dragged = drag(code, [(20.0, 20.0)], [(36.0, 12.0)], stride=8)  # 2 columns right, 1 row up
    torch.testing.assert_close(dragged[:, :, :5, 2:], code[:, :, 1:, :7])
    torch.testing.assert_close(dragged[:, :, :5, :2], code[:, :, 1:, :2].flip(3))
    torch.testing.assert_close(dragged[:, :, 5], drag(code, [(20.0, 20.0)], [(36.0, 20.0)], stride=8)[:, :, 5])


def test_half_a_cell_is_the_mean_of_two():
    code = torch.randn(1, 3, 4, 7, generator=GENERATOR, dtype=torch.float64)
    dragged = drag(code, [(8.0, 8.0)], [(4.0, 8.0)], stride=8)
    torch.testing.assert_close(dragged[..., :-1], (code[..., 1:] + code[..., :-1]) / 2)


def test_what_is_at_a_handle_comes_to_its_target():
    code = torch.randn(1, 5, 12, 17, generator=GENERATOR)
    cell = [(8 * column + 3.5, 8 * row + 3.5) for column, row in ((3, 4), (12, 8), (0, 0), (16, 11))]
    to = [(8 * column + 3.5, 8 * row + 3.5) for column, row in ((5, 3), (11, 9), (0, 0), (16, 11))]
    dragged = drag(code, cell, to, stride=8)
    for (column, row), (own_column, own_row) in (((5, 3), (3, 4)), ((11, 9), (12, 8)), ((0, 0), (0, 0))):
        torch.testing.assert_close(dragged[..., row, column], code[..., own_row, own_column])
    assert not torch.equal(dragged, code)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_pins_alone_change_no_bit(dtype):
    code = torch.randn(1, 4, 7, 5, generator=GENERATOR).to(dtype)
    pins = [(3.0, 4.0), (30.0, 44.0), (12.0, 12.0)]
    assert torch.equal(drag(code, pins, pins, stride=8), code)


def test_what_the_mask_protects_keeps_its_bits_and_the_rest_moves():
    code = torch.randn(1, 4, 12, 16, generator=GENERATOR)
    mask = torch.zeros(1, 1, 96, 128)
    mask[..., :40] = 1
    dragged = drag(code, [(100.0, 40.0)], [(84.0, 56.0)], stride=8, mask=mask, radius=1)
    same = (dragged == code).all(1)[0]
    assert same[:, :5].all() and not same[:, 5:].any()
    free = drag(code, [(100.0, 40.0)], [(84.0, 56.0)], stride=8)
    assert torch.equal(dragged[..., 7:], free[..., 7:])  # beyond twice the radius
    assert not torch.equal(dragged[..., 5:7], free[..., 5:7])
    # Where it fades, a ramp goes on rising: the displacement does not jump.
    ramp = torch.arange(16.0).expand(1, 1, 12, 16).contiguous()
    moved = drag(ramp, [(100.0, 40.0)], [(108.0, 40.0)], stride=8, mask=mask, radius=1)[0, 0, 0] - ramp[0, 0, 0]
    assert (moved.diff() <= 0).all() and 0 > moved.diff().min() > -1 and moved[-1] == -1
    everything = torch.ones(1, 1, 1, 1)
    assert torch.equal(drag(code, [(100.0, 40.0)], [(84.0, 56.0)], stride=8, mask=everything), code)


def test_many_places_are_those_of_few(monkeypatch):
    arguments = (21, 34), [(5.0, 9.0), (60.0, 70.0)], [(25.0, 9.0), (60.0, 50.0)], 8
    whole = backward_offsets(*arguments)
    monkeypatch.setattr("swapae.editing.dragging.PLACES_AT_ONCE", 50)
    assert torch.equal(backward_offsets(*arguments), whole)


def test_far_beyond_the_border_is_mirrored_again_and_again():
    code = torch.arange(3.0).view(1, 1, 1, 3)
    offsets = torch.zeros(1, 3, 2, dtype=torch.float64)
    for steps, expected in ((1, [1, 2, 2]), (3, [2, 1, 0]), (-4, [2, 2, 1]), (6, [0, 1, 2]), (-600, [0, 1, 2])):
        offsets[..., 0] = steps
        assert sample(code, offsets).flatten().tolist() == expected


BAD = [
    ([], [], "nothing to drag"),
    ([(1, 1)], [], "nothing to drag"),
    ([(1, 1), (2, 2)], [(3, 3)], "2 points and 1 places"),
    ([(1, 1), (1, 1)], [(3, 3), (4, 4)], "the point 1,1 cannot go to 3,3 and to 4,4"),
    ([(1, 1), (2, 2)], [(3, 3), (3, 3)], "1,1 and 2,2 cannot both go to 3,3"),
    ([(n, 1) for n in range(33)], [(n, 1) for n in range(33)], "at most 32 points"),
]


@pytest.mark.parametrize(("handles", "targets", "message"), BAD)
def test_points_of_which_no_deformation_follows_are_refused(handles, targets, message):
    with pytest.raises(UserError, match=message):
        drag(torch.ones(1, 1, 4, 4), handles, targets, stride=8)
    as_json = Drag(tuple(handles), tuple(targets), None, 0).to_dict()
    with pytest.raises(UserError, match="edit 2"):
        edit_from_dict(json.loads(json.dumps(as_json)), "edit 2")


def test_points_given_twice_do_no_harm_and_those_beyond_the_picture_are_refused():
    check_points([(1, 1), (1, 1)], [(2, 2), (2, 2)])
    code = torch.randn(1, 2, 5, 5, generator=GENERATOR)
    twice, once = (drag(code, n * [(9.0, 9.0)], n * [(17.0, 9.0)], stride=8) for n in (2, 1))
    torch.testing.assert_close(twice, once)
    check_within([(0, 0), (89, 63)], (90, 64))
    for point in ((90, 0), (0, 64), (-1, 5), (float("nan"), 1)):
        with pytest.raises(UserError, match="which has 90x64 pixels"):
            check_within([point], (90, 64))


PICTURE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8).repeat(9, 0).repeat(9, 1)  # 117 x 81
EDIT = Drag(((20.0, 30.0), (70.0, 10.0)), ((33.0, 22.5), (70.0, 10.0)), Mask(2, 3, (0, 4, 255, 2)), 1)


def context_of(model, tmp_path):
    path = tmp_path / "picture.png"
    to_pil(torch.from_numpy(PICTURE.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1).save(path)
    return path, EditContext(model, [encode_photograph(model, path.read_bytes())], None)


@pytest.mark.parametrize("edit", [EDIT, Drag(((20.0, 30.0),), ((33.0, 22.5),), None, 0)])
def test_a_recipe_replays_to_the_same_bits(random_model, tmp_path, edit):
    path, context = context_of(random_model, tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recipe = Recipe(ModelId.of(random_model), (PhotographId("picture.png", digest),), (edit,))
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    width, height = context.photograph(0).size
    assert width % random_model.config.stride and width > height  # padded
    replayed = again.replay(random_model, [path])
    assert replayed.shape == (1, 3, height, width)
    assert torch.equal(replayed, recipe.render(context))
    codes, mask = context.photograph(0).codes, edit.mask and edit.mask.to_tensor()
    dragged = drag(
        codes.structure, edit.handles, edit.targets, stride=random_model.config.stride, mask=mask, radius=edit.radius
    )
    with torch.no_grad():
        expected = random_model.decode(Codes(dragged, codes.texture), noise=recipe.noise).clamp(-1, 1)
    assert torch.equal(replayed, expected[..., :height, :width])


@torch.no_grad()
def test_dragging_the_code_is_the_code_of_a_picture_that_moved(random_model):
    stride = random_model.config.stride
    scene = torch.rand(1, 3, 26 * stride, 26 * stride, generator=GENERATOR) * 2 - 1
    side = 24 * stride
    here, there = scene[..., :side, :side], scene[..., stride:, 2 * stride :][..., :side, :side]
    dragged = drag(random_model.encode(here).structure, [(3 * stride, stride)], [(stride, 0)], stride=stride)
    difference = (dragged - random_model.encode(there).structure)[..., 8:-8, 8:-8].abs()
    assert difference.max() < 1e-4  # where no border is in sight


def test_points_beyond_the_picture_are_refused_in_recipes(tiny_model, tmp_path):
    _, context = context_of(tiny_model, tmp_path)
    width, height = context.photograph(0).size
    with pytest.raises(UserError, match=f"which has {width}x{height} pixels"):
        Drag(((1.0, 1.0),), ((width, 2.0),), None, 0).apply(initial_state(context.photograph(0)), context)


def test_opacity_goes_where_the_structure_goes(tiny_model):
    structure = torch.randn(1, 4, 8, 10, generator=GENERATOR)
    opacity = torch.ones(1, 1, 64, 80)
    opacity[..., 16:32, 24:40] = 0
    photograph = EncodedPhotograph(Codes(structure, torch.zeros(1, 32)), torch.zeros(1, 3, 64, 80), (80, 64), opacity)
    context = EditContext(tiny_model, [photograph], None)
    state = Drag(((30.0, 20.0),), ((46.0, 28.0),), None, 0).apply(initial_state(photograph), context)
    expected = torch.ones(1, 1, 64, 80)
    expected[..., 24:40, 40:56] = 0
    torch.testing.assert_close(state.opacity[..., 8:, 16:], expected[..., 8:, 16:])
    # As the structure: what `move` puts two cells right and one down lies there too.
    moved = move(structure, Box(2, 3, 2, 2), Box(3, 5, 2, 2))
    torch.testing.assert_close(state.structure[..., 3:5, 5:7], moved[..., 3:5, 5:7])
    opaque = initial_state(photograph)._replace(opacity=None)
    assert EDIT.apply(opaque, context).opacity is None


def test_in_words():
    edit = Drag(((1.0, 2.0), (9.0, 9.5)), ((3.0, 4.0), (9.0, 9.5)), None, 0)
    assert sentence_of(edit, []) == "Dragged: 1,2 to 3,4; 9,9.5 held."
    assert sentence_of(EDIT, []) == "Dragged: 20,30 to 33,22.5; 70,10 held; nothing where painted."
