"""Edits against values worked out by hand or another way, and through decodes of the tiny model."""

import math

import pytest
import torch
import torch.nn.functional as F

from swapae import Codes, SwapAE, editing
from swapae.editing import Box


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 80, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def codes(tiny_model, images):
    with torch.no_grad():
        return tiny_model.encode(images)


def random(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def on_circle(*degrees):
    """Textures [N, 2] at angles of the unit circle, where everything can be seen."""
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], 1)


def line(*values):
    """A structure [1, 1, 1, w] to write down by hand."""
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def square(height, width, box):
    mask = torch.zeros(1, 1, height, width)
    mask[:, :, box.top : box.top + box.height, box.left : box.left + box.width] = 1
    return mask


# Interpolation


def test_straight_interpolation_starts_and_ends_bit_for_bit():
    own, other = random(3, 16), random(3, 16, seed=1)
    assert torch.equal(editing.interpolate(own, other, 0), own)
    assert torch.equal(editing.interpolate(own, other, 1), other)
    torch.testing.assert_close(editing.interpolate(own, other, 0.25), 0.75 * own + 0.25 * other)


def test_interpolated_textures_decode_to_what_swap_makes(tiny_model, images, codes):
    with torch.no_grad():
        expected = tiny_model.swap(images[:1], images[1:], alpha=0.3)
        texture = editing.interpolate(codes.texture[:1], codes.texture[1:], 0.3)
        decoded = tiny_model.decode(Codes(codes.structure[:1], texture))
    torch.testing.assert_close(decoded, expected, atol=1e-5, rtol=1e-4)


def test_spherical_interpolation_turns_by_equal_angles():
    turned = editing.interpolate_spherical(on_circle(10, -20), on_circle(100, 40), 1 / 3)
    torch.testing.assert_close(turned, on_circle(40, 0))
    straight = editing.interpolate(on_circle(10), on_circle(100), 1 / 3)
    assert straight.norm() < 0.8  # while the straight one leaves the sphere


@pytest.mark.parametrize("amount", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(5, 16), (5, 16, 3, 4)])
def test_spherical_interpolation_is_safe_for_parallel_and_opposite_codes(shape, amount):
    own = F.normalize(random(*shape), dim=1)
    same = editing.interpolate_spherical(own, own, amount)
    torch.testing.assert_close(same, own, atol=1e-5, rtol=0)
    opposite = editing.interpolate_spherical(own, -own, amount)
    torch.testing.assert_close(opposite.norm(dim=1), torch.ones_like(own[:, 0]))
    cosine = (own * opposite).sum(1)
    torch.testing.assert_close(cosine, torch.full_like(cosine, math.cos(math.pi * amount)), atol=1e-5, rtol=0)
    nearly = editing.interpolate_spherical(own, F.normalize(own + 1e-4 * random(*shape, seed=2), dim=1), 0.5)
    torch.testing.assert_close(nearly.norm(dim=1), torch.ones_like(own[:, 0]))


def test_a_texture_beside_a_map_and_a_batch_of_one_are_spread():
    own, other = random(1, 4), random(2, 4, 2, 3, seed=1)
    between = editing.interpolate(own, other, 0.5)
    torch.testing.assert_close(between[1, :, 1, 2], (own[0] + other[1, :, 1, 2]) / 2)


@pytest.mark.parametrize(
    "shapes", [[(2, 4), (3, 4)], [(1, 4), (1, 5)], [(1, 4, 2, 2), (1, 4, 2, 3)], [(1, 4, 2), (1, 4)]]
)
@pytest.mark.parametrize("function", [editing.interpolate, editing.interpolate_spherical])
def test_codes_that_do_not_fit_each_other_are_refused(function, shapes):
    with pytest.raises(ValueError, match="expected codes of one shape, got"):
        function(*(torch.ones(shape) for shape in shapes), 0.5)
    with pytest.raises(ValueError, match="finite amount, got nan"):
        function(torch.ones(1, 4), torch.ones(1, 4), math.nan)


# Texture


def test_a_mix_is_the_weighted_mean_on_the_sphere():
    mixed = editing.mix_textures(list(on_circle(0, 90)[:, None]), [3, 1])
    expected = torch.tensor([[3.0, 1.0]], dtype=torch.float64) / math.sqrt(10)
    torch.testing.assert_close(mixed, expected, atol=1e-7, rtol=0)
    alone = editing.mix_textures(list(on_circle(0, 90, 70)[:, None]), [0, 0, 2])
    torch.testing.assert_close(alone, on_circle(70), atol=1e-7, rtol=0)


def test_weights_count_by_their_ratio_and_two_textures_mix_as_they_interpolate():
    a, b = random(2, 8), random(2, 8, seed=1)
    torch.testing.assert_close(editing.mix_textures([a, b], [1, 3]), editing.mix_textures([a, b], [20, 60]))
    torch.testing.assert_close(editing.mix_textures([a, b], [1, 3]), editing.mix_textures([a, b], [1e-6, 3e-6]))
    between = F.normalize(editing.interpolate(a, b, 0.75), dim=1)
    torch.testing.assert_close(editing.mix_textures([a, b], [1, 3]), between)


