import dataclasses
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from swapae.codes import Codes
from swapae.editing.attributes import ATTRIBUTES, brightness, contrast, picture_statistics, sharpness, vividness, warmth
from swapae.editing.calibration import Calibration, length_for
from swapae.editing.directions import FILE, Direction, Directions
from swapae.editing.fitting import (
    add_direction,
    layout_axes,
    make_directions,
    mean_difference,
    principal_axes,
    separation,
)
from swapae.errors import UserError


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def directions(tiny_config):
    channels, places = tiny_config.texture_channels, tiny_config.structure_channels
    named = {"warm": Direction(random(channels, seed=1), "cooler", "warmer")}
    side = tiny_config.image_size // tiny_config.stride
    layouts = random(2, places, side, side, seed=2)
    return Directions(random(channels), random(3, channels), random(places), random(places, places), named, layouts)


def test_attributes_by_hand():
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0] = torch.tensor([[0.5, 0.5], [-0.5, -0.5]])  # red above, its lack below
    assert brightness(image).item() == pytest.approx(0)
    assert brightness(image.abs()).item() == pytest.approx(0.299 * 0.5)
    assert warmth(image[..., :1, :]).item() == pytest.approx(0.5)
    # (0.5, 0, 0) is sqrt(2/3) / 2 from its grey.
    assert vividness(image).item() == pytest.approx(0.5 * math.sqrt(2 / 3))
    assert contrast(image).item() == pytest.approx(0.299 * 0.5)
    assert sharpness(image).item() == pytest.approx(0.299 / 2)  # 0.299 down, nothing across
    assert picture_statistics(image).shape == (1, 12)


def test_principal_axes_of_points_on_known_axes():
    rotation = torch.linalg.qr(random(3, 3).double())[0]
    points = torch.tensor([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]]).double() @ rotation.T + 5
    mean, axes = principal_axes(points, 2)
    torch.testing.assert_close(mean, torch.full((3,), 5.0))
    # Variances 18 / 3 and 2 / 3 along the first two columns.
    for axis, column, length in zip(axes, rotation.T, (math.sqrt(6), math.sqrt(2 / 3)), strict=False):
        assert axis.norm().item() == pytest.approx(length)
        assert abs(axis @ column.float()).item() == pytest.approx(length)
        assert axis[axis.abs().argmax()] > 0
    with pytest.raises(ValueError, match="4 samples of 3 numbers have no 4 axes"):
        principal_axes(points, 4)


def test_layout_axes_are_the_principal_axes_of_whole_codes():
    structures = [random(1, 3, 4, 4, seed=seed) for seed in range(7)]
    axes = layout_axes(structures, 4, 8)
    # Independently: NumPy's singular values and vectors of the centred samples.
    samples = np.concatenate([one.numpy() for one in structures]).reshape(7, -1).astype(np.float64)
    samples -= samples.mean(0)
    _, values, vectors = np.linalg.svd(samples, full_matrices=False)
    assert axes.shape == (6, 3, 4, 4)  # seven samples differ in six ways
    for axis, value, vector in zip(axes.flatten(1).double(), values, vectors, strict=False):
        assert axis.norm().item() == pytest.approx(value / math.sqrt(6), rel=1e-5)
        assert abs(axis @ torch.from_numpy(vector)).item() == pytest.approx(axis.norm().item(), rel=1e-5)
        assert axis[axis.abs().argmax()] > 0
        # The variance of the samples along an axis is its squared length.
        along = torch.from_numpy(samples) @ (axis / axis.norm())
        assert along.var().item() == pytest.approx((axis @ axis).item(), rel=1e-5)
    assert layout_axes(structures, 4, 2).equal(axes[:2])
    assert torch.equal(layout_axes([one.half() for one in structures], 4, 1), layout_axes(
        [one.half().float() for one in structures], 4, 1))  # fmt: skip


def test_a_planted_layout_is_found_on_any_grid():
    planted = torch.zeros(2, 4, 4)
    planted[0, :2], planted[1, :, 2:] = 1, -0.5  # above in one channel, to the right in another
    amounts = torch.linspace(-2, 2, 9)
    mean = random(2, 4, 4, seed=3)
    noisy = [(mean + amount * planted + 0.01 * random(2, 4, 4, seed=n))[None] for n, amount in enumerate(amounts)]
    first, second = layout_axes(noisy, 4, 2)
    torch.testing.assert_close(first, planted * amounts.std(), atol=0.02, rtol=0)
    assert second.norm() < 0.1
    # Codes on another grid are brought to this one: constant halves stay, but for the cells at their edge.
    wide = [F.interpolate(one, (4, 8), mode="nearest") for one in noisy]
    (found,) = layout_axes(wide, 4, 1)
    torch.testing.assert_close(found, first, atol=0.02, rtol=0)


