"""The nodes by ComfyUI's own protocol: an executor that knows a node by its INPUT_TYPES, RETURN_TYPES and FUNCTION."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from swapae import SwapAE, UserError
from swapae.apps import comfyui
from swapae.apps.comfyui.nodes import to_model
from swapae.editing.directions import Directions
from swapae.images import to_pil

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "swapae/examples/flowers").glob("*.jpg"))
# What ComfyUI brings itself, as (inputs, outputs).
THEIRS = {"LoadImage": ({"image": "STRING"}, ("IMAGE", "MASK")), "SaveImage": ({"images": "IMAGE"}, ())}


def picture(path):
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB")).astype(np.float32) / 255)[None]


def call(name, /, **inputs):
    """Run a node as ComfyUI does, after checking the inputs against what it declares."""
    kind = comfyui.NODE_CLASS_MAPPINGS[name]
    declared = kind.INPUT_TYPES()
    assert set(declared["required"]) <= set(inputs)
    assert set(inputs) <= {*declared["required"], *declared.get("optional", {})}
    made = getattr(kind(), kind.FUNCTION)(**inputs)
    assert isinstance(made, tuple) and len(made) == len(kind.RETURN_TYPES) == len(kind.RETURN_NAMES)
    return made[0]


def execute(workflow, images):
    """Run a workflow in the API's format; what SaveImage got."""
    results = {}

    def result(number):
        if number not in results:
            node = workflow[number]
            inputs = {
                name: result(value[0])[value[1]] if isinstance(value, list) else value
                for name, value in node["inputs"].items()
            }
            if node["class_type"] == "LoadImage":
                results[number] = (images[inputs["image"]], None)
            elif node["class_type"] == "SaveImage":
                results[number] = (inputs["images"],)
            else:
                results[number] = (call(node["class_type"], **inputs),)
        return results[number]

    return result(next(number for number, node in workflow.items() if node["class_type"] == "SaveImage"))[0]


@pytest.fixture(scope="module")
def model():
    return call("SwapaeLoadModel", name="flowers", device="cpu")


@pytest.fixture(scope="module")
def codes(model):
    return [call("SwapaeEncode", model=model, image=picture(path), short_side=64) for path in EXAMPLES[:3]]


def test_all_nodes_have_names_and_the_workflow_fits_their_types():
    assert set(comfyui.NODE_CLASS_MAPPINGS) == set(comfyui.NODE_DISPLAY_NAME_MAPPINGS)
    workflow = json.loads((ROOT / "docs/comfyui_workflow.json").read_text())
    for node in workflow.values():
        if node["class_type"] in THEIRS:
            types = THEIRS[node["class_type"]][0]
        else:
            declared = comfyui.NODE_CLASS_MAPPINGS[node["class_type"]].INPUT_TYPES()
            types = {name: one[0] for part in declared.values() for name, one in part.items()}
        for name, value in node["inputs"].items():
            if isinstance(value, list):
                other = workflow[value[0]]["class_type"]
                known = comfyui.NODE_CLASS_MAPPINGS.get(other)
                given = known.RETURN_TYPES if known else THEIRS[other][1]
                assert given[value[1]] == types[name]


def test_the_example_workflow_gives_the_hybrid_that_python_gives(model):
    workflow = json.loads((ROOT / "docs/comfyui_workflow.json").read_text())
    own, other = picture(EXAMPLES[0]), picture(EXAMPLES[3])
    (made,) = execute(workflow, {"structure.jpg": own, "texture.jpg": other})
    ours = SwapAE.default()
    (first, size), (second, _) = to_model(own, ours, 0), to_model(other, ours, 0)
    with torch.inference_mode():
        codes = ours.encode(first)._replace(texture=ours.encode(second).texture)
        expected = ours.decode(Directions.from_pretrained(ours).apply(codes, {"warm": 0.5}), noise=0)
    assert made.shape == (size[1], size[0], 3) and made.dtype == torch.float32 and min(size) == 256
    expected = np.asarray(to_pil(expected, size)).astype(np.float32) / 255
    assert np.abs(made.numpy() - expected).max() < 1 / 255


def test_batches_of_any_size_and_one_for_all(model, codes):
    batch = torch.rand(3, 50, 91, 3)
    many = call("SwapaeEncode", model=model, image=batch, short_side=64)
    assert many.size == (116, 64)
    hybrids = call("SwapaeSwap", structure=many, texture=codes[0], alpha=1.0)
    made = call("SwapaeDecode", model=model, codes=hybrids, seed=1)
    assert made.shape == (3, 64, 116, 3) and made.min() >= 0 and made.max() <= 1
    spread = call("SwapaeSwap", structure=codes[0], texture=many, alpha=1.0)
    assert len(call("SwapaeDecode", model=model, codes=spread, seed=1)) == 3
    two = call("SwapaeEncode", model=model, image=batch[:2], short_side=64)
    with pytest.raises(UserError, match="batches of 3 and 2"):
        call("SwapaeSwap", structure=many, texture=two, alpha=1.0)


def test_a_mask_changes_its_inside_only(model, codes):
    own, other = codes[:2]
    width, height = own.size
    mask = torch.zeros(1, height, width)
    mask[:, :, : width // 2] = 1
    masked = call("SwapaeSwap", structure=own, texture=other, alpha=1.0, mask=mask, feather=0).codes.texture
    columns = masked.shape[3]
    assert torch.equal(masked[:, :, :, -2:], own.codes.texture[:, :, None, None].expand_as(masked[:, :, :, -2:]))
    inside = masked[:, :, :, : columns // 2 - 1]
    assert torch.allclose(inside, other.codes.texture[:, :, None, None].expand_as(inside), atol=1e-6)
    again = call("SwapaeDecode", model=model, codes=call("SwapaeSwap", structure=own, texture=other, alpha=0.0), seed=0)
    assert torch.equal(again, call("SwapaeDecode", model=model, codes=own, seed=0))


def test_mixing_by_weights(codes):
    own, first, second = codes
    alone = call("SwapaeMix", structure=own, texture_1=first, weight_1=1.0, texture_2=second, weight_2=0.0)
    assert torch.allclose(alone.codes.texture, first.codes.texture, atol=1e-5)
    parts = {"texture_1": first, "weight_1": 0.5, "texture_2": second, "weight_2": 0.5, "texture_3": own}
    half = call("SwapaeMix", structure=own, **parts, weight_3=0.0)
    mean = first.codes.texture + second.codes.texture
    assert torch.allclose(half.codes.texture, mean / mean.norm(), atol=1e-5)
    with pytest.raises(UserError, match="cannot mix"):
        call("SwapaeMix", structure=own, texture_1=first, weight_1=0.0, texture_2=second, weight_2=0.0)


def test_bad_names_are_said(model, codes):
    with pytest.raises(UserError, match="nothing_here"):
        call("SwapaeLoadModel", name="nothing_here", device="cpu")
    with pytest.raises(UserError, match="sideways"):
        call("SwapaeDirection", model=model, codes=codes[0], direction="sideways", gain=1.0)
