"""Graphs of the model as files: that they are the model, and that nothing is left where they could not be made."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from command_line import assert_one_line
from PIL import Image
from torch import Tensor

from swapae import Codes, SwapAE, SwapAEConfig
from swapae.apps.browser import runtime as npm
from swapae.apps.cli import main
from swapae.hub import remote
from swapae.inference import export
from swapae.inference.export import Source

TOLERANCE = 1e-4  # of the range of values
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiny(tiny_config: SwapAEConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SwapAE, Path]]:
    """A model in whose pictures random noise would be seen, and its folder with a card of its own."""
    folder = tmp_path_factory.mktemp("tiny") / "mine"
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = SwapAE(tiny_config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("noise_weight", "bias")):
                parameter.add_(0.2)
    model.save_pretrained(folder, model_card_kwargs={"license": "cc-by-4.0", "about": "Trained on nothing at all."})
    return SwapAE.from_pretrained(folder), folder


def exported(folder: Path, *arguments: object) -> Path:
    """The folder, once the command has written it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["swapae", "export", str(folder), *map(str, arguments)])
        assert main() == 0
    return folder


@pytest.fixture(scope="module")
def onnx_folder(tiny: tuple[SwapAE, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("onnx") / "out", "--model", tiny[1])


@pytest.fixture(scope="module")
def torch_folder(tiny: tuple[SwapAE, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("torch") / "out", "--model", tiny[1], "--format", "torch")


def session(path: Path) -> Callable[..., list[Tensor]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    opened = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda **inputs: list(map(torch.from_numpy, opened.run(None, {k: v.numpy() for k, v in inputs.items()})))


def largest(made: Tensor, wanted: Tensor) -> float:
    assert made.shape == wanted.shape
    return ((made - wanted).abs().max() / (wanted.max() - wanted.min())).item()


@torch.no_grad()
def compare(
    model: SwapAE,
    encoder: Callable[..., list[Tensor]],
    decoder: Callable[..., list[Tensor]],
    shapes: list[tuple[int, int, int]],
) -> None:
    generator = torch.Generator().manual_seed(5)
    for batch, height, width in shapes:
        images = torch.rand(batch, 3, height, width, generator=generator) * 2 - 1
        codes = model.encode(images)
        for made, wanted in zip(encoder(images=images), codes, strict=True):
            assert largest(made, wanted) < TOLERANCE
        mixed = torch.lerp(codes.texture, codes.texture.flip(0) + 0.1, 0.6)  # off the sphere, as edits are
        (made,) = decoder(structure=codes.structure, texture=mixed)
        wanted = model.decode(Codes(codes.structure, mixed), noise="zero")
        assert largest(made, wanted) < TOLERANCE
        assert largest(made, model.decode(Codes(codes.structure, codes.texture.roll(1, 1)), noise="zero")) > 0.01


def shapes(stride: int, cells: int, most: int) -> list[tuple[int, int, int]]:
    """The smallest square, tall, wide and larger; one image and three."""
    sides = [(cells, cells), (cells, cells + 6), (cells + 9, cells + 1), (most, most + 5)]
    return [(batch, stride * height, stride * width) for height, width in sides for batch in (1, 3)]


@pytest.mark.slow
def test_onnx_is_the_model_at_every_size_and_batch(tiny: tuple[SwapAE, Path], onnx_folder: Path) -> None:
    model, _ = tiny
    compare(model, session(onnx_folder / "encoder.onnx"), session(onnx_folder / "decoder.onnx"), shapes(8, 7, 30))
    with torch.no_grad():
        images = torch.rand(1, 3, 64, 64)
        (made,) = session(onnx_folder / "decoder.onnx")(**model.encode(images)._asdict())
        assert largest(made, model.decode(model.encode(images), noise=0)) > 0.01  # noise would have been seen


@pytest.mark.slow
def test_pt2_is_the_model_at_every_size_and_batch(tiny: tuple[SwapAE, Path], torch_folder: Path) -> None:
    model, _ = tiny
    encoder, decoder = (torch.export.load(torch_folder / f"{name}.pt2").module() for name in ("encoder", "decoder"))
    sizes = shapes(8, json.loads((torch_folder / "export.json").read_text())["minimum_side"] // 8, 30)
    compare(model, lambda images: encoder(images), lambda structure, texture: [decoder(structure, texture)], sizes)


@pytest.mark.slow
def test_the_embedded_model_in_half_the_bytes_is_the_model_too(web_page: Path) -> None:
    folder = web_page / "model"
    compare(
        SwapAE.default(),
        session(folder / "encoder.onnx"),
        session(folder / "decoder.onnx"),
        [(1, 56, 72), (3, 120, 64)],
    )
    size = sum((folder / f"{name}.onnx").stat().st_size for name in ("encoder", "decoder"))
    assert size < 1.2 * (ROOT / "swapae/weights/flowers/model.safetensors").stat().st_size
    stored = {  # but for small ones, of which the exporter keeps what was computed from them
        tensor.data_type
        for name in ("encoder", "decoder")
        for tensor in onnx.load(folder / f"{name}.onnx").graph.initializer
        if len(tensor.raw_data) > 33_000
    }
    assert stored == {onnx.TensorProto.FLOAT16}


@pytest.mark.slow
def test_what_lies_beside_the_graphs(tiny: tuple[SwapAE, Path], onnx_folder: Path, torch_folder: Path) -> None:
    model, source = tiny
    for folder, suffix, minimum in ((onnx_folder, ".onnx", 56), (torch_folder, ".pt2", 88)):
        names = {f"encoder{suffix}", f"decoder{suffix}", "config.json", "export.json", "MODEL_CARD.md"}
        assert {path.name for path in folder.iterdir()} == names
        assert (folder / "config.json").read_bytes() == (source / "config.json").read_bytes()
        assert (folder / "MODEL_CARD.md").read_text() == (source / "README.md").read_text()
        about = json.loads((folder / "export.json").read_text())
        assert (about["stride"], about["image_size"], about["minimum_side"]) == (8, 64, minimum)
        assert about["licence"] == "cc-by-4.0" and about["noise"] == "zero" and about["weights"] == "float32"
        assert about["model"]["name"] == "mine" and about["model"]["config"] == model.config.fingerprint
        assert str(source) not in json.dumps(about)
        assert about["versions"]["torch"] == torch.__version__
        assert all(difference < TOLERANCE for difference in about["largest_difference"].values())
    graph = onnx.load(onnx_folder / "decoder.onnx").graph
    assert [value.name for value in graph.input] == ["structure", "texture"]
    assert [value.name for value in graph.output] == ["images"]
    assert [value.name for value in onnx.load(onnx_folder / "encoder.onnx").graph.output] == ["structure", "texture"]


@pytest.mark.slow
def test_the_python_block_of_the_documentation_runs(web_page: Path, tmp_path: Path, monkeypatch) -> None:
    (block,) = re.findall(r"```python\n(import numpy.*?)```", (ROOT / "docs/deploying.md").read_text(), re.S)
    shutil.copytree(web_page / "model", tmp_path / "flowers")
    first, second, *_ = sorted((ROOT / "swapae/examples/flowers").glob("*.jpg"))
    shutil.copy(first, tmp_path / "structure.jpg")
    shutil.copy(second, tmp_path / "texture.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "deploying.md", "exec"), {})
    with Image.open("hybrid.png") as picture:
        assert picture.size == (256, 256)
        assert np.asarray(picture).std() > 20


def test_a_hub_model_is_known_by_its_commit(tiny: tuple[SwapAE, Path], tmp_path: Path, monkeypatch) -> None:
    snapshot = tmp_path / "snapshots" / "0123abcd"
    shutil.copytree(tiny[1], snapshot)
    monkeypatch.setattr(remote, "download", lambda *_: snapshot)
    source = Source.load("owner/name")
    assert (source.name, source.revision, source.licence) == ("owner/name", "0123abcd", "cc-by-4.0")
    (snapshot / "README.md").write_text("---\nlicense: [unclosed\n---\n")
    assert Source.load(str(snapshot)).licence is None
    (snapshot / "README.md").unlink()
    assert Source.load(str(snapshot)).card is None


@pytest.mark.slow
def test_graphs_that_differ_are_not_kept(run, torch_folder: Path, monkeypatch, tmp_path: Path) -> None:
    others = {name: torch.export.load(torch_folder / f"{name}.pt2") for name in ("encoder", "decoder")}
    monkeypatch.setattr(export, "programs", lambda _: others)
    before = sorted(tmp_path.iterdir())
    assert_one_line(run("export", "out", "--format", "torch"), "structure differ from the model's by")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_graphs_that_refuse_or_overwrite_what_they_are_given_are_not_kept(
    run, torch_folder: Path, monkeypatch, tmp_path: Path
) -> None:
    def refuse(**_: Tensor) -> tuple[Tensor, ...]:
        raise AssertionError("Guard failed:\nimages.size()[2] == 184")

    def overwrite(images: Tensor) -> tuple[Tensor, ...]:
        return (
            SwapAE.from_pretrained("model").encode(images.clone())._replace(structure=images.zero_()[:, :4, ::8, ::8])
        )

    decoder = torch.export.load(torch_folder / "decoder.pt2").module()
    monkeypatch.setattr(export, "programs", lambda _: {"encoder": None, "decoder": None})
    before = sorted(tmp_path.iterdir())
    for encoder, part in ((refuse, "(Guard failed:), so nothing was written"), (overwrite, "overwrites its inputs")):
        graphs = iter((encoder, lambda structure, texture: (decoder(structure, texture),)))
        monkeypatch.setattr(export, "write_torch", lambda program, path, graphs=graphs: next(graphs))
        assert_one_line(run("export", "out", "--format", "torch"), part)
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(run, package: str, monkeypatch, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, package, None)
    assert_one_line(run("export", "out"), f"{package!r}")
    assert_one_line(run("export", "out", "--format", "web"), "pip install 'swapae[export]'")
    assert sorted(tmp_path.iterdir()) == before


def test_what_cannot_be_written_is_refused_in_a_line(run, tmp_path: Path) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    Path("package").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for arguments, part in (
        (["full"], "there is something of that name already"),
        (["a.png"], "there is something of that name already"),
        (["none/out"], "there is no folder"),
        (["/proc/out"], "cannot write '/proc/out'"),
        (["out", "--format", "tflite"], "tflite"),
        (["out", "--runtime", "package"], "--runtime is of --format web"),
        (["out", "--format", "web", "--runtime", "package"], "holds no npm package"),
        (["out", "--format", "web", "--runtime", "none"], "holds no npm package"),
    ):
        assert_one_line(run("export", *arguments), part)
        assert sorted(tmp_path.rglob("*")) == before
    assert_one_line(run("export", "out", "--model", "nowhere", model=False), "nowhere")
    assert sorted(tmp_path.rglob("*")) == before


def test_another_npm_package_or_half_of_ours_is_refused(run) -> None:
    Path("package/dist").mkdir(parents=True)
    Path("package/package.json").write_text('{"name": "left-pad"}')
    assert_one_line(run("export", "out", "--format", "web", "--runtime", "package"), "is the npm package 'left-pad'")
    Path("package/package.json").write_text(json.dumps({"name": npm.PACKAGE, "version": npm.RUNTIME_VERSION}))
    assert_one_line(run("export", "out", "--format", "web", "--runtime", "package"), "lacks dist/ort.wasm.min.mjs")
    Path("package/package.json").write_text("[1]")
    assert_one_line(run("export", "out", "--format", "web", "--runtime", "package"), "holds no npm package")


# What stands in for npm: packs an archive with the files asked for, or fails as npm does without a network.
NPM = """#!{python}
import io, sys, tarfile
if {fails}:
    sys.exit("npm error code ENOTFOUND\\nnpm error network request failed")
assert sys.argv[1] == "pack" and sys.argv[-1] == "{package}@{version}", sys.argv
with tarfile.open(sys.argv[sys.argv.index("--pack-destination") + 1] + "/it.tgz", "w:gz") as archive:
    for name in {names}:
        member = tarfile.TarInfo("package/" + name)
        member.size = len(name)
        archive.addfile(member, io.BytesIO(name.encode()))
"""


def test_npm_is_asked_for_the_runtime(run, tmp_path: Path, monkeypatch) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert_one_line(run("export", "out", "--format", "web"), "npm is not installed: install it, or unpack")
    names = [npm.DESCRIPTION, *(f"dist/{name}" for name in npm.FILES), "dist/other.js"]
    for fails in (True, False):
        text = NPM.format(
            python=sys.executable, fails=fails, package=npm.PACKAGE, version=npm.RUNTIME_VERSION, names=names
        )
        (programs / "npm").write_text(text)
        (programs / "npm").chmod(0o755)
        if fails:
            assert_one_line(run("export", "out", "--format", "web"), "npm error network request failed")
            assert not Path("out").exists()
        else:
            with npm.open_runtime(None) as folder:
                files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
                assert files == sorted(names[:-1])
                assert all((folder / name).read_text() == name for name in files)


# Ctrl-C while torch traces may be caught in one of its callbacks, which Python then ignores: here it is sent when both
# graphs are written, and about to be compared with the model.
WAITING = """
import sys, time
import swapae.inference.export
from swapae.apps.cli import main

def compare(*_):
    print("written", flush=True)
    time.sleep(600)

swapae.inference.export.compare = compare
sys.exit(main())
"""


@pytest.mark.slow
def test_an_interrupted_export_leaves_nothing(tiny: tuple[SwapAE, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITING, "export", "out", "--format", "torch", "--model", str(tiny[1])]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "written\n"
        (hidden,) = tmp_path.iterdir()
        assert sorted(path.name for path in hidden.iterdir()) == ["decoder.pt2", "encoder.pt2"]
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error.splitlines()[-1]) == (130, "swapae: interrupted; nothing was written")
    assert list(tmp_path.iterdir()) == []
