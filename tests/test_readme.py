"""What the README says works."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from swapae import SwapAE
from swapae.apps.cli import COMMANDS, GROUPS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    first, second, *_ = sorted((ROOT / "swapae/examples").glob("*.jpg"))
    (tmp_path / "photos").mkdir()
    for name in ("structure.jpg", "a.jpg", "photo.jpg", "photos/one.jpg"):
        shutil.copy(first, tmp_path / name)
    for name in ("texture.jpg", "b.jpg"):
        shutil.copy(second, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_block_runs(folder):
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    model = SwapAE.default()
    assert Image.open("hybrid.png").size == (model.config.image_size, model.config.image_size)


@pytest.mark.slow
def test_the_command_lines_run(folder, monkeypatch, capsys):
    lines = [line.split("#")[0] for block in blocks("sh") for line in block.splitlines() if line.startswith("swapae ")]
    shown = {shlex.split(line)[1] for line in lines}
    # Those not shown take folders of two domains, a video, a checkpoint, an earlier run's recipe, or many photographs;
    # or they make no picture.
    assert {*COMMANDS} - shown <= {"convert", "translate", "select", "restyle", "replay", "evaluate", "export"}
    assert shown <= {*COMMANDS, *GROUPS}
    from swapae.apps.cli import main

    for line in lines:
        words = shlex.split(line)
        monkeypatch.setattr("sys.argv", words)
        assert main() == 0, capsys.readouterr().err
        assert Path(words[words.index("-o") + 1]).exists()


def test_files_that_the_readme_links_to_exist():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links and all((ROOT / link).exists() for link in links)
    cards = (ROOT / "swapae/weights/README.md").read_text()
    assert "CC BY 2.0" in cards


def test_the_embedded_model_is_small_enough():
    assert sum(path.stat().st_size for path in (ROOT / "swapae/weights").iterdir()) < 10_000_000
