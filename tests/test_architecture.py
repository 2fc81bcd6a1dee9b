"""Imports point one way, and importing the package stays light."""

import ast
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "swapae"
# A module may import those in lines above its own.
LAYERS = [
    {"errors", "precision", "second_order"},
    {"backbones"},
    {
        "config",
        "atomic",
        "colour",
        "grids",
        "arguments",
        "draws",
        "augment",
        "grain",
        "metrics",
        "recolour",
        "attributes",
        "tracking",
        "synthetic",
    },
    {"decoding", "layers", "engine"},
    {"images"},
    {
        "encoder",
        "generator",
        "discriminators",
        "feature_discriminators",
        "hub",
        "animation",
        "video",
        "inspection",
        "crops",
        "picture_files",
        "checkpoints",
        "pairs",
    },
    {"codes", "sources", "space"},
    {"model", "losses", "streams"},
    {"lpips", "data", "data_check", "training", "convert", "directions", "editing", "tiling"},
    {
        "inference",
        "making_directions",
        "feature_networks",
        "run",
        "evaluation",
        "initial",
        "estimates",
        "recipe_values",
    },
    {"edits"},
    {"recipes"},
    {"evaluating", "study", "export"},
    {"demo"},
    {"web"},
    {"cli"},
    {"batch"},
]
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ([f"{node.module}.{alias.name}" for alias in node.names] if node.level == 0 else [])
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def inner_imports(path):
    """Modules of the package that a file imports; `from swapae import X` counts as the model."""
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "swapae" and len(parts) > 1:
            yield parts[1] if parts[1] in LEVEL else "model"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    module = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if module == "__init__":
        return
    for imported in inner_imports(path):
        assert imported == module or LEVEL[imported] < LEVEL[module], f"{module} imports {imported}"


def test_only_the_picture_modules_know_pillow():
    allowed = {"images", "decoding", "colour", "inspection", "grids", "animation", "cli", "demo"}
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).with_suffix("").parts[0] not in allowed:
            assert not any(name.split(".")[0] == "PIL" for name in imports(path)), path


def test_losses_import_no_network():
    assert set(inner_imports(PACKAGE / "losses.py")) <= {"codes", "precision", "second_order"}


def test_import_loads_nothing_heavy():
    program = "import sys, json, swapae; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"gradio", "accelerate", "lpips", "torchvision", "tyro", "av", "datasets", "lmdb"}
    assert not loaded & {"onnx", "onnxscript", "onnxruntime"}


@pytest.mark.slow
def test_the_wheel_holds_weights_examples_and_types(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source / "swapae", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert {"swapae/py.typed", "swapae/weights/config.json", "swapae/weights/model.safetensors"} <= names
    assert {"swapae/weights/README.md", "swapae/examples/attribution.csv", "swapae/demo/__init__.py"} <= names
    assert {f"swapae/web/static/{name}" for name in ("index.html", "app.js", "worker.js", "style.css")} <= names
    assert "swapae = swapae.cli:main" in entry_points
    assert not any(name.startswith(("tests", "benchmarks", "runs")) for name in names)