def test_mean_difference_and_separation():
    a, b = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert mean_difference(a, b).tolist() == [2, -1]
    with pytest.raises(UserError, match="photographs that have"):
        mean_difference(a, b[:0])
    # Two clouds that a loud, useless statistic hides: the score must look past it.
    belongs = torch.arange(400) < 200
    statistics = torch.cat([10 * random(400, 1), 0.1 * random(400, 1, seed=1)], 1)
    statistics = torch.cat([statistics, torch.zeros(400, 10)], 1) + 1e-3 * random(400, 12, seed=2)
    statistics[:200, 1] += 0.5
    _, apart = separation(statistics, belongs)
    assert apart > 10  # in units of the variance within: 0.5^2 / 0.1^2 = 25, less for the ridge


def test_gains_add_up_and_zero_is_as_it_was(directions, tiny_config):
    texture = random(2, tiny_config.texture_channels, seed=5)
    codes = Codes(random(2, tiny_config.structure_channels, 8, 8), texture)
    assert torch.equal(directions.apply(codes, {"warm": 0.0}).texture, texture)
    moved = directions.apply(codes, {"warm": -0.5})
    torch.testing.assert_close(moved.texture, texture - 0.5 * directions["warm"].vector)
    assert moved.structure is codes.structure
    map = codes._replace(texture=texture[..., None, None].expand(-1, -1, 3, 4))
    torch.testing.assert_close(directions.apply(map, {"warm": 2.0}).texture[..., 1, 2],
                               texture + 2 * directions["warm"].vector)  # fmt: skip
    with pytest.raises(UserError, match="no direction 'cold'; there are warm"):
        directions.apply(codes, {"cold": 1.0})
    with pytest.raises(UserError, match="must be a number"):
        directions.apply(codes, {"warm": math.nan})


def test_axes_are_directions_by_number(directions, tiny_config):
    codes = Codes(random(1, tiny_config.structure_channels, 2, 3), random(1, tiny_config.texture_channels, seed=5))
    moved = directions.apply(codes, {"texture2": 0.5, "structure3": -1.0})
    torch.testing.assert_close(moved.texture, codes.texture + 0.5 * directions.texture_axes[1])
    axis = directions.structure_axes[2].view(1, -1, 1, 1)
    torch.testing.assert_close(moved.structure, codes.structure - axis)
    with pytest.raises(UserError, match="no axis 'texture4'; those of texture go up to texture3"):
        directions.apply(codes, {"texture4": 1.0})
    with pytest.raises(UserError, match="no direction 'texture0'"):
        directions.apply(codes, {"texture0": 1.0})


def test_orthogonal_directions_do_nothing_twice(directions):
    warm = directions["warm"].vector
    both = Direction(warm + directions.texture_axes[0], "", "")
    known = dataclasses.replace(directions, named={"warm": directions["warm"], "both": both, "again": both})
    vectors = known.vectors(["warm", "both", "structure1", "again"], orthogonal=True)
    assert torch.equal(vectors["warm"][1], warm)  # the first stays as it is
    new = vectors["both"][1]
    assert abs(new @ warm).item() < 1e-4 * new.norm() * warm.norm()
    # What it had beside the first is still there, no longer than it was.
    axis = directions.texture_axes[0]
    torch.testing.assert_close(new, axis - (axis @ warm) / (warm @ warm) * warm, atol=1e-5, rtol=1e-5)
    assert not vectors["again"][1].any()
    assert torch.equal(vectors["structure1"][1], directions.structure_axes[0])  # of another code
    assert torch.equal(known.vectors(["warm", "both"])["both"][1], both.vector)
    codes = Codes(random(1, len(directions.mean_structure), 2, 2), random(1, len(warm), seed=5))
    moved = known.apply(codes, {"warm": 1.0, "both": 2.0}, orthogonal=True)
    torch.testing.assert_close(moved.texture[0], codes.texture[0] + warm + 2 * new)


