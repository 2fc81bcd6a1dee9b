import dataclasses
import json
import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from swapae.attributes import ATTRIBUTES, brightness, contrast, picture_statistics, sharpness, vividness, warmth
from swapae.codes import Codes
from swapae.directions import FILE, Direction, Directions
from swapae.errors import UserError
from swapae.making_directions import (
    add_direction,
    calibrated,
    make_directions,
    mean_difference,
    principal_axes,
    separation,
)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def directions(tiny_config):
    channels, places = tiny_config.texture_channels, tiny_config.structure_channels
    named = {"warm": Direction(random(channels, seed=1), "cooler", "warmer")}
    return Directions(random(channels), random(3, channels), random(places), random(places, places), named)


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


@pytest.mark.parametrize("damage", ["missing", "shape", "nan", "words", "name", "format", "bytes"])
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
    vector, share = calibrated(Painter(), codes, torch.tensor([5.0, 0.0]), brightness, 0.3)
    assert share == 1 and vector[0].item() == pytest.approx(0.3, abs=0.02)
    vector, share = calibrated(Painter(), codes, torch.tensor([5.0, 0.0]), brightness, 2.0)
    assert vector[0].item() == pytest.approx(1.5) and share == pytest.approx(0.3)  # 0.6 of 2: as far as it goes


def test_made_from_photographs(tiny_model):
    generator = torch.Generator().manual_seed(0)
    shades = torch.rand(24, generator=generator) * 1.6 - 0.8
    images = [(shade + 0.1 * torch.randn(1, 3, 64, 64, generator=generator)).clamp(-1, 1) for shade in shades]
    kinds = ["light" if shade > 0 else "dark" for shade in shades]
    made = make_directions(tiny_model, iter(images), kinds)
    assert set(made.named) == {*ATTRIBUTES, "light", "dark"}
    assert made.texture_axes.shape == (16, 32) and made.structure_axes.shape == (4, 4)
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
