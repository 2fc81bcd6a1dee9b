"""The page's API over real HTTP on this machine, with a tiny random model: swaps, and what is refused."""

from __future__ import annotations

import hashlib
import json
import socket
from importlib.metadata import files
from pathlib import Path

import pytest
from gradio.utils import get_hash_seed
from gradio_client import Client
from gradio_client.exceptions import AppError
from nasty import NASTY, UNREADABLE
from page_api import ENDPOINTS, assert_same, expected, raw, raw_upload, refusal
from PIL import Image
from studio_page import encoded, painted

import app
from swapae import SwapAE
from swapae.apps.page.filming import MAX_FRAMES
from swapae.apps.page.models import EMBEDDED_NAME

READABLE = [
    "pillow_hopper_orientation_5.webp",
    "pillow_multipage.tiff",
    "sharp_Channel_digital_image_CMYK_color_no_profile.jpg",
    "sharp_Flag_of_the_Netherlands-16bit.png",
]


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


def test_api_is_these_endpoints(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    parameters = {
        name: " ".join(parameter["parameter_name"] for parameter in endpoint["parameters"])
        for name, endpoint in named.items()
    }
    assert parameters == ENDPOINTS
    assert all(endpoint["description"] for endpoint in named.values())


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


def test_an_upload_has_an_address_that_nobody_else_can_tell(client: Client) -> None:
    """Gradio hashes what is in the file after a secret of its installation: who has the photograph cannot tell it."""
    path, picture = Path(raw_upload(client)), encoded(painted(64, 64, 1))
    assert path.read_bytes() == picture and len(path.parent.name) == 64
    assert path.parent.name != hashlib.sha256(picture).hexdigest()
    assert path.parent.name == hashlib.sha256(get_hash_seed().encode() + picture).hexdigest()
    assert len(get_hash_seed()) >= 32 and not [one for one in files("gradio") or [] if one.name == "hash_seed.txt"]


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


def test_programs_and_the_page_wait_in_the_same_queues(model: SwapAE) -> None:
    demo = app.build_demo(model)
    for function in demo.fns.values():
        demo._queue.create_event_queue_for_fn(function)  # as Gradio does once each is asked for
    limits = {name: queue.concurrency_limit for name, queue in demo._queue.event_queue_per_concurrency_id.items()}
    assert (limits["model"], limits["films"]) == (1, 2)


def test_api_knows_only_allowed_models(client: Client, four: list[dict]) -> None:
    known = client.predict(api_name="/models")
    axes = ["texture1", "texture2", "structure1", "layout1", "layout2"]
    assert known == {"models": [EMBEDDED_NAME, "facades (comes with swapae)"], "directions": ["warm", *axes]}
    for name in ("someone/else", "/etc", "../weights"):
        with pytest.raises(AppError, match="This page has no such model"):
            client.predict(*four[:2], model=name, api_name="/swap")


def test_api_refuses_recipes_that_are_none(client: Client, four: list[dict], upload: object) -> None:
    with pytest.raises(AppError, match="The recipe is not valid JSON"):
        client.predict(upload("recipe.json", b"nonsense"), four, api_name="/replay")
    with pytest.raises(AppError, match="Recipe: give a photograph|Recipe: give a file"):
        client.predict(None, four, api_name="/replay")
