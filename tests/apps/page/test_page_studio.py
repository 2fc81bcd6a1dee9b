"""The page's studio: what it makes of photographs, and what it keeps of them."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
import torch
from page_api import assert_same, expected
from PIL import Image
from studio_page import encoded, painted

from swapae import SwapAE, UserError
from swapae.apps.page import uploads
from swapae.apps.page.models import Models
from swapae.apps.page.studio import Result, Studio
from swapae.apps.page.uploads import MAX_ASPECT, PREVIEW_SIDE
from swapae.pictures.images import fit, load_image, to_pil


def swapped(studio: Studio, structure: bytes, texture: bytes, alpha: object = 1.0) -> Result:
    """The studio's swap at a strength."""
    return studio.edit({"structure": structure, "texture": texture}, {"amount": alpha})


@pytest.mark.parametrize("alpha", [0, 0.3, 1.0])
def test_swap_is_the_library_s(model: SwapAE, structure: bytes, texture: bytes, alpha: float) -> None:
    hybrid = swapped(Studio(model), structure, texture, alpha)
    assert_same(hybrid.image, expected(model, structure, texture, alpha))
    assert hybrid.image.size == hybrid.before.size == (107, 64)
    assert hybrid.seconds > 0


def test_alpha_0_is_the_reconstruction(model: SwapAE, structure: bytes, texture: bytes) -> None:
    fitted = fit(load_image(structure), 64, 4, 28)
    with torch.inference_mode():
        reconstruction = to_pil(model(fitted.tensor), fitted.size)
    hybrid = swapped(Studio(model), structure, texture, 0)
    assert_same(hybrid.image, reconstruction)
    assert_same(hybrid.before, to_pil(fitted.tensor, fitted.size))
    assert np.any(np.asarray(hybrid.image) != np.asarray(swapped(Studio(model), structure, texture, 1).image))


def test_moving_the_slider_only_decodes(
    model: SwapAE, structure: bytes, texture: bytes, encodings: list[torch.Size]
) -> None:
    studio = Studio(model)
    for alpha in np.linspace(0, 1, 9).tolist():
        swapped(studio, structure, texture, alpha)
    assert len(encodings) == 2
    swapped(studio, texture, structure)
    assert len(encodings) == 2
    studio.uploads.get(encoded(painted(64, 64, seed=3)))
    assert len(encodings) == 3


def test_the_same_photograph_from_many_threads_is_encoded_once(
    model: SwapAE, structure: bytes, encodings: list[torch.Size]
) -> None:
    studio, ready = Studio(model), threading.Barrier(6)
    found = []

    def ask() -> None:
        ready.wait()
        found.append(studio.uploads.get(structure))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(encodings) == 1
    assert len(found) == 6 and all(photograph is found[0] for photograph in found)


def test_what_was_used_longest_ago_is_forgotten(model: SwapAE, encodings: list[torch.Size]) -> None:
    first, second, third = (encoded(painted(64, 64, seed)) for seed in range(3))
    studio = Studio(model, cache_bytes=2 * Studio(model).uploads.get(first).nbytes)
    encodings.clear()
    for data in (first, second, first, third):  # the third takes the place of the second
        studio.uploads.get(data)
    assert len(encodings) == 3
    studio.uploads.get(first)
    studio.uploads.get(third)
    assert len(encodings) == 3
    studio.uploads.get(second)
    assert len(encodings) == 4


def test_a_photograph_larger_than_the_cache_is_used_and_not_kept(model: SwapAE, structure: bytes) -> None:
    studio = Studio(model, cache_bytes=1000)
    assert studio.uploads.get(structure) is not studio.uploads.get(structure)


def test_preview_is_upright_and_small(model: SwapAE) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    painted(2000, 1000, seed=1).save(stream, "JPEG", exif=exif)
    photograph = Studio(model).uploads.get(stream.getvalue())
    assert photograph.preview.size == (PREVIEW_SIDE // 2, PREVIEW_SIDE)
    assert photograph.encoded.size == (64, 128)


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan"), float("inf"), "0.5", None, True])
def test_strengths_that_are_none_are_refused(model: SwapAE, structure: bytes, texture: bytes, alpha: object) -> None:
    with pytest.raises(UserError, match="from 0 to 1, got"):
        swapped(Studio(model), structure, texture, alpha)


def test_bad_photographs_are_refused_by_their_role(model: SwapAE, structure: bytes) -> None:
    with pytest.raises(UserError, match="^Structure: .*known format"):
        swapped(Studio(model), b"no picture", structure)
    with pytest.raises(UserError, match="^Texture: .*truncated"):
        swapped(Studio(model), structure, encoded(painted(300, 200, 1), "JPEG")[:2000])


@pytest.mark.parametrize("size", [(64 * MAX_ASPECT + 1, 64), (10, 3000)])
def test_extreme_shapes_are_refused_before_they_are_encoded(
    model: SwapAE, size: tuple[int, int], encodings: list[torch.Size]
) -> None:
    with pytest.raises(UserError, match="times as long as wide"):
        Studio(model).uploads.get(encoded(painted(*size, seed=1)))
    assert not encodings


def test_photographs_are_forgotten_with_the_last_visit_that_had_them(
    model: SwapAE, structure: bytes, texture: bytes, encodings: list[torch.Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(model)
    for visit in ("one", "two"):
        studio.uploads.get(structure, visit)
    studio.uploads.get(texture, "one")
    Models(studio).leave("one")
    studio.uploads.get(structure, "two")
    assert len(encodings) == 2
    studio.uploads.get(texture, "two")
    assert len(encodings) == 3
    studio.uploads.leave("two")
    assert not len(studio.uploads) and studio.uploads.nbytes == 0
    studio.uploads.get(structure, "two")  # by work that was under way
    assert not len(studio.uploads)
    # Whose connection was only lost for a while asks for something anew.
    Models(studio).came_back("two")
    studio.uploads.get(structure, "two")
    assert studio.uploads.visits == {"two"}
    studio.uploads.leave("two")
    studio.uploads.get(structure, "two")
    assert not len(studio.uploads)
    # Who does not say goodbye is forgotten with time.
    studio.uploads.get(structure, "three")
    now = uploads.time.monotonic()
    monkeypatch.setattr(uploads.time, "monotonic", lambda: now + uploads.KEEP_SECONDS + 1)
    studio.uploads.get(texture, "four")
    assert len(studio.uploads) == 1


def test_visits_that_never_leave_are_forgotten_though_others_want_the_same_photograph(
    model: SwapAE, structure: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, now = Studio(model), [0.0]
    monkeypatch.setattr(uploads.time, "monotonic", lambda: now[0])
    for visit in ("one", "two", "three", "one"):
        studio.uploads.get(structure, visit)
        now[0] += 0.6 * uploads.KEEP_SECONDS
    assert studio.uploads.visits == {"one", "three"}
    studio.uploads.leave("one")
    assert len(studio.uploads) == 1
    studio.uploads.leave("three")
    assert not len(studio.uploads)