def test_layout_axes_are_resized_to_the_picture(directions, tiny_config):
    structure = random(2, tiny_config.structure_channels, 8, 8, seed=7)
    codes = Codes(structure, random(2, tiny_config.texture_channels))
    axis = directions.layout_axes[1]
    moved = directions.apply(codes, {"layout2": -0.5})
    torch.testing.assert_close(moved.structure, structure - 0.5 * axis)
    assert moved.texture is codes.texture
    # Twice as wide, inner cells are three quarters of the nearer and a quarter of the further one.
    wide = directions.apply(Codes(torch.zeros(1, *structure.shape[1:3], 16), codes.texture[:1]), {"layout2": 1.0})
    torch.testing.assert_close(wide.structure[0, :, :, 1], 0.75 * axis[:, :, 0] + 0.25 * axis[:, :, 1])
    both = directions.apply(codes, {"layout1": 1.0, "structure1": 2.0, "warm": 1.0})
    expected = structure + directions.layout_axes[0] + 2 * directions.structure_axes[0].view(1, -1, 1, 1)
    torch.testing.assert_close(both.structure, expected)
    names = ["texture1", "texture2", "texture3", "structure1", "structure2", "structure3", "structure4"]
    assert directions.axis_names() == [*names, "layout1", "layout2"]
    named = dataclasses.replace(directions, named={"layout1": directions["warm"]})  # from before there were layouts
    assert named.axis("layout1") is None and named.axis_names() == [*names, "layout2"]
    with pytest.raises(UserError, match="no axis 'layout3'; those of layout go up to layout2"):
        directions.apply(codes, {"layout3": 1.0})


def test_orthogonal_layouts_and_structures(directions):
    names = ["structure1", "layout1", "structure2", "layout2", "layout1"]
    plain = {name: vector for name, (_, vector) in directions.vectors(names).items()}
    assert plain["structure2"].shape == (4,) and plain["layout1"].shape == (4, 8, 8)
    vectors = {name: vector for name, (_, vector) in directions.vectors(names[:4], orthogonal=True).items()}
    assert torch.equal(vectors["structure1"], plain["structure1"])  # the first stays as it is
    # As whole codes, a structure axis the same at every place, they are at right angles.
    whole = [vector.view(4, *vector.shape[1:] or (1, 1)).expand(4, 8, 8).flatten() for vector in vectors.values()]
    stacked = torch.stack([vector / vector.norm() for vector in whole])
    torch.testing.assert_close(stacked @ stacked.T, torch.eye(4), atol=1e-5, rtol=0)
    # What an orthogonal layout keeps is what the structure axis cannot do.
    mean = directions.layout_axes[0].mean((1, 2))
    share = (mean @ plain["structure1"]) / (plain["structure1"] @ plain["structure1"])
    kept = directions.layout_axes[0] - share * plain["structure1"].view(4, 1, 1)
    torch.testing.assert_close(vectors["layout1"], kept, atol=1e-5, rtol=1e-5)
    # A layout that is the same at every place says nothing new after the structure axis that it is.
    flat = plain["structure1"].view(1, 4, 1, 1).expand(1, 4, 8, 8)
    known = dataclasses.replace(directions, layout_axes=flat)
    assert not known.vectors(["structure1", "layout1"], orthogonal=True)["layout1"][1].any()


def test_files_without_layouts_have_none(directions, tiny_model, tmp_path):
    directions.save(tmp_path / FILE, tiny_model)
    found = Directions.load(tmp_path / FILE, tiny_model)
    torch.testing.assert_close(found.layout_axes, directions.layout_axes, atol=2e-3, rtol=1e-3)
    tensors = load_file(tmp_path / FILE)
    assert tensors.pop("layout_axes").dtype == torch.float16
    with safe_open(tmp_path / FILE, "pt") as file:
        save_file(tensors, tmp_path / "old.safetensors", file.metadata())
    old = Directions.load(tmp_path / "old.safetensors", tiny_model)
    assert old.layout_axes.shape == (0, 4, 1, 1) and old.axis_names()[-1] == "structure4"
    with pytest.raises(UserError, match="no axis 'layout1'; those of layout are not in these directions: make them"):
        old.vectors(["layout1"])
    old.save(tmp_path / "again.safetensors", tiny_model)
    assert load_file(tmp_path / "again.safetensors").keys() == tensors.keys()


