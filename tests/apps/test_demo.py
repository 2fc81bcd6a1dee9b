"""The page's handlers, and its API over real HTTP on this machine, with a tiny random model."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from nasty import NASTY, UNREADABLE
from PIL import Image
from studio_page import encoded, painted, served, tiny_directions, tiny_model

from swapae import SwapAE, UserError
from swapae.apps.page import launch, restyling, uploads
from swapae.apps.page.examples import FOLDER, PAIRS, examples
from swapae.apps.page.filming import MAX_FRAMES
from swapae.apps.page.history import MOST, History, HistoryStep
from swapae.apps.page.models import EMBEDDED_NAME, Models
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.settings import ROLES
from swapae.apps.page.studio import Result, Studio
from swapae.apps.page.tabs import TAB_PRESETS, preset
from swapae.apps.page.uploads import MAX_ASPECT, PREVIEW_SIDE
from swapae.data.dataset import is_validation
from swapae.editing.directions import Directions
from swapae.editing.recipes import Recipe
from swapae.editing.words import in_words
from swapae.pictures.animation import save_animation
from swapae.pictures.images import fit, load_image, to_pil
from swapae.pictures.video import open_video

IMAGE_DESCRIPTION = 0x010E
READABLE = [
    "pillow_hopper_orientation_5.webp",
    "pillow_multipage.tiff",
    "sharp_Channel_digital_image_CMYK_color_no_profile.jpg",
    "sharp_Flag_of_the_Netherlands-16bit.png",
]


def expected(model: SwapAE, structure: bytes, texture: bytes, alpha: float) -> Image.Image:
    """What the library makes of the same files."""
    config = model.config
    own, other = (
        fit(load_image(data), config.image_size, config.stride, config.minimum_side) for data in (structure, texture)
    )
    with torch.inference_mode():
        return to_pil(model.swap(own.tensor, other.tensor, alpha=alpha), own.size)


def assert_same(image: Image.Image, other: Image.Image) -> None:
    np.testing.assert_array_equal(np.asarray(image), np.asarray(other))


@pytest.fixture(scope="module")
def model() -> SwapAE:
    return tiny_model()


@pytest.fixture(scope="module")
def directions(model: SwapAE) -> Directions:
    return tiny_directions(model)


@pytest.fixture(scope="module")
def structure() -> bytes:
    return encoded(painted(150, 90, seed=1))


@pytest.fixture(scope="module")
def texture() -> bytes:
    return encoded(painted(70, 110, seed=2))


@pytest.fixture
def encodings(model: SwapAE, monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """The shapes that the encoder was given, as they come."""
    shapes: list[torch.Size] = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda images: shapes.append(images.shape) or encode(images))
    return shapes


# Handlers


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
    # Who does not say goodbye is forgotten with time.
    studio.uploads.get(structure, "three")
    now = uploads.time.monotonic()
    monkeypatch.setattr(uploads.time, "monotonic", lambda: now + uploads.KEEP_SECONDS + 1)
    studio.uploads.get(texture, "four")
    assert len(studio.uploads) == 1


# Examples


def test_examples_are_small_credited_and_never_trained_on() -> None:
    gallery = examples()
    assert {example.path for example in gallery} == set(FOLDER.glob("*.jpg"))
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000
    for example in gallery:
        assert is_validation(example.path)
        assert example.author and example.licence == "CC BY 2.0"
        assert example.url.startswith("https://www.flickr.com/photos/")
    assert {index for pair in PAIRS for index in pair} == set(range(len(gallery)))


# Over HTTP

_CONNECTIONS: list[str] | None = None


def _listen(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and _CONNECTIONS is not None and isinstance(arguments[1], tuple):
        _CONNECTIONS.append(arguments[1][0])


sys.addaudithook(_listen)


@pytest.fixture(scope="module")
def client(model: SwapAE, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of the page; afterwards, that nothing but this machine was connected to."""
    global _CONNECTIONS
    _CONNECTIONS = []
    with served(model, tiny_directions(model)) as url:
        yield Client(url, verbose=False, analytics_enabled=False, download_files=tmp_path_factory.mktemp("results"))
    seen, _CONNECTIONS = _CONNECTIONS, None
    assert seen and set(seen) <= {"127.0.0.1", "::1"}


@pytest.fixture
def upload(tmp_path: Path) -> Iterator:
    def write(name: str, data: bytes) -> dict:
        path = tmp_path / name
        path.write_bytes(data)
        return handle_file(path)

    return write


