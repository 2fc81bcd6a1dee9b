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
# From the bottom up: a folder, and the files at the top, may import from its own row and those above it.
ROWS = [
    ["errors", "precision", "release", "rounding", "second_order", "threads"],
    ["config", "files", "arguments", "backbones", "layers"],
    ["tensor_files"],
    ["hub", "pictures", "inputs"],
    ["codes", "encoder", "generator", "discriminators", "feature_discriminators"],
    ["model", "losses"],
    ["convert"],
    ["data", "editing"],
    ["inference", "evaluation", "search"],
    ["training"],
    ["train"],
    ["images", "metrics", "directions"],
    ["apps"],
    ["__main__", "__init__"],
]
ROW = {name: number for number, names in enumerate(ROWS) for name in names}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ([f"{node.module}.{alias.name}" for alias in node.names] if node.level == 0 else [])
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def inner_imports(path):
    """Folders and top files of the package that a file imports; `from swapae import X` counts as the model."""
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "swapae" and len(parts) > 1:
            yield parts[1] if parts[1] in ROW else "model"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    place = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for imported in inner_imports(path):
        assert imported == place or ROW[imported] < ROW[place], f"{place} imports {imported}"


def test_the_rows_are_what_is_there():
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert there == set(ROW)


def test_only_the_picture_modules_know_pillow():
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in {"pictures", "apps"}:
            assert not any(name.split(".")[0] == "PIL" for name in imports(path)), path


def test_losses_import_no_network():
    assert set(inner_imports(PACKAGE / "losses.py")) <= {"codes", "precision", "second_order"}


def test_import_loads_nothing_heavy():
    program = "import sys, json, swapae; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"gradio", "accelerate", "lpips", "torchvision", "tyro", "av", "datasets", "lmdb"}
    assert not loaded & {"onnx", "onnxscript", "onnxruntime"}
    assert "PIL" not in loaded


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
    assert {
        "swapae/py.typed",
        "swapae/weights/flowers/config.json",
        "swapae/weights/flowers/model.safetensors",
        "swapae/weights/facades/model.safetensors",
    } <= names
    assert {
        "swapae/weights/flowers/README.md",
        "swapae/examples/attribution.csv",
        "swapae/examples/facades/img_344.jpg",
        "swapae/apps/page/__init__.py",
    } <= names
    assert {
        f"swapae/apps/browser/static/{name}" for name in ("index.html", "app.js", "worker.js", "style.css")
    } <= names
    assert "swapae = swapae.apps.cli:main" in entry_points
    assert not any(name.startswith(("tests", "benchmarks", "runs")) for name in names)


# Modules of Python's that are not there on Windows.
OF_UNIX = {"crypt", "fcntl", "grp", "nis", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios"}


def test_every_module_can_be_imported_on_windows():
    """What only Unix has is imported where it is used, in what asks first which system it is."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not OF_UNIX & set(names), path