def test_a_file_keeps_them_for_its_model_alone(directions, tiny_model, tmp_path):
    tiny_model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"has no {FILE}"):
        Directions.from_pretrained(tiny_model, tmp_path)
    directions.save(tmp_path / FILE, tiny_model)
    found = Directions.from_pretrained(tiny_model, tmp_path)
    assert found["warm"].less == "cooler" and found["warm"].more == "warmer"
    torch.testing.assert_close(found["warm"].vector, directions["warm"].vector, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(found.texture_axes, directions.texture_axes, atol=2e-3, rtol=1e-3)

    with torch.no_grad():
        tiny_model.encoder.to_texture.weight.mul_(1.5)
    with pytest.raises(UserError, match="of another model"):
        Directions.load(tmp_path / FILE, tiny_model)


@pytest.mark.parametrize("damage", ["missing", "shape", "grid", "nan", "words", "name", "format", "bytes"])
def test_damaged_files_are_one_line(directions, tiny_model, tmp_path, damage):
    path = tmp_path / FILE
    directions.save(path, tiny_model)
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    match damage:
        case "missing":
            del tensors["mean_texture"]
        case "shape":
            tensors["named.warm"] = torch.zeros(3)
        case "grid":
            tensors["layout_axes"] = tensors["layout_axes"][..., :-1].contiguous()
        case "nan":
            tensors["texture_axes"][0, 0] = math.nan
        case "words":
            metadata["words"] = "[[["
        case "name":
            metadata["words"] = json.dumps({"<b>": ["a", "b"]})
            tensors["named.<b>"] = tensors.pop("named.warm")
        case "format":
            metadata["format"] = "something"
    save_file(tensors, path, metadata)
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError) as error:
        Directions.load(path, tiny_model)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


class Painter:
    """A model whose pictures are grey, as bright as the first number of the texture code, up to a limit."""

    def decode(self, codes):
        return codes.texture[:, :1].clamp(-1, 0.5)[..., None, None].expand(-1, 3, 8, 8)


def test_a_gain_of_one_changes_decoded_pictures_as_much_as_wanted():
    codes = [Codes(torch.zeros(1, 1, 1, 1), torch.tensor([[level, 0.0]])) for level in (-0.2, 0.0)]
    vector, share = Calibration(Painter(), codes).scale(torch.tensor([5.0, 0.0]), brightness, 0.3)
    assert share == 1 and vector[0].item() == pytest.approx(0.3, abs=0.02)
    vector, share = Calibration(Painter(), codes).scale(torch.tensor([5.0, 0.0]), brightness, 2.0)
    assert vector[0].item() == pytest.approx(1.5) and share == pytest.approx(0.3)  # 0.6 of 2: as far as it goes


@pytest.mark.parametrize(
    "response",
    [
        lambda length: 3 * length,
        lambda length: length / 1.4,
        lambda length: 8 * length**2,  # convex
        lambda length: 1.5 * math.tanh(2 * length),  # concave
        lambda length: 0.97 * math.tanh(9 * length) + 0.05 * length,  # nearly flat where it reaches 1
    ],
)
def test_the_length_that_brings_a_change_takes_few_tries(response):
    tried = []

    def brought(length):
        tried.append(length)
        return response(length)

    length, share = length_for(brought, 0.4, 0.01)
    assert share == pytest.approx(1, abs=0.01) and share == response(length)
    assert len(tried) <= 7


def test_the_longest_edit_is_the_end_of_the_search():
    assert length_for(lambda length: 0.2 * length, 0.4, 0.01) == (1.5, pytest.approx(0.3))
    assert length_for(lambda length: -length, 0.4, 0.01) == (1.5, -1.5)


def test_made_from_photographs(tiny_model):
    generator = torch.Generator().manual_seed(0)
    shades = torch.rand(24, generator=generator) * 1.6 - 0.8
    images = [(shade + 0.1 * torch.randn(1, 3, 64, 64, generator=generator)).clamp(-1, 1) for shade in shades]
    kinds = ["light" if shade > 0 else "dark" for shade in shades]
    made = make_directions(tiny_model, iter(images), kinds)
    assert set(made.named) == {*ATTRIBUTES, "light", "dark"}
    assert made.texture_axes.shape == (16, 32) and made.structure_axes.shape == (4, 4)
    structures = [tiny_model.encode(image).structure for image in images]
    assert made.layout_axes.shape == (8, 4, 8, 8)
    torch.testing.assert_close(made.layout_axes[0], layout_axes(structures, 8, 1)[0], atol=1e-3, rtol=1e-2)
    assert made.mean_texture.norm().item() == pytest.approx(1)
    lengths = made.texture_axes.norm(dim=1)
    assert (lengths.diff() <= 1e-6).all()
    # An edit does what it says, or as much of it as the longest can.
    codes = [tiny_model.encode(image) for image in images[::2]]

    def mean_brightness(gain):
        edited = [made.apply(code, {"bright": gain}) for code in codes]
        return torch.cat([brightness(tiny_model.decode(code).clamp(-1, 1)) for code in edited]).mean().item()

    assert made["bright"].vector.norm() <= 1.5001
    assert mean_brightness(1.0) != pytest.approx(mean_brightness(0.0), abs=1e-4)
    again = make_directions(tiny_model, iter(images), kinds)
    assert all(torch.equal(again[name].vector, made[name].vector) for name in made.named)


