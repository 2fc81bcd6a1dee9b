"""The notebooks, run from their first cell to their last."""

import json
import os
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
import pytest
from loopback_hub import LoopbackHub
from nbclient import NotebookClient
from PIL import Image

from swapae.apps.page.examples import examples_of, showcase

# `swapae` for as little training as shows that all of it works together.
SHORT = f"""#!{sys.executable}
import sys
import tiny_training
from swapae.apps.cli import main, own_model
own_model.SHORTEST = 0.1  # minutes
sys.exit(main())
"""
NOTEBOOKS = Path(__file__).parents[1] / "docs/notebooks"
EXAMPLES = [example.path for example in examples_of(showcase("flowers"))]


def run(name, folder, **parameters):
    """All outputs of a notebook whose cell of parameters is followed by others, as papermill does it."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    lines = [f"{key} = {value!r}" for key, value in parameters.items()]
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell("\n".join(lines)))
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(folder)}}).execute()
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def pictures(outputs):
    found = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [np.asarray(Image.open(BytesIO(b64decode(data))).convert("RGB"), dtype=float) for data in found]


def text(outputs):
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize("name", ["figures.ipynb", "own_model.ipynb"])
def test_notebooks_are_kept_as_they_open(name):
    """Without outputs, which change with every machine, and with what they need installed first."""
    notebook = json.loads((NOTEBOOKS / name).read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "%pip install" in "".join(code[0]["source"])


@pytest.mark.slow
def test_the_figures_are_drawn_from_the_examples(tmp_path):
    outputs = run("figures.ipynb", tmp_path, MOST=3)
    drawn = pictures(outputs)
    assert len(drawn) == 5  # swaps, interpolation, directions, regions, structure
    assert all(picture.std() > 20 for picture in drawn)


@pytest.mark.slow
def test_a_folder_of_photographs_becomes_a_model_on_the_hub(tmp_path, monkeypatch):
    photographs = tmp_path / "my_photos"
    photographs.mkdir()
    for number in range(21):
        with Image.open(EXAMPLES[number % len(EXAMPLES)]) as image:
            image.crop((3 * number, 0, 3 * number + 160, 150)).save(photographs / f"{number}.png")
    with LoopbackHub() as hub:
        for key, value in hub.environment(tmp_path / "home").items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        command = tmp_path / "bin/swapae"
        command.parent.mkdir()
        command.write_text(SHORT)
        command.chmod(0o755)
        root = NOTEBOOKS.parents[1]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (root, root / "tests/support"))))
        monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
        outputs = run("own_model.ipynb", tmp_path, MINUTES=0.1, REPOSITORY="tester/flowers")
        files = hub.repos["tester/flowers"].files()
    said = text(outputs)
    assert "21 photographs, from the model flowers" in said and "LPIPS" in said
    assert len(pictures(outputs)) == 2  # hybrids in training, and by both models
    assert {"config.json", "model.safetensors", "README.md", "directions.safetensors"} <= set(files)
    assert not any(name.startswith(("run/", "photographs/")) for name in files)
    assert hub.token not in said and os.listdir(tmp_path / "my_model/run/samples")