@pytest.mark.parametrize(
    "weights, message",
    [([], "at least one"), ([1], "one weight per"), ([0, 0], "positive sum"), ([1, -2], "positive sum")]
    + [([math.inf, 1], "finite weight"), ([math.nan, 1], "finite weight")],
)
def test_weights_that_mean_nothing_are_refused(weights, message):
    textures = [] if not weights else [torch.ones(1, 4)] * 2
    with pytest.raises(ValueError, match=message):
        editing.mix_textures(textures, weights)


def test_blocks_are_grouped_from_coarse_to_fine(tiny_model):
    # Two head blocks at the structure's resolution, then one per octave, of which there are three.
    assert tiny_model.generator.block_groups == ["coarse", "coarse", "middle", "middle", "fine"]


@torch.no_grad()
def test_equal_strengths_are_the_plain_decode_and_each_group_counts(tiny_model, codes):
    own, other = codes.texture, codes.texture.flip(0)
    groups = tiny_model.generator.block_groups

    def decoded(coarse, middle, fine):
        strengths = {"coarse": coarse, "middle": middle, "fine": fine}
        return tiny_model.decode(codes, block_textures=editing.textures_per_block(own, other, groups, strengths))

    assert torch.equal(decoded(0, 0, 0), tiny_model.decode(codes))
    half = Codes(codes.structure, editing.interpolate(own, other, 0.5))
    assert torch.equal(decoded(0.5, 0.5, 0.5), tiny_model.decode(half))
    for strengths in [(1, 0, 0), (0, 1, 0), (0, 0, 1)]:
        assert (decoded(*strengths) - decoded(0, 0, 0)).abs().max() > 1e-3
        assert (decoded(*strengths) - decoded(1, 1, 1)).abs().max() > 1e-3


@torch.no_grad()
def test_fine_strength_reaches_the_last_block_and_rgb_alone(tiny_model, codes):
    seen = {}
    for index, block in enumerate(tiny_model.generator.blocks):
        block.register_forward_hook(lambda module, args, output, index=index: seen.update({index: output.clone()}))
    groups = tiny_model.generator.block_groups
    tiny_model.decode(codes)
    before = dict(seen)
    textures = editing.textures_per_block(
        codes.texture, codes.texture.flip(0), groups, {"coarse": 0, "middle": 0, "fine": 1}
    )
    tiny_model.decode(codes, block_textures=textures)
    assert [torch.equal(before[index], seen[index]) for index in range(5)] == [True] * 4 + [False]


@torch.no_grad()
def test_modulation_goes_with_the_first_block_and_rgb_with_the_last(tiny_model, codes):
    generator, given = tiny_model.generator, {}
    for name in ("structure_modulation", "to_rgb"):
        module = getattr(generator, name)
        module.register_forward_pre_hook(lambda module, args, name=name: given.update({name: args[1]}))
    textures = [F.normalize(random(2, 32, seed=seed), dim=1) for seed in range(5)]
    tiny_model.decode(codes, block_textures=textures)
    torch.testing.assert_close(given["structure_modulation"][..., 0, 0], textures[0])
    torch.testing.assert_close(given["to_rgb"][..., 0, 0], textures[-1])


@torch.no_grad()
def test_maps_and_textures_may_be_mixed_over_blocks(tiny_model, codes):
    spread = codes.texture[:, :, None, None].expand(-1, -1, 3, 5)
    mixed = [codes.texture, spread, codes.texture, spread, codes.texture]
    torch.testing.assert_close(
        tiny_model.decode(codes, block_textures=mixed), tiny_model.decode(codes), atol=1e-5, rtol=1e-4
    )


def test_other_block_textures_and_groups_are_refused(tiny_model, codes):
    with pytest.raises(ValueError, match="each of 5 blocks, got 2"):
        tiny_model.decode(codes, block_textures=[codes.texture] * 2)
    with pytest.raises(ValueError, match="expected texture"):
        tiny_model.decode(codes, block_textures=[codes.texture] * 4 + [codes.texture[:1]])
    with pytest.raises(ValueError, match=r"strengths for \['coarse', 'fine', 'middle'\], got \['coarse'\]"):
        editing.textures_per_block(codes.texture, codes.texture, ["coarse"], {"coarse": 1})