@pytest.mark.parametrize(
    ("count", "kinds", "part"),
    [
        (5, None, "take 20 or more photographs"),
        (20, ["rose"] * 20, "found 1 class"),
        (20, ["rose"] * 17 + ["tulip"] * 3, "'tulip' has 3 photographs; 5 or more"),
        (20, ["rose"] * 10 + ["warm"] * 10, "cannot have the name 'warm'"),
        (20, ["rose"] * 10 + ["<b>"] * 10, "cannot have the name '<b>'"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(tiny_model, count, kinds, part):
    with pytest.raises(UserError, match=part):
        make_directions(tiny_model, (torch.zeros(1, 3, 64, 64) for _ in range(count)), kinds)


def shades(low, high, count=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    levels = low + (high - low) * torch.rand(count, generator=generator)
    return [(level + 0.1 * torch.randn(1, 3, 64, 64, generator=generator)).clamp(-1, 1) for level in levels]


def test_a_direction_between_two_sets_is_their_mean_difference(tiny_model):
    light, dark = shades(0.2, 0.6), shades(-0.6, -0.2, seed=1)
    made = add_direction(tiny_model, None, "light", light, dark)
    difference = mean_difference(
        *(torch.cat([tiny_model.encode(one).texture for one in kind]) for kind in (light, dark))
    )
    vector = made["light"].vector
    assert torch.cosine_similarity(vector, difference, 0).item() == pytest.approx(1, abs=1e-5)
    assert (made["light"].less, made["light"].more) == ("less light", "more light")
    assert made.texture_axes.shape == (11, 32)
    # Another joins it; one of the same name takes its place; one named after an attribute has its words.
    more = add_direction(tiny_model, made, "bright", light, dark)
    assert list(more.named) == ["light", "bright"] and more["bright"].more == "brighter"
    assert torch.equal(more["light"].vector, vector) and torch.equal(more.texture_axes, made.texture_axes)
    again = add_direction(tiny_model, more, "light", dark, light, less="night", more="day")
    assert again["light"].less == "night" and torch.cosine_similarity(again["light"].vector, vector, 0) < -0.99


def test_grey_photographs_have_directions_too(tiny_model):
    light, dark = (
        [image.mean(1, keepdim=True).expand(-1, 3, -1, -1) for image in shades(low, low + 0.2)] for low in (0.4, -0.6)
    )
    assert torch.isfinite(add_direction(tiny_model, None, "light", light, dark)["light"].vector).all()


def test_what_all_photographs_are_alike_in_has_no_direction(tiny_model, caplog):
    grey = [image.mean(1, keepdim=True).expand(-1, 3, -1, -1) for image in shades(-0.6, 0.6, 20)]
    named = make_directions(tiny_model, grey).named
    assert set(named) == {"bright", "contrast", "sharp"}
    assert all(torch.isfinite(direction.vector).all() for direction in named.values())
    said = [record.getMessage() for record in caplog.records if "no direction" in record.getMessage()]
    assert said == [f"no direction {name}: all photographs are alike in it" for name in ("warm", "vivid")]


@pytest.mark.parametrize(
    ("name", "having", "lacking", "part"),
    [
        ("light", 4, 6, "5 photographs or more of each kind; found 4 and 6"),
        ("texture1", 6, 6, "cannot have the name 'texture1'"),
        ("<b>", 6, 6, "cannot have the name '<b>'"),
        ("light", 6, 6, "have the same textures"),
    ],
)
def test_a_direction_that_cannot_be_is_one_sentence(tiny_model, name, having, lacking, part):
    with pytest.raises(UserError, match=part):
        add_direction(tiny_model, None, name, shades(0, 0.5, having), shades(0, 0.5, lacking))


def test_directions_are_values(directions):
    with pytest.raises(dataclasses.FrozenInstanceError):
        directions.mean_texture = None
