"""What the README says works."""

import pkgutil
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from swapae import SwapAE
from swapae.apps.cli.commands import COMMANDS, GROUPS
from swapae.hub.folders import embedded_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {"README.md": README, "docs/usage.md": (ROOT / "docs/usage.md").read_text()}


def blocks(language, text):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    first, second, *_ = sorted((ROOT / "swapae/examples/flowers").glob("*.jpg"))
    (tmp_path / "photos").mkdir()
    for name in ("structure.jpg", "a.jpg", "photo.jpg", "photos/one.jpg"):
        shutil.copy(first, tmp_path / name)
    for name in ("texture.jpg", "b.jpg"):
        shutil.copy(second, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_python_blocks_run(folder, page):
    (block,) = blocks("python", PAGES[page])
    exec(compile(block, page, "exec"), {})
    model = SwapAE.default()
    assert Image.open("hybrid.png").size == (model.config.image_size, model.config.image_size)


@pytest.mark.slow
def test_the_command_lines_run(folder, monkeypatch, capsys):
    shell = [line for page in PAGES.values() for block in blocks("sh", page) for line in block.splitlines()]
    # A training takes minutes, and more photographs: tests/apps/test_own_model.py.
    lines = [line.split("#")[0] for line in shell if line.startswith("swapae ") and "train" not in line.split()]
    shown = {shlex.split(line)[1] for line in lines}
    # Those not run take folders of two domains, a video, a checkpoint, an earlier run's recipe, or many photographs;
    # or they make no picture.
    assert {*COMMANDS} - shown <= {
        "convert",
        "translate",
        "select",
        "restyle",
        "replay",
        "recipe",
        "evaluate",
        "export",
        "info",
        "train",
    }
    assert shown <= {*COMMANDS, *GROUPS}
    from swapae.apps.cli import main

    for line in lines:
        words = shlex.split(line)
        monkeypatch.setattr("sys.argv", words)
        assert main() == 0, capsys.readouterr().err
        assert Path(words[words.index("-o") + 1]).exists()


WRITTEN = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]


@pytest.mark.parametrize("page", WRITTEN)
def test_what_a_page_links_to_exists(page):
    path = ROOT / page
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()) if "://" not in link]
    assert links or page != "README.md"
    for link in links:
        name, _, heading = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


@pytest.mark.parametrize("page", WRITTEN)
def test_what_a_page_names_in_code_exists(page):
    text = (ROOT / page).read_text()
    for name in re.findall(r"`((?:swapae|tests|benchmarks|docs)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(swapae(?:\.\w+)+)(?:\(.*?\))?`", text):
        pkgutil.resolve_name(name)


def anchors(page):
    """The names by which GitHub links to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_photographs_licence_is_on_the_card():
    for name, licence in (("flowers", "CC BY 2.0"), ("facades", "CC0 1.0")):
        assert licence in (ROOT / "swapae/weights" / name / "README.md").read_text()


@pytest.mark.parametrize("name", embedded_names())
def test_the_embedded_models_are_small_enough(name):
    assert sum(path.stat().st_size for path in (ROOT / "swapae/weights" / name).iterdir()) < 10_000_000