def test_translation_moves_by_the_difference_of_the_means():
    texture = torch.tensor([[1.0, 0.0, 0.0]])
    source = torch.tensor([[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
    target = torch.tensor([[0.0, 2.0, 4.0], [0.0, 2.0, 0.0], [0.0, 2.0, 2.0]])
    # The means differ by (0, 0, 2); half of it gives (1, 0, 1), of length sqrt(2).
    moved = editing.translate(texture, source, target, gain=0.5)
    torch.testing.assert_close(moved, torch.tensor([[1.0, 0.0, 1.0]]) / math.sqrt(2))
    torch.testing.assert_close(editing.translate(texture, source, target, gain=0), texture)
    spread = editing.translate(texture[:, :, None, None].expand(-1, -1, 2, 3), source, target, gain=0.5)
    torch.testing.assert_close(spread[:, :, 1, 2], moved)
    for bad in (source[:0], source[:, :2], source[0]):
        with pytest.raises(ValueError, match=r"expected textures \[N, 3\] of a domain"):
            editing.translate(texture, bad, target)
    with pytest.raises(ValueError, match="finite gain"):
        editing.translate(texture, source, target, gain=math.inf)


# Masks


def test_feathering_by_hand_and_its_exact_ends():
    edge = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1]).expand(1, 1, 5, 8)
    # Radius 2 is a triangle of weights 1 2 3 2 1, over 9.
    expected = torch.tensor([0.0, 0, 1, 3, 6, 8, 9, 9]) / 9
    soft = editing.feather(edge, 2)
    torch.testing.assert_close(soft, expected.expand(1, 1, 5, 8))
    assert torch.equal(soft[..., :2], edge[..., :2]) and torch.equal(soft[..., 6:], edge[..., 6:])
    assert torch.equal(editing.feather(edge, 0), edge)
    assert torch.equal(editing.feather(torch.ones(1, 1, 4, 4), 9), torch.ones(1, 1, 4, 4))


def test_feathering_outward_holds_the_mask_and_ends_at_twice_the_radius():
    mask = square(40, 40, Box(15, 15, 8, 6))
    soft = editing.feather_outward(mask, 3)
    assert soft[mask == 1].eq(1).all()
    assert soft[0, 0, 15 - 6, 18] > 0 and soft[0, 0, 15 - 7, 18] == 0
    assert not soft[0, 0, :, : 15 - 6].any()


@pytest.mark.parametrize("feather", [editing.feather, editing.feather_outward])
def test_negative_radii_are_refused(feather):
    with pytest.raises(ValueError, match="at least 0 cells, got -1"):
        feather(torch.zeros(1, 1, 4, 4), -1)


@pytest.mark.parametrize(
    "mask, message",
    [
        (torch.ones(1, 2, 4, 4), r"expected a mask \[2 or 1, 1, H, W\], got \[1, 2, 4, 4\]"),
        (torch.ones(3, 1, 4, 4), "expected a mask"),
        (torch.ones(4, 4), "expected a mask"),
        (torch.ones(1, 1, 4, 4) * 1.5, r"mask in \[0, 1\], got 1.5 to 1.5"),
        (torch.full((1, 1, 4, 4), math.nan), r"mask in \[0, 1\]"),
        (torch.ones(1, 1, 4, 4, dtype=torch.uint8), "floats or bool"),
    ],
)
def test_masks_that_are_none_are_refused_everywhere(mask, message):
    picture = torch.zeros(2, 3, 8, 8)
    for use in (
        lambda: editing.composite(picture, picture, mask),
        lambda: editing.protect(picture, picture, mask),
        lambda: editing.change(picture, picture, mask),
        lambda: editing.texture_map(torch.ones(2, 4), [torch.ones(1, 4)], [mask], (2, 2)),
    ):
        with pytest.raises(ValueError, match=message):
            use()


# Pictures


def luma(images):
    return 0.2126 * images[:, 0] + 0.7152 * images[:, 1] + 0.0722 * images[:, 2]


def test_colour_is_taken_and_luminance_kept():
    original, hybrid = torch.full((1, 3, 1, 2), 0.1), torch.empty(1, 3, 1, 2)
    hybrid[..., 0] = torch.tensor([0.3, 0.3, 0.3])[:, None]  # grey: nothing to take
    hybrid[..., 1] = torch.tensor([0.5, 0.0, 0.0])[:, None]
    combined = editing.combine_luminance_and_colour(original, hybrid)
    torch.testing.assert_close(combined[0, :, 0, 0], torch.full((3,), 0.1))
    # The luma of (.5, 0, 0) is .1063, so that all channels sink by .0063.
    torch.testing.assert_close(combined[0, :, 0, 1], torch.tensor([0.4937, -0.0063, -0.0063]), atol=1e-6, rtol=0)


def test_luminance_is_exact_even_where_colours_have_to_pale(images):
    dark, bright = images * 3, images.flip(0) * 0.2 + 0.75
    for light, colour in [(dark, bright), (bright, dark), (images, images.flip(0))]:
        combined = editing.combine_luminance_and_colour(light, colour)
        assert combined.abs().max() <= 1
        torch.testing.assert_close(luma(combined), luma(light.clamp(-1, 1)), atol=2e-6, rtol=0)
        # The hue stays: chroma is the other's, times at most 1. Greys have none.
        before = colour.clamp(-1, 1) - luma(colour.clamp(-1, 1))[:, None]
        after = combined - luma(combined)[:, None]
        factor = (before * after).sum(1, keepdim=True) / before.square().sum(1, keepdim=True)
        factor = factor[before.square().sum(1, keepdim=True) > 1e-3]
        assert factor.min() > -1e-4 and factor.max() < 1 + 1e-4
        # Parallel vectors: |a| |b| = |a . b|.
        parallel = after.norm(dim=1) * before.norm(dim=1)
        torch.testing.assert_close(parallel, (before * after).sum(1), atol=1e-5, rtol=0)
    own = editing.combine_luminance_and_colour(images, images)
    torch.testing.assert_close(own, images, atol=1e-6, rtol=0)


def test_compositing_is_exact_away_from_the_seam_and_blends_on_it(images):
    original, result = images[:1], images[1:]
    mask = square(64, 80, Box(20, 20, 24, 30))
    together = editing.composite(original, result, mask, radius=3)
    assert torch.equal(together[..., :17, :], original[..., :17, :])
    assert torch.equal(together[..., 23:41, 23:47], result[..., 23:41, 23:47])
    # One pixel outside an edge of radius 3 the triangle 1 2 3 4 3 2 1, over 16, has 6 of its weight inside.
    expected = original[..., 19, 35] * 10 / 16 + result[..., 19, 35] * 6 / 16
    torch.testing.assert_close(together[..., 19, 35], expected)


def test_a_mask_on_another_grid_covers_what_it_covered(images):
    coarse = square(8, 10, Box(1, 2, 3, 4))
    fine = square(64, 80, Box(8, 16, 24, 32))
    expected = editing.composite(images, images.flip(0), fine)
    assert torch.equal(editing.composite(images, images.flip(0), coarse), expected)
    assert torch.equal(editing.composite(images, images.flip(0), coarse.bool()), expected)


def test_what_is_protected_stays_bit_for_bit(images):
    mask = square(64, 80, Box(20, 20, 24, 30))
    kept = editing.protect(images, images.flip(0), mask, radius=4)
    assert torch.equal(kept[..., 20:44, 20:50], images[..., 20:44, 20:50])
    assert torch.equal(kept[..., :12, :], images.flip(0)[..., :12, :])
    assert not torch.equal(kept[..., 16:20, 20:50], images.flip(0)[..., 16:20, 20:50])


def test_change_is_counted_in_levels_on_both_sides_of_the_mask():
    before, after = torch.zeros(1, 3, 2, 4), torch.zeros(1, 3, 2, 4)
    after[0, :, 0, 0], after[0, 0, 1, 3] = 2 / 255, -8 / 255
    # Inside are the 2 left columns, 12 values, three of which differ by a level; outside one of 12 by four.
    expected = (3 / 12, 1, 4 / 12, 4)
    assert editing.change(before, after, square(2, 4, Box(0, 0, 2, 2))) == pytest.approx(expected, abs=1e-5)
    assert editing.change(before, after, torch.ones(1, 1, 2, 4))[2:] == (0, 0)
    assert editing.change(before, after - 5, torch.ones(1, 1, 2, 4)).inside_max == 127.5  # what cannot be seen
    with pytest.raises(ValueError, match="expected two pictures"):
        editing.change(before, after[..., :3], torch.ones(1, 1, 2, 4))


# Regions


def test_a_map_holds_each_texture_where_its_mask_is_and_its_own_elsewhere():
    own, a, b = random(2, 6), random(1, 6, seed=1), random(2, 6, seed=2)
    masks = [square(8, 8, Box(0, 0, 4, 4)), square(8, 8, Box(2, 2, 6, 6))]
    written = editing.texture_map(own, [a, b], masks, (8, 8))
    assert written.shape == (2, 6, 8, 8)
    assert torch.equal(written[:, :, 0, 0], a.expand(2, -1)) and torch.equal(written[:, :, 7, 7], b)
    torch.testing.assert_close(written[:, :, 3, 3], (a + b) / 2)  # both at full weight
    assert torch.equal(written[:, :, 0, 5:], own[:, :, None].expand(-1, -1, 3))


def test_weak_masks_leave_the_rest_to_the_own_texture():
    own, a, b = random(1, 6), random(1, 6, seed=1), random(1, 6, seed=2)
    masks = [torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 0.25)]
    written = editing.texture_map(own, [a, b], masks, (2, 2))
    torch.testing.assert_close(written[:, :, 0, 1], 0.25 * own + 0.5 * a + 0.25 * b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_beyond_feathered_masks_the_own_texture_is_untouched(dtype):
    own, references = random(1, 32, dtype=dtype), [random(1, 32, seed=seed, dtype=dtype) for seed in (1, 2, 3)]
    masks = [square(64, 64, Box(16, 16, 8, 8)), square(64, 64, Box(20, 20, 8, 12)), square(64, 64, Box(40, 0, 8, 8))]
    written = editing.texture_map(own, references, masks, (16, 16), radius=2)
    reach = torch.zeros(16, 16, dtype=torch.bool)
    for rows, columns in [((2, 8), (2, 8)), ((3, 9), (3, 10)), ((8, 14), (0, 4))]:  # each grown by 2 cells
        reach[slice(*rows), slice(*columns)] = True
    assert written.dtype == dtype and (written == own[:, :, None, None]).all(1)[0][~reach].all()
    assert not (written == own[:, :, None, None]).all(1)[0][reach].any()


def test_a_map_goes_on_from_an_earlier_one():
    own, a, b = random(1, 6), random(1, 6, seed=1), random(1, 6, seed=2)
    masks = [square(4, 4, Box(0, 0, 2, 2)), square(4, 4, Box(2, 2, 2, 2))]
    first = editing.texture_map(own, [a], masks[:1], (4, 4))
    assert torch.equal(
        editing.texture_map(first, [b], masks[1:], (4, 4)), editing.texture_map(own, [a, b], masks, (4, 4))
    )
    assert torch.equal(editing.texture_map(own, [], [], (2, 3)), own[:, :, None, None].expand(-1, -1, 2, 3))


def test_maps_that_do_not_fit_are_refused():
    own, mask = torch.ones(1, 4), torch.ones(1, 1, 2, 2)
    for arguments, message in [
        ((own, [own], [], (2, 2)), "a mask for each of 1 references, got 0"),
        ((own, [own[:, :3]], [mask], (2, 2)), r"references \[1 or 1, 4\], got \[1, 3\]"),
        ((own[:, :, None, None], [own], [mask], (2, 2)), r"map of the grid \[2, 2\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            editing.texture_map(*arguments)


@torch.no_grad()
def test_a_region_edit_changes_its_side_of_the_picture_more(tiny_model, codes):
    own = Codes(codes.structure[:1], codes.texture[:1])
    mask = square(64, 80, Box(0, 0, 64, 40))
    edited = editing.texture_map(own.texture, [codes.texture[1:]], [mask], (8, 10))
    whole = editing.texture_map(own.texture, [], [], (8, 10))
    before = tiny_model.decode(Codes(own.structure, whole))
    change = editing.change(before, tiny_model.decode(Codes(own.structure, edited)), mask)
    assert change.inside_mean > 5 * change.outside_mean > 0
    full = tiny_model.decode(Codes(own.structure, codes.texture[1:]))
    everywhere = editing.texture_map(own.texture, [codes.texture[1:]], [torch.ones(1, 1, 2, 2)], (8, 10))
    torch.testing.assert_close(tiny_model.decode(Codes(own.structure, everywhere)), full, atol=1e-5, rtol=1e-4)


def test_a_click_selects_what_points_the_same_way():
    # Cosines to the first cell: 1, cos 30, 0, -1; lengths do not matter.
    features = (on_circle(0, 30, 90, 180) * torch.tensor([[1.0], [5.0], [0.5], [2.0]])).T.view(1, 2, 1, 4)
    expected = torch.tensor([1.0, math.sqrt(3) / 2, 0, -1], dtype=torch.float64).view(1, 1, 1, 4)
    torch.testing.assert_close(editing.similarity(features, (0, 0)), expected, atol=1e-6, rtol=0)
    for threshold, selected in [(1, [1, 0, 0, 0]), (0.8, [1, 1, 0, 0]), (-0.1, [1, 1, 1, 0]), (-1, [1, 1, 1, 1])]:
        mask = editing.select_similar(features, (0, 0), threshold=threshold)
        assert mask.flatten().tolist() == selected
    soft = editing.select_similar(features, (0, 3), threshold=0.5, radius=1)
    torch.testing.assert_close(soft.flatten(), torch.tensor([0, 0, 0.25, 0.75], dtype=torch.float64))


def test_a_click_always_selects_itself(codes):
    for row, column in [(0, 0), (7, 9), (3, 4)]:
        mask = editing.select_similar(codes.structure, (row, column), threshold=1)
        assert mask.shape == (2, 1, 8, 10) and mask[:, :, row, column].eq(1).all()


def test_clicks_beyond_the_grid_and_the_scale_are_refused():
    features = torch.ones(1, 2, 3, 4)
    for cell in [(3, 0), (0, 4), (-1, 0)]:
        with pytest.raises(ValueError, match="within 3 rows and 4 columns"):
            editing.similarity(features, cell)
    for threshold in (1.1, math.nan):
        with pytest.raises(ValueError, match=r"threshold in \[-1, 1\]"):
            editing.select_similar(features, (0, 0), threshold=threshold)


# Structure


def test_a_region_is_pasted_flipped_scaled_and_cut_off():
    target, source = line(0, 0, 0, 0, 0, 0), line(1, 2, 3, 4)
    two = Box(0, 1, 1, 2)
    for place, flip, expected in [
        (Box(0, 3, 1, 2), False, [0, 0, 0, 2, 3, 0]),
        (Box(0, 3, 1, 2), True, [0, 0, 0, 3, 2, 0]),
        (Box(0, 5, 1, 2), False, [0, 0, 0, 0, 0, 2]),
        (Box(0, -1, 1, 2), False, [3, 0, 0, 0, 0, 0]),
        (Box(0, 1, 1, 4), False, [0, 2, 2.25, 2.75, 3, 0]),  # bilinear at -1/4, 1/4, 3/4, 5/4
        (Box(0, 1, 1, 4), True, [0, 3, 2.75, 2.25, 2, 0]),
    ]:
        pasted = editing.paste(target, source, two, place, flip=flip)
        torch.testing.assert_close(pasted, line(*expected))
    assert not target.any()


def test_a_paste_fades_in_from_its_edges():
    target, source = torch.zeros(1, 1, 7, 7), torch.ones(1, 1, 7, 7)
    pasted = editing.paste(target, source, Box(0, 0, 5, 5), Box(1, 1, 5, 5), radius=1)
    torch.testing.assert_close(pasted[0, 0, 3], torch.tensor([0, 0.5, 1, 1, 1, 0.5, 0]))
    torch.testing.assert_close(pasted[0, 0, 1], torch.tensor([0, 0.25, 0.5, 0.5, 0.5, 0.25, 0]))


def test_cloning_leaves_the_rest_alone(codes):
    box, place = Box(1, 2, 3, 3), Box(4, 6, 3, 3)
    cloned = editing.paste(codes.structure, codes.structure, box, place)
    assert torch.equal(cloned[:, :, 4:7, 6:9], codes.structure[:, :, 1:4, 2:5])
    elsewhere = square(8, 10, place)[0, 0] == 0
    assert torch.equal(cloned[:, :, elsewhere], codes.structure[:, :, elsewhere])


def test_a_hole_is_filled_from_both_sides():
    filled = editing.fill(line(8, 4, 100, 100, 2, 6), Box(0, 2, 1, 2))
    # Mirrored from the left 4 8, from the right 6 2, cross-faded by thirds.
    torch.testing.assert_close(filled, line(8, 4, 4 * 2 / 3 + 6 / 3, 8 / 3 + 2 * 2 / 3, 2, 6))
    torch.testing.assert_close(editing.fill(line(9, 9, 9, 1, 2), Box(0, 0, 1, 3)), line(2, 2, 1, 1, 2))
    torch.testing.assert_close(editing.fill(line(1, 2, 9, 9, 9), Box(0, 2, 1, 3)), line(1, 2, 2, 1, 1))
    rows = editing.fill(line(1, 9, 3).transpose(2, 3), Box(1, 0, 1, 1))
    torch.testing.assert_close(rows, line(1, 2, 3).transpose(2, 3))
    with pytest.raises(ValueError, match="leaves some"):
        editing.fill(line(1, 2), Box(0, 0, 1, 2))


def test_moving_fills_the_hole_and_carries_the_original():
    moved = editing.move(line(5, 100, 7, 0, 0, 0), Box(0, 1, 1, 1), Box(0, 4, 1, 1))
    torch.testing.assert_close(moved, line(5, 6, 7, 0, 100, 0))
    shifted = editing.move(line(5, 100, 7, 0), Box(0, 1, 1, 1), Box(0, 1, 1, 1))
    torch.testing.assert_close(shifted, line(5, 100, 7, 0))


def test_boxes_and_places_beyond_the_grid_are_refused():
    structure = torch.zeros(1, 2, 4, 5)
    inside = Box(0, 0, 2, 2)
    for box in (Box(3, 0, 2, 2), Box(0, 4, 2, 2), Box(-1, 0, 2, 2), Box(0, 0, 0, 2)):
        for edit in (editing.paste, editing.move):
            with pytest.raises(ValueError, match="box within 4 rows and 5 columns"):
                edit(*[structure] * (1 + (edit is editing.paste)), box, inside)
    for place in (Box(4, 0, 2, 2), Box(0, -2, 2, 2), Box(0, 0, 2, 0), Box(1, 1, -1, 2)):
        with pytest.raises(ValueError, match="place within 4 rows and 5 columns"):
            editing.paste(structure, structure, inside, place)
    with pytest.raises(ValueError, match="a source like the target"):
        editing.paste(structure, torch.zeros(1, 3, 4, 5), inside, inside)
    with pytest.raises(ValueError, match="radius"):
        editing.paste(structure, structure, inside, inside, radius=-1)


def test_photographs_are_joined_with_a_soft_seam():
    left, right = Codes(line(1, 1, 1), torch.zeros(1, 2)), Codes(line(4, 4, 4, 4), torch.ones(1, 2))
    joined = editing.join([left, right], seam=2)
    torch.testing.assert_close(joined.structure, line(1, 2, 3, 4, 4))
    expected = torch.tensor([0, 1 / 3, 2 / 3, 1, 1]).view(1, 1, 1, 5).expand(1, 2, 1, 5)
    torch.testing.assert_close(joined.texture, expected)
    butted = editing.join([left, right, left])
    torch.testing.assert_close(butted.structure, line(1, 1, 1, 4, 4, 4, 4, 1, 1, 1))
    assert torch.equal(butted.texture[0, 0, 0], torch.tensor([0.0, 0, 0, 1, 1, 1, 1, 0, 0, 0]))


# Cells from which a cell's pixels can be seen: four convolutions of the head, and those of the octaves, ever finer.
REACH = 7


@pytest.fixture
def large(tiny_model):
    """Codes of 18 x 20 cells, of which the middle ones do not see the border."""
    with torch.no_grad():
        return tiny_model.encode(random(2, 3, 144, 160).clamp(-1, 1))


@torch.no_grad()
def test_a_panorama_decodes_wide_and_shows_each_photograph(tiny_model, large):
    alone = [Codes(large.structure[index : index + 1], large.texture[index : index + 1]) for index in (0, 1, 0)]
    panorama = tiny_model.decode(editing.join(alone, seam=2), noise="zero")
    assert panorama.shape == (1, 3, 144, (3 * 20 - 2 * 2) * 8)
    first, seen = tiny_model.decode(alone[0], noise="zero"), (20 - 2 - REACH) * 8
    torch.testing.assert_close(panorama[..., :seen], first[..., :seen], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(panorama[..., -seen:], first[..., -seen:], atol=1e-5, rtol=1e-4)
    middle = panorama[..., (18 + 10) * 8]
    assert (middle - tiny_model.decode(alone[1], noise="zero")[..., 10 * 8]).abs().max() < 1e-4
    assert (middle - first[..., 10 * 8]).abs().max() > 0.01


def test_joins_that_cannot_be_are_refused():
    codes = Codes(torch.zeros(1, 2, 4, 5), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at least one photograph"):
        editing.join([])
    for seam in (-1, 6):
        with pytest.raises(ValueError, match=f"seam of 0 to 5 columns, got {seam}"):
            editing.join([codes, codes], seam=seam)
    with pytest.raises(ValueError, match="one batch, height and model"):
        editing.join([codes, Codes(torch.zeros(1, 2, 3, 5), torch.zeros(1, 3))])


def test_outpainting_mirrors_again_and_again():
    codes = Codes(line(1, 2, 3), torch.ones(1, 4))
    wide = editing.outpaint(codes, rows=0, columns=4)
    torch.testing.assert_close(wide.structure, line(3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1))
    assert torch.equal(wide.texture, codes.texture)
    structure = random(2, 4, 3, 5)
    grown = editing.outpaint(Codes(structure, random(2, 6, 6, 10)), rows=2, columns=1)
    assert torch.equal(grown.structure[:, :, 2:-2, 1:-1], structure)
    assert torch.equal(grown.structure[:, :, 0], grown.structure[:, :, 3])
    assert grown.texture.shape == (2, 6, 7, 7)
    with pytest.raises(ValueError, match="at least 0 rows and columns"):
        editing.outpaint(codes, rows=0, columns=-1)


@torch.no_grad()
def test_outpainting_leaves_the_middle_of_the_picture(tiny_model, large):
    wide = tiny_model.decode(editing.outpaint(large, rows=2, columns=4), noise="zero")
    assert wide.shape == (2, 3, 144 + 2 * 2 * 8, 160 + 2 * 4 * 8)
    inner, before = wide[..., 16:-16, 32:-32], tiny_model.decode(large, noise="zero")
    centre = (..., slice(REACH * 8, -REACH * 8), slice(REACH * 8, -REACH * 8))
    torch.testing.assert_close(inner[centre], before[centre], atol=1e-5, rtol=1e-4)


# Time


def test_easing_by_hand():
    assert [editing.ease(amount) for amount in (-1, 0, 0.25, 0.5, 1, 7)] == [0, 0, 0.15625, 0.5, 1, 1]
    assert editing.eased_amounts(5) == [0, 0.15625, 0.5, 0.84375, 1]
    assert editing.eased_amounts(4, closed=True) == [0, 0.5, 1, 0.5]
    with pytest.raises(ValueError, match="at least 2 frames, got 1"):
        editing.eased_amounts(1)


def angles(travelled):
    return [math.degrees(math.atan2(*code[0].flip(0).tolist())) for code in travelled]


def test_a_journey_passes_every_stop_open_and_closed():
    stops = list(on_circle(0, 90, 30)[:, None])
    expected = [0, 45, 90, 60, 30]  # half the way at half the time
    assert angles(editing.journey(stops, 2)) == pytest.approx(expected, abs=1e-4)
    assert angles(editing.journey(stops, 2, closed=True)) == pytest.approx([*expected, 15], abs=1e-4)
    quarter = angles(editing.journey(stops[:2], 4))
    assert quarter == pytest.approx([90 * amount for amount in editing.eased_amounts(5)], abs=1e-4)


def test_journeys_travel_structures_too_and_refuse_what_is_none():
    stops = [F.normalize(random(2, 4, 3, 5, seed=seed), dim=1) for seed in range(3)]
    frames = list(editing.journey(stops, 3, closed=True))
    assert len(frames) == 9
    for index in range(3):
        torch.testing.assert_close(frames[3 * index], stops[index], atol=1e-6, rtol=0)
    for bad, steps in [(stops[:1], 3), (stops, 0)]:
        with pytest.raises(ValueError, match="at least 2 stops and 1 step"):
            editing.journey(bad, steps)


def video(frames):
    """A bright square that wanders over a background that stands still."""
    background = F.interpolate(random(1, 3, 8, 8, seed=3).clamp(-1, 1) * 0.5, size=(64, 64), mode="bilinear")
    for index in range(frames):
        frame = background.clone()
        frame[..., 20:36, 4 + 6 * index : 20 + 6 * index] = 1
        yield frame


def test_constant_noise_flickers_less_than_independent_noise(tiny_model, codes):
    inputs, texture = list(video(4)), codes.texture[:1]
    torch.manual_seed(5)
    constant = editing.flicker(inputs, editing.restyle(tiny_model, inputs, texture))
    independent = editing.flicker(inputs, editing.restyle(tiny_model, inputs, texture, noise="random"))
    assert 0 < constant < 0.5 * independent
    still = [inputs[0]] * 3
    assert editing.flicker(still, editing.restyle(tiny_model, still, texture)) == 0
    assert editing.flicker(still, editing.restyle(tiny_model, still, texture, noise="random")) > 0.5 * independent


@torch.no_grad()
def test_restyled_frames_are_hybrids_as_they_come(tiny_model, images, codes):
    def frames():
        yield images
        raise AssertionError("a second frame was read before the first was delivered")

    hybrid = tiny_model.swap(images, images[1:].expand(2, -1, -1, -1), alpha=0.6).clamp(-1, 1)
    first = next(editing.restyle(tiny_model, frames(), codes.texture[1:], amount=0.6))
    torch.testing.assert_close(first, hybrid, atol=1e-6, rtol=1e-5)


def test_flicker_counts_only_what_stands_still():
    inputs = [torch.zeros(1, 3, 1, 4) for _ in range(3)]
    inputs[1][..., 0] = inputs[2][..., 0] = 1  # moves once, then stands
    inputs[2][0, 2, 0, 1] = 2.5 / 127.5  # one channel over two levels
    inputs[2][0, 2, 0, 2] = 1.5 / 127.5
    outputs = [torch.zeros(1, 3, 1, 4) for _ in range(3)]
    outputs[1] += 1 / 127.5
    outputs[2] += 5 / 127.5
    outputs[1][..., 0] = -1  # where the input moved
    outputs[2][..., 0] = -1
    # First pair: three pixels by 1; second: pixel 0 by 0, pixels 2 and 3 by 4.
    assert editing.flicker(inputs, outputs) == pytest.approx((3 * 1 + 0 + 2 * 4) / 6, abs=1e-4)
    assert editing.flicker([inputs[0], inputs[0] + 1], outputs[:2]) is None
    with pytest.raises(ValueError):
        editing.flicker(inputs, outputs[:2])
    with pytest.raises(ValueError, match="expected two pictures"):
        editing.flicker(inputs, [output[..., :2] for output in outputs])


# All together


@torch.no_grad()
def test_the_embedded_model_takes_a_region_edit_of_a_wide_join():
    model = SwapAE.default()
    pictures = F.interpolate(random(2, 3, 8, 8).clamp(-1, 1), size=(64, 64), mode="bilinear")
    codes = model.encode(pictures)
    wide = editing.join([Codes(codes.structure[:1], codes.texture[:1]), Codes(codes.structure[1:], codes.texture[1:])])
    mask = square(8, 16, Box(0, 12, 8, 4))
    texture = editing.texture_map(wide.texture, [codes.texture[:1]], [mask], (8, 16), radius=1)
    assert torch.equal(texture[..., :11], wide.texture[..., :11])
    before = model.decode(wide)
    change = editing.change(before, model.decode(Codes(wide.structure, texture)), mask)
    assert change.inside_mean > 5 * change.outside_mean


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_edits_keep_the_type_of_the_codes(dtype):
    a, b = (F.normalize(random(2, 8, seed=seed), dim=1).to(dtype) for seed in (0, 1))
    s, r = (F.normalize(random(2, 4, 6, 7, seed=seed), dim=1).to(dtype) for seed in (2, 3))
    mask, box, place = torch.ones(1, 1, 6, 7), Box(1, 1, 2, 2), Box(3, 3, 3, 3)
    picture = random(2, 3, 6, 7).clamp(-1, 1).to(dtype)
    for edited in [
        editing.interpolate(a, b, 0.5),
        editing.interpolate_spherical(a, b, 0.5),
        editing.mix_textures([a, b], [1, 2]),
        editing.translate(a, a, b),
        editing.texture_map(a, [b], [mask], (6, 7)),
        editing.paste(s, r, box, place, radius=1),
        editing.move(s, box, place, radius=1),
        *editing.join([Codes(s, a), Codes(r, b)], seam=2),
        *editing.outpaint(Codes(s, a), rows=1, columns=1),
        *editing.journey([s, r], 2),
        editing.combine_luminance_and_colour(picture, picture.flip(0)),
        editing.composite(picture, picture.flip(0), mask, radius=1),
        editing.protect(picture, picture.flip(0), mask, radius=1),
    ]:
        assert edited.dtype == dtype and edited.isfinite().all()
    assert editing.select_similar(s, (0, 0), threshold=0.5).shape == (2, 1, 6, 7)
