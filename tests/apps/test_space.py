"""The page as a Space: what goes up over real HTTP, and that what has gone up serves pictures."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from gradio_client import Client, handle_file
from huggingface_hub import SpaceCard
from loopback_hub import LoopbackHub, Repo
from PIL import Image
from space_page import served, write

from swapae import SwapAE
from swapae.apps import space
from swapae.apps.page.examples import examples
from swapae.editing.directions import Direction, Directions

ROOT = Path(__file__).parents[2]
NAME = "spaces/tester/swaps"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def push(hub: LoopbackHub, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run `swapae space push` in a fresh process; (exit status, stdout, stderr)."""

    def run(*arguments: str, token: str | None = None, package: Path = ROOT) -> tuple[int, str, str]:
        environment = hub.environment(tmp_path / "home", token) | {"PYTHONPATH": str(package)}
        command = [sys.executable, "-m", "swapae", "space", "push", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    return run


# Runs the command with each of some arguments and tokens, since to start Python is what takes long.
MANY = """
import contextlib, io, json, os, sys
from swapae.apps.cli import main
results = []
for arguments, token in json.load(sys.stdin):
    if token is not None:
        os.environ["HF_TOKEN"] = token
    sys.argv = ["swapae", "space", "push", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as error:
        status = main()
    results.append([status, out.getvalue(), error.getvalue()])
json.dump(results, sys.stdout)
"""


def lines_of(requirements: str) -> list[str]:
    return [line for line in requirements.splitlines() if line and not line.startswith("#")]


# What it is made of


def test_the_readme_s_head_is_what_the_hub_wants() -> None:
    head = SpaceCard((ROOT / "README.md").read_text(encoding="utf-8")).data.to_dict()
    data = SpaceCard(space.readme_text(None)).data.to_dict()
    assert head.keys() == {"title", "sdk", "sdk_version", "python_version", "app_file", "license"}  # what a Space needs
    assert head.items() <= data.items() and "tags" in data
    assert data["sdk"] == "gradio" and data["license"] == "apache-2.0"
    assert f"gradio=={data['sdk_version']}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert re.fullmatch(r"3\.\d+(\.\d+)?", data["python_version"])
    assert {data["colorFrom"], data["colorTo"]} <= {
        "red",
        "yellow",
        "green",
        "blue",
        "indigo",
        "purple",
        "pink",
        "gray",
    }
    assert (ROOT / data["app_file"]).is_file() and len(data["short_description"]) <= 60


def test_requirements_are_the_package_s() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    dependencies, demo = (
        re.findall(r'"(.+?)"', re.search(rf"^{name} = \[(.*?)\]", project, re.M | re.S)[1])
        for name in ("dependencies", "demo")
    )
    assert list(space.REQUIREMENTS) == dependencies
    lines = lines_of((ROOT / "requirements.txt").read_text())
    assert set(lines) >= {*dependencies, *demo}
    assert not any(line.startswith(("-", ".")) for line in lines)  # a Space installs before it has the package


def test_a_space_is_the_package_without_what_editors_and_python_leave(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "swapae"
    good = {"swapae/__init__.py", "swapae/weights/flowers/model.safetensors"}
    bad = {"swapae/.a.swp", "swapae/b.py~", "swapae/__pycache__/c.pyc", "swapae/.cache/d"}
    write(tmp_path, dict.fromkeys(good | bad, b""))
    monkeypatch.setattr(space, "PACKAGE", package)
    assert space.space_files().keys() == good | {"app.py", "README.md", "requirements.txt"}


def test_torch_s_threads_wait_asleep_in_every_app() -> None:
    for text in ((ROOT / "app.py").read_text(), space.app_text(None), space.app_text("owner/name")):
        policy, package = text.index('os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")'), text.index("from swapae")
        assert policy < package  # which imports torch, which reads it


# Up


@pytest.mark.slow
def test_a_space_is_created_then_updated_in_one_commit_each(hub: LoopbackHub, push) -> None:
    status, out, error = push("tester/swaps")
    assert (status, out) == (0, f"{hub.url}/{NAME}\n"), error
    repo = hub.repos[NAME]
    assert len(repo.commits) == 2 and not repo.private
    first = repo.files()
    expected = {name: Path(content).read_bytes() for name, content in space.space_files().items() if "/" in name}
    assert {name: content for name, content in first.items() if "/" in name} == expected
    assert set(first) - set(expected) == {".gitattributes", "app.py", "README.md", "requirements.txt"}
    assert lines_of(first["requirements.txt"].decode()) == list(space.REQUIREMENTS)
    assert "models" not in SpaceCard(first["README.md"].decode()).data.to_dict()

    assert push("tester/swaps")[0] == 0
    assert len(repo.commits) == 2  # nothing is new

    repo.commit(
        first | {"swapae/gone.py": b"old", "swapae/apps/page/errors.py": b"", "notes.md": b"mine", "app.py": b"x"}
    )
    assert push("swaps")[:2] == (0, f"{hub.url}/{NAME}\n")
    assert len(repo.commits) == 4
    assert repo.files() == first | {"notes.md": b"mine"}


def test_a_new_space_may_be_private(hub: LoopbackHub, push) -> None:
    assert push("tester/swaps", "--private")[0] == 0
    assert hub.repos[NAME].private


@pytest.mark.slow
def test_what_cannot_be_pushed_is_one_line(hub: LoopbackHub, push, tiny_model: SwapAE, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path / "mine")
    hub.repos["spaces/tester/other"] = Repo()
    hub.repos["spaces/tester/other"].commit({"app.py": b"print('another')", "README.md": b""})
    hub.repos["tester/text"] = Repo()
    hub.repos["tester/text"].commit({"config.json": b'{"model_type": "bert"}'})
    hub.repos["tester/empty"] = Repo()
    hub.repos["tester/empty"].commit({})
    before = {name: dict(repo.files()) for name, repo in hub.repos.items()}
    cases = [
        (["somebody/swaps"], None, "cannot upload to 'somebody/swaps': this token may not do that"),
        (["no such name"], None, "'no such name' is not a Hub name; give owner/name"),
        (["tester/other"], None, "the Space 'tester/other' holds another app, which would be lost; give another name"),
        (["tester/swaps", "--model", "mine"], None, "'mine' is on this machine, where a Space cannot read it: push it"),
        (
            ["tester/swaps", "--model", "tester/none"],
            None,
            "'tester/none': no such folder, and no such model on the Hub",
        ),
        (["tester/swaps", "--model", "tester/empty"], None, "'tester/empty' is no swapae model, it lacks config.json"),
        (["tester/swaps", "--model", "tester/text"], None, "missing key"),
        (["tester/swaps", "--model", 'a"b/c'], None, "not a Hub name either"),
        ([], None, "missing OWNER/NAME; usage: swapae space push OWNER/NAME [options]"),
        (["tester/swaps"], "hf_forged", "cannot upload to 'tester/swaps': the Hub knows no such token"),
        (["tester/swaps"], "", "cannot upload to 'tester/swaps': the Hub knows no such token; sign in"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", MANY],
        input=json.dumps([case[:2] for case in cases]),
        env=hub.environment(tmp_path / "home") | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for (arguments, _, message), (status, out, error) in zip(cases, json.loads(done.stdout), strict=True):
        assert (status, out) == (2, ""), arguments
        assert error.startswith("swapae: ") and error.count("\n") == 1 and message in error, error
    assert {name: repo.files() for name, repo in hub.repos.items()} == before
    hub.close()
    status, out, error = push("tester/swaps")
    assert (status, out, error.count("\n")) == (2, "", 1) and "check the connection" in error


# Served


def ask(url: str, folder: Path) -> Image.Image:
    """A swap of two example photographs, from outside."""
    client = Client(url, verbose=False, analytics_enabled=False, download_files=folder)
    structure, texture = (handle_file(example.path) for example in examples()[:2])
    with Image.open(client.predict(structure, texture, 1, api_name="/swap")) as image:
        assert image.format == "PNG"
        image.load()
    return image


@pytest.mark.slow
def test_what_was_pushed_is_a_space_that_works(hub: LoopbackHub, push, tmp_path: Path) -> None:
    assert push("tester/swaps")[0] == 0
    folder = tmp_path / "space"
    write(folder, hub.repos[NAME].files())
    hub.close()
    with (folder / "swapae/__init__.py").open("a") as file:
        file.write("\nprint(__file__, flush=True)\n")
    with served(folder, {"HF_HUB_OFFLINE": "1", "SPACE_ID": "tester/swaps"}) as url:
        image = ask(url, tmp_path)
    assert min(image.size) == 256
    assert (folder / "log.txt").read_text().splitlines()[0] == str(folder / "swapae/__init__.py")


@pytest.mark.slow
def test_a_space_opens_with_a_model_of_the_hub(hub: LoopbackHub, push, tmp_path: Path, tiny_model: SwapAE) -> None:
    tiny_model.save_pretrained(tmp_path / "mine", model_card_kwargs={"title": "Tulips"})
    known = Directions(
        torch.ones(32), torch.eye(32)[:3], torch.ones(4), torch.eye(4), {"warm": Direction(torch.ones(32), "a", "b")}
    )
    known.save(tmp_path / "mine/directions.safetensors", tiny_model)
    hub.repos["tester/tulips"] = Repo()
    hub.repos["tester/tulips"].commit({path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()})
    assert push("tester/swaps", "--model", "tester/tulips")[0] == 0
    files = hub.repos[NAME].files()
    assert SpaceCard(files["README.md"].decode()).data.models == ["tester/tulips"]
    folder = tmp_path / "space"
    write(folder, files)
    environment = hub.environment(tmp_path / "fresh")
    with served(folder, environment) as url:
        image = ask(url, tmp_path)
        client = Client(url, verbose=False, analytics_enabled=False)
        offered = client.predict(api_name="/models")
        assert offered["models"] == ["tester/tulips"] and offered["directions"][0] == "warm"
    hub.close()
    with served(folder, environment | {"HF_HUB_OFFLINE": "1"}) as url:
        assert min(image.size) == 64 and ask(url, tmp_path) == image


@pytest.mark.slow
def test_the_wheel_pushes_the_same(hub: LoopbackHub, push, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    source = tmp_path / "source"
    for path in [*(ROOT / "swapae").rglob("*"), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            write(source, {str(path.relative_to(ROOT)): path.read_bytes()})
    subprocess.run([*pip, "--target", tmp_path / "installed", source], check=True)
    assert push("tester/swaps", package=tmp_path / "installed")[0] == 0
    assert push("tester/again")[0] == 0
    assert hub.repos[NAME].files() == hub.repos["spaces/tester/again"].files()
