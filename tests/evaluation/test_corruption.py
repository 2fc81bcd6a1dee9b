"""The corruption study on real features: each metric reacts to its own distortion, and less to the other kind."""

import sys
from pathlib import Path

import pytest
import torch

from swapae.evaluation.lpips import LPIPS
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from corruption import SIZE, STRUCTURE, TEXTURE, at_lpips, study  # noqa: E402

pytestmark = pytest.mark.slow
VISIBLE = 0.3  # LPIPS at which distortions are compared


@pytest.fixture(scope="module")
def curves():
    images = [fit(load_image(path), SIZE, 8, 56).tensor for path in list_images(ROOT / "swapae/examples/flowers")[:3]]
    with torch.inference_mode():
        return study(images, LPIPS("squeeze"))


def extremes(curves, distortions, value):
    values = [value(curves[name]) for name in distortions]
    return min(values), max(values)


def test_each_metric_grows_with_its_own_distortion(curves):
    for distortions, metrics in (
        (STRUCTURE, ["structure distance"]),
        (TEXTURE, ["texture distance", "single-image Frechet distance"]),
    ):
        for name in distortions:
            for metric in metrics:
                values = [point[metric] for point in curves[name]]
                # From 0.75 to 1 a shift by half meets itself again.
                assert values[0] > 0 and all(a < b for a, b in zip(values[:-1], values[1:-1], strict=False)), (
                    name,
                    metric,
                )


def test_texture_metrics_tell_texture_from_structure_at_equal_visibility(curves):
    for metric, factor in (("texture distance", 1.0), ("single-image Frechet distance", 1.5)):
        least, _ = extremes(curves, TEXTURE, lambda curve, metric=metric: at_lpips(curve, metric, VISIBLE))
        _, most = extremes(curves, STRUCTURE, lambda curve, metric=metric: at_lpips(curve, metric, VISIBLE))
        assert least > factor * most, metric


def test_structure_distance_tells_structure_from_texture_at_equal_visibility(curves):
    def structure(curve):
        return at_lpips(curve, "structure distance", VISIBLE)

    least, _ = extremes(curves, STRUCTURE, structure)
    # Noise is left out: to a network it is many small things everywhere, and moves self-similarity as much.
    _, most = extremes(curves, TEXTURE.keys() - {"noisy"}, structure)
    assert least > most
    assert least > 1.5 * structure(curves["recoloured"])


def test_both_distances_together_tell_every_distortion_apart(curves):
    def balance(curve):
        return at_lpips(curve, "structure distance", VISIBLE) / at_lpips(curve, "texture distance", VISIBLE)

    _, of_texture = extremes(curves, TEXTURE, balance)
    of_structure, _ = extremes(curves, STRUCTURE, balance)
    assert of_structure > 1.2 * of_texture
