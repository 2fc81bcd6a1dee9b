"""Codes files: exact, whole, and refused by every model but their own."""

import os
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from swapae import Codes, SwapAE, SwapAEConfig, UserError
from swapae.codes import load_codes, save_codes


@pytest.fixture
def codes(tiny_config: SwapAEConfig) -> Codes:
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=1)  # noqa: E731
    return Codes(draw(2, tiny_config.structure_channels, 8, 9), draw(2, tiny_config.texture_channels))


def refused(model: SwapAE, path: Path, *words: str) -> None:
    with pytest.raises(UserError) as caught:
        model.load_codes(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    for word in (str(path.name), *words):
        assert word in message


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("mapped", [False, True], ids=["texture", "texture map"])
def test_codes_return_bit_for_bit(tiny_model: SwapAE, codes: Codes, tmp_path: Path, dtype, mapped) -> None:
    model = tiny_model.to(dtype)
    if mapped:
        codes = codes._replace(texture=codes.texture[:, :, None, None] * torch.rand(2, 1, 3, 5))
    codes = Codes(*(code.to(dtype) for code in codes))
    path = tmp_path / "codes.safetensors"
    model.save_codes(codes, path, size=(70, 64))
    back, size = model.load_codes(path)
    assert size == (70, 64)
    for ours, theirs in zip(codes, back, strict=True):
        assert theirs.dtype == dtype
        assert torch.equal(ours, theirs)
    assert torch.equal(model.decode(codes), model.decode(back))


def test_strange_memory_layouts_are_saved_by_value(tiny_model: SwapAE, codes: Codes, tmp_path: Path) -> None:
    layouts = Codes(
        codes.structure.to(memory_format=torch.channels_last), codes.texture.t().contiguous().t().requires_grad_()
    )
    tiny_model.save_codes(layouts, tmp_path / "c.safetensors")
    back, size = tiny_model.load_codes(tmp_path / "c.safetensors")
    assert size is None
    assert torch.equal(back.structure, codes.structure) and torch.equal(back.texture, codes.texture)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_same_model_in_another_precision_reads_them(tiny_model: SwapAE, codes: Codes, tmp_path: Path, dtype):
    path = tmp_path / "c.safetensors"
    tiny_model.save_codes(codes, path)
    half = SwapAE(tiny_model.config).to(dtype).eval()
    half.load_state_dict(tiny_model.state_dict())
    back, _ = half.load_codes(path)
    assert back.structure.dtype == dtype
    assert torch.equal(back.texture, codes.texture.to(dtype))
    half.save_codes(back, path)
    again, _ = tiny_model.load_codes(path)
    assert again.texture.dtype == torch.float32
    # Exact without a model's precision in between:
    stored, _ = load_codes(path, half.config, half.encoder.to_texture.weight)
    assert stored.texture.dtype == dtype and torch.equal(stored.texture, back.texture)


def test_other_models_refuse_them(tiny_model: SwapAE, codes: Codes, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    tiny_model.save_codes(codes, path)
    refused(SwapAE(tiny_model.config), path, "another model")  # other weights
    with torch.no_grad():
        tiny_model.encoder.to_texture.weight.mul_(1.01)
    tiny_model.load_codes(path)
    with torch.no_grad():
        tiny_model.encoder.to_texture.weight.mul_(1.02)
    refused(tiny_model, path, "another model")
    with torch.no_grad():
        tiny_model.encoder.to_texture.weight.fill_(torch.nan)
    refused(tiny_model, path, "another model")


def test_the_same_weights_in_another_configuration_refuse_them(tiny_config, tiny_model, codes, tmp_path) -> None:
    path = tmp_path / "c.safetensors"
    weight = tiny_model.encoder.to_texture.weight
    save_codes(codes, path, tiny_config, weight)
    other = SwapAEConfig(**{**vars(tiny_config), "generator_capacity": 0.125})
    with pytest.raises(UserError, match="another model"):
        load_codes(path, other, weight)


def damage(path: Path, **changes: object) -> None:
    """Write a codes file again with other tensors or metadata; None leaves one out."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    entries = load_file(path) | {name: value for name, value in changes.items() if not isinstance(value, str)}
    metadata |= {name: value for name, value in changes.items() if isinstance(value, str)}
    save_file({name: value for name, value in entries.items() if value is not None}, path, metadata)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"texture": None}, "holds no codes"),
        ({"probe": None}, "holds no codes"),
        ({"more": torch.zeros(1)}, "holds no codes"),
        ({"format": "swapae codes 2"}, "upgrade"),
        ({"format": "something"}, "holds no codes"),
        ({"config": "0" * 16}, "another model"),
        ({"probe": torch.zeros(0)}, "another model"),
        ({"probe": torch.zeros(64)}, "another model"),
        ({"texture": torch.ones(2, 33)}, r"texture is \[2, 33\]"),
        ({"texture": torch.ones(3, 32)}, r"texture is \[3, 32\]"),
        ({"texture": torch.ones(2, 32, 0, 3)}, "texture is"),
        ({"texture": torch.ones(2, 32, 3)}, "texture is"),
        ({"texture": torch.full((2, 32), torch.nan)}, "texture holds"),
        ({"texture": torch.ones(2, 32, dtype=torch.int32)}, "texture holds"),
        ({"structure": torch.ones(4, 8, 9)}, "structure is"),
        ({"structure": torch.ones(2, 5, 8, 9)}, "structure is"),
        ({"structure": torch.full((2, 4, 8, 9), torch.inf)}, "structure holds"),
        ({"size": "73x64"}, "the size is 73x64, the picture they decode to 72x64"),
        ({"size": "0x64"}, "the size is"),
        ({"size": "seventy"}, "the size is"),
        ({"size": "-3x64"}, "the size is"),
        ({"size": "64x" + "9" * 5000}, "the size is"),
    ],
    ids=lambda value: " ".join(value)[:20] if isinstance(value, dict) else "",
)
def test_damaged_files_are_refused(tiny_model: SwapAE, codes: Codes, tmp_path: Path, changes, words) -> None:
    path = tmp_path / "c.safetensors"
    tiny_model.save_codes(codes, path, size=(72, 64))
    damage(path, **changes)
    with pytest.raises(UserError, match=words) as caught:
        tiny_model.load_codes(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_foreign_files_are_refused(tiny_model: SwapAE, codes: Codes, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    tiny_model.save_codes(codes, path)
    whole = path.read_bytes()
    for content in (b"", whole[:40], whole[:-5], b"\x89PNG\r\n\x1a\n" + bytes(300), b"<!DOCTYPE html>\n" * 9):
        path.write_bytes(content)
        refused(tiny_model, path, "encode the picture again")
    save_file({"weight": torch.zeros(3)}, path)
    refused(tiny_model, path, "holds no codes")
    refused(tiny_model, tmp_path, "encode the picture again")
    refused(tiny_model, tmp_path / "missing.safetensors", "missing")


def test_wrong_codes_are_not_saved(tiny_model: SwapAE, codes: Codes, tmp_path: Path) -> None:
    for wrong, size, words in (
        (codes._replace(texture=codes.texture[:1]), None, "texture is [1, 32]"),
        (codes._replace(structure=codes.structure[:, :3]), None, "structure is"),
        (codes._replace(texture=codes.texture * torch.nan), None, "texture holds"),
        (codes, (72, 65), "the size is 72x65"),
        (codes, (0, 5), "the size is 0x5"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            tiny_model.save_codes(wrong, tmp_path / "c.safetensors", size=size)
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_the_old_file(tiny_model: SwapAE, codes: Codes, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "c.safetensors"
    tiny_model.save_codes(codes, path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swapae.tensor_files.save_file", fail)
    with pytest.raises(UserError, match="No space left"):
        tiny_model.save_codes(codes, path)
    assert os.listdir(tmp_path) == ["c.safetensors"] and path.read_bytes() == before
    monkeypatch.undo()
    with pytest.raises(UserError, match="cannot write"):
        tiny_model.save_codes(codes, tmp_path / "missing" / "c.safetensors")


def test_files_honour_the_umask(tiny_model: SwapAE, codes: Codes, tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        tiny_model.save_codes(codes, tmp_path / "c.safetensors")
    finally:
        os.umask(previous)
    assert (tmp_path / "c.safetensors").stat().st_mode & 0o777 == 0o640
