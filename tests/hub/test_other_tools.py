"""Model folders as other tools write them, and `from_pretrained` with the arguments that people know."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from loopback_hub import LoopbackHub, Repo
from safetensors.torch import load_file, save_file

from swapae import SwapAE, UserError
from swapae.convert import convert_checkpoint


@pytest.fixture
def folder(tmp_path: Path, tiny_model: SwapAE) -> Path:
    tiny_model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def same(one: SwapAE, other: SwapAE) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def refusal(*arguments: object, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        SwapAE.from_pretrained(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_names_of_the_mixin_and_of_transformers(folder, tiny_model):
    assert same(SwapAE.from_pretrained(folder, map_location="cpu", strict=True), tiny_model)
    for dtype in (torch.float16, "float16", "torch.float16"):
        assert SwapAE.from_pretrained(folder, torch_dtype=dtype).encoder.to_texture.weight.dtype == torch.float16
    assert SwapAE.from_pretrained(folder, map_location=torch.device("meta")).encoder.to_texture.weight.is_meta
    for wrong in ("int8", "flaot16", torch.int64):
        assert "is no floating-point type: give torch.float32" in refusal(folder, torch_dtype=wrong)


def test_a_model_in_a_subfolder(folder, tiny_model):
    assert same(SwapAE.from_pretrained(folder.parent, subfolder="model"), tiny_model)
    assert "subfolder 'other', is no swapae model" in refusal(folder.parent, subfolder="other")
    for outside in ("../model", "/etc"):
        assert "leads out of" in refusal(folder, subfolder=outside)


def test_tensors_that_are_missing_or_too_many_unless_strict(folder, tiny_model):
    tensors = load_file(folder / "model.safetensors")
    del tensors["generator.to_rgb.bias"]
    save_file(tensors | {"other": torch.zeros(1)}, folder / "model.safetensors")
    assert "missing generator.to_rgb.bias; unexpected 'other'" in refusal(folder)
    loose = SwapAE.from_pretrained(folder, strict=False)
    assert torch.equal(loose.encoder.to_texture.weight, tiny_model.encoder.to_texture.weight)
    save_file(tensors | {"generator.to_rgb.bias": torch.zeros(7)}, folder / "model.safetensors")
    assert "generator.to_rgb.bias is [7] instead of [3]" in refusal(folder, strict=False)


def test_keys_that_other_tools_add(folder, tiny_model):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    more = {"_name_or_path": "x", "transformers_version": "5.0", "architectures": ["SwapAE"], "model_type": "swapae"}
    path.write_text(json.dumps(config | more | {"_commit_hash": None, "torch_dtype": "float32"}))
    assert same(SwapAE.from_pretrained(folder), tiny_model)
    path.write_text(json.dumps(config | {"structure_chanels": 8}))
    assert "unknown key structure_chanels" in refusal(folder)


def shard(folder: Path) -> None:
    """model.safetensors in two files and an index, as transformers writes large models."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    weight_map = {key: names[i % 2] for i, key in enumerate(tensors)}
    for name in names:
        save_file({key: tensors[key] for key in tensors if weight_map[key] == name}, folder / name)
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_weights_in_several_files(folder, tiny_model):
    shard(folder)
    assert same(SwapAE.from_pretrained(folder), tiny_model)
    index = folder / "model.safetensors.index.json"
    whole = index.read_text()
    for damaged in ("{", "[]", '{"weight_map": {"a": "../../secret.safetensors"}}', '{"weight_map": {"a": 3}}'):
        index.write_text(damaged)
        assert "is no index of safetensors files" in refusal(folder)
    index.write_text(whole)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors' is missing" in refusal(folder)


def test_a_pickle_is_not_read_but_converted(folder, tiny_model, tmp_path):
    torch.save(tiny_model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    message = refusal(folder)
    assert "is not read: swapae convert" in message and message.endswith("makes a folder to give")
    convert_checkpoint(folder / "pytorch_model.bin", tmp_path / "converted")
    assert same(SwapAE.from_pretrained(tmp_path / "converted"), tiny_model)
    assert "Adobe" not in (tmp_path / "converted/README.md").read_text()
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match="config.json is not beside it"):
        convert_checkpoint(folder / "pytorch_model.bin", tmp_path / "again")


def test_shards_and_subfolders_come_from_the_hub(folder, tmp_path):
    shard(folder)
    files = {f"deep/model/{path.name}": path.read_bytes() for path in folder.iterdir()}
    program = """
import sys
from swapae import SwapAE
model = SwapAE.from_pretrained("tester/parts", subfolder="deep/model")
print(float(model.encoder.to_texture.weight.detach().sum()))
"""
    with LoopbackHub() as hub:
        repo = Repo()
        repo.commit(files)
        hub.repos["tester/parts"] = repo
        environment = hub.environment(tmp_path / "home")
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(
        float(SwapAE.from_pretrained(folder).encoder.to_texture.weight.detach().sum())
    )