def refusal(client: Client, *arguments: object) -> str:
    """The message of a call to /swap that must fail, which gives nothing of the machine away."""
    with pytest.raises(AppError) as caught:
        client.predict(*arguments, api_name="/swap")
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    for leak in ("Traceback", "gradio", "/tmp", " at 0x", "upstream", "Error"):
        assert leak not in message
    return message


@pytest.mark.parametrize("alpha", [0, 0.7, 1])
def test_api_swaps(
    client: Client, model: SwapAE, structure: bytes, texture: bytes, upload: object, alpha: float
) -> None:
    result = client.predict(upload("a.png", structure), upload("b.png", texture), alpha, api_name="/swap")
    with Image.open(result) as image:
        assert image.format == "PNG"
        assert_same(image, expected(model, structure, texture, alpha))


@pytest.mark.parametrize("name", READABLE)
def test_api_reads_what_load_image_reads(
    client: Client, model: SwapAE, texture: bytes, upload: object, name: str
) -> None:
    data = (NASTY / name).read_bytes()
    result = client.predict(upload(name, data), upload("b.png", texture), 1, api_name="/swap")
    with Image.open(result) as image:
        assert_same(image, expected(model, data, texture, 1))


@pytest.mark.parametrize("name", UNREADABLE)
def test_api_refuses_broken_files(client: Client, texture: bytes, upload: object, name: str) -> None:
    bad = upload(name, (NASTY / name).read_bytes())
    assert refusal(client, bad, upload("b.png", texture), 1).startswith("Structure: the picture is ")


def test_api_refuses_other_bad_uploads(client: Client, structure: bytes, upload: object) -> None:
    good = upload("a.png", structure)
    text = upload("text.png", b"not a picture at all")
    assert refusal(client, text, good, 1).startswith("Structure: ")
    cut = upload("cut.jpg", encoded(painted(300, 200, 1), "JPEG")[:2000])
    assert "cut short" in refusal(client, good, cut, 1)
    assert refusal(client, good, upload("none.png", b""), 1) == (
        "Texture: the picture is an empty file: give a picture."
    )
    bomb = upload("bomb.png", encoded(Image.new("1", (8001, 8000))))
    assert "8001x8000" in refusal(client, bomb, good, 1)
    ribbon = upload("ribbon.png", encoded(painted(2000, 100, 1)))
    assert "less extreme shape" in refusal(client, ribbon, good, 1)
    assert refusal(client, None, good, 1) == "Structure: give a photograph."


@pytest.mark.parametrize("alpha", [-1, 1.5, "strong", None])
def test_api_refuses_other_strengths(client: Client, structure: bytes, upload: object, alpha: object) -> None:
    good = upload("a.png", structure)
    assert "a number from 0 to 1" in refusal(client, good, good, alpha)


def test_api_fetches_no_address_for_a_visitor(client: Client, structure: bytes, upload: object) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.png"
        address = {"path": url, "url": url, "meta": {"_type": "gradio.FileData"}}
        assert refusal(client, address, upload("a.png", structure), 1) == "Give a file, not an address."
        with pytest.raises(BlockingIOError):
            server.accept()


ENDPOINTS = {
    "/swap": "structure_image texture_image alpha keep coarse middle fine path model",
    "/mix": ("structure_image texture_image third_image fourth_image alpha third fourth model more_images more_shares"),
    "/regions": "structure_image texture_image third_image fourth_image alpha paint feather model more_images",
    "/similar": "structure_image across along likeness model",
    "/directions": "structure_image texture_image alpha gains model",
    "/translate": "structure_image from_images to_images gain model",
    "/structure": (
        "structure_image texture_image third_image fourth_image alpha shape left top width height right down "
        "scale flip leave wider taller join seam shared model more_images"
    ),
    "/film": (
        "structure_image texture_image third_image fourth_image alpha kind frames rate back format model direction "
        "reach more_images"
    ),
    "/restyle": "video texture_image alpha model",
    "/replay": "recipe images model",
    "/models": "",
}


