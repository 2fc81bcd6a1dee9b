"""What tests of the page's API ask it, and what they expect."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from studio_page import encoded, painted

from swapae import SwapAE
from swapae.pictures.images import fit, load_image, to_pil


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


def refusal(client: Client, *arguments: object) -> str:
    """The message of a call to /swap that must fail, which gives nothing of the machine away."""
    with pytest.raises(AppError) as caught:
        client.predict(*arguments, api_name="/swap")
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    for leak in ("Traceback", "gradio", "/tmp", " at 0x", "upstream", "Error"):
        assert leak not in message
    return message


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
    "/drag": "structure_image texture_image alpha points edges still model",
    "/film": (
        "structure_image texture_image third_image fourth_image alpha kind frames rate back format model direction "
        "reach more_images"
    ),
    "/restyle": "video texture_image alpha model",
    "/replay": "recipe images model",
    "/models": "",
}


def replayed(client: Client, result: str, photographs: list[dict], upload: object) -> None:
    """Assert that the recipe in a result's metadata replays to the same bytes, over HTTP."""
    with Image.open(result) as image:
        texts = image.text
    assert texts["Software"] == "swapae" and texts["swapae model"]
    recipe = upload("recipe.json", texts["swapae recipe"].encode())
    again = client.predict(recipe, photographs, api_name="/replay")
    assert Path(again).read_bytes() == Path(result).read_bytes()


def raw(client: Client, endpoint: str, arguments: list) -> str:
    """What the server answers to a call as curl makes it: `gradio_client` would upload files of this machine."""
    url = f"{client.src}gradio_api/call{endpoint}"
    body = json.dumps({"data": arguments}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{url}/{event}") as answer:
        return answer.read().decode()


def raw_upload(client: Client) -> str:
    """The path of a picture in the server's folder."""
    picture = encoded(painted(64, 64, 1))
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{client.src}gradio_api/upload", head + picture + b"\r\n--x--\r\n", kind)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)[0]
