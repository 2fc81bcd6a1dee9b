"""Drawings with known structure and texture, and the error of a hybrid beside the true one."""

import dataclasses
import json
import math

import pytest
import torch

from swapae.apps.cli import main
from swapae.data.synthetic import (
    MARGIN,
    Layout,
    Material,
    Shape,
    Texture,
    coverage,
    draw,
    random_layout,
    random_texture,
)
from swapae.evaluation.metrics import local_difference
from swapae.pictures.images import load_image, to_pil

PLAIN = Texture(
    Material((0.2, 0.4, 0.6), (0.0, 0.0, 0.0), "plain", 0.1, 0.0),
    Material((0.9, 0.1, 0.3), (0.0, 0.0, 0.0), "plain", 0.1, 0.0),
)


def balanced_error(made, truth, layout):
    shapes = coverage(layout, truth.shape[-1])
    difference = local_difference(made, truth)
    return sum((difference * part).sum((2, 3))[0] / part.sum() / 2 for part in (shapes, 1 - shapes))


@pytest.mark.parametrize(
    ("kind", "area"),
    [("disc", math.pi), ("square", 2.0), ("bar", 4 * 0.93 * 0.37), ("triangle", 3 * math.sqrt(3) / 4)],
)
def test_shapes_have_their_areas_and_materials_their_colours(kind, area):
    layout = Layout((Shape(kind, 0.45, 0.55, 0.25, 0.4),))
    covered = coverage(layout, 128)
    assert covered.mean().item() == pytest.approx(area * 0.25**2, rel=0.02)
    picture = (draw(layout, PLAIN, 128, 0) + 1) / 2
    assert picture[0, :, 2, 2].tolist() == pytest.approx(PLAIN.ground.base, abs=1e-6)
    if kind != "bar":  # which is all edge
        middle = picture[0, :, round(0.55 * 128), round(0.45 * 128)]
        assert middle.tolist() == pytest.approx(PLAIN.shapes.base, abs=1e-6)


def test_edges_are_lit_from_the_top_left():
    layout = Layout((Shape("square", 0.5, 0.5, 0.3, 0.0),))
    red = draw(layout, PLAIN, 128, 0)[0, 0]
    reach = round((0.3 * math.sqrt(0.5) - 0.02) * 128)
    assert red[64, 64 - reach] > red[64, 64] > red[64, 64 + reach]
    assert red[64 - reach, 64] > red[64, 64] > red[64 + reach, 64]


def test_layouts_keep_off_the_border_and_seeds_decide():
    for seed in range(50):
        covered = coverage(random_layout(seed), 64)[0, 0]
        border = round(MARGIN * 64) - 1
        assert covered[border:-border, border:-border].sum() == covered.sum() > 0
        texture = random_texture(seed)
        assert math.dist(texture.ground.base, texture.shapes.base) >= 0.6
        assert texture == random_texture(seed) != random_texture(seed + 1)
        assert random_layout(seed) == random_layout(seed) != random_layout(seed + 1)


def test_the_error_knows_the_true_hybrid_and_not_where_its_patterns_begin():
    errors = {"again": [], "structure": [], "texture": [], "ground": []}
    for pair in range(40):
        layout, texture = random_layout(pair), random_texture(1000 + pair)
        truth = draw(layout, texture, 64, pair)
        everywhere = Texture(texture.ground, texture.ground)
        made = {
            "again": draw(layout, texture, 64, pair + 1),
            "structure": draw(layout, random_texture(pair), 64, pair),
            "texture": draw(random_layout(1000 + pair), texture, 64, pair),
            "ground": draw(layout, everywhere, 64, pair),
        }
        assert balanced_error(truth, truth, layout).tolist() == [0, 0]
        for name, picture in made.items():
            errors[name].append(balanced_error(picture, truth, layout))
    colours, detail = ({name: torch.stack(values).mean(0)[part] for name, values in errors.items()} for part in (0, 1))
    for wrong in ("structure", "texture", "ground"):
        assert colours[wrong] > 8 * colours["again"]
        assert detail[wrong] > 2.5 * detail["again"]
    assert colours["structure"] > 2 * colours["texture"]


def test_a_drawn_folder_is_what_its_list_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["swapae", "data", "draw", *arguments])
        return main()

    assert run("set", "--count", "3", "--size", "32", "--seed", "5") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
    lines = [json.loads(line) for line in (tmp_path / "set/drawings.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [5, 6, 7]
    for line in lines:
        layout = Layout(tuple(Shape(**shape) for shape in line["layout"]["shapes"]))
        texture = Texture(*(Material(**line["texture"][part]) for part in ("ground", "shapes")))
        assert dataclasses.asdict(layout) == dataclasses.asdict(random_layout(line["seed"]))
        again = to_pil(draw(layout, texture, 32, line["seed"]))
        assert again.tobytes() == load_image(tmp_path / "set" / line["picture"]).tobytes()
    capsys.readouterr()
    for arguments, complaint in (
        (["set"], "give a new folder"),
        (["none/set"], "there is no folder"),
        (["new", "--count", "1"], "count"),
        (["new", "--size", "8"], "size"),
    ):
        assert run(*arguments) == 2
        error = capsys.readouterr().err
        assert complaint in error and error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