def test_api_is_these_endpoints(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    parameters = {
        name: " ".join(parameter["parameter_name"] for parameter in endpoint["parameters"])
        for name, endpoint in named.items()
    }
    assert parameters == ENDPOINTS
    assert all(endpoint["description"] for endpoint in named.values())


@pytest.fixture
def four(upload: object, structure: bytes, texture: bytes) -> list[dict]:
    """Four photographs of one size, uploaded."""
    return [upload(f"{seed}.png", encoded(painted(80, 64, seed))) for seed in range(4)]


def replayed(client: Client, result: str, photographs: list[dict], upload: object) -> None:
    """Assert that the recipe in a result's metadata replays to the same bytes, over HTTP."""
    with Image.open(result) as image:
        texts = image.text
    assert texts["Software"] == "swapae" and texts["swapae model"]
    recipe = upload("recipe.json", texts["swapae recipe"].encode())
    again = client.predict(recipe, photographs, api_name="/replay")
    assert Path(again).read_bytes() == Path(result).read_bytes()


HALF = {"height": 32, "width": 40, "runs": [255, 20, 0, 20] * 32}


@pytest.mark.parametrize(
    ("endpoint", "settings", "size"),
    [
        ("/swap", {"coarse": 0, "keep": "luminance"}, (80, 64)),
        ("/swap", {"alpha": 0.5, "path": "spherical"}, (80, 64)),
        ("/mix", {"third": 0.5, "fourth": 0.2}, (80, 64)),
        ("/regions", {"paint": {"third": HALF, "protect": HALF}, "alpha": 0}, (80, 64)),
        ("/directions", {"gains": {"warm": 1.5}, "alpha": 0}, (80, 64)),
        ("/directions", {"gains": {"structure1": 2, "layout2": -1, "texture2": 1}}, (80, 64)),
        ("/structure", {"right": 30, "flip": True, "scale": 150}, (80, 64)),
        ("/structure", {"right": -20, "leave": True, "shape": 0.3}, (80, 64)),
        ("/structure", {"wider": 50}, (120, 64)),
        ("/structure", {"join": ["texture", "fourth"], "seam": 20, "shared": 0.5}, (208, 64)),
    ],
)
def test_api_edits_and_every_edit_has_a_recipe(
    client: Client, four: list[dict], upload: object, endpoint: str, settings: dict, size: tuple[int, int]
) -> None:
    photographs = four[: ENDPOINTS[endpoint].count("_image ")]
    settings = {"alpha": 1, **settings}
    result = client.predict(*photographs, **settings, api_name=endpoint)
    with Image.open(result) as image:
        assert (image.format, image.size) == ("PNG", size)
    replayed(client, result, four, upload)
    plain = client.predict(*four[:2], settings["alpha"], api_name="/swap")
    assert Path(plain).read_bytes() != Path(result).read_bytes()


@pytest.mark.slow
def test_api_takes_up_to_eight_photographs(client: Client, upload: object) -> None:
    eight = [upload(f"{seed}.png", encoded(painted(64, 64, seed))) for seed in range(8)]
    first, more = eight[:4], eight[4:]
    shares = [0.1, 0.2, 0.0, 0.3]
    mixed = client.predict(*first, third=0, more_images=more, more_shares=shares, api_name="/mix")
    replayed(client, mixed, eight, upload)
    with Image.open(mixed) as image:
        recipe = Recipe.from_json(image.text["swapae recipe"])
    assert recipe.edits[-1].weights == (0.1, 0.2, 0.3) and len(recipe.inputs) == 5
    panorama = client.predict(
        *first, join=["texture", "third", "fourth", "fifth", "eighth"], seam=0, more_images=more, api_name="/structure"
    )
    with Image.open(panorama) as image:
        assert image.size == (6 * 64, 64)
    with pytest.raises(AppError, match="At most 8 photographs at once, got 9"):
        client.predict(*first, more_images=[*more, more[0]], api_name="/mix")
    with pytest.raises(AppError, match="Photograph 5 must be a number|further photographs' shares must be"):
        client.predict(*first, more_images=more, more_shares=[3], api_name="/mix")
    with pytest.raises(AppError, match="Fifth: give a photograph"):
        client.predict(*first, more_shares=[1], api_name="/mix")


def test_api_translates_between_kinds(client: Client, four: list[dict], upload: object) -> None:
    result = client.predict(four[0], four[:2], four[2:], 1, api_name="/translate")
    replayed(client, result, four, upload)
    with pytest.raises(AppError, match="Give 1 to 6 photographs of the one kind, and of the other"):
        client.predict(four[0], [], four[2:], 1, api_name="/translate")


def test_api_selects_what_is_similar(client: Client, four: list[dict]) -> None:
    everything = client.predict(four[0], 0.5, 0.5, -1, api_name="/similar")
    assert everything == {"height": 16, "width": 20, "runs": [255, 320]}
    some = client.predict(four[0], 0.99, 1, 0.95, api_name="/similar")
    assert 0 < sum(some["runs"][1::2]) == 320 and some["runs"][0] in (0, 255)
    with pytest.raises(AppError, match="Likeness must be a number from -1 to 1"):
        client.predict(four[0], 0.5, 0.5, 2, api_name="/similar")


@pytest.mark.parametrize(
    ("kind", "format", "frames", "back", "direction"),
    [
        ("edit", "gif", 6, True, ""),
        ("textures", "webp", 10, False, ""),
        ("direction", "webp", 12, True, "warm"),
        ("direction", "webp", 7, False, "layout2"),
    ],
)
def test_api_films(
    client: Client, four: list[dict], kind: str, format: str, frames: int, back: bool, direction: str
) -> None:
    settings = {"kind": kind, "format": format, "frames": 3, "back": back, "direction": direction}
    result = client.predict(*four, **settings, api_name="/film")
    with Image.open(result) as film:
        assert (film.format.lower(), film.n_frames, film.size) == (format, frames, (80, 64))
        said = film.info["comment"].decode() if format == "gif" else film.getexif()[IMAGE_DESCRIPTION]
    assert "Generated by swapae" in said


def test_api_writes_mp4(client: Client, four: list[dict]) -> None:
    result = client.predict(*four, kind="edit", format="mp4", frames=2, api_name="/film")
    assert b"ftyp" in Path(result).read_bytes()[:16]


def test_api_restyles_a_video(client: Client, model: SwapAE, upload: object, texture: bytes, tmp_path: Path) -> None:
    frames = [painted(96, 64, 1), painted(96, 64, 1), painted(96, 64, 2)]
    save_animation(frames, tmp_path / "in.mp4", frames_per_second=5)
    data = (tmp_path / "in.mp4").read_bytes()
    result = client.predict(upload("a.mp4", data), upload("b.png", texture), 1, api_name="/restyle")
    with av.open(result) as container:
        assert "Generated by swapae" in container.metadata["comment"]
    with open_video(result) as video:
        assert video.rate == 5 and [frame.shape for frame in video.frames] == [(64, 96, 3)] * 3
    for name, bad in (("none.mp4", b"nothing"), ("cut.mp4", data[: len(data) // 2]), ("a.mp4", texture)):
        with pytest.raises(AppError) as caught:
            client.predict(upload(name, bad), upload("b.png", texture), 1, api_name="/restyle")
        assert "video" in str(caught.value) and "/" not in str(caught.value).replace("/O", "")
    with pytest.raises(AppError, match="Video: give a file"):
        client.predict(None, upload("b.png", texture), 1, api_name="/restyle")


def test_long_videos_are_refused(
    model: SwapAE, texture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_animation([painted(64, 64, 1)] * 4, tmp_path / "in.mp4", frames_per_second=5)
    monkeypatch.setattr(restyling, "MAX_VIDEO_FRAMES", 3)
    with pytest.raises(UserError, match="the video has over 3 frames"):
        restyle_video(Studio(model), str(tmp_path / "in.mp4"), texture, tmp_path / "out.mp4", 1)
    assert not (tmp_path / "out.mp4").exists()


def raw(client: Client, endpoint: str, arguments: list) -> str:
    """What the server answers to a call as curl makes it: `gradio_client` would upload files of this machine."""
    url = f"{client.src}gradio_api/call{endpoint}"
    body = json.dumps({"data": arguments}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{url}/{event}") as answer:
        return answer.read().decode()


@pytest.mark.parametrize("path", [str(Path(__file__)), "/etc/passwd", "../../etc/passwd"])
def test_api_reads_no_file_but_uploads(client: Client, path: str) -> None:
    inside = {"path": path, "meta": {"_type": "gradio.FileData"}}
    good = {"path": raw_upload(client), "meta": {"_type": "gradio.FileData"}}
    rest = [1, "nothing", 1, 1, 1, "linear", EMBEDDED_NAME]
    assert "event: complete" in raw(client, "/swap", [good, good, *rest])
    for endpoint, arguments in (
        ("/swap", [inside, good, *rest]),
        ("/translate", [good, [inside], [inside], 1]),
        ("/replay", [inside, [good], EMBEDDED_NAME]),
        ("/replay", [good, [inside], EMBEDDED_NAME]),
        ("/restyle", [inside, good, 1, EMBEDDED_NAME]),
    ):
        answer = raw(client, endpoint, arguments)
        assert "event: error" in answer and "root:" not in answer and "def " not in answer


@pytest.mark.parametrize("photograph", ["a.png", 3, ["a"], {"path": 3}, {"nothing": 1}])
def test_api_answers_inputs_of_the_wrong_kind_in_a_sentence(
    client: Client, photograph: object, capfd: pytest.CaptureFixture
) -> None:
    good = {"path": raw_upload(client), "meta": {"_type": "gradio.FileData"}}
    rest = [1, "nothing", 1, 1, 1, "linear", EMBEDDED_NAME]
    for arguments in ([photograph, good, *rest], [good, good]):
        answer = raw(client, "/swap", arguments)
        assert "event: error" in answer
        sentence = json.loads(answer.rsplit("data: ", 1)[1])["error"]
        assert sentence.endswith(".") and "\n" not in sentence
    assert "structure_image, texture_image as files" in sentence
    assert "Traceback" not in capfd.readouterr().err


def test_api_names_no_photographs_as_defaults(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    for endpoint in named.values():
        for parameter in endpoint["parameters"]:
            if "image" in parameter["parameter_name"] or parameter["parameter_name"] in ("video", "recipe"):
                assert parameter["parameter_default"] is None
                assert "bus" not in json.dumps(parameter) and "/" not in str(parameter["example_input"] or "")


def raw_upload(client: Client) -> str:
    """The path of a picture in the server's folder."""
    picture = encoded(painted(64, 64, 1))
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{client.src}gradio_api/upload", head + picture + b"\r\n--x--\r\n", kind)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)[0]


@pytest.mark.parametrize(
    ("endpoint", "settings", "message"),
    [
        ("/swap", {"coarse": 2}, "Coarse shapes must be a number from 0 to 1, got '2'."),
        ("/swap", {"keep": "all"}, "Preserve from original must be one of nothing, luminance, colour, got 'all'."),
        ("/regions", {"alpha": 1, "paint": {"x": 1}}, "Painted regions must be masks by own, texture"),
        ("/regions", {"alpha": 1, "paint": {"own": {"height": 2, "width": 2, "runs": [0, 3]}}}, "runs must be level"),
        (
            "/directions",
            {"alpha": 1, "gains": {"<b>": 1}},
            "There is no direction '<b>'; this model has warm, t",
        ),
        ("/directions", {"alpha": 1, "gains": 3}, "no gains by name"),
        ("/structure", {"right": 100}, "wholly beyond the picture"),
        ("/structure", {"taller": 50, "join": ["third"]}, "only while the picture is not taller"),
        ("/film", {"frames": MAX_FRAMES}, "over 96: take fewer frames"),
        ("/film", {"format": "../x"}, "Format must be one of gif, webp, mp4"),
        ("/film", {"kind": "all"}, "Film must be one of"),
        ("/film", {"kind": "direction", "direction": "uphill"}, "There is no direction 'uphill'; there are warm"),
        ("/film", {"kind": "direction", "direction": "warm", "reach": 9}, "As far as must be a number from 0 to 3"),
    ],
)
def test_api_refuses_what_cannot_be(
    client: Client, four: list[dict], endpoint: str, settings: dict, message: str
) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(*four[: ENDPOINTS[endpoint].count("_image ")], **settings, api_name=endpoint)
    text = str(caught.value)
    assert message in text and text.endswith(".") and "\n" not in text


def test_api_knows_only_allowed_models(client: Client, four: list[dict]) -> None:
    known = client.predict(api_name="/models")
    axes = ["texture1", "texture2", "structure1", "layout1", "layout2"]
    assert known == {"models": [EMBEDDED_NAME], "directions": ["warm", *axes]}
    for name in ("someone/else", "/etc", "../weights"):
        with pytest.raises(AppError, match="not in the list of choices"):
            client.predict(*four[:2], model=name, api_name="/swap")


def test_api_refuses_recipes_that_are_none(client: Client, four: list[dict], upload: object) -> None:
    with pytest.raises(AppError, match="The recipe is not valid JSON"):
        client.predict(upload("recipe.json", b"nonsense"), four, api_name="/replay")
    with pytest.raises(AppError, match="Recipe: give a photograph|Recipe: give a file"):
        client.predict(None, four, api_name="/replay")


# Behind the page


def test_models_are_those_the_operator_allowed(model: SwapAE, structure: bytes, tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = SwapAE(model.config).eval()
    other.save_pretrained(tmp_path / "other")
    models = Models(Studio(model), [str(tmp_path / "other"), str(tmp_path / "gone")])
    assert models.names == [EMBEDDED_NAME, "other", str(tmp_path / "gone")]
    files, values = {"structure": structure}, {"amount": 0}
    images = [models.studio(name).edit(files, values).image for name in ("other", EMBEDDED_NAME)]
    assert models.studio("other") is models.studio("other")
    assert_same(images[1], Studio(model).edit(files, values).image)
    assert np.any(np.asarray(images[0]) != np.asarray(images[1]))
    assert "swapae" in models.card("other") and "flowers" in models.card("")
    with pytest.raises(UserError, match="no such model; choose one of"):
        models.studio(str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        models.studio(str(tmp_path / "gone"))


def test_the_page_may_open_with_another_model(model: SwapAE, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "mine", model_card_kwargs={"title": "Tulips"})
    models = Models(Studio(model), source=str(tmp_path / "mine"))
    assert models.names == ["mine"] and models.studio("mine") is models.studio("") is models.first
    assert "Swapping autoencoder: Tulips" in models.card("") and models.card("mine") == models.card("")
    with pytest.raises(UserError, match="no such model; choose one of mine"):
        models.studio(EMBEDDED_NAME)


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


def test_every_preset_makes_another_picture_or_none_on_purpose(model: SwapAE) -> None:
    files = {role: encoded(painted(64, 64, seed)) for seed, role in enumerate((*ROLES, "from 1", "to 1"))}
    studio = Studio(model)
    plain = np.asarray(studio.edit(files, {}).image)
    for tab, presets in TAB_PRESETS.items():
        for number, (words, _) in enumerate(presets):
            image = np.asarray(studio.edit(files, preset(tab, number, (16, 16))).image)
            same = image.shape == plain.shape and np.array_equal(image, plain)
            assert same == (words in ("All of it", *NOTHING)), words


NOTHING = ("No mix", "Nothing painted", "Not at all", "As it was")

# Launching


def test_a_taken_port_is_one_line(
    model: SwapAE, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(SwapAE, "default", lambda: model)
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        assert launch.main([]) == 2
    output = capsys.readouterr()
    assert output.err.splitlines() == [f"app.py: cannot serve at 127.0.0.1:{port}; is it taken? Choose another --port"]


def test_a_missing_model_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def fail() -> SwapAE:
        raise UserError("no weights")

    monkeypatch.setattr(SwapAE, "default", fail)
    assert launch.main(["--port", "1"]) == 2
    assert capsys.readouterr().err == "app.py: no weights\n"
    monkeypatch.undo()
    assert launch.main(["--model", "no such folder"]) == 2
    assert capsys.readouterr().err.startswith("app.py: 'no such folder': no such folder, and not a Hub name either")


@pytest.mark.parametrize(
    ("environment", "arguments", "host", "port"),
    [
        ({}, [], "127.0.0.1", 7860),
        ({"PORT": "8001"}, [], "127.0.0.1", 8001),
        ({"PORT": "8001"}, ["--port", "8002"], "127.0.0.1", 8002),
        ({"SPACE_ID": "someone/swapae"}, [], "0.0.0.0", 7860),
        ({"SPACE_ID": "someone/swapae", "GRADIO_SERVER_NAME": "::1"}, [], "::1", 7860),
    ],
)
def test_where_it_serves(
    monkeypatch: pytest.MonkeyPatch, environment: dict, arguments: list[str], host: str, port: int
) -> None:
    class Page:
        def launch(self, **options: object) -> None:
            launched.update(options)

    launched: dict = {}
    for name in ("PORT", "SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SwapAE, "default", lambda: None)
    monkeypatch.setattr(launch, "optimize_for_inference", lambda model: model)
    monkeypatch.setattr(launch, "directions_of", lambda model, source: None)
    monkeypatch.setattr(launch, "build_demo", lambda model, directions, allowed, source: Page())
    assert launch.main(arguments) == 0
    assert (launched["server_name"], launched["server_port"]) == (host, port)
    assert launched["max_file_size"] == launch.MAX_FILE_SIZE


def test_a_port_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SystemExit) as caught:
        launch.main([])
    assert caught.value.code == 2
    assert "invalid int value: 'http'" in capsys.readouterr().err
